"""Lanes of background jobs: which jobs compete for the same slots, and what share a shop gets.

Slow mails must not delay payments, and one shop with thousands of jobs must not delay the others.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Lane(StrEnum):
    """A queue with slots of its own in every worker process."""

    MONEY = "money"
    CONVERSATIONS = "conversations"
    MAIL = "mail"
    NOTIFICATIONS = "notifications"
    HOUSEKEEPING = "housekeeping"


# Jobs that one worker process runs at once. They mostly wait for other servers.
SLOTS: Mapping[Lane, int] = {
    Lane.MONEY: 16,  # half of them for one acquirer, see circuit_breaker
    Lane.CONVERSATIONS: 8,
    Lane.MAIL: 8,  # half of them for one mail server
    Lane.NOTIFICATIONS: 4,  # half of them for one push service, mail server or bot
    Lane.HOUSEKEEPING: 4,
}

LANES: Mapping[str, Lane] = {
    "payment.advance": Lane.MONEY,
    "refund.advance": Lane.MONEY,
    "acquirer_notice.process": Lane.MONEY,
    "message.send": Lane.CONVERSATIONS,
    "message.complete": Lane.CONVERSATIONS,
    "vk_event.process": Lane.CONVERSATIONS,
    "conversation.catch_up": Lane.CONVERSATIONS,
    "conversation.mark_read": Lane.CONVERSATIONS,
    "card.refresh": Lane.CONVERSATIONS,
    "auto_reply.send": Lane.CONVERSATIONS,
    "invoice.remind": Lane.CONVERSATIONS,
    "profile.fetch": Lane.CONVERSATIONS,
    "mail.send": Lane.MAIL,
    "password_reset.start": Lane.MAIL,
    "notification.announce": Lane.NOTIFICATIONS,
    "notification.send": Lane.NOTIFICATIONS,
    "telegram_bot.poll": Lane.NOTIFICATIONS,
    "invoice.expire": Lane.HOUSEKEEPING,
    "community.catch_up": Lane.HOUSEKEEPING,
    "community.check_events": Lane.HOUSEKEEPING,
    "vk_orders.fetch": Lane.HOUSEKEEPING,
    "vk_order.fetch_items": Lane.HOUSEKEEPING,
    "encryption.rotate": Lane.HOUSEKEEPING,
    "personal_data.shred": Lane.HOUSEKEEPING,
    "reconciliation.start": Lane.HOUSEKEEPING,
    "reconciliation.advance": Lane.HOUSEKEEPING,
    "export.make": Lane.HOUSEKEEPING,
    "invoice_import.advance": Lane.HOUSEKEEPING,
}


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a lane may claim now: at most `limit` jobs, no job of the shops in `full_shops`."""

    limit: int
    full_shops: tuple[str, ...] = ()


def capacity(slots: int, running: Mapping[str, int]) -> Capacity:
    """Return what may be claimed beside the `running` jobs (shop id → number of its jobs).

    A shop that has used up its share is full: it gets no further slot.
    """
    share = _share(slots, len(running))
    full_shops = tuple(sorted(shop for shop, count in running.items() if count >= share))
    return Capacity(max(slots - sum(running.values()), 0), full_shops)


def divide(slots: int, running: Mapping[str, int], due_shops: Sequence[str]) -> dict[str, int]:
    """Return how many jobs to claim of each of `due_shops`, which have due jobs and are not full.

    They get what is left of their shares in their order, while slots are free. When a slot is free,
    at least one of them gets it.
    """
    free = slots - sum(running.values())
    share = _share(slots, len({*running, *due_shops}))
    shares: dict[str, int] = {}
    for shop in due_shops:
        if (count := min(free, share - running.get(shop, 0))) > 0:
            shares[shop] = count
            free -= count
    return shares


def _share(slots: int, shop_count: int) -> int:
    """Return how many slots one of `shop_count` shops may use.

    It is slots / (shops + 1), at least one slot. So a single shop leaves half of the slots free,
    and another shop whose job becomes due finds one at once.
    """
    return max(slots // (max(shop_count, 1) + 1), 1)


@dataclass(slots=True)
class LaneState:
    """What one worker process runs in a lane: `running` is shop id → number of its jobs.

    `last_shop_id`: the shop that got a slot last; the next turn is that of the shops after it, in
    the order of their ids. So a shop waits for at most one job, or share, of each other shop.
    """

    running: Counter[str] = field(default_factory=Counter)
    last_shop_id: str = ""

    def add(self, shop_ids: Sequence[str]) -> None:
        """Count claimed jobs: one entry for each, in the order of the turns."""
        self.running.update(shop_ids)
        self.last_shop_id = shop_ids[-1] if shop_ids else self.last_shop_id

    def remove(self, shop_id: str) -> None:
        """Count the end of a job."""
        self.running[shop_id] -= 1
        if not self.running[shop_id]:
            del self.running[shop_id]
