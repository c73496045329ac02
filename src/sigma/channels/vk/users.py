"""VK API `users`: public name and photo of a profile.

Source: dev.vk.ru/ru/method/users.get.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sigma.channels.vk.client import VkClient
from sigma.channels.vk.fields import read_int, read_objects, read_text, read_url

MAX_IDS_PER_CALL = 500


@dataclass(frozen=True, slots=True)
class VkProfile:
    """A profile. A community has a negative id. `repr` omits the name, which is personal data."""

    id: int
    name: str
    photo_url: str

    def __repr__(self) -> str:
        return f"VkProfile(id={self.id})"


async def fetch_profiles(vk: VkClient, ids: Iterable[int]) -> list[VkProfile]:
    """Return the profiles that VK knows, in any order. Raises VkError."""
    wanted = sorted(set(ids))
    result: list[VkProfile] = []
    user_ids = [one for one in wanted if one > 0]
    for start in range(0, len(user_ids), MAX_IDS_PER_CALL):
        chunk = user_ids[start : start + MAX_IDS_PER_CALL]
        response = await vk.call("users.get", user_ids=chunk, fields=("photo_100",))
        result += map(parse_profile, read_objects({"people": response}, "people"))
    group_ids = [-one for one in wanted if one < 0]
    for start in range(0, len(group_ids), MAX_IDS_PER_CALL):
        response = await vk.call(
            "groups.getById", group_ids=group_ids[start : start + MAX_IDS_PER_CALL]
        )
        result += [
            VkProfile(-read_int(one, "id"), read_text(one, "name"), _photo_url(one))
            for one in read_objects(response, "groups")
        ]
    return [one for one in result if one.id]


def parse_profile(raw: dict[str, Any]) -> VkProfile:
    """Build a profile from VK's user object."""
    name = f"{read_text(raw, 'first_name', 100)} {read_text(raw, 'last_name', 100)}".strip()
    return VkProfile(read_int(raw, "id"), name, _photo_url(raw))


def _photo_url(raw: dict[str, Any]) -> str:
    return read_url(raw, "photo_100") or read_url(raw, "photo_200") or read_url(raw, "photo_50")
