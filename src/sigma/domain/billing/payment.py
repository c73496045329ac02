"""A payment: one attempt to pay one invoice, and what the acquirer's answers make of it."""

from dataclasses import dataclass, replace
from enum import StrEnum

from sigma.domain.accounts.shop import Shop
from sigma.domain.billing import invoice as invoices
from sigma.domain.billing.answers import Answers, Consent
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.receipt import build_receipt
from sigma.domain.change import Change, Happening, Job, NewId
from sigma.domain.errors import Refused
from sigma.domain.ledger import capture_entry, plausible
from sigma.domain.money import Money


class Status(StrEnum):
    """The states that are stored. Not knowing is a flag beside them, never a state."""

    CREATED = "created"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    CANCELED = "canceled"
    FAILED = "failed"


class Event(StrEnum):
    """What an acquirer can say of a payment."""

    PENDING = "pending"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    CANCELED = "canceled"
    FAILED = "failed"


# Every pair is here or refused. Ranks only grow: a late word changes nothing, a contradiction calls
# a person.
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
    # The acquirer's word that money was taken wins over our belief that it was not.
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

FIRST_LOOK = (
    20_000_000  # microseconds: the request that started it asks at once; the job only repairs
)

FINAL = (Status.CAPTURED, Status.CANCELED, Status.FAILED)


class Attention(StrEnum):
    """Why a person must look at a payment."""

    EXTRA = "extra"  # more payments than the invoice allows: to be returned
    LATE = "late"  # finished at the bank after the invoice's time: to be returned or honoured
    VOIDED = "voided"  # the invoice had been called off
    MISMATCH = "mismatch"  # the acquirer names another amount or currency: never "paid"
    CONTRADICTION = "contradiction"  # the acquirer takes back what it had said
    REFUND_FAILED = "refund_failed"


RETURNABLE = (Attention.EXTRA, Attention.LATE, Attention.VOIDED)


@dataclass(frozen=True, slots=True)
class Method:
    """What it was paid with.

    `mask` is "220000******0004": first six and last four digits, all that may be kept.
    """

    kind: str = "card"
    mask: str = ""
    brand: str = ""


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt.

    `operation_key` was stored before the acquirer was first called and is sent with every repeat.
    """

    id: str
    shop_id: str
    invoice_id: str
    connection_id: str
    provider: str
    operation_key: str
    token: str  # public: the client's waiting page and receipt
    amount: Money
    status: Status
    created_at: int
    unknown: bool = False
    provider_id: str | None = None
    confirmation_url: str = ""
    payer: str = ""  # hash of the browser's own secret, so that a closed tab finds its answers
    nonce: str = ""  # of the form: a double click is one payment
    wants_mail: bool = False  # the client gave an e-mail
    locale: str = "ru"
    wanted: str = (
        ""  # "capture" or "cancel": decided for a held payment, not yet confirmed by the acquirer
    )
    wanted_key: str = ""
    method: Method | None = None
    failure: str = ""  # the acquirer's reason word
    attention: Attention | None = None
    income: Money | None = None
    captured_at: int | None = None
    conversation_id: str | None = None  # the link was opened from this dialog, as its token proves
    version: int = 0

    @property
    def final(self) -> bool:
        """Whether the acquirer has nothing more to tell of its own."""
        return self.status in FINAL


@dataclass(frozen=True, slots=True)
class Reply:
    """The acquirer's answer to our question, in our words. Times are UTC microseconds."""

    provider_id: str
    event: Event
    amount: Money | None = None
    confirmation_url: str = ""
    method: Method | None = None
    failure: str = ""
    captured_at: int | None = None
    income: Money | None = None
    refunded: Money | None = None
    our_id: str = ""  # the payment's id that we sent along as metadata


def begin(
    payment: Payment,
    answers: Answers | None,
    consent: Consent | None,
    now: int,
    new_id: NewId,
    *,
    fresh: bool,
) -> Change:
    """A client is about to pay: the payment with its key, the answers and the promise to find out,
    before any call.

    Not `fresh`: the same browser goes back to its unfinished payment, perhaps with other answers.
    """
    given = tuple(row for row in (answers, consent) if row is not None)
    line = happened(payment, "started" if fresh else "resumed", now, new_id, "client")
    due = now + FIRST_LOOK if fresh else 0
    job = Job("payment.advance", payment.id, payment.shop_id, due)
    return Change((payment, *given, line), jobs=(job,))


def happened(
    payment: Payment,
    kind: str,
    now: int,
    new_id: NewId,
    actor: str = "system",
    **detail: object,
) -> Happening:
    """A line of this payment's timeline."""
    return Happening(
        new_id("evt"),
        payment.shop_id,
        payment.id,
        f"payment.{kind}",
        now,
        actor,
        dict(detail),
    )


def settle(
    payment: Payment,
    invoice: Invoice,
    shop: Shop,
    reply: Reply,
    now: int,
    new_id: NewId,
) -> Change:
    """What the acquirer's answer changes.

    Called under the invoice's lock with all three fresh; told again, changes nothing.
    """
    if payment.provider_id and reply.provider_id != payment.provider_id:
        return _call_a_person(payment, Attention.CONTRADICTION, now, new_id)
    if reply.event in (Event.AUTHORIZED, Event.CAPTURED) and reply.amount != payment.amount:
        known = payment if payment.provider_id else replace(payment, provider_id=reply.provider_id)
        return _call_a_person(known, Attention.MISMATCH, now, new_id)
    after = FLOW[payment.status].get(reply.event)
    if after is None:
        return _call_a_person(payment, Attention.CONTRADICTION, now, new_id)
    seen = replace(
        payment,
        status=after,
        unknown=False,
        provider_id=reply.provider_id or payment.provider_id,
        confirmation_url=reply.confirmation_url or payment.confirmation_url,
        method=reply.method or payment.method,
    )
    if after is Status.CAPTURED and payment.status is not Status.CAPTURED:
        return _captured(seen, invoice, shop, reply, now, new_id)
    if seen == payment:
        return Change()
    if after is payment.status:
        return Change((seen,))
    return _moved(seen, reply, now, new_id)


