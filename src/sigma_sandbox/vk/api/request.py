"""One API call as its method sees it: parameters, access key, community."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sigma_sandbox.vk.actions.client_actions import Vk
from sigma_sandbox.vk.api.uploads import PendingUploads
from sigma_sandbox.vk.delivery.callback import CallbackSender
from sigma_sandbox.vk.wire.errors import VkApiError, invalid_param
from sigma_sandbox.vk.world.models import AccessKey, Community


@dataclass(frozen=True)
class ApiCall:
    """An authenticated call. The parameter readers raise VkApiError (100) for a bad value."""

    vk: Vk
    callbacks: CallbackSender
    uploads: PendingUploads
    access_key: AccessKey
    params: dict[str, str]

    @property
    def version(self) -> tuple[int, int]:
        """The API version of the call: "5.199" is (5, 199)."""
        major, _, minor = self.params["v"].partition(".")
        return int(major), int(minor or 0)

    @property
    def has_community_key(self) -> bool:
        """Whether the access key belongs to a community, not to a person."""
        return bool(self.access_key.group_id)

    def text(self, name: str) -> str:
        """Return a parameter, or an empty string if it was not sent."""
        return self.params.get(name, "")

    def require_text(self, name: str) -> str:
        """Return a parameter that must not be empty."""
        if not self.text(name):
            raise invalid_param(f"{name} is undefined")
        return self.text(name)

    def number(self, name: str, default: int | None = None) -> int:
        """Return a whole number; without a default the parameter is required."""
        raw = self.text(name)
        if not raw and default is not None:
            return default
        try:
            return int(raw)
        except ValueError:
            raise invalid_param(f"{name} should be a number") from None

    def offset_and_count(self, default: int, max_count: int) -> tuple[int, int]:
        """Return (`offset`, `count`). `count` must be from 0 to `max_count`."""
        count = self.number("count", default)
        if not 0 <= count <= max_count:
            raise invalid_param(f"count should be between 0 and {max_count}")
        return self.number("offset", 0), count

    def numbers(self, name: str, max_length: int = 100) -> list[int]:
        """Return a comma-separated list of whole numbers, empty if it was not sent."""
        try:
            values = [int(one) for one in self.text(name).split(",") if one.strip()]
        except ValueError:
            raise invalid_param(f"{name} should be a list of numbers") from None
        if len(values) > max_length:
            raise invalid_param(f"{name} has more than {max_length} elements")
        return values

    def flag(self, name: str) -> bool | None:
        """Return the parameter 1 or 0 as a bool, or None if it was not sent."""
        raw = self.text(name)
        if raw not in ("", "0", "1"):
            raise invalid_param(f"{name} should be 0 or 1")
        return None if not raw else raw == "1"

    def json(self, name: str) -> Any:
        """Return a parameter decoded from JSON, or None if it was not sent."""
        raw = self.text(name)
        if not raw:
            return None
        try:
            return json.loads(raw)
        except ValueError:
            raise invalid_param(f"{name} should be a JSON") from None

    def fields(self) -> set[str]:
        """Return the comma-separated `fields` parameter as a set."""
        return {one.strip() for one in self.text("fields").split(",") if one.strip()}

    def community(self, optional: bool = False) -> Community:
        """Return the community of `group_id`, which the access key must manage.

        `optional`: without `group_id`, return the community of a community's key. Raises
        VkApiError: 100 (not sent), 15 (key of another community), 125 (unknown), 203 (not its
        owner).
        """
        if optional and not self.text("group_id") and self.has_community_key:
            return self.vk.communities[self.access_key.group_id]
        return self.require_community(self.number("group_id"))

    def require_community(self, group_id: int) -> Community:
        """Return a community the access key manages. Raises VkApiError: 15, 125, 203."""
        if self.has_community_key and self.access_key.group_id != group_id:
            raise VkApiError(15, "group_id does not belong to this access token")
        community = self.vk.communities.get(group_id)
        if community is None:
            raise VkApiError(125)
        if not self.has_community_key and community.owner_id != self.access_key.person_id:
            raise VkApiError(203)
        return community


Handler = Callable[[ApiCall], Any] | Callable[[ApiCall], Awaitable[Any]]


@dataclass(frozen=True)
class ApiMethod:
    """An API method and the right needed to call it.

    An empty right: any key of that kind may call. None: no key of that kind may call.
    """

    handler: Handler
    community_right: str | None
    user_right: str | None = None
