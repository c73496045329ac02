"""A notification: one event for one member by one way; and the delivery that carries several."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sigma.domain.money import Money
from sigma.domain.notifications.kind import Kind, Topic, Way
from sigma.domain.notifications.preferences import Preferences
from sigma.domain.time_units import HOUR_US, MINUTE_US

MAX_DELIVERY_ATTEMPTS = 20  # over half a day; then the delivery has failed
REPORTED_ATTEMPTS = 8  # after twenty minutes another way reports that this one does not work
REACHED_ATTEMPTS = 3  # when another address of the way has accepted: the member has been informed
MAX_NOTIFICATIONS = 500  # of one delivery; the others follow in the next one
ACQUIRER_KEY = "acquirer"  # the `detail` of a broken key that is not VK's
NOTIFICATION_TTL_US = 30 * 24 * HOUR_US
_FIRST_PAUSE_US, _LONGEST_PAUSE_US = 10_000_000, HOUR_US


class Status(StrEnum):
    """QUEUED until it is sent; DROPPED when it was switched off, or may not be seen any more."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A member, a way and a topic: what is grouped together, and sent one after the other."""

    shop_id: str
    user_id: str
    way: Way
    topic: Topic

    @property
    def key(self) -> str:
        """The subject of the job `notification.send`."""
        return f"{self.shop_id}:{self.user_id}:{self.way}:{self.topic}"


def parse_recipient(key: str) -> Recipient:
    """Return the recipient of a key."""
    shop_id, user_id, way, topic = key.split(":")
    return Recipient(shop_id, user_id, Way(way), Topic(topic))


@dataclass(frozen=True, slots=True)
class Notification:
    """One event for one member by one way: a row for each, unique by `event_id`.

    It holds no personal data of clients: `subject_id` is the payment, conversation or community,
    `invoice_number` the number on the invoice, `detail` a code. Times are UTC microseconds.
    """

    id: str
    recipient: Recipient
    kind: Kind
    event_id: str
    subject_id: str
    created_at_us: int
    amount: Money | None = None
    invoice_number: str = ""
    detail: str = ""
    status: Status = Status.QUEUED
    delivery_id: str | None = None


class DeliveryStatus(StrEnum):
    """SENDING from before the first call until the outcome is known."""

    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to a member, with one or more notifications. It is stored before it is sent.

    `random_id`: VK's idempotency key, the same in every attempt. `reached`: the addresses that
    have accepted it. `reply`: the last answer of the way, as it is shown. `due_at_us`: the end of
    the pause after a failed attempt, 0 without one; new notifications do not shorten it.
    """

    id: str
    recipient: Recipient
    random_id: int
    started_at_us: int
    status: DeliveryStatus = DeliveryStatus.SENDING
    attempts: int = 0
    finished_at_us: int | None = None
    reply: str = ""
    reached: tuple[str, ...] = ()
    due_at_us: int = 0
    version: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """When a recipient's queue may be sent. `at_us` None: now."""

    at_us: int | None = None


def next_due(preferences: Preferences, last_started_at_us: int | None, now_us: int) -> Due:
    """Return when the queued notifications of a topic may be sent.

    The first one is sent at once. What follows within the window waits for its end and is one
    message. Quiet hours come before both: what they hold back is one message after them.
    """
    window_end_us = 0
    if last_started_at_us is not None:
        window_end_us = last_started_at_us + preferences.digest_minutes * MINUTE_US
    return _not_before(preferences, window_end_us, now_us)


def next_attempt_due(preferences: Preferences, delivery: Delivery, now_us: int) -> Due:
    """Return when a delivery that is under way may be tried again."""
    return _not_before(preferences, delivery.due_at_us, now_us)


def _not_before(preferences: Preferences, at_us: int, now_us: int) -> Due:
    """Return the first moment from `at_us` on that is not in quiet hours."""
    if (quiet_end_us := preferences.quiet_until_us(max(at_us, now_us))) is not None:
        return Due(quiet_end_us)
    return Due(at_us if at_us > now_us else None)


def attempted(delivery: Delivery) -> Delivery:
    """Return the delivery before an attempt: it is stored before the call, so a crash shows."""
    return replace(delivery, attempts=delivery.attempts + 1)


def is_tried_again(delivery: Delivery) -> bool:
    """Return whether a delivery with a temporary failure is tried again.

    What comes next waits behind it, so a member who was reached at one address does not wait long
    for the others.
    """
    most = REACHED_ATTEMPTS if delivery.reached else MAX_DELIVERY_ATTEMPTS
    return delivery.attempts < most


def finish(delivery: Delivery, status: DeliveryStatus, reply: str, now_us: int) -> Delivery:
    """Return a delivery whose outcome is known."""
    return replace(delivery, status=status, reply=reply, finished_at_us=now_us)


def retry_pause_us(attempts: int) -> int:
    """Return the pause after a failed attempt in microseconds: 10 s, 20 s … at most an hour."""
    return min(_FIRST_PAUSE_US << min(attempts - 1, 10), _LONGEST_PAUSE_US)


@dataclass(slots=True)
class Summary:
    """The notifications of one kind in a message. `amounts`: sums by currency."""

    kind: Kind
    count: int = 0
    first: Notification | None = None
    amounts: dict[str, int] = field(default_factory=dict)

    @property
    def sums(self) -> list[Money]:
        """The sums, one for each currency."""
        return [Money(minor, currency) for currency, minor in sorted(self.amounts.items())]


def summarize(notifications: Sequence[Notification]) -> list[Summary]:
    """Return the notifications of a message by kind, in the order of the kinds."""
    by_kind: dict[Kind, Summary] = {}
    for one in notifications:
        summary = by_kind.setdefault(one.kind, Summary(one.kind))
        summary.count += 1
        summary.first = summary.first or one
        if one.amount is not None:
            total = summary.amounts.get(one.amount.currency, 0)
            summary.amounts[one.amount.currency] = total + one.amount.minor
    return [by_kind[kind] for kind in Kind if kind in by_kind]
