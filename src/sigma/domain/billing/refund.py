"""A refund: money back for a payment, in full or in part. The sum of refunds never exceeds the
payment.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from sigma.domain.billing.payment import RETURNABLE, Attention, Payment, attention_mail, mail_change
from sigma.domain.billing.payment import Status as PaymentStatus
from sigma.domain.change import Change, Happening, Job, NewId
from sigma.domain.errors import Problem, Refused, has_controls, invalid
from sigma.domain.ledger import refund_entry
from sigma.domain.money import Money, total


class Status(StrEnum):
    """The states that are stored."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Event(StrEnum):
    """What an acquirer can say of a refund."""

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
    Status.FAILED: {Event.PENDING: Status.FAILED, Event.FAILED: Status.FAILED},
}


@dataclass(frozen=True, slots=True)
class Refund:
    """`operation_key` was stored before the acquirer was first called and is sent with every
    repeat.
    """

    id: str
    shop_id: str
    payment_id: str
    invoice_id: str
    connection_id: str
    operation_key: str
    amount: Money
    status: Status
    created_at: int
    created_by: str
    reason: str = ""
    unknown: bool = False
    provider_id: str | None = None
    failure: str = ""
    finished_at: int | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """The acquirer's answer about a refund, in our words."""

    provider_id: str
    event: Event
    amount: Money | None = None
    failure: str = ""


def taken(refunds: tuple[Refund, ...], currency: str) -> Money:
    """What refunds have taken or may yet take from a payment: all but the failed ones."""
    return total([r.amount for r in refunds if r.status is not Status.FAILED], currency)


def refunded(refunds: tuple[Refund, ...], currency: str) -> Money:
    """What was really given back."""
    return total([r.amount for r in refunds if r.status is Status.SUCCEEDED], currency)


def request(
    payment: Payment,
    earlier: tuple[Refund, ...],
    amount: Money,
    reason: str,
    *,
    operation_key: str,
    now: int,
    new_id: NewId,
    actor: str,
) -> tuple[Refund, Change]:
    """Promises money back.

    Called under the invoice's lock with `earlier` complete. Raises Refused.
    """
    if payment.status is not PaymentStatus.CAPTURED:
        raise Refused("payment_not_captured", status=str(payment.status))
    if amount.currency != payment.amount.currency:
        raise Refused("refund_currency", currency=payment.amount.currency)
    if amount.minor <= 0:
        raise invalid(Problem("amount", "money_positive"))
    if len(reason) > 250:
        raise invalid(Problem("reason", "too_long", {"max": 250}))
    if has_controls(reason, lines=True):
        raise invalid(Problem("reason", "characters"))
    left = payment.amount - taken(earlier, amount.currency)
    if amount > left:
        raise Refused("refund_too_large", left=left)
    refund = Refund(
        id=new_id("ref"),
        shop_id=payment.shop_id,
        payment_id=payment.id,
        invoice_id=payment.invoice_id,
        connection_id=payment.connection_id,
        operation_key=operation_key,
        amount=amount,
        status=Status.PENDING,
        created_at=now,
        created_by=actor,
        reason=reason.strip(),
    )
    line = happened(refund, "requested", now, new_id, actor)
    return refund, Change((refund, line), jobs=(Job("refund.advance", refund.id, refund.shop_id),))


def happened(
    refund: Refund,
    kind: str,
    now: int,
    new_id: NewId,
    actor: str = "system",
    **detail: object,
) -> Happening:
    """A line of the payment's timeline about this refund."""
    facts = {
        "refund": refund.id,
        "minor": refund.amount.minor,
        "currency": refund.amount.currency,
    }
    return Happening(
        new_id("evt"),
        refund.shop_id,
        refund.payment_id,
        f"refund.{kind}",
        now,
        actor,
        facts | detail,
    )


def settle(
    refund: Refund,
    payment: Payment,
    earlier: tuple[Refund, ...],
    reply: Reply,
    now: int,
    new_id: NewId,
    *,
    owed: bool,
) -> Change:
    """What the acquirer's answer changes.

    Called under the invoice's lock; told again, changes nothing. `owed` is what the books say of
    the payment: taken as money to give back (an extra, late or voided one), not as a sale.
    """
    after = FLOW[refund.status].get(reply.event)
    wrong = reply.event is Event.SUCCEEDED and reply.amount != refund.amount
    if after is None or wrong or (refund.provider_id and refund.provider_id != reply.provider_id):
        return _flag(payment, Attention.CONTRADICTION, refund, now, new_id)
    seen = replace(
        refund, status=after, unknown=False, provider_id=reply.provider_id or refund.provider_id
    )
    if seen == refund:
        return Change()
    if after is refund.status:
        return Change((seen,))
    done = replace(seen, finished_at=now, failure=reply.failure)
    if after is Status.FAILED:
        line = happened(done, "failed", now, new_id, reason=reply.failure)
        return Change((done, line)) + _flag(payment, Attention.REFUND_FAILED, done, now, new_id)
    return _succeeded(done, payment, earlier, now, new_id, owed)


def _succeeded(
    done: Refund,
    payment: Payment,
    earlier: tuple[Refund, ...],
    now: int,
    new_id: NewId,
    owed: bool,
) -> Change:
    entry = refund_entry(
        refund_id=done.id,
        shop_id=done.shop_id,
        at=now,
        amount=done.amount,
        owed=owed,
    )
    change = Change(
        (done, happened(done, "succeeded", now, new_id)),
        (entry,),
    )
    if payment.wants_mail:
        change += mail_change(payment, "refund", done.id, now, new_id)
    others = tuple(r for r in earlier if r.id != done.id)
    back = refunded((*others, done), done.amount.currency)
    calm = back == payment.amount or not owed
    if calm and payment.attention in (*RETURNABLE, Attention.REFUND_FAILED):
        change += Change((replace(payment, attention=None),))
    return change


def _flag(payment: Payment, why: Attention, refund: Refund, now: int, new_id: NewId) -> Change:
    """Calls a person. A contradiction is told with every answer, so it calls once; a failed refund
    is news each time, but money that must go back stays the reason to look.
    """
    if why is Attention.CONTRADICTION and payment.attention is why:
        return Change()
    told = attention_mail(payment, refund.id, why, now, new_id)
    line = happened(refund, f"attention_{why}", now, new_id)
    stays = why is Attention.REFUND_FAILED and payment.attention in (*RETURNABLE, why)
    flagged = () if stays else (replace(payment, attention=why),)
    return Change((*flagged, line)) + told


def not_known(refund: Refund, now: int, new_id: NewId) -> Change:
    """The acquirer's answer was lost: the flag says that we are asking."""
    if refund.unknown:
        return Change()
    asking = replace(refund, unknown=True)
    return Change((asking, happened(asking, "unknown", now, new_id)))
