"""A payment: one attempt to pay one invoice, and the effect of the acquirer's answers on it."""

from dataclasses import dataclass, replace
from enum import StrEnum

from sigma.domain.accounts.shop import Shop
from sigma.domain.billing import invoice as invoices
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.invoice_figures import count_payment
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.receipt import build_receipt
from sigma.domain.change import Change, Job, NewId, TimelineEvent
from sigma.domain.figures import (
    NO_ATTRIBUTION,
    Attribution,
    Figures,
    Tally,
    capture_figures,
    late_fee_figures,
)
from sigma.domain.ledger import capture_entry, fee_entries, plausible_income
from sigma.domain.money import Money


class Status(StrEnum):
    """The stored states. An unknown outcome is a separate flag, not a state."""

    CREATED = "created"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    CANCELED = "canceled"
    FAILED = "failed"


class Event(StrEnum):
    """What an acquirer can report about a payment."""

    PENDING = "pending"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    CANCELED = "canceled"
    FAILED = "failed"


# Allowed transitions. Late answers do not move a payment back. A pair that is missing here is a
# contradiction: the payment is flagged for the owner.
FLOW: dict[Status, dict[Event, Status]] = {
    Status.CREATED: {
        Event.PENDING: Status.PENDING,
        Event.AUTHORIZED: Status.AUTHORIZED,
        Event.CAPTURED: Status.CAPTURED,
        Event.CANCELED: Status.CANCELED,
        Event.FAILED: Status.FAILED,
    },
    Status.PENDING: {
        Event.PENDING: Status.PENDING,
        Event.AUTHORIZED: Status.AUTHORIZED,
        Event.CAPTURED: Status.CAPTURED,
        Event.CANCELED: Status.CANCELED,
        Event.FAILED: Status.FAILED,
    },
    Status.AUTHORIZED: {
        Event.PENDING: Status.AUTHORIZED,
        Event.AUTHORIZED: Status.AUTHORIZED,
        Event.CAPTURED: Status.CAPTURED,
        Event.CANCELED: Status.CANCELED,
        Event.FAILED: Status.FAILED,
    },
    Status.CAPTURED: {
        Event.PENDING: Status.CAPTURED,
        Event.AUTHORIZED: Status.CAPTURED,
        Event.CAPTURED: Status.CAPTURED,
    },
    # CAPTURED is allowed after CANCELED and FAILED: the acquirer knows whether it took the money.
    Status.CANCELED: {
        Event.PENDING: Status.CANCELED,
        Event.AUTHORIZED: Status.CANCELED,
        Event.CANCELED: Status.CANCELED,
        Event.FAILED: Status.CANCELED,
        Event.CAPTURED: Status.CAPTURED,
    },
    Status.FAILED: {
        Event.PENDING: Status.FAILED,
        Event.AUTHORIZED: Status.FAILED,
        Event.CANCELED: Status.FAILED,
        Event.FAILED: Status.FAILED,
        Event.CAPTURED: Status.CAPTURED,
    },
}

FINAL_STATUSES = (Status.CAPTURED, Status.CANCELED, Status.FAILED)


class Attention(StrEnum):
    """Why the owner must look at a payment."""

    EXTRA = "extra"  # more payments than the invoice allows: to be refunded
    LATE = "late"  # captured after the invoice's expiry: to be refunded or accepted
    VOIDED = "voided"  # captured after the invoice was voided: to be refunded
    MISMATCH = "mismatch"  # another amount or currency at the acquirer: never captured here
    CONTRADICTION = "contradiction"  # the acquirer's answers contradict each other
    REFUND_FAILED = "refund_failed"


