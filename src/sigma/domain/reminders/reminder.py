"""Automatic reminders of unpaid invoices: when one is sent, and when it is not.

Pure: the caller reads the facts under the lock of the invoice, which payments are settled under.
All times are UTC microseconds. Nothing here promises that a channel works: VK and mail servers may
refuse, and then nothing is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum

from sigma.domain.billing.invoice import REMINDER_DELAY_US, Invoice, Status
from sigma.domain.local_time import local_date, local_time, start_of_day, time_of_day
from sigma.domain.time_units import DAY_US, HOUR_US

MAX_PER_CLIENT = 2  # automatic reminders of one invoice to one client
GAP_US = REMINDER_DELAY_US  # between anything that a client gets about one invoice
OPENED_DELAY_US, OPENED_UNTIL_US = DAY_US, 7 * DAY_US  # after the link was opened
REST_DELAY_US, REST_UNTIL_US = 3 * DAY_US, 14 * DAY_US  # after the last payment
UNFINISHED_DELAY_US = HOUR_US  # while a payment is going on, the next look comes after this time
FIRST_HOUR, LAST_HOUR = 10, 20  # reminders are sent from 10:00 to 19:59 on the shop's clock
STOP_WORDS = frozenset({"стоп", "stop"})


class ReminderKind(StrEnum):
    """The occasion of a reminder; the most urgent first."""

    EXPIRES = "expires"  # the invoice expires tomorrow
    REST = "rest"  # a part of the payments is made
    OPENED = "opened"  # the payment link was opened, nothing is paid


class Channel(StrEnum):
    """How a client is reached."""

    CONVERSATION = "conversation"
    EMAIL = "email"


class EndReason(StrEnum):
    """Why no automatic reminder of an invoice follows."""

    NOT_OPEN = "not_open"  # paid, void, expired, or a draft
    SILENCED = "silenced"  # switched off for this invoice
    OPTED_OUT = "opted_out"  # the client does not want reminders
    UNREACHABLE = "unreachable"  # VK does not allow messages to this client
    PAYER_UNKNOWN = "payer_unknown"  # somebody has paid by a shared link: perhaps this client
    CAPPED = "capped"  # MAX_PER_CLIENT are sent
    NOTHING_DUE = "nothing_due"


@dataclass(frozen=True, slots=True)
class ReminderSettings:
    """A shop's switches, one for each kind. All are off by default."""

    opened: bool = False
    expires: bool = False
    rest: bool = False

    def is_on(self, kind: ReminderKind) -> bool:
        """Return whether reminders of this kind are on."""
        return bool(getattr(self, kind))


@dataclass(frozen=True, slots=True)
class Reminder:
    """An automatic reminder that was handed to a channel; one of each kind per client and invoice.

    `target_id`: the card or the invoice recipient. `message_id`: the message, "" for a mail.
    """

    id: str
    shop_id: str
    invoice_id: str
    target_id: str
    kind: ReminderKind
    message_id: str
    created_at_us: int
    version: int = 0


@dataclass(frozen=True, slots=True)
class InvoiceRecipient:
    """An e-mail address that an invoice was sent to.

    `email_hash` finds the row; `email_encrypted` is "" after the address was deleted by date.
    `opened_at_us`: when the link in the letter was first opened.
    """

    id: str
    shop_id: str
    invoice_id: str
    email_encrypted: str
    email_hash: str
    created_at_us: int
    created_by: str
    sent_at_us: int
    opened_at_us: int | None = None
    version: int = 0


class Outlook(StrEnum):
    """Whether Sigma will remind the clients of an open invoice."""

    ACTIVE = "active"
    OFF = "off"  # all switches of the shop are off
    SILENCED = "silenced"  # a member has switched off those of this invoice
    NO_CLIENT = "no_client"  # it was sent to no client whom Sigma may write to
    OPTED_OUT = "opted_out"
    NO_OCCASION = "no_occasion"  # no kind that is on fits the invoice, or all are sent


