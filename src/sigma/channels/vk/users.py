"""Who writes to us: the public name and picture of a profile.

Source: dev.vk.ru/ru/method/users.get.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sigma.channels.vk.client import Vk
from sigma.channels.vk.fields import address, number, objects, text

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Person:
    """A profile; a community that writes to ours has a negative id. Repr tells no name."""

    id: int
    name: str
    photo: str

    def __repr__(self) -> str:
        return f"Person(id={self.id})"


async def profiles(vk: Vk, ids: Iterable[int]) -> list[Person]:
    """The profiles that VK knows, in no order; names in Russian. Raises VkError."""
    wanted = sorted(set(ids))
    found: list[Person] = []
    people = [one for one in wanted if one > 0]
    for start in range(0, len(people), AT_ONCE):
        part = people[start : start + AT_ONCE]
        said = await vk.call("users.get", user_ids=part, fields=("photo_100",), lang="ru")
        found += map(read_person, objects({"people": said}, "people"))
    groups = [-one for one in wanted if one < 0]
    for start in range(0, len(groups), AT_ONCE):
        said = await vk.call("groups.getById", group_ids=groups[start : start + AT_ONCE])
        found += [
            Person(-number(one, "id"), text(one, "name"), _photo(one))
            for one in objects(said, "groups")
        ]
    return [one for one in found if one.id]


def read_person(said: dict[str, Any]) -> Person:
    """A profile from VK's object."""
    name = f"{text(said, 'first_name', 100)} {text(said, 'last_name', 100)}".strip()
    return Person(number(said, "id"), name, _photo(said))


def _photo(said: dict[str, Any]) -> str:
    return address(said, "photo_100") or address(said, "photo_200") or address(said, "photo_50")
