"""Lanes of background jobs: which jobs compete for the same slots, and what share a shop gets.

Slow mails must not delay payments, and one shop with thousands of jobs must not delay the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Lane(StrEnum):
    """A queue with slots of its own in every worker process."""

    MONEY = "money"
    DIALOGS = "dialogs"
    MAIL = "mail"
    HOUSEKEEPING = "housekeeping"


# Jobs that one worker process runs at once. They mostly wait for other servers.
SLOTS: Mapping[Lane, int] = {
    Lane.MONEY: 8,
    Lane.DIALOGS: 8,
    Lane.MAIL: 4,
    Lane.HOUSEKEEPING: 4,
}

LANES: Mapping[str, Lane] = {
    "payment.advance": Lane.MONEY,
    "refund.advance": Lane.MONEY,
    "acquirer_notice.process": Lane.MONEY,
    "message.send": Lane.DIALOGS,
    "message.complete": Lane.DIALOGS,
    "vk_event.process": Lane.DIALOGS,
    "conversation.catch_up": Lane.DIALOGS,
    "conversation.mark_read": Lane.DIALOGS,
    "card.refresh": Lane.DIALOGS,
    "auto_reply.send": Lane.DIALOGS,
    "profile.fetch": Lane.DIALOGS,
    "mail.send": Lane.MAIL,
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
    """What a lane may claim now: at most `limit` jobs, none of the shops in `full_shops`."""

    limit: int
    full_shops: tuple[str, ...] = ()


def capacity(slots: int, running: Mapping[str, int]) -> Capacity:
    """Return what may be claimed beside the `running` jobs (shop id → number of its jobs).

    A shop's share is the slots divided by the running shops and one more, at least one slot: a
    single shop leaves half of them free. So another shop whose job becomes due finds a slot at
    once, and a shop over its share gets no further slot while others wait.
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