def _moved(seen: Payment, reply: Reply, now: int, new_id: NewId) -> Change:
    kept = replace(seen, failure=reply.failure or seen.failure)
    if seen.status in FINAL:
        kept = replace(kept, wanted="")
    detail = {"reason": kept.failure} if kept.failure else {}
    return Change((kept, happened(kept, str(kept.status), now, new_id, **detail)))


def _captured(
    seen: Payment, invoice: Invoice, shop: Shop, reply: Reply, now: int, new_id: NewId
) -> Change:
    """Money was taken: books, receipt, mail and the invoice's own state, in one decision."""
    finished = reply.captured_at or now
    attention = _why_return(invoice, finished, held=seen.wanted == "capture")
    paid = replace(
        seen,
        captured_at=finished,
        income=plausible(reply.income, seen.amount),
        failure="",
        wanted="",
        attention=attention or (None if seen.attention is Attention.MISMATCH else seen.attention),
    )
    entry = capture_entry(
        payment_id=paid.id,
        shop_id=paid.shop_id,
        at=finished,
        amount=paid.amount,
        income=paid.income,
        owed=attention is not None,
    )
    receipt = build_receipt(
        new_id("rcp"),
        token=paid.token,
        payment_id=paid.id,
        amount=paid.amount,
        mask=paid.method.mask if paid.method else "",
        brand=paid.method.brand if paid.method else "",
        paid_at=finished,
        invoice=invoice,
        shop=shop,
        now=now,
    )
    change = Change(
        (paid, receipt, happened(paid, "captured", now, new_id)),
        (entry,),
    )
    change += invoices.shown_anew(invoice)
    if paid.wants_mail:
        change += mail_change(paid, "receipt", paid.id, now, new_id)
    if attention:
        return change + _tell_owner(paid, attention, now, new_id)
    return change + _fill(invoice, now, new_id)


def _why_return(invoice: Invoice, finished: int, *, held: bool) -> Attention | None:
    """Held money was given in time; the shop itself decided to take it later."""
    if invoice.status is invoices.Status.VOID:
        return Attention.VOIDED
    if invoice.full:
        return Attention.EXTRA
    if invoice.expires_at is not None and finished > invoice.expires_at and not held:
        return Attention.LATE
    return None


def _fill(invoice: Invoice, now: int, new_id: NewId) -> Change:
    counted = replace(invoice, paid_count=invoice.paid_count + 1)
    if not counted.full:
        return Change((counted,))
    filled = invoices.move(counted, invoices.Event.FILLED)
    return Change((filled, invoices.happened(filled, "paid", now, new_id)))


def _call_a_person(payment: Payment, why: Attention, now: int, new_id: NewId) -> Change:
    if payment.attention is why:
        return Change()
    flagged = replace(payment, attention=why)
    return Change((flagged,)) + _tell_owner(flagged, why, now, new_id)


def _tell_owner(payment: Payment, why: Attention, now: int, new_id: NewId) -> Change:
    line = happened(payment, f"attention_{why}", now, new_id)
    return Change((line,)) + attention_mail(payment, payment.id, why, now, new_id)


def attention_mail(
    payment: Payment, subject: str, why: Attention, now: int, new_id: NewId
) -> Change:
    """A call for a person. Its number is the payment's version: trouble that comes back, calls
    again.
    """
    called = f"{subject}:{why}"
    return mail_change(payment, "attention", called, now, new_id, number=payment.version)


def mail_change(
    payment: Payment, kind: str, subject: str, now: int, new_id: NewId, *, number: int = 1
) -> Change:
    """A mail about this payment and the job that sends it."""
    mail = Mail(new_id("mail"), payment.shop_id, kind, subject, payment.id, now, number)
    return Change((mail,), jobs=(Job("mail.send", mail.id, payment.shop_id),))


def not_known(payment: Payment, now: int, new_id: NewId) -> Change:
    """The acquirer's answer was lost. The state stays; the flag says that we are asking."""
    if payment.unknown:
        return Change()
    asking = replace(payment, unknown=True)
    return Change((asking, happened(asking, "unknown", now, new_id)))


def want(payment: Payment, wanted: str, key: str, now: int, new_id: NewId, actor: str) -> Change:
    """Decides to "capture" or "cancel" a held payment.

    The key is stored before the call. Raises Refused.
    """
    assert wanted in ("capture", "cancel")
    if payment.wanted == wanted:
        return Change()
    if payment.status is not Status.AUTHORIZED or payment.wanted:
        raise Refused("payment_not_authorized", status=str(payment.status))
    decided = replace(payment, wanted=wanted, wanted_key=key)
    line = happened(decided, f"want_{wanted}", now, new_id, actor)
    return Change((decided, line), jobs=(Job("payment.advance", payment.id, payment.shop_id),))