REFUND_REASONS = (Attention.EXTRA, Attention.LATE, Attention.VOIDED)


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """The payment method that the client used.

    `mask` is "220000******0004": first six and last four digits, all that PCI DSS allows to store.
    """

    kind: str = "card"
    mask: str = ""
    brand: str = ""


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to pay one invoice. Times are UTC microseconds.

    `operation_key` is the idempotency key at the acquirer: stored before the first call and sent
    with every retry. `is_outcome_unknown` refers to the last call, `lost_call_at_us` is the time
    of the last call without a response. `requested_action` is "capture" or "cancel": decided for
    an authorized payment, not yet confirmed by the acquirer. `income` is the amount less the
    commission, None while the acquirer has not reported it. `failure` is the acquirer's reason
    code. `customer_id` is who paid. Change it only by `payment_starts.begin`, `settle`,
    `record_fee`, `mark_unknown` and `payment_actions.request_action`.
    """

    id: str
    shop_id: str
    invoice_id: str
    connection_id: str
    provider: str
    operation_key: str
    token: str  # public part of the links to the waiting page and the receipt
    amount: Money
    status: Status
    created_at_us: int
    is_outcome_unknown: bool = False
    provider_id: str | None = None
    confirmation_url: str = ""
    payer_hash: str = ""  # hash of the browser's secret: finds the answers after the tab was closed
    form_nonce: str = ""  # of the form: a double click creates one payment
    has_email: bool = False  # the client gave an e-mail address
    locale: str = "ru"
    requested_action: str = ""
    requested_action_key: str = ""
    method: PaymentMethod | None = None
    failure: str = ""
    attention: Attention | None = None
    income: Money | None = None
    captured_at_us: int | None = None
    conversation_id: str | None = None  # proved by the signed payment link
    lost_call_at_us: int | None = None
    customer_id: str | None = None
    attribution: Attribution = NO_ATTRIBUTION  # to what reports count it
    version: int = 0

    @property
    def is_final(self) -> bool:
        """Whether the payment is finished at the acquirer."""
        return self.status in FINAL_STATUSES


@dataclass(frozen=True, slots=True)
class PaymentReply:
    """The acquirer's answer about a payment, translated to our terms by the provider.

    Times are UTC microseconds. `failure` is the acquirer's reason code, `income` the amount less
    its commission. `payment_id` and `invoice_id` are our ids, which were sent as metadata; empty
    when missing. `created_at_us` is the creation time at the acquirer, None when not reported.
    """

    provider_id: str
    event: Event
    amount: Money | None = None
    confirmation_url: str = ""
    method: PaymentMethod | None = None
    failure: str = ""
    captured_at_us: int | None = None
    income: Money | None = None
    refunded: Money | None = None
    payment_id: str = ""
    invoice_id: str = ""
    created_at_us: int | None = None


def timeline_event(
    payment: Payment,
    kind: str,
    now_us: int,
    new_id: NewId,
    actor: str = "system",
    **detail: object,
) -> TimelineEvent:
    """Return an event for this payment's timeline."""
    event_id, kind = new_id("evt"), f"payment.{kind}"
    return TimelineEvent(event_id, payment.shop_id, payment.id, kind, now_us, actor, dict(detail))


def settle(
    payment: Payment,
    invoice: Invoice,
    shop: Shop,
    reply: PaymentReply,
    now_us: int,
    new_id: NewId,
) -> Change:
    """Return what the acquirer's answer changes. The same answer again changes nothing.

    The caller must hold the invoice lock. An answer with another id or amount, or against FLOW,
    only flags the payment for the owner.
    """
    if payment.provider_id and reply.provider_id != payment.provider_id:
        return flag(payment, Attention.CONTRADICTION, now_us, new_id)
    if reply.event in (Event.AUTHORIZED, Event.CAPTURED) and reply.amount != payment.amount:
        known = payment if payment.provider_id else replace(payment, provider_id=reply.provider_id)
        return flag(known, Attention.MISMATCH, now_us, new_id)
    after = FLOW[payment.status].get(reply.event)
    if after is None:
        return flag(payment, Attention.CONTRADICTION, now_us, new_id)
    updated = replace(
        payment,
        status=after,
        is_outcome_unknown=False,
        provider_id=reply.provider_id or payment.provider_id,
        confirmation_url=reply.confirmation_url or payment.confirmation_url,
        method=reply.method or payment.method,
    )
    if after is Status.CAPTURED and payment.status is not Status.CAPTURED:
        return _record_capture(updated, invoice, shop, reply, now_us, new_id)
    if fee_change := record_fee(updated, reply):
        return fee_change
    if updated == payment:
        return Change()
    if after is payment.status:
        return Change((updated,))
    return _apply_status(updated, reply, now_us, new_id)


def _apply_status(payment: Payment, reply: PaymentReply, now_us: int, new_id: NewId) -> Change:
    updated = replace(payment, failure=reply.failure or payment.failure)
    if payment.status in FINAL_STATUSES:
        updated = replace(updated, requested_action="")
    detail = {"reason": updated.failure} if updated.failure else {}
    return Change((updated, timeline_event(updated, str(updated.status), now_us, new_id, **detail)))


def _record_capture(
    payment: Payment, invoice: Invoice, shop: Shop, reply: PaymentReply, now_us: int, new_id: NewId
) -> Change:
    """Return ledger entry, receipt, mail and invoice status of a capture, in one Change."""
    finished = reply.captured_at_us or now_us
    attention = _refund_reason(
        invoice, finished, was_authorized=payment.requested_action == "capture"
    )
    paid = replace(
        payment,
        captured_at_us=finished,
        income=plausible_income(reply.income, payment.amount),
        failure="",
        requested_action="",
        attention=attention
        or (None if payment.attention is Attention.MISMATCH else payment.attention),
    )
    entry = capture_entry(
        payment_id=paid.id,
        shop_id=paid.shop_id,
        booked_at_us=finished,
        amount=paid.amount,
        income=paid.income,
        is_refund_due=attention is not None,
    )
    receipt = build_receipt(
        new_id("rcp"),
        token=paid.token,
        payment_id=paid.id,
        amount=paid.amount,
        method=paid.method.kind if paid.method else "",
        mask=paid.method.mask if paid.method else "",
        brand=paid.method.brand if paid.method else "",
        paid_at_us=finished,
        invoice=invoice,
        shop=shop,
        now_us=now_us,
    )
    captured_event = timeline_event(paid, "captured", now_us, new_id)
    figures = capture_figures(paid.amount.minor, paid.income.minor if paid.income else None)
    tally = _tally(paid, finished, figures)
    change = Change((paid, receipt, captured_event), (entry,), tallies=(tally,))
    change += invoices.card_refresh(invoice)
    if paid.has_email:
        change += mail_change(paid, "receipt", paid.id, now_us, new_id)
    if attention:
        return change + _notify_owner(paid, attention, now_us, new_id)
    return change + _count_payment(invoice, now_us, new_id)


