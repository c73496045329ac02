"""A refund returns a captured payment in full or in part. The sum of refunds never exceeds the
payment.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from sigma.domain.bank_cards import contains_card_number
from sigma.domain.billing.payment import (
    REFUND_REASONS,
    Attention,
    Payment,
    attention_mail,
    mail_change,
)
from sigma.domain.billing.payment import Status as PaymentStatus
from sigma.domain.billing.payment_actions import poll_delay_us
from sigma.domain.change import Change, Job, NewId, TimelineEvent
from sigma.domain.errors import Problem, RefusedError, has_control_characters, validation_error
from sigma.domain.figures import Tally, refund_figures
from sigma.domain.ledger import Entry, refund_entry
from sigma.domain.money import Money, sum_money

MAX_REASON_LENGTH = 250  # characters


class Status(StrEnum):
    """The states that are stored."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Origin(StrEnum):
    """Who gave the money back."""

    SIGMA = "sigma"  # requested here
    ACQUIRER = "acquirer"  # made outside Sigma, for example in the acquirer's cabinet
    CHARGEBACK = "chargeback"  # taken back by the client's bank


class Event(StrEnum):
    """What an acquirer can report about a refund."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


FLOW: dict[Status, dict[Event, Status]] = {
    Status.PENDING: {
        Event.PENDING: Status.PENDING,
        Event.SUCCEEDED: Status.SUCCEEDED,
        Event.FAILED: Status.FAILED,
    },
    Status.SUCCEEDED: {
        Event.PENDING: Status.SUCCEEDED,
        Event.SUCCEEDED: Status.SUCCEEDED,
    },
    # SUCCEEDED is allowed after FAILED: the acquirer knows whether it gave the money back.
    Status.FAILED: {
        Event.PENDING: Status.FAILED,
        Event.FAILED: Status.FAILED,
        Event.SUCCEEDED: Status.SUCCEEDED,
    },
}

ALREADY_REFUNDED = "already_refunded"  # failure: the money was given back outside Sigma


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund of one payment. Times are UTC microseconds.

    `operation_key` is the idempotency key at the acquirer: stored before the first call and sent
    with every retry. `is_outcome_unknown` refers to the last call, `lost_call_at_us` is the time
    of the last call without a response. `failure` is the acquirer's reason code, or
    ALREADY_REFUNDED. A refund of another origin than SIGMA was found at the acquirer; without a
    `provider_id` it is the part of the acquirer's refunded total that its list does not explain.
    Change it only by `request`, `settle`, `mark_unknown` and `sigma.domain.billing.refund_sync`.
    """

    id: str
    shop_id: str
    payment_id: str
    invoice_id: str
    connection_id: str
    operation_key: str
    amount: Money
    status: Status
    created_at_us: int
    created_by: str
    reason: str = ""
    is_outcome_unknown: bool = False
    provider_id: str | None = None
    failure: str = ""
    finished_at_us: int | None = None
    origin: Origin = Origin.SIGMA
    lost_call_at_us: int | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class RefundReply:
    """The acquirer's answer about a refund, translated to our terms by the provider.

    `created_at_us`: UTC microseconds; None when the acquirer does not report it.
    """

    provider_id: str
    event: Event
    amount: Money | None = None
    failure: str = ""
    created_at_us: int | None = None


def reserved_amount(refunds: tuple[Refund, ...], currency: str) -> Money:
    """Return the sum of the pending and succeeded refunds: it cannot be refunded again."""
    return sum_money([r.amount for r in refunds if r.status is not Status.FAILED], currency)


def refunded_amount(refunds: tuple[Refund, ...], currency: str) -> Money:
    """Return the sum of the succeeded refunds."""
    return sum_money([r.amount for r in refunds if r.status is Status.SUCCEEDED], currency)


def refundable_amount(payment: Payment, refunds: tuple[Refund, ...]) -> Money:
    """Return what can still be refunded; `refunds`: all refunds of the payment."""
    if payment.status is not PaymentStatus.CAPTURED:
        return Money(0, payment.amount.currency)
    currency = payment.amount.currency
    # A refund made at the acquirer can use up what a pending refund of Sigma has reserved.
    return max(payment.amount - reserved_amount(refunds, currency), Money(0, currency))


def refunded_by_sigma(refunds: tuple[Refund, ...], currency: str) -> Money:
    """Return the sum of the pending and succeeded refunds that members and keys requested."""
    return reserved_amount(tuple(r for r in refunds if r.origin is Origin.SIGMA), currency)


def amount_refunded_elsewhere(refunds: tuple[Refund, ...], currency: str) -> Money:
    """Return the sum of the pending and succeeded refunds that were not requested in Sigma."""
    return reserved_amount(tuple(r for r in refunds if r.origin is not Origin.SIGMA), currency)


