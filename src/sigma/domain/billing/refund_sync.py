"""Refunds that were made outside Sigma: which of the acquirer's refunds are ours, which are new.

A refund in the acquirer's list is ours when it has the acquirer's id of one of our refunds, or our
refund id. Everything else was made in the acquirer's cabinet, by another program or by the
client's bank.
"""

from dataclasses import dataclass, replace

from sigma.domain.billing.payment import Attention, Payment, flag
from sigma.domain.billing.refund import (
    ALREADY_REFUNDED,
    Event,
    Origin,
    Refund,
    RefundReply,
    Status,
    advance_job,
    amount_refunded_elsewhere,
    record_success,
    refunded_amount,
    reserved_amount,
    settle,
    timeline_event,
)
from sigma.domain.change import Change, NewId
from sigma.domain.figures import Figures, Tally
from sigma.domain.money import Money


@dataclass(frozen=True, slots=True)
class ListedRefund:
    """A refund in the acquirer's list. `refund_id` is our id; empty for other refunds."""

    reply: RefundReply
    refund_id: str = ""


def needs_list(refunds: tuple[Refund, ...], total: Money | None) -> bool:
    """Return whether the acquirer's list of refunds may contain something that Sigma lacks.

    `total`: the acquirer's refunded total, None when it is unknown. When it equals ours, only the
    outcome of a pending refund can be new.
    """
    if total is None or any(r.status is Status.PENDING for r in refunds):
        return True
    return total != refunded_amount(refunds, total.currency)


def settle_listed(
    listed: ListedRefund,
    payment: Payment,
    refunds: tuple[Refund, ...],
    total: Money | None,
    now_us: int,
    new_id: NewId,
    *,
    is_refund_due: bool,
) -> Change:
    """Return what one refund of the acquirer's list changes. The same refund again: nothing.

    The caller must hold the invoice lock and pass all refunds of the payment. `total`: the
    acquirer's refunded total, asked for before the list; None when it is unknown.
    """
    reply = listed.reply
    if own := _find_stored(listed, refunds):
        if own.status is not Status.SUCCEEDED and _is_in_difference(reply, payment, refunds, total):
            return _adopt_own(own, payment, refunds, reply, now_us, new_id)
        return settle(own, payment, refunds, reply, now_us, new_id, is_refund_due=is_refund_due)
    if reply.event is Event.FAILED or (reply.amount is not None and reply.amount.minor == 0):
        return Change()  # no money has moved
    if reply.amount is None or reply.amount.currency != payment.amount.currency:
        # A pending refund is reported again, with its amount.
        is_unreadable = reply.event is Event.SUCCEEDED
        return flag(payment, Attention.CONTRADICTION, now_us, new_id) if is_unreadable else Change()
    if _is_in_difference(reply, payment, refunds, total):
        same = _find_unlisted(refunds, reply)
        if same is None:
            return Change()
        adopted = _adopted(same, reply, Origin.ACQUIRER)
        return Change((adopted,), tallies=_no_chargeback(same, payment))
    left = payment.amount - refunded_amount(refunds, payment.amount.currency)
    if reply.event is Event.SUCCEEDED and reply.amount > left:
        return flag(payment, Attention.CONTRADICTION, now_us, new_id)
    return _record_new(payment, refunds, reply, Origin.ACQUIRER, now_us, new_id, is_refund_due)


def record_difference(
    payment: Payment,
    refunds: tuple[Refund, ...],
    total: Money,
    now_us: int,
    new_id: NewId,
    *,
    is_list_complete: bool,
    is_refund_due: bool,
    rejected_id: str = "",
) -> Change:
    """Return a refund of the amount by which the acquirer's total exceeds the known refunds.

    Pending refunds may be a part of the total already, so they are subtracted: a difference that
    is too small is completed when their outcome is known. `is_list_complete`: the list of refunds
    was read after `total`, so the difference is no refund but a chargeback. `rejected_id`: our
    pending refund that the acquirer has just rejected; if its list does not have it either, it
    explains nothing. The caller must hold the invoice lock.
    """
    if total > payment.amount:  # an acquirer cannot refund more than it captured
        return flag(payment, Attention.CONTRADICTION, now_us, new_id)
    if not is_list_complete:
        rejected_id = ""  # an earlier call may have made this refund after all
    counted = tuple(r for r in refunds if r.id != rejected_id or r.status is Status.SUCCEEDED)
    explained = reserved_amount(counted, payment.amount.currency)
    missing = total - explained
    if missing.minor <= 0:
        return Change()
    origin = Origin.CHARGEBACK if is_list_complete else Origin.ACQUIRER
    reply = RefundReply("", Event.SUCCEEDED, missing)
    return _record_new(payment, refunds, reply, origin, now_us, new_id, is_refund_due)


