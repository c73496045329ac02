"""An invoice as its client sees it in the dialog, and an order that came from VK's own shop."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.invoice import Status as InvoiceStatus
from sigma.domain.billing.payment import Payment
from sigma.domain.money import Money


class Face(StrEnum):
    """What a card says."""

    ISSUED = "issued"
    OPENED = "opened"
    PAID = "paid"
    PART_REFUNDED = "part_refunded"
    REFUNDED = "refunded"
    VOID = "void"
    EXPIRED = "expired"
    FULL = "full"  # others have paid it as often as it can be paid


@dataclass(frozen=True, slots=True)
class Card:
    """One invoice in one dialog. `message_id` is the message that shows it now.

    `face` is what it is for the client; `shown` the mark of what that message surely says, empty
    while that is not known. `opened_at`: when the client first opened the link (UTC microseconds).
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
    shown: str = ""
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


@dataclass(frozen=True, slots=True)
class Taken:
    """A captured payment, and what was given back of it (minor units)."""

    payment: Payment
    back_minor: int = 0

    @property
    def kept(self) -> bool:
        """Whether any of the money is still with the shop."""
        return self.back_minor < self.payment.amount.minor


@dataclass(frozen=True, slots=True)
class Look:
    """What a card must say. `paid`: the payment whose receipt it names; `back`: what was returned
    of what is still paid.
    """

    face: Face
    paid: Payment | None = None
    back: Money | None = None

    @property
    def mark(self) -> str:
        """Two looks with one mark say the same."""
        parts = (self.face, self.paid.id if self.paid else "", self.back.minor if self.back else 0)
        return ":".join(map(str, parts))


def look_of(invoice: Invoice, taken: Sequence[Taken], opened_at: int | None, now: int) -> Look:
    """What a card must say, from the facts alone. `taken`: its client's payments, oldest first.

    Where one payment too many was given back, the other one counts.
    """
    if kept := [one for one in taken if one.kept]:
        back = Money(sum(one.back_minor for one in kept), invoice.amount.currency)
        face = Face.PART_REFUNDED if back else Face.PAID
        return Look(face, kept[-1].payment, back or None)
    if taken:
        return Look(Face.REFUNDED, taken[-1].payment)
    if invoice.status is InvoiceStatus.VOID:
        return Look(Face.VOID)
    if invoice.full:
        return Look(Face.FULL)
    if invoice.status is InvoiceStatus.EXPIRED or invoice.lapsed(now):
        return Look(Face.EXPIRED)
    return Look(Face.OPENED if opened_at else Face.ISSUED)
