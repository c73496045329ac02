"""The invoice form as entered, and its conversion to an invoice draft. Pure.

Rows are numbered in the names of inputs (`items.0.name`, `ask.2.label`) and ordered by these
numbers, so rows can be added, removed and moved with submit buttons alone, without a script.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from sigma.domain.billing.invoice import MAX_ITEMS, MAX_PAYMENTS, Draft, InvoiceItem, check_draft
from sigma.domain.billing.question import (
    BUILT_IN_KINDS,
    KEY_PATTERN,
    KINDS_WITH_OPTIONS,
    MAX_QUESTIONS,
    RESERVED_KEYS,
    Question,
    QuestionKind,
)
from sigma.domain.errors import Problem
from sigma.domain.money import CURRENCY_EXPONENTS, Money
from sigma.domain.time_units import DAY_US
from sigma.web.forms import (
    FormValues,
    date_time_texts,
    first_value,
    parse_count,
    parse_date_time,
    parse_money,
    parse_quantity,
)

CUSTOM_KINDS = tuple(k for k in QuestionKind if k not in BUILT_IN_KINDS)


class ExpiryChoice(StrEnum):
    """How the invoice's expiry is chosen."""

    NONE = "none"
    DAY = "day"
    THREE_DAYS = "three_days"
    WEEK = "week"
    DATE = "date"


class PaymentLimit(StrEnum):
    """How many times an invoice can be paid."""

    ONCE = "once"
    COUNT = "count"
    ANY = "any"