@dataclass(frozen=True, slots=True)
class ReminderFacts:
    """What decides about reminders to one client, who got the invoice at `sent_at_us`.

    `wrote_at_us`: the client's latest message. `paid_at_us`: the latest captured payment of the
    invoice. `has_paid`: this client has paid at least once. `is_payer_unknown`: a payment of a
    shared link cannot be attributed. `is_only_client`: the invoice was sent to nobody else.
    `has_unfinished_payment`: a client may be paying right now. `sent`: automatic reminders to this
    client. `reminded_at_us`: the latest reminder, also by an operator.
    """

    invoice: Invoice
    sent_at_us: int
    opened_at_us: int | None = None
    wrote_at_us: int | None = None
    paid_at_us: int | None = None
    has_paid: bool = False
    is_payer_unknown: bool = False
    is_only_client: bool = True
    has_unfinished_payment: bool = False
    is_silenced: bool = False
    is_opted_out: bool = False
    can_reach: bool = True
    sent: tuple[ReminderKind, ...] = field(default=())
    reminded_at_us: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Send a reminder of `kind` now; or decide again at `at_us`; or nothing follows (`reason`)."""

    kind: ReminderKind | None = None
    at_us: int | None = None
    reason: EndReason | None = None


def decide(facts: ReminderFacts, settings: ReminderSettings, tz: str, now_us: int) -> Decision:
    """Return what to do about one client's reminders at `now_us`; `tz`: of the shop.

    A kind that is off when it falls due is not sent later by itself.
    """
    if reason := _end_reason(facts, now_us):
        return Decision(reason=reason)
    later: list[int] = []
    for kind in ReminderKind:
        window = None if kind in facts.sent else send_window(kind, facts, tz)
        if window is None:
            continue
        earliest_us, until_us = window
        if facts.reminded_at_us is not None:
            earliest_us = max(earliest_us, facts.reminded_at_us + GAP_US)
        at_us = humane_time(max(earliest_us, now_us), tz)
        if at_us >= until_us:
            continue
        if at_us > now_us:
            later.append(at_us)
        elif settings.is_on(kind):
            if facts.has_unfinished_payment:
                return Decision(at_us=now_us + UNFINISHED_DELAY_US)
            return Decision(kind=kind)
    if later:
        return Decision(at_us=min(later))
    return Decision(reason=EndReason.NOTHING_DUE)


def is_still_due(
    kind: ReminderKind, facts: ReminderFacts, settings: ReminderSettings, tz: str, now_us: int
) -> bool:
    """Return whether a reminder that waits for its channel may be handed over at `now_us`.

    `facts.sent` and `facts.reminded_at_us` may include this reminder itself.
    """
    others = tuple(other for other in facts.sent if other is not kind)
    only = ReminderSettings(**{str(kind): settings.is_on(kind)})
    facts = replace(facts, sent=others, reminded_at_us=None)
    return decide(facts, only, tz, now_us).kind is kind


def outlook(
    invoice: Invoice,
    settings: ReminderSettings,
    targets: Sequence[ReminderFacts],
    *,
    is_silenced: bool,
    now_us: int,
) -> Outlook:
    """Return whether Sigma will remind the clients of an invoice, or why it will not."""
    wanted = invoice.max_payments or 1
    has_occasion = (
        settings.opened
        or (settings.expires and invoice.expires_at_us is not None)
        or (settings.rest and wanted > 1)
    )
    ends = [_end_reason(replace(one, is_silenced=False), now_us) for one in targets]
    checks = {
        Outlook.OFF: not (settings.opened or settings.expires or settings.rest),
        Outlook.SILENCED: is_silenced,
        Outlook.OPTED_OUT: EndReason.OPTED_OUT in ends and None not in ends,
        Outlook.NO_CLIENT: all(one is EndReason.UNREACHABLE for one in ends),
        Outlook.NO_OCCASION: not has_occasion or None not in ends,
    }
    return next((one for one, applies in checks.items() if applies), Outlook.ACTIVE)


def _end_reason(facts: ReminderFacts, now_us: int) -> EndReason | None:
    invoice = facts.invoice
    checks = {
        EndReason.NOT_OPEN: invoice.status_at(now_us) is not Status.OPEN or invoice.is_fully_paid,
        EndReason.SILENCED: facts.is_silenced,
        EndReason.OPTED_OUT: facts.is_opted_out,
        EndReason.UNREACHABLE: not facts.can_reach,
        EndReason.PAYER_UNKNOWN: facts.is_payer_unknown,
        EndReason.CAPPED: len(facts.sent) >= MAX_PER_CLIENT,
    }
    return next((reason for reason, applies in checks.items() if applies), None)


def send_window(kind: ReminderKind, facts: ReminderFacts, tz: str) -> tuple[int, int] | None:
    """Return from when until when a reminder may be sent; None when its occasion does not exist.

    A message of the client after the occasion cancels it: an operator answers.
    """
    invoice = facts.invoice
    if kind is ReminderKind.REST:
        is_part_paid = invoice.paid_count > 0 and (invoice.max_payments or 1) > 1
        if not is_part_paid or not facts.is_only_client or facts.paid_at_us is None:
            return None
        basis_us, window = facts.paid_at_us, (REST_DELAY_US, REST_UNTIL_US)
    elif facts.has_paid:
        return None
    elif kind is ReminderKind.OPENED:
        if facts.opened_at_us is None:
            return None
        basis_us, window = facts.opened_at_us, (OPENED_DELAY_US, OPENED_UNTIL_US)
    else:
        return _expiry_window(facts, tz)
    if facts.wrote_at_us is not None and facts.wrote_at_us >= basis_us:
        return None
    return basis_us + window[0], basis_us + window[1]


def _expiry_window(facts: ReminderFacts, tz: str) -> tuple[int, int] | None:
    """Return the day before the last day on which the invoice can be paid."""
    expires_at_us = facts.invoice.expires_at_us
    has_written = facts.wrote_at_us is not None and facts.wrote_at_us >= facts.sent_at_us
    if expires_at_us is None or has_written:
        return None
    last_day = local_date(expires_at_us - 1, tz)  # one that expires at midnight ends the day before
    from_us = start_of_day(last_day - timedelta(days=1), tz)
    return max(from_us, facts.sent_at_us + GAP_US), start_of_day(last_day, tz)


def humane_time(at_us: int, tz: str) -> int:
    """Return the first moment at or after `at_us` between 10:00 and 20:00 on the shop's clock."""
    local = local_time(at_us, tz)
    if FIRST_HOUR <= local.hour < LAST_HOUR:
        return at_us
    day = local.date() if local.hour < FIRST_HOUR else local.date() + timedelta(days=1)
    return time_of_day(day, FIRST_HOUR, tz)


def is_stop_word(text: str) -> bool:
    """Return whether a client's whole message is the word that ends reminders."""
    return text.strip(" \t\n.!«»\"'").casefold() in STOP_WORDS