def is_refunded_elsewhere(refund: Refund, payment: Payment, refunds: tuple[Refund, ...]) -> bool:
    """Return whether refunds made outside Sigma leave too little for `refund`."""
    others = tuple(r for r in refunds if r.id != refund.id)
    currency = payment.amount.currency
    left = payment.amount - reserved_amount(others, currency)
    return refund.amount > left and bool(amount_refunded_elsewhere(others, currency))


def _find_stored(listed: ListedRefund, refunds: tuple[Refund, ...]) -> Refund | None:
    for refund in refunds:
        if refund.provider_id == listed.reply.provider_id:
            return refund
    for refund in refunds:
        if refund.id == listed.refund_id and refund.provider_id is None:
            return refund
    return None


def _is_unlisted(refund: Refund) -> bool:
    """Return whether the refund was booked as a difference, without the acquirer's id."""
    return refund.origin is not Origin.SIGMA and refund.provider_id is None


def _is_in_difference(
    reply: RefundReply, payment: Payment, refunds: tuple[Refund, ...], total: Money | None
) -> bool:
    """Return whether a succeeded refund is a part of what was booked as a difference.

    It is when the acquirer's total leaves no room for it beside the refunds that are booked.
    """
    if reply.event is not Event.SUCCEEDED or not any(_is_unlisted(r) for r in refunds):
        return False
    booked = refunded_amount(refunds, payment.amount.currency)
    room = (total or Money(0, payment.amount.currency)) - booked
    return reply.amount is None or room < reply.amount


def _find_unlisted(refunds: tuple[Refund, ...], reply: RefundReply) -> Refund | None:
    return next((r for r in refunds if _is_unlisted(r) and r.amount == reply.amount), None)


def _adopted(refund: Refund, reply: RefundReply, origin: Origin) -> Refund:
    """Give a refund that was booked as a difference the acquirer's id. It is not booked again."""
    return replace(refund, provider_id=reply.provider_id, origin=origin)


def _no_chargeback(booked: Refund, payment: Payment) -> tuple[Tally, ...]:
    """Return what reports count when a refund was booked as a chargeback, but is none."""
    if booked.origin is not Origin.CHARGEBACK or booked.finished_at_us is None:
        return ()
    figures = Figures(chargeback_minor=-booked.amount.minor)
    at_us, currency = booked.finished_at_us, booked.amount.currency
    return (Tally(booked.shop_id, at_us, currency, payment.attribution, figures),)


def _adopt_own(
    own: Refund,
    payment: Payment,
    refunds: tuple[Refund, ...],
    reply: RefundReply,
    now_us: int,
    new_id: NewId,
) -> Change:
    """Return what changes when our refund succeeded, but its money was booked as a difference.

    The booked refund becomes ours; `own` stays or becomes failed, because its money must not be
    booked twice. Without a booked refund of this amount, or when `own` has the acquirer's id,
    which is unique, nothing changes: the money is booked.
    """
    same = _find_unlisted(refunds, reply)
    if same is None or own.provider_id is not None:
        return Change()
    booked = _adopted(same, reply, Origin.SIGMA)
    booked = replace(booked, reason=own.reason, created_by=own.created_by)
    change = Change((booked,), tallies=_no_chargeback(same, payment))
    if own.status is Status.PENDING:
        failed = replace(
            own,
            status=Status.FAILED,
            failure=ALREADY_REFUNDED,
            is_outcome_unknown=False,
            finished_at_us=now_us,
        )
        event = timeline_event(failed, "unneeded", now_us, new_id, reason=ALREADY_REFUNDED)
        change += Change((failed, event))
    if payment.attention is Attention.REFUND_FAILED:
        change += Change((replace(payment, attention=None),))
    return change


def _record_new(
    payment: Payment,
    refunds: tuple[Refund, ...],
    reply: RefundReply,
    origin: Origin,
    now_us: int,
    new_id: NewId,
    is_refund_due: bool,
) -> Change:
    assert reply.amount is not None
    made_at_us = min(reply.created_at_us or now_us, now_us)
    refund_id = new_id("ref")
    refund = Refund(
        id=refund_id,
        shop_id=payment.shop_id,
        payment_id=payment.id,
        invoice_id=payment.invoice_id,
        connection_id=payment.connection_id,
        operation_key=refund_id,  # never sent: the refund exists already
        amount=reply.amount,
        status=Status.PENDING,
        created_at_us=made_at_us,
        created_by="system",
        provider_id=reply.provider_id or None,
        origin=origin,
    )
    if reply.event is Event.PENDING:
        event = timeline_event(refund, "pending", now_us, new_id)
        return Change((refund, event), jobs=(advance_job(refund),))
    done = replace(refund, status=Status.SUCCEEDED, finished_at_us=made_at_us)
    return record_success(done, payment, refunds, now_us, new_id, is_refund_due)