_INPUT_BY_FIELD = {"expires_at": "expires_on"}  # the domain's name → the input's
_DAYS_BY_EXPIRY = {ExpiryChoice.DAY: 1, ExpiryChoice.THREE_DAYS: 3, ExpiryChoice.WEEK: 7}


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item of the invoice as entered."""

    name: str = ""
    quantity: str = ""
    price: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether the row is blank and so not an item. A quantity alone is the form's default."""
        return not self.name and not self.price


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A question of the payment page as entered.

    `options`: one per line. `enabled`: whether a contact question is enabled.
    """

    kind: str
    key: str = ""
    enabled: bool = True
    required: bool = False
    label: str = ""
    options: str = ""
    hint: str = ""
    show_on_receipt: bool = False
    keep_days: str = ""

    @property
    def is_contact(self) -> bool:
        """Whether it is a contact question, whose label the payment page supplies."""
        return self.kind in BUILT_IN_KINDS

    @property
    def is_included(self) -> bool:
        """Whether the payment page includes it: contact questions only when enabled."""
        return self.enabled or not self.is_contact


def _contact_rows() -> tuple[QuestionRow, ...]:
    return tuple(
        QuestionRow(str(k), str(k), enabled=k is QuestionKind.EMAIL, required=True)
        for k in BUILT_IN_KINDS
    )


@dataclass(frozen=True, slots=True)
class InvoiceForm:
    """The form as entered, not validated. A new one asks for an e-mail, to send the receipt to."""

    title: str = ""
    amount: str = ""
    description: str = ""
    items: tuple[ItemRow, ...] = ()
    questions: tuple[QuestionRow, ...] = _contact_rows()
    expiry: ExpiryChoice = ExpiryChoice.NONE
    expires_date: str = ""
    expires_time: str = ""
    payment_limit: PaymentLimit = PaymentLimit.ONCE
    max_payments: str = ""
    return_url: str = ""
    currency: str = "RUB"
    conversation_id: str = ""  # id of the conversation that gets the invoice
    customer_id: str = ""  # id of the customer who gets the invoice
    service_id: str = ""  # id of the service that is sold
    vk_order_id: str = ""  # id of the VK order that is paid
    email: str = ""  # that gets a letter with the invoice


def parse_invoice_form(form_data: FormValues) -> InvoiceForm:
    """Parse the posted form without validating it; unknown choices become the defaults."""
    expiry, limit, currency = (
        first_value(form_data, name) for name in ("expiry", "times", "currency")
    )
    return InvoiceForm(
        title=first_value(form_data, "title"),
        amount=first_value(form_data, "amount"),
        description=first_value(form_data, "description", multiline=True),
        items=tuple(
            _parse_item_row(form_data, n) for n in _row_numbers(form_data, "items", MAX_ITEMS + 1)
        ),
        questions=complete_rows(
            _parse_question_row(form_data, n)
            for n in _row_numbers(form_data, "ask", MAX_QUESTIONS + 5)
        ),
        expiry=ExpiryChoice(expiry) if expiry in set(ExpiryChoice) else ExpiryChoice.NONE,
        expires_date=first_value(form_data, "expires_on"),
        expires_time=first_value(form_data, "expires_time"),
        payment_limit=PaymentLimit(limit) if limit in set(PaymentLimit) else PaymentLimit.ONCE,
        max_payments=first_value(form_data, "max_payments"),
        return_url=first_value(form_data, "return_url"),
        currency=currency if currency in CURRENCY_EXPONENTS else "RUB",
        conversation_id=first_value(form_data, "conversation"),
        customer_id=first_value(form_data, "customer"),
        service_id=first_value(form_data, "service"),
        vk_order_id=first_value(form_data, "order"),
        email=first_value(form_data, "email"),
    )


def _row_numbers(form_data: FormValues, name: str, limit: int) -> list[int]:
    """Return the posted row numbers in order, at most `limit`."""
    row = re.compile(rf"{re.escape(name)}\.(\d{{1,4}})\.[a-z]+", re.ASCII)
    return sorted({int(m[1]) for key in form_data if (m := row.fullmatch(key))})[:limit]


def _parse_item_row(form_data: FormValues, number: int) -> ItemRow:
    return ItemRow(
        *(
            first_value(form_data, f"items.{number}.{name}")
            for name in ("name", "quantity", "price")
        )
    )


def _parse_question_row(form_data: FormValues, number: int) -> QuestionRow:
    kind, key = (
        first_value(form_data, f"ask.{number}.kind"),
        first_value(form_data, f"ask.{number}.key"),
    )
    kind = kind if kind in set(QuestionKind) else str(QuestionKind.TEXT)
    return QuestionRow(
        kind=kind,
        key=kind if kind in BUILT_IN_KINDS else key,
        enabled=bool(first_value(form_data, f"ask.{number}.on")),
        required=bool(first_value(form_data, f"ask.{number}.required")),
        label=first_value(form_data, f"ask.{number}.label"),
        options=first_value(form_data, f"ask.{number}.options", multiline=True),
        hint=first_value(form_data, f"ask.{number}.hint"),
        show_on_receipt=bool(first_value(form_data, f"ask.{number}.receipt")),
        keep_days=first_value(form_data, f"ask.{number}.keep_days"),
    )


def complete_rows(rows: Iterable[QuestionRow]) -> tuple[QuestionRow, ...]:
    """Return the rows with each contact question once (disabled if missing) and all keys set."""
    result: list[QuestionRow] = []
    for row in rows:
        if not row.is_contact or all(r.kind != row.kind for r in result):
            result.append(row)
    missing = [k for k in BUILT_IN_KINDS if all(r.kind != k for r in result)]
    result += [QuestionRow(str(k), str(k), enabled=False, required=True) for k in missing]
    used_keys = {r.key for r in result}
    for n, row in enumerate(result):
        if not row.key and row.label:
            result[n] = replace(row, key=make_key(row.label, used_keys))
            used_keys.add(result[n].key)
    return tuple(result)


_TRANSLITERATION = dict(
    zip("абвгдезийклмнопрстуфхцыэіў", "abvgdeziyklmnoprstufhcyeiu", strict=True),
    ё="e",
    ж="zh",
    ч="ch",
    ш="sh",
    щ="sch",
    ъ="",
    ь="",
    ю="yu",
    я="ya",
)


def make_key(label: str, used_keys: Iterable[str] = ()) -> str:
    """Return a unique key made from a question's label: «Размер футболки» → "razmer_futbolki"."""
    latin = "".join(_TRANSLITERATION.get(c, c) for c in label.casefold())
    base = re.sub(r"[^a-z0-9]+", "_", latin).strip("_")[:36].strip("_")
    if not re.match(r"[a-z]", base):
        base = f"field_{base}".strip("_")
    used = {*used_keys, *BUILT_IN_KINDS, *RESERVED_KEYS}
    key, n = base, 1
    while key in used or not KEY_PATTERN.fullmatch(key):
        n += 1
        key = f"{base}_{n}"
    return key


