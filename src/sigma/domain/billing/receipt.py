"""A receipt: what the client sees after paying, frozen at the moment of the payment."""

from dataclasses import asdict, dataclass
from typing import Any

from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Invoice
from sigma.domain.money import Money


@dataclass(frozen=True, slots=True)
class Receipt:
    """Built from the payment, not from the invoice as it may look later.

    `body` is plain data, see build_receipt.
    """

    id: str
    shop_id: str
    payment_id: str
    token: str
    created_at: int
    body: dict[str, Any]
    version: int = 0


def build_receipt(
    receipt_id: str,
    *,
    token: str,
    payment_id: str,
    amount: Money,
    mask: str,
    brand: str,
    paid_at: int,
    invoice: Invoice,
    shop: Shop,
    now: int,
) -> Receipt:
    """Freezes seller, items, sum, time and card mask.

    Amounts inside `body` are {"minor", "currency"}; times UTC microseconds.
    """
    items = [
        {
            "name": i.name,
            "quantity": i.quantity,
            "price": _money(i.price),
            "sum": _money(i.sum()),
        }
        for i in invoice.items
    ] or [
        {
            "name": invoice.title,
            "quantity": "1",
            "price": _money(amount),
            "sum": _money(amount),
        }
    ]
    body = {
        "shop": shop.name,
        "seller": asdict(shop.seller),
        "invoice_id": invoice.id,
        "number": invoice.number,
        "title": invoice.title,
        "description": invoice.description,
        "items": items,
        "amount": _money(amount),
        "mask": mask,
        "brand": brand,
        "paid_at": paid_at,
        "tz": shop.tz,
        "return_url": invoice.return_url or shop.return_url,
    }
    return Receipt(receipt_id, shop.id, payment_id, token, now, body)


def _money(amount: Money) -> dict[str, Any]:
    return {"minor": amount.minor, "currency": amount.currency}
