"""One call of the API as its method sees it: whose key, which parameters, which community."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.api.uploads import Uploads
from sigma_sandbox.vk.delivery.callback import Postman
from sigma_sandbox.vk.wire.errors import VkRefused, bad_param
from sigma_sandbox.vk.world.models import Community, Token


@dataclass(frozen=True)
class Call:
    """What a method works with. Readers of parameters raise VkRefused (100)."""

    vk: Vk
    postman: Postman
    uploads: Uploads
    token: Token
    params: dict[str, str]

    @property
    def version(self) -> tuple[int, int]:
        """The API version asked for: "5.199" is (5, 199)."""
        major, _, minor = self.params["v"].partition(".")
        return int(major), int(minor or 0)

    @property
    def by_group(self) -> bool:
        """Is it a community's key?"""
        return bool(self.token.group_id)

    def text(self, name: str) -> str:
        """A parameter, empty when it was not sent."""
        return self.params.get(name, "")

    def needed(self, name: str) -> str:
        """A parameter that must be there."""
        if not self.text(name):
            raise bad_param(f"{name} is undefined")
        return self.text(name)

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number; without a default it must be there."""
        said = self.text(name)
        if not said and default is not None:
            return default
        try:
            return int(said)
        except ValueError:
            raise bad_param(f"{name} should be a number") from None

    def count(self, default: int, most: int) -> tuple[int, int]:
        """`offset` and `count` within limits."""
        count = self.number("count", default)
        if not 0 <= count <= most:
            raise bad_param(f"count should be between 0 and {most}")
        return self.number("offset", 0), count

    def numbers(self, name: str, most: int = 100) -> list[int]:
        """Whole numbers with commas between."""
        try:
            found = [int(one) for one in self.text(name).split(",") if one.strip()]
        except ValueError:
            raise bad_param(f"{name} should be a list of numbers") from None
        if len(found) > most:
            raise bad_param(f"{name} has more than {most} elements")
        return found

    def flag(self, name: str) -> bool | None:
        """1 or 0; None when it was not sent."""
        said = self.text(name)
        if said not in ("", "0", "1"):
            raise bad_param(f"{name} should be 0 or 1")
        return None if not said else said == "1"

    def json(self, name: str) -> Any:
        """JSON that travels as a string; None when it was not sent."""
        said = self.text(name)
        if not said:
            return None
        try:
            return json.loads(said)
        except ValueError:
            raise bad_param(f"{name} should be a JSON") from None

    def fields(self) -> set[str]:
        """`fields` as a set."""
        return {one.strip() for one in self.text("fields").split(",") if one.strip()}

    def community(self, optional: bool = False) -> Community:
        """The community of `group_id`, which the key must be able to rule.

        Raises VkRefused: 100, 125 (unknown), 15 (of another key), 203 (not its administrator).
        """
        if optional and not self.text("group_id") and self.by_group:
            return self.vk.communities[self.token.group_id]
        return self.ruled(self.number("group_id"))

    def ruled(self, group_id: int) -> Community:
        """A community the key can rule. Raises VkRefused as `community` does."""
        if self.by_group and self.token.group_id != group_id:
            raise VkRefused(15, "group_id does not belong to this access token")
        found = self.vk.communities.get(group_id)
        if found is None:
            raise VkRefused(125)
        if not self.by_group and found.owner_id != self.token.person_id:
            raise VkRefused(203)
        return found


Work = Callable[[Call], Any] | Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True)
class Method:
    """A method and who may call it: right of a community's key and of a person's, None: nobody.

    An empty right means any key of the kind.
    """

    work: Work
    group: str | None
    user: str | None = None