def parse_draft(form: InvoiceForm, *, tz: str, now_us: int) -> tuple[Draft, list[Problem]]:
    """Return the draft and all problems, their fields named by the form's inputs.

    An amount that cannot be parsed becomes zero. `now_us`: UTC microseconds.
    """
    amount = parse_money(form.amount, "amount", form.currency)
    items = _parse_items(form)
    expires_at = _parse_expiry(form, tz, now_us)
    max_payments = _parse_payment_limit(form)
    values = [*items.values(), amount, expires_at, max_payments]
    problems = [value for value in values if isinstance(value, Problem)]
    draft = Draft(
        title=form.title,
        amount=amount if isinstance(amount, Money) else Money(0, form.currency),
        description=form.description,
        items=tuple(item for item in items.values() if isinstance(item, InvoiceItem)),
        questions=tuple(question_from_row(row) for row in form.questions if row.is_included),
        max_payments=1 if isinstance(max_payments, Problem) else max_payments,
        expires_at_us=None if isinstance(expires_at, Problem) else expires_at,
        return_url=form.return_url,
        conversation_id=form.conversation_id or None,
        service_id=form.service_id or None,
        customer_id=form.customer_id or None,
    )
    numbers = {
        "items": [n for n, item in items.items() if isinstance(item, InvoiceItem)],
        "ask": [n for n, row in enumerate(form.questions) if row.is_included],
    }
    return draft, _merge_problems(problems, check_draft(draft, now_us), numbers)


def _merge_problems(
    parse_problems: list[Problem], domain_problems: list[Problem], row_numbers: dict[str, list[int]]
) -> list[Problem]:
    """Append the domain's problems to the parse problems, with the form's row numbers.

    `row_numbers`: "items" or "ask" → row number in the form by index in the draft.
    """
    unparsed = {p.field for p in parse_problems}
    amounts_unknown = any(f == "amount" or f.startswith("items.") for f in unparsed)
    missing = {p.field for p in domain_problems if p.code == "required"}
    for problem in domain_problems:
        if problem.field.endswith(".key") and problem.field[:-3] + "label" in missing:
            continue  # the key is made from the label: report the missing label only
        root, *rest = problem.field.split(".")
        if rest and root in row_numbers:
            number = row_numbers[root][int(rest[0])]
            problem = replace(problem, field=".".join([root, str(number), *rest[1:]]))
        elif root in _INPUT_BY_FIELD:
            problem = replace(problem, field=_INPUT_BY_FIELD[root])
        # Items cannot be compared with an amount that was not parsed.
        if problem.field not in unparsed and not (amounts_unknown and problem.code == "items_sum"):
            parse_problems.append(problem)
    return parse_problems


def _parse_items(form: InvoiceForm) -> dict[int, InvoiceItem | Problem]:
    """Return row number → item or the problem of its price; blank rows are left out."""
    items: dict[int, InvoiceItem | Problem] = {}
    for n, row in enumerate(form.items):
        if row.is_blank:
            continue
        price = parse_money(row.price, f"items.{n}.price", form.currency)
        if isinstance(price, Problem):
            items[n] = price
        else:
            items[n] = InvoiceItem(row.name, parse_quantity(row.quantity), price)
    return items


def _parse_expiry(form: InvoiceForm, tz: str, now_us: int) -> int | Problem | None:
    if form.expiry is ExpiryChoice.NONE:
        return None
    if days := _DAYS_BY_EXPIRY.get(form.expiry):
        day, _ = date_time_texts(now_us + days * DAY_US, tz)
        return parse_date_time(day, "expires_on", tz)
    return parse_date_time(f"{form.expires_date} {form.expires_time}".strip(), "expires_on", tz)


def _parse_payment_limit(form: InvoiceForm) -> int | Problem | None:
    if form.payment_limit is PaymentLimit.COUNT:
        return parse_count(form.max_payments, "max_payments", minimum=1, maximum=MAX_PAYMENTS)
    return 1 if form.payment_limit is PaymentLimit.ONCE else None


def question_from_row(row: QuestionRow) -> Question:
    """Return the question of a row. Options of a kind without options are dropped silently."""
    kind = QuestionKind(row.kind)
    if row.is_contact:
        return Question(
            str(kind),
            kind,
            required=row.required,
            show_on_receipt=row.show_on_receipt,
            keep_days=_parse_days(row.keep_days),
        )
    options = [o for o in (line.strip() for line in row.options.split("\n")) if o]
    return Question(
        row.key,
        kind,
        label=row.label,
        required=row.required,
        options=tuple(options) if kind in KINDS_WITH_OPTIONS else (),
        hint=row.hint,
        show_on_receipt=row.show_on_receipt,
        keep_days=_parse_days(row.keep_days),
    )


def _parse_days(text: str) -> int:
    """Return the number of days; 0 for an empty field, -1 for what is no number: a problem."""
    if not text:
        return 0
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 5 else -1
