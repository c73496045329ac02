"""View model of a receipt, shared by the page, the PDF and the mail so that they agree."""

from dataclasses import dataclass
from typing import Any

from sigma.domain.billing.answers import Answer
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Origin, Refund, Status, refunded_amount
from sigma.domain.money import Money
from sigma.texts.answers import answer_text, question_label
from sigma.texts.translator import Translator

LabelValue = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item: its name, «2 × 750,00 ₽» (empty for a quantity of one) and its amount."""

    name: str
    quantity: str
    amount: str


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """A receipt as formatted texts.

    `shop_name` is what clients call the seller, `seller_name` the legal name; the latter is empty
    when it is not entered or the same. `refunded` and `net_amount` are empty while nothing is
    refunded. `answer_rows` (what the seller chose to show), `detail_rows`, `seller_rows` and
    `refund_rows` hold pairs of label and value.
    """

    amount: str
    amount_in_words: str
    shop_name: str
    seller_name: str
    seller_rows: tuple[LabelValue, ...]
    title: str
    description: str
    items: tuple[ItemView, ...]
    answer_rows: tuple[LabelValue, ...]
    detail_rows: tuple[LabelValue, ...]
    refund_rows: tuple[LabelValue, ...]
    refunded: str
    net_amount: str
    is_fully_refunded: bool
    has_title: bool
    invoice_number: int
    contacts: str
    return_url: str


def build_receipt_view(
    receipt: Receipt,
    refunds: tuple[Refund, ...],
    translator: Translator,
    answers: tuple[Answer, ...] = (),
) -> ReceiptView:
    """Build the view of a stored receipt with its refunds so far, in the shop's time zone.

    `answers` are those of `receipt_answers`.
    """
    body = receipt.body
    translator = Translator(translator.locale, body["tz"])
    amount = _money(body["amount"])
    refunds_total = refunded_amount(refunds, amount.currency)
    seller = body["seller"]
    return ReceiptView(
        amount=translator.money(amount),
        amount_in_words=translator.amount_in_words(amount),
        shop_name=body["shop"],
        seller_name="" if seller["full_name"] == body["shop"] else seller["full_name"],
        seller_rows=_seller_rows(seller, translator),
        title=body["title"],
        description=body["description"],
        items=tuple(_item_view(item, translator) for item in body["items"]),
        answer_rows=tuple(
            (question_label(a.question, translator), answer_text(a.question, a.value, translator))
            for a in answers
        ),
        detail_rows=_detail_rows(receipt, translator),
        refund_rows=_refund_rows(refunds, translator),
        refunded=translator.money(refunds_total) if refunds_total else "",
        net_amount=translator.money(amount - refunds_total) if refunds_total else "",
        is_fully_refunded=refunds_total == amount,
        # The only item of an invoice without items repeats its title.
        has_title=[item["name"] for item in body["items"]] != [body["title"]],
        invoice_number=body["number"],
        contacts=", ".join(c for c in (translator.phone(seller["phone"]), seller["email"]) if c),
        return_url=body["return_url"],
    )


def method_label(kind: str, mask: str, brand: str, translator: Translator) -> str:
    """Return «Мир 2200 00** **** 0004», «СБП»; "" for a method without a name."""
    key = f"receipt.method.{kind}"
    return card_label(mask, brand, translator) or (
        translator.t(key) if kind and translator.has(key) else ""
    )


def card_label(mask: str, brand: str, translator: Translator) -> str:
    """Return «Мир 2200 00** **** 0004»; "" when the payment was not by card."""
    key = f"receipt.brand.{brand.lower()}"
    name = translator.t(key) if translator.has(key) else brand
    grouped = " ".join(mask[n : n + 4] for n in range(0, len(mask), 4))
    return f"{name} {grouped}".strip().replace(" ", "\u00a0") if mask else ""


def _money(raw: dict[str, Any]) -> Money:
    return Money(raw["minor"], raw["currency"])


def _seller_rows(seller: dict[str, Any], translator: Translator) -> tuple[LabelValue, ...]:
    registration = "ogrn" if seller["kind"] == "company" else "ogrnip"
    rows = (
        (translator.t("receipt.row.inn"), seller["inn"]),
        (translator.t(f"receipt.row.{registration}"), seller["ogrn"]),
        (translator.t("receipt.row.address"), seller["address"]),
        (translator.t("receipt.row.phone"), translator.phone(seller["phone"])),
        (translator.t("receipt.row.email"), seller["email"]),
    )
    return tuple((label, value) for label, value in rows if value)


def _item_view(item: dict[str, Any], translator: Translator) -> ItemView:
    price = translator.money(_money(item["price"]))
    single = item["quantity"] == "1"
    quantity = translator.t(
        "checkout.quantity", quantity=translator.number(item["quantity"]), price=price
    )
    return ItemView(item["name"], "" if single else quantity, translator.money(_money(item["sum"])))


def _detail_rows(receipt: Receipt, translator: Translator) -> tuple[LabelValue, ...]:
    body = receipt.body
    method = method_label(body["method"], body["mask"], body["brand"], translator)
    rows = (
        (translator.t("receipt.row.paid_at"), translator.datetime(body["paid_at_us"])),
        (translator.t("receipt.row.method"), method),
        (
            translator.t("receipt.row.invoice"),
            translator.t("receipt.row.invoice_value", number=body["number"]),
        ),
        (translator.t("receipt.row.payment"), receipt.payment_id),
    )
    return tuple((label, value) for label, value in rows if value)


# The origin of a refund → its label. A chargeback is never pending.
_REFUND_LABELS = {
    Origin.SIGMA: "refund",
    Origin.ACQUIRER: "refund_elsewhere",
    Origin.CHARGEBACK: "chargeback",
}


def _refund_rows(refunds: tuple[Refund, ...], translator: Translator) -> tuple[LabelValue, ...]:
    rows: list[LabelValue] = []
    for refund in sorted(refunds, key=lambda r: r.finished_at_us or r.created_at_us):
        name = _REFUND_LABELS[refund.origin]
        if refund.status is Status.SUCCEEDED:
            moment = translator.datetime(refund.finished_at_us or refund.created_at_us)
        elif refund.status is Status.PENDING:
            moment = translator.datetime(refund.created_at_us)
            name += "_pending"
        else:
            continue
        label = translator.t(f"receipt.row.{name}", moment=moment)
        rows.append((label, translator.money(-refund.amount)))
    return tuple(rows)
