"""What members are notified about and by which ways."""

from collections.abc import Mapping
from enum import StrEnum

from sigma.domain.accounts.member import Permission


class Way(StrEnum):
    """How a notification reaches a member."""

    VK = "vk"  # a message from the community to the member's own VK page
    PUSH = "push"  # to the browsers where the member has switched it on
    EMAIL = "email"
    TELEGRAM = "telegram"  # a message from the shop's bot


class Kind(StrEnum):
    """What a notification is about."""

    PAYMENT_RECEIVED = "payment_received"
    CLIENT_MESSAGE = "client_message"
    REFUND_FAILED = "refund_failed"
    PAYMENT_ATTENTION = "payment_attention"
    RECEIPT_NOT_SENT = "receipt_not_sent"
    KEY_BROKEN = "key_broken"
    WAY_BROKEN = "way_broken"  # not chosen by members: it goes to a way that works


class Topic(StrEnum):
    """Kinds that are grouped together: a flood of one topic delays no other."""

    MONEY = "money"
    CONVERSATIONS = "conversations"
    PROBLEMS = "problems"


# The kinds that a member may choose, in the order of the page, with the right to see their subject.
PERMISSIONS: Mapping[Kind, Permission] = {
    Kind.PAYMENT_RECEIVED: Permission.READ,
    Kind.CLIENT_MESSAGE: Permission.ANSWER,
    Kind.REFUND_FAILED: Permission.READ,
    Kind.PAYMENT_ATTENTION: Permission.READ,
    Kind.RECEIPT_NOT_SENT: Permission.READ,
    Kind.KEY_BROKEN: Permission.SETTINGS,
}

# The owner gets a mail about these in any case, see `payment.attention_mail`: not a second one.
MAILED_TO_OWNER = frozenset({Kind.REFUND_FAILED, Kind.PAYMENT_ATTENTION})


def topic_of(kind: Kind) -> Topic:
    """Return the topic of a kind."""
    if kind is Kind.PAYMENT_RECEIVED:
        return Topic.MONEY
    return Topic.CONVERSATIONS if kind is Kind.CLIENT_MESSAGE else Topic.PROBLEMS
