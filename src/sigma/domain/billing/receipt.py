"""Our own receipt (квитанция), shown to the client after the payment. It never changes."""

from dataclasses import asdict, dataclass
from typing import Any

from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Invoice
from sigma.domain.money import Money


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt of one captured payment. `token` is the public part of /r/{token}.

    `body` is a copy of all the data that it shows (see build_receipt), so later changes of the shop
    or invoice do not change it.
    """

    id: str
    shop_id: str
    payment_id: str
    token: str
    created_at_us: int
    body: dict[str, Any]
    version: int = 0


def build_receipt(
    receipt_id: str,
    *,
    token: str,
    payment_id: str,
    amount: Money,
    method: str = "card",
    mask: str,
    brand: str,
    paid_at_us: int,
    invoice: Invoice,
    shop: Shop,
    now_us: int,
) -> Receipt:
    """Return a receipt with a copy of shop, seller, items, sum, time, method and card mask.

    Answers are not copied: see `receipt_answers`. `method`: the acquirer's kind, such as "card".

    Amounts inside `body` are {"minor", "currency"}; times are UTC microseconds. `now_us` is the
    creation time of the row, `paid_at_us` the time of the capture.
    """
    items = [
        {
            "name": i.name,
            "quantity": i.quantity,
            "price": _money_json(i.price),
            "sum": _money_json(i.total()),
        }
        for i in invoice.items
    ] or [
        {
            "name": invoice.title,
            "quantity": "1",
            "price": _money_json(amount),
            "sum": _money_json(amount),
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
        "amount": _money_json(amount),
        "method": method,
        "mask": mask,
        "brand": brand,
        "paid_at_us": paid_at_us,
        "tz": shop.tz,
        "return_url": invoice.return_url or shop.return_url,
    }
    return Receipt(receipt_id, shop.id, payment_id, token, now_us, body)


def _money_json(amount: Money) -> dict[str, Any]:
    return {"minor": amount.minor, "currency": amount.currency}
