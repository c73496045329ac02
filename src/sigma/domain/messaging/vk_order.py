"""Orders of a community's advanced shop in VK."""

from dataclasses import dataclass, replace

from sigma.domain.billing.invoice import Invoice, Status
from sigma.domain.change import Change, NewId, TimelineEvent
from sigma.domain.errors import Problem, validation_error
from sigma.domain.messaging.card import CardContent, CardState
from sigma.domain.money import Money

PAID, RETURNED, REJECTED_PREFIX = "paid", "returned", "rejected:"


@dataclass(frozen=True, slots=True)
class VkOrder:
    """An order in VK's advanced shop. `body_encrypted` decrypts to JSON: items, comment.

    `vk_payment_status` is the payment status last sent to VK: empty, not_paid, paid, returned, or
    "rejected:<code>" when VK refused it with that error code.
    """

    id: str
    shop_id: str
    connection_id: str
    conversation_id: str
    vk_order_id: int
    vk_user_id: int
    display_id: str
    amount: Money
    body_encrypted: str
    created_at_us: int
    invoice_id: str | None = None
    vk_payment_status: str = ""
    version: int = 0


def record_received(order: VkOrder, new_id: NewId) -> Change:
    """Record an order that is new to Sigma."""
    event = TimelineEvent(
        new_id("evt"), order.shop_id, order.id, "vk_order.received", order.created_at_us
    )
    return Change((order, event))


def record_changed(order: VkOrder, amount: Money, body_encrypted: str) -> Change:
    """Record VK's change of a stored order; empty when the amount is the same."""
    if order.amount == amount:
        return Change()
    return Change((replace(order, amount=amount, body_encrypted=body_encrypted),))


def link_invoice(order: VkOrder, invoice: Invoice, other: Invoice | None, now_us: int) -> Change:
    """Link the order to an invoice. `other`: the invoice that it is linked to already.

    Raises RefusedError("validation") when `other` is paid or still payable.
    """
    if other is not None:
        is_payable = other.status is Status.OPEN and not other.is_expired(now_us)
        if is_payable or other.paid_count:
            raise validation_error(Problem("order", "order_invoiced", {"number": other.number}))
    return Change((replace(order, invoice_id=invoice.id),))


def payment_status(content: CardContent) -> str | None:
    """Return the payment status that VK must show for the invoice; None before a payment."""
    if content.payment is None:
        return None
    return RETURNED if content.state is CardState.REFUNDED else PAID


def record_reported(order: VkOrder, vk_payment_status: str) -> Change:
    """Record the payment status sent to VK; empty when it is known already."""
    if order.vk_payment_status == vk_payment_status:
        return Change()
    return Change((replace(order, vk_payment_status=vk_payment_status),))