def check_refund(amount: Money, reason: str) -> list[Problem]:
    """Return the problems of a requested refund by field; see also `require_refundable`."""
    problems = [] if amount.minor > 0 else [Problem("amount", "money_positive")]
    return problems + check_reason(reason)


def check_reason(reason: str) -> list[Problem]:
    """Return the problems of the reason of a refund; the acquirer limits its length."""
    if len(reason) > MAX_REASON_LENGTH:
        return [Problem("reason", "too_long", {"max": MAX_REASON_LENGTH})]
    if has_control_characters(reason, allow_line_breaks=True):
        return [Problem("reason", "characters")]
    return [Problem("reason", "card_number")] if contains_card_number(reason) else []


def require_refundable(amount: Money, reason: str, left: Money, elsewhere: Money) -> None:
    """Check a refund against what can still be refunded (`left`).

    `elsewhere`: what was refunded outside Sigma. Raises RefusedError: "validation" with all
    problems, "already_refunded" when only the refunds made elsewhere are in the way, or
    "refund_too_large".
    """
    if problems := check_refund(amount, reason):
        raise validation_error(*problems)
    if amount <= left:
        return
    if elsewhere and amount <= left + elsewhere:
        raise RefusedError("already_refunded", refunded=elsewhere, left=left)
    raise RefusedError("refund_too_large", left=left)


def request(
    payment: Payment,
    earlier_refunds: tuple[Refund, ...],
    amount: Money,
    reason: str,
    *,
    operation_key: str,
    now_us: int,
    new_id: NewId,
    actor: str,
) -> tuple[Refund, Change]:
    """Return a new pending refund and its Change.

    The caller must hold the invoice lock and pass all earlier refunds of the payment: otherwise two
    requests could exceed the payment together. Raises RefusedError: "payment_not_captured",
    "refund_currency", "refund_too_large", "already_refunded" or "validation".
    """
    if payment.status is not PaymentStatus.CAPTURED:
        raise RefusedError("payment_not_captured", status=str(payment.status))
    if amount.currency != payment.amount.currency:
        raise RefusedError("refund_currency", currency=payment.amount.currency)
    require_refundable(
        amount,
        reason,
        refundable_amount(payment, earlier_refunds),
        amount_refunded_elsewhere(earlier_refunds, amount.currency),
    )
    refund = Refund(
        id=new_id("ref"),
        shop_id=payment.shop_id,
        payment_id=payment.id,
        invoice_id=payment.invoice_id,
        connection_id=payment.connection_id,
        operation_key=operation_key,
        amount=amount,
        status=Status.PENDING,
        created_at_us=now_us,
        created_by=actor,
        reason=reason.strip(),
    )
    event = timeline_event(refund, "requested", now_us, new_id, actor)
    return refund, Change((refund, event), jobs=(advance_job(refund),))


def advance_job(refund: Refund) -> Job:
    """Return the job that advances a refund."""
    return Job("refund.advance", refund.id, refund.shop_id, connection_id=refund.connection_id)


def timeline_event(
    refund: Refund,
    kind: str,
    now_us: int,
    new_id: NewId,
    actor: str = "system",
    **detail: object,
) -> TimelineEvent:
    """Return an event about this refund for the payment's timeline."""
    facts = {
        "refund": refund.id,
        "minor": refund.amount.minor,
        "currency": refund.amount.currency,
    }
    return TimelineEvent(
        new_id("evt"),
        refund.shop_id,
        refund.payment_id,
        f"refund.{kind}",
        now_us,
        actor,
        facts | detail,
    )


def settle(
    refund: Refund,
    payment: Payment,
    earlier_refunds: tuple[Refund, ...],
    reply: RefundReply,
    now_us: int,
    new_id: NewId,
    *,
    is_refund_due: bool,
) -> Change:
    """Return what the acquirer's answer changes. The same answer again changes nothing.

    The caller must hold the invoice lock. `is_refund_due` comes from the ledger: the payment was
    booked as money to give back (extra, late or voided), not as a sale. An answer with another
    amount or id, against FLOW, or that gives back more than was captured, only flags the payment
    with Attention.CONTRADICTION.
    """
    after = FLOW[refund.status].get(reply.event)
    others = tuple(r for r in earlier_refunds if r.id != refund.id)
    left = payment.amount - refunded_amount(others, payment.amount.currency)
    wrong = reply.event is Event.SUCCEEDED and (
        reply.amount != refund.amount or refund.amount > left
    )
    if after is None or wrong or (refund.provider_id and refund.provider_id != reply.provider_id):
        return _flag(payment, Attention.CONTRADICTION, refund, now_us, new_id)
    updated = replace(
        refund,
        status=after,
        is_outcome_unknown=False,
        provider_id=reply.provider_id or refund.provider_id,
    )
    if updated == refund:
        return Change()
    if after is refund.status:
        return Change((updated,))
    done = replace(updated, finished_at_us=now_us, failure=reply.failure)
    if after is Status.FAILED:
        kind = "unneeded" if reply.failure == ALREADY_REFUNDED else "failed"
        event = timeline_event(done, kind, now_us, new_id, reason=reply.failure)
        return Change((done, event)) + _report_failure(done, payment, now_us, new_id)
    return record_success(done, payment, earlier_refunds, now_us, new_id, is_refund_due)


