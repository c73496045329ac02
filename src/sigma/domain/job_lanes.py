"""Lanes of background jobs: which jobs compete for the same slots, and what share a shop gets.

Slow mails must not delay payments, and one shop with thousands of jobs must not delay the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Lane(StrEnum):
    """A queue with slots of its own in every worker process."""

    MONEY = "money"
    CONVERSATIONS = "conversations"
    MAIL = "mail"
    HOUSEKEEPING = "housekeeping"


# Jobs that one worker process runs at once. They mostly wait for other servers.
SLOTS: Mapping[Lane, int] = {
    Lane.MONEY: 16,  # half of them for one acquirer, see circuit_breaker
    Lane.CONVERSATIONS: 8,
    Lane.MAIL: 8,  # half of them for one mail server
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
    "profile.fetch": Lane.CONVERSATIONS,
    "mail.send": Lane.MAIL,
    "password_reset.start": Lane.MAIL,
    "invoice.expire": Lane.HOUSEKEEPING,
    "community.catch_up": Lane.HOUSEKEEPING,
    "community.check_events": Lane.HOUSEKEEPING,
    "vk_orders.fetch": Lane.HOUSEKEEPING,
    "vk_order.fetch_items": Lane.HOUSEKEEPING,
    "encryption.rotate": Lane.HOUSEKEEPING,
    "personal_data.shred": Lane.HOUSEKEEPING,
    "reconciliation.start": Lane.HOUSEKEEPING,
    "reconciliation.advance": Lane.HOUSEKEEPING,
}


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a lane may claim now: at most `limit` jobs, no job of the shops in `full_shops`."""

    limit: int
    full_shops: tuple[str, ...] = ()


def capacity(slots: int, running: Mapping[str, int]) -> Capacity:
    """Return what may be claimed beside the `running` jobs (shop id → number of its jobs).

    The share of a shop is slots / (shops with running jobs + 1), at least one slot. So a single
    shop leaves half of the slots free, and another shop whose job becomes due finds one at once. A
    shop that has used up its share is full: it gets no further slot.
    """
    free = slots - sum(running.values())
    if free <= 0:
        return Capacity(0)
    share = max(slots // (max(len(running), 1) + 1), 1)
    full_shops = tuple(sorted(shop for shop, count in running.items() if count >= share))
    if full_shops:
        return Capacity(free, full_shops)
    # One shop may get all that is claimed, so the limit is what is left of a share.
    return Capacity(min(free, share - max(running.values(), default=0)))
