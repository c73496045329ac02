"""Decisions about a payment that came late, extra, or for an invoice voided before.

The seller accepts it (fulfils the order and keeps the money) or refunds all of it. The payment of a
voided invoice can only be refunded.
"""

from dataclasses import replace

from sigma.domain.billing import invoice as invoices
from sigma.domain.billing import refund as refund_domain
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.invoice_figures import count_payment
from sigma.domain.billing.payment import (
    REFUND_REASONS,
    Attention,
    Payment,
    Status,
    timeline_event,
)
from sigma.domain.billing.refund import Refund
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.change import Change, NewId
from sigma.domain.errors import RefusedError
from sigma.domain.ledger import acceptance_entry

ACCEPTABLE = (Attention.LATE, Attention.EXTRA)


def needs_decision(payment: Payment, refunds: tuple[Refund, ...]) -> bool:
    """Return whether the payment is late, extra or voided and nothing of it is refunded."""
    is_untouched = all(r.status is RefundStatus.FAILED for r in refunds)
    is_due = payment.attention in REFUND_REASONS
    return payment.status is Status.CAPTURED and is_due and is_untouched


def can_accept(payment: Payment, invoice: Invoice, refunds: tuple[Refund, ...]) -> bool:
    """Return whether the payment needs a decision and its invoice can still be paid.

    The money for a voided invoice can only be refunded, also if it was voided afterwards.
    """
    is_acceptable = payment.attention in ACCEPTABLE and invoice.status is not invoices.Status.VOID
    return is_acceptable and needs_decision(payment, refunds)


def accept(
    payment: Payment,
    invoice: Invoice,
    refunds: tuple[Refund, ...],
    now_us: int,
    new_id: NewId,
    actor: str,
) -> Change:
    """Count the payment on its invoice, clear its attention and book the money as a sale.

    The invoice becomes paid when this payment completes it; an extra payment is counted above
    `max_payments`. The caller must hold the invoice lock. Raises
    RefusedError("payment_not_acceptable").
    """
    if not can_accept(payment, invoice, refunds):
        raise RefusedError("payment_not_acceptable")
    accepted = replace(payment, attention=None)
    entry = acceptance_entry(
        payment_id=payment.id, shop_id=payment.shop_id, booked_at_us=now_us, amount=payment.amount
    )
    event = timeline_event(accepted, "accepted", now_us, new_id, actor)
    counted, tallies = count_payment(invoice, now_us)
    change = Change((accepted, event), (entry,), tallies=tallies) + invoices.card_refresh(invoice)
    if counted.is_fully_paid and not invoice.is_fully_paid:
        paid = invoices.apply_event(counted, invoices.Event.FULLY_PAID)
        paid_event = invoices.timeline_event(paid, "paid", now_us, new_id, actor)
        return change + Change((paid, paid_event))
    return change + Change((counted,))


def refund_all(
    payment: Payment,
    refunds: tuple[Refund, ...],
    *,
    operation_key: str,
    now_us: int,
    new_id: NewId,
    actor: str,
) -> tuple[Refund, Change]:
    """Return a refund of all of the payment, with the Change that requests it.

    The caller must hold the invoice lock. Raises RefusedError("payment_not_acceptable") when the
    payment needs no decision: its order is fulfilled, or a part of it is refunded already.
    """
    if not needs_decision(payment, refunds):
        raise RefusedError("payment_not_acceptable")
    return refund_domain.request(
        payment,
        refunds,
        payment.amount,
        "",
        operation_key=operation_key,
        now_us=now_us,
        new_id=new_id,
        actor=actor,
    )
