"""An invoice as its client sees it in the dialog, and an order that came from VK's own shop."""

from dataclasses import dataclass
from enum import StrEnum

from sigma.domain.invoice import Invoice
from sigma.domain.invoice import Status as InvoiceStatus
from sigma.domain.money import Money
from sigma.domain.payment import Payment
from sigma.domain.payment import Status as PaymentStatus


class Face(StrEnum):
    """What a card says."""

    ISSUED = "issued"
    OPENED = "opened"
    PAID = "paid"
    PART_REFUNDED = "part_refunded"
    REFUNDED = "refunded"
    VOID = "void"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Card:
    """One invoice in one dialog. `message_id` is the message that shows it now.

    `face` is what that message says; `opened_at` when the client first opened the link (UTC
    microseconds).
    """

    id: str
    shop_id: str
    invoice_id: str
    conversation_id: str
    created_at: int
    created_by: str
    message_id: str | None = None
    face: Face = Face.ISSUED
    opened_at: int | None = None
    payer: str = ""  # hash of the secret of the browser that first opened the dialog's link
    version: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """An order of VK's advanced shop. `body_sealed` holds what was ordered, in VK's words.

    `told` is the payment status that VK was last told: empty, not_paid, paid, returned.
    """

    id: str
    shop_id: str
    connection_id: str
    conversation_id: str
    vk_order_id: int
    vk_user_id: int
    display_id: str
    amount: Money
    body_sealed: str
    created_at: int
    invoice_id: str | None = None
    told: str = ""
    version: int = 0


def face_of(
    invoice: Invoice,
    payments: list[Payment],
    refunded_minor: int,
    opened_at: int | None,
    now: int,
) -> Face:
    """What the card must say, from the facts alone. `refunded_minor` sums succeeded refunds."""
    paid = sum(p.amount.minor for p in payments if p.status is PaymentStatus.CAPTURED)
    if paid:
        if refunded_minor >= paid:
            return Face.REFUNDED
        return Face.PART_REFUNDED if refunded_minor else Face.PAID
    if invoice.status is InvoiceStatus.VOID:
        return Face.VOID
    if invoice.status is InvoiceStatus.EXPIRED or invoice.lapsed(now):
        return Face.EXPIRED
    return Face.OPENED if opened_at else Face.ISSUED
