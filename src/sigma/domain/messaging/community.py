"""A VKontakte community that a shop talks through: who it is, how its events reach us, what is
wrong with its key.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class Delivery(StrEnum):
    """How events come: VK calls our address, or we ask VK all the time."""

    CALLBACK = "callback"
    LONGPOLL = "longpoll"


@dataclass(frozen=True, slots=True)
class Community:
    """Beside the connection with the same id, which keeps the key.

    `wanted` is the owner's choice of delivery, "auto" leaves it to us. `trouble` is empty or the
    word of what a person must mend; nothing is lost meanwhile. `facts` are the last answers of the
    checklist. `market` is "ok" or VK's code of refusal to show goods to this key.
    """

    id: str
    shop_id: str
    group_id: int
    name: str
    screen_name: str
    photo_url: str
    created_at: int
    rights: tuple[str, ...] = ()
    wanted: str = "auto"
    delivery: Delivery = Delivery.LONGPOLL
    hook_secret_sealed: str = ""
    confirmation: str = ""  # what the hook answers when VK makes sure that the address is ours
    server_id: int | None = None
    poll_ts: str = ""
    poll_until: int = 0  # one process asks at a time: its lease, UTC microseconds
    heard_at: int = 0  # the last event or the last good long poll
    caught_up_at: int = 0  # the history before this moment was read
    trouble: str = ""
    trouble_at: int = 0
    checked_at: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    market: str = ""
    version: int = 0

    @property
    def link_name(self) -> str:
        """The name in vk.me links."""
        return self.screen_name or f"club{self.group_id}"


def troubled(community: Community, why: str, now: int) -> Community:
    """The community with what a person must mend; the first moment of a trouble is kept."""
    if community.trouble == why:
        return community
    return replace(community, trouble=why, trouble_at=now if why else 0)
