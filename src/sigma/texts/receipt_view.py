"""A receipt put into words once, so that the page, the PDF and the mail say the same."""

from dataclasses import dataclass
from typing import Any

from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund, Status, refunded
from sigma.domain.money import Money
from sigma.texts.translator import Words

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Line:
    """An item: its name, «2 × 750,00 ₽» (empty for a single one) and its sum."""

    name: str
    quantity: str
    sum: str


@dataclass(frozen=True, slots=True)
class Slip:
    """Everything on a receipt, as texts. `returned` and `net` are empty while nothing came back."""

    sum: str
    in_words: str
    seller: str
    seller_rows: tuple[Pair, ...]
    title: str
    description: str
    items: tuple[Line, ...]
    rows: tuple[Pair, ...]
    refunds: tuple[Pair, ...]
    returned: str
    net: str
    fully_refunded: bool
    number: int
    contacts: str
    return_url: str


def slip(receipt: Receipt, refunds: tuple[Refund, ...], words: Words) -> Slip:
    """The receipt as it was frozen, with the refunds so far, on the clock of its own shop."""
    body = receipt.body
    words = Words(words.locale, body["tz"])
    amount = _money(body["amount"])
    back = refunded(refunds, amount.currency)
    seller = body["seller"]
    return Slip(
        sum=words.money(amount),
        in_words=words.in_words(amount),
        seller=seller["full_name"] or body["shop"],
        seller_rows=_seller_rows(seller, words),
        title=body["title"],
        description=body["description"],
        items=tuple(_line(item, words) for item in body["items"]),
        rows=_rows(receipt, words),
        refunds=_refunds(refunds, words),
        returned=words.money(back) if back else "",
        net=words.money(amount - back) if back else "",
        fully_refunded=back == amount,
        number=body["number"],
        contacts=", ".join(c for c in (words.phone(seller["phone"]), seller["email"]) if c),
        return_url=body["return_url"],
    )


def card(mask: str, brand: str, words: Words) -> str:
    """«Мир 2200 00** **** 0004»; empty when it was not a card."""
    key = f"receipt.brand.{brand.lower()}"
    name = words.t(key) if words.has(key) else brand
    grouped = " ".join(mask[n : n + 4] for n in range(0, len(mask), 4))
    return f"{name} {grouped}".strip().replace(" ", "\u00a0") if mask else ""


def _money(raw: dict[str, Any]) -> Money:
    return Money(raw["minor"], raw["currency"])


def _seller_rows(seller: dict[str, Any], words: Words) -> tuple[Pair, ...]:
    registration = "ogrn" if seller["kind"] == "company" else "ogrnip"
    rows = (
        (words.t("receipt.row.inn"), seller["inn"]),
        (words.t(f"receipt.row.{registration}"), seller["ogrn"]),
        (words.t("receipt.row.address"), seller["address"]),
        (words.t("receipt.row.phone"), words.phone(seller["phone"])),
        (words.t("receipt.row.email"), seller["email"]),
    )
    return tuple((label, value) for label, value in rows if value)


def _line(item: dict[str, Any], words: Words) -> Line:
    price = words.money(_money(item["price"]))
    single = item["quantity"] == "1"
    shown = words.t("checkout.quantity", quantity=words.number(item["quantity"]), price=price)
    return Line(item["name"], "" if single else shown, words.money(_money(item["sum"])))


def _rows(receipt: Receipt, words: Words) -> tuple[Pair, ...]:
    body = receipt.body
    rows = (
        (words.t("receipt.row.paid_at"), words.datetime(body["paid_at"])),
        (words.t("receipt.row.card"), card(body["mask"], body["brand"], words)),
        (
            words.t("receipt.row.invoice"),
            words.t("receipt.row.invoice_value", number=body["number"]),
        ),
        (words.t("receipt.row.payment"), receipt.payment_id),
    )
    return tuple((label, value) for label, value in rows if value)


def _refunds(refunds: tuple[Refund, ...], words: Words) -> tuple[Pair, ...]:
    rows: list[Pair] = []
    for refund in sorted(refunds, key=lambda r: r.finished_at or r.created_at):
        if refund.status is Status.SUCCEEDED:
            moment = words.datetime(refund.finished_at or refund.created_at)
            label = words.t("receipt.row.refund", moment=moment)
        elif refund.status is Status.PENDING:
            label = words.t("receipt.row.refund_pending")
        else:
            continue
        rows.append((label, words.money(-refund.amount)))
    return tuple(rows)
