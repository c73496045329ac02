"""Accept a payment that came late or extra: the seller fulfils the order and keeps the money."""

from dataclasses import replace

from sigma.domain.billing import invoice as invoices
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Attention, Payment, Status, timeline_event
from sigma.domain.billing.refund import Refund
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.change import Change, NewId
from sigma.domain.errors import RefusedError
from sigma.domain.ledger import acceptance_entry

ACCEPTABLE = (Attention.LATE, Attention.EXTRA)


def can_accept(payment: Payment, refunds: tuple[Refund, ...]) -> bool:
    """Return whether the payment waits for a decision and nothing of it is refunded."""
    is_untouched = all(r.status is RefundStatus.FAILED for r in refunds)
    return payment.status is Status.CAPTURED and payment.attention in ACCEPTABLE and is_untouched


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
    if not can_accept(payment, refunds):
        raise RefusedError("payment_not_acceptable")
    accepted = replace(payment, attention=None)
    entry = acceptance_entry(
        payment_id=payment.id, shop_id=payment.shop_id, booked_at_us=now_us, amount=payment.amount
    )
    event = timeline_event(accepted, "accepted", now_us, new_id, actor)
    counted = replace(invoice, paid_count=invoice.paid_count + 1)
    change = Change((accepted, event), (entry,)) + invoices.card_refresh(invoice)
    if counted.is_fully_paid and not invoice.is_fully_paid:
        paid = invoices.apply_event(counted, invoices.Event.FULLY_PAID)
        paid_event = invoices.timeline_event(paid, "paid", now_us, new_id, actor)
        return change + Change((paid, paid_event))
    return change + Change((counted,))