def _report_failure(refund: Refund, payment: Payment, now_us: int, new_id: NewId) -> Change:
    """Notify the owner of a failed refund; flag the payment unless the money is already back."""
    if refund.origin is not Origin.SIGMA:
        return Change()  # canceled where it was made: no action is needed here
    if refund.failure == ALREADY_REFUNDED:
        return attention_mail(payment, refund.id, ALREADY_REFUNDED, now_us, new_id)
    return _flag(payment, Attention.REFUND_FAILED, refund, now_us, new_id)


def record_success(
    refund: Refund,
    payment: Payment,
    earlier_refunds: tuple[Refund, ...],
    now_us: int,
    new_id: NewId,
    is_refund_due: bool,
) -> Change:
    """Return the Change of a refund that has succeeded: row, booking, mails, resolved attention.

    `earlier_refunds`: all refunds of the payment, with or without this one. `is_refund_due`: see
    `settle`. The client gets no mail about a chargeback, the owner does.
    """
    entry = ledger_entry(refund, now_us, is_refund_due=is_refund_due)
    kind = _SUCCESS_EVENTS[refund.origin]
    event = timeline_event(refund, kind, now_us, new_id)
    figures = refund_figures(refund.amount.minor, is_chargeback=refund.origin is Origin.CHARGEBACK)
    tally = Tally(
        refund.shop_id, entry.booked_at_us, refund.amount.currency, payment.attribution, figures
    )
    change = Change((refund, event), (entry,), tallies=(tally,))
    if refund.origin is Origin.CHARGEBACK:
        change += attention_mail(payment, refund.id, refund.origin, now_us, new_id)
    elif payment.has_email:
        change += mail_change(payment, "refund", refund.id, now_us, new_id)
    others = tuple(r for r in earlier_refunds if r.id != refund.id)
    back = refunded_amount((*others, refund), refund.amount.currency)
    is_resolved = back == payment.amount or not is_refund_due
    if is_resolved and payment.attention in (*REFUND_REASONS, Attention.REFUND_FAILED):
        change += Change((replace(payment, attention=None),))
    return change


def ledger_entry(refund: Refund, now_us: int, *, is_refund_due: bool) -> Entry:
    """Return the entry that books a succeeded refund. `is_refund_due`: see `settle`."""
    return refund_entry(
        refund_id=refund.id,
        shop_id=refund.shop_id,
        booked_at_us=refund.finished_at_us or now_us,
        amount=refund.amount,
        origin=refund.origin,
        is_refund_due=is_refund_due,
    )


# Refund origin → kind of its timeline event.
_SUCCESS_EVENTS = {
    Origin.SIGMA: "succeeded",
    Origin.ACQUIRER: "detected",
    Origin.CHARGEBACK: "charged_back",
}


def _flag(
    payment: Payment, attention: Attention, refund: Refund, now_us: int, new_id: NewId
) -> Change:
    """Flag the payment for the owner and send the e-mail.

    The acquirer repeats a contradiction in every answer, so it is reported once. Every failed
    refund is reported, but does not replace a flag for money that must be refunded.
    """
    if attention is Attention.CONTRADICTION and payment.attention is attention:
        return Change()
    mail = attention_mail(payment, refund.id, attention, now_us, new_id)
    event = timeline_event(refund, f"attention_{attention}", now_us, new_id)
    keeps_flag = attention is Attention.REFUND_FAILED and payment.attention in (
        *REFUND_REASONS,
        attention,
    )
    flagged = () if keeps_flag else (replace(payment, attention=attention),)
    return Change((*flagged, event)) + mail


def mark_unknown(refund: Refund, now_us: int, new_id: NewId) -> Change:
    """Record that the acquirer's answer was lost. The status stays; the refund is fetched later."""
    updated = replace(refund, is_outcome_unknown=True, lost_call_at_us=now_us)
    if refund.is_outcome_unknown:  # only the first lost answer is shown in the timeline
        return Change((updated,)) if updated != refund else Change()
    return Change((updated, timeline_event(updated, "unknown", now_us, new_id)))


def next_poll_at_us(refund: Refund, now_us: int) -> int | None:
    """Return when to query the acquirer again (UTC microseconds), None to stop polling.

    Acquirers send no notice about failed refunds, so every pending one is polled.
    """
    if refund.status is not Status.PENDING:
        return None
    return now_us + poll_delay_us(now_us - refund.created_at_us)