def record_fee(payment: Payment, reply: PaymentReply) -> Change:
    """Record a fee that the acquirer reports only after the capture. The caller holds the lock.

    It is booked and counted at the time of the capture. The Change is empty when the fee is known
    already, or the reply does not fit the payment.
    """
    income, captured_at_us = plausible_income(reply.income, payment.amount), payment.captured_at_us
    is_same = reply.provider_id == payment.provider_id and reply.amount == payment.amount
    if payment.income or not income or not is_same or reply.event is not Event.CAPTURED:
        return Change()
    if payment.status is not Status.CAPTURED or captured_at_us is None:
        return Change()
    entries = fee_entries(
        payment_id=payment.id,
        shop_id=payment.shop_id,
        booked_at_us=captured_at_us,
        amount=payment.amount,
        income=income,
    )
    tally = _tally(payment, captured_at_us, late_fee_figures(payment.amount.minor, income.minor))
    return Change((replace(payment, income=income),), entries, tallies=(tally,))


def _tally(payment: Payment, captured_at_us: int, figures: Figures) -> Tally:
    currency = payment.amount.currency
    return Tally(payment.shop_id, captured_at_us, currency, payment.attribution, figures)


def _refund_reason(
    invoice: Invoice, finished_at_us: int, *, was_authorized: bool
) -> Attention | None:
    """Return why a captured payment must be refunded, or None.

    An authorized payment (`was_authorized`) is not late: the client paid in time and the shop chose
    to capture after the expiry.
    """
    if invoice.status is invoices.Status.VOID:
        return Attention.VOIDED
    if invoice.is_fully_paid:
        return Attention.EXTRA
    if (
        invoice.expires_at_us is not None
        and finished_at_us > invoice.expires_at_us
        and not was_authorized
    ):
        return Attention.LATE
    return None


def _count_payment(invoice: Invoice, now_us: int, new_id: NewId) -> Change:
    counted, tallies = count_payment(invoice, now_us)
    if not counted.is_fully_paid:
        return Change((counted,), jobs=invoices.reminder_jobs(counted, now_us), tallies=tallies)
    fully_paid = invoices.apply_event(counted, invoices.Event.FULLY_PAID)
    event = invoices.timeline_event(fully_paid, "paid", now_us, new_id)
    return Change((fully_paid, event), tallies=tallies)


def flag(payment: Payment, attention: Attention, now_us: int, new_id: NewId) -> Change:
    """Flag the payment for the owner and send the e-mail; empty when it has this flag already."""
    if payment.attention is attention:
        return Change()
    flagged = replace(payment, attention=attention)
    return Change((flagged,)) + _notify_owner(flagged, attention, now_us, new_id)


def _notify_owner(payment: Payment, attention: Attention, now_us: int, new_id: NewId) -> Change:
    event = timeline_event(payment, f"attention_{attention}", now_us, new_id)
    return Change((event,)) + attention_mail(payment, payment.id, attention, now_us, new_id)


def attention_mail(
    payment: Payment, subject_id: str, attention: str, now_us: int, new_id: NewId
) -> Change:
    """Return an e-mail to the owner about a payment that needs attention.

    `subject_id` is the id of the payment or refund, `attention` a key of mail.attention in the
    texts. `number` is the payment's version: a problem that recurs is mailed again.
    """
    key = f"{subject_id}:{attention}"
    return mail_change(payment, "attention", key, now_us, new_id, number=payment.version)


def mail_change(
    payment: Payment, kind: str, subject_key: str, now_us: int, new_id: NewId, *, number: int = 1
) -> Change:
    """Return a mail about this payment and the job that sends it."""
    mail = Mail(new_id("mail"), payment.shop_id, kind, subject_key, payment.id, now_us, number)
    return Change((mail,), jobs=(Job("mail.send", mail.id, payment.shop_id),))


def mark_unknown(payment: Payment, now_us: int, new_id: NewId) -> Change:
    """Record that the acquirer's answer was lost. The status stays until the outcome is known."""
    updated = replace(payment, is_outcome_unknown=True, lost_call_at_us=now_us)
    if payment.is_outcome_unknown:  # only the first lost answer is shown in the timeline
        return Change((updated,) if updated != payment else ())
    return Change((updated, timeline_event(updated, "unknown", now_us, new_id)))
