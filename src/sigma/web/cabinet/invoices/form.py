"""The invoice form: everything typed, as typed, and the draft of an invoice that it means. Pure.

Rows are numbered in the names of inputs («items.0.name», «ask.2.label»); their order is the order
of the numbers, so adding, removing and moving rows works with submit buttons alone.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from sigma.domain.billing.invoice import MAX_ITEMS, MAX_PAYMENTS, Draft, Item, check_draft
from sigma.domain.billing.question import (
    BUILT_IN,
    KEY,
    MAX_QUESTIONS,
    RESERVED,
    WITH_OPTIONS,
    Kind,
    Question,
)
from sigma.domain.errors import Problem
from sigma.domain.money import EXPONENTS, Money
from sigma.web.forms import (
    Given,
    moment_text,
    one,
    read_count,
    read_moment,
    read_money,
    read_quantity,
)

DAY_US = 86_400 * 1_000_000
OWN_KINDS = tuple(k for k in Kind if k not in BUILT_IN)


class Expiry(StrEnum):
    """How the end of an invoice's time is chosen."""

    NONE = "none"
    DAY = "day"
    THREE_DAYS = "three_days"
    WEEK = "week"
    DATE = "date"


class Times(StrEnum):
    """How many times an invoice can be paid."""

    ONCE = "once"
    COUNT = "count"
    ANY = "any"


_NAMED_BY_INPUT = {"expires_at": "expires_on"}  # the domain's name → the input's
_DAYS = {Expiry.DAY: 1, Expiry.THREE_DAYS: 3, Expiry.WEEK: 7}


@dataclass(frozen=True, slots=True)
class ItemRow:
    """A line of the invoice as typed."""

    name: str = ""
    quantity: str = ""
    price: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing was typed: such a row is not an item. A quantity alone is the default."""
        return not self.name and not self.price


@dataclass(frozen=True, slots=True)
class AskRow:
    """A field of the payment page as set up. `options` is one per line; `on` is for contacts."""

    kind: str
    key: str = ""
    on: bool = True
    required: bool = False
    label: str = ""
    options: str = ""
    hint: str = ""

    @property
    def built_in(self) -> bool:
        """Whether it is one of the contact fields that the page words itself."""
        return self.kind in BUILT_IN

    @property
    def asked(self) -> bool:
        """Whether the client will see it: own fields always, contact fields when switched on."""
        return self.on or not self.built_in


def _contact_rows() -> tuple[AskRow, ...]:
    return tuple(AskRow(str(k), str(k), on=k is Kind.EMAIL, required=True) for k in BUILT_IN)


@dataclass(frozen=True, slots=True)
class InvoiceForm:
    """Everything typed. A fresh one asks for an e-mail, so that the receipt has where to go."""

    title: str = ""
    amount: str = ""
    description: str = ""
    items: tuple[ItemRow, ...] = ()
    ask: tuple[AskRow, ...] = _contact_rows()
    expiry: Expiry = Expiry.NONE
    expires_on: str = ""
    expires_time: str = ""
    times: Times = Times.ONCE
    max_payments: str = ""
    return_url: str = ""
    currency: str = "RUB"
    dialog: str = ""  # the id of the dialog that it is issued into
    service: str = ""  # the id of the service that it is for
    order: str = ""  # the id of the VK order that it is for


def read_form(given: Given) -> InvoiceForm:
    """The form as posted. Nothing typed is lost, right or wrong; unknown choices fall back."""
    expiry, times, currency = (one(given, name) for name in ("expiry", "times", "currency"))
    return InvoiceForm(
        title=one(given, "title"),
        amount=one(given, "amount"),
        description=one(given, "description", lines=True),
        items=tuple(_item_row(given, n) for n in _rows(given, "items", MAX_ITEMS + 1)),
        ask=complete(_ask_row(given, n) for n in _rows(given, "ask", MAX_QUESTIONS + 5)),
        expiry=Expiry(expiry) if expiry in set(Expiry) else Expiry.NONE,
        expires_on=one(given, "expires_on"),
        expires_time=one(given, "expires_time"),
        times=Times(times) if times in set(Times) else Times.ONCE,
        max_payments=one(given, "max_payments"),
        return_url=one(given, "return_url"),
        currency=currency if currency in EXPONENTS else "RUB",
        dialog=one(given, "dialog"),
        service=one(given, "service"),
        order=one(given, "order"),
    )


def _rows(given: Given, name: str, most: int) -> list[int]:
    """The numbers of the rows that were posted, in order."""
    row = re.compile(rf"{name}\.(\d{{1,4}})\.[a-z]+", re.ASCII)
    return sorted({int(m[1]) for key in given if (m := row.fullmatch(key))})[:most]


def _item_row(given: Given, n: int) -> ItemRow:
    return ItemRow(*(one(given, f"items.{n}.{name}") for name in ("name", "quantity", "price")))


def _ask_row(given: Given, n: int) -> AskRow:
    kind, key = one(given, f"ask.{n}.kind"), one(given, f"ask.{n}.key")
    kind = kind if kind in set(Kind) else str(Kind.TEXT)
    return AskRow(
        kind=kind,
        key=kind if kind in BUILT_IN else key,
        on=bool(one(given, f"ask.{n}.on")),
        required=bool(one(given, f"ask.{n}.required")),
        label=one(given, f"ask.{n}.label"),
        options=one(given, f"ask.{n}.options", lines=True),
        hint=one(given, f"ask.{n}.hint"),
    )


def complete(rows: Iterable[AskRow]) -> tuple[AskRow, ...]:
    """The rows with every contact field once (off when it was not posted) and every key filled."""
    found: list[AskRow] = []
    for row in rows:
        if not row.built_in or all(r.kind != row.kind for r in found):
            found.append(row)
    missing = [k for k in BUILT_IN if all(r.kind != k for r in found)]
    found += [AskRow(str(k), str(k), on=False, required=True) for k in missing]
    taken = {r.key for r in found}
    for n, row in enumerate(found):
        if not row.key and row.label:
            found[n] = replace(row, key=make_key(row.label, taken))
            taken.add(found[n].key)
    return tuple(found)


_LATIN = dict(
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


def make_key(label: str, taken: Iterable[str] = ()) -> str:
    """A key for an own field, made from its label: «Размер футболки» → "razmer_futbolki"."""
    latin = "".join(_LATIN.get(c, c) for c in label.casefold())
    base = re.sub(r"[^a-z0-9]+", "_", latin).strip("_")[:36].strip("_")
    if not re.match(r"[a-z]", base):
        base = f"field_{base}".strip("_")
    busy = {*taken, *BUILT_IN, *RESERVED}
    key, n = base, 1
    while key in busy or not KEY.fullmatch(key):
        n += 1
        key = f"{base}_{n}"
    return key


def read_draft(form: InvoiceForm, *, tz: str, now: int) -> tuple[Draft, list[Problem]]:
    """The draft that the form means (a sum that cannot be read is zero) and all that is wrong.

    Fields in problems are named like the inputs; `now` is UTC microseconds.
    """
    amount = read_money(form.amount, "amount", form.currency)
    items = _read_items(form)
    expires_at = _read_expiry(form, tz, now)
    max_payments = _read_times(form)
    unread = [*items.values(), amount, expires_at, max_payments]
    problems = [read for read in unread if isinstance(read, Problem)]
    draft = Draft(
        title=form.title,
        amount=amount if isinstance(amount, Money) else Money(0, form.currency),
        description=form.description,
        items=tuple(item for item in items.values() if isinstance(item, Item)),
        questions=tuple(question_of(row) for row in form.ask if row.asked),
        max_payments=1 if isinstance(max_payments, Problem) else max_payments,
        expires_at=None if isinstance(expires_at, Problem) else expires_at,
        return_url=form.return_url,
        conversation_id=form.dialog or None,
        service_id=form.service or None,
    )
    numbers = {
        "items": [n for n, item in items.items() if isinstance(item, Item)],
        "ask": [n for n, row in enumerate(form.ask) if row.asked],
    }
    return draft, _all_wrong(problems, check_draft(draft, now), numbers)


def _all_wrong(
    unread: list[Problem], wrong: list[Problem], numbers: dict[str, list[int]]
) -> list[Problem]:
    """What could not be read, then what the domain refuses, under the form's row numbers."""
    named = {p.field for p in unread}
    unsure = any(f == "amount" or f.startswith("items.") for f in named)
    unnamed = {p.field for p in wrong if p.code == "required"}
    for problem in wrong:
        if problem.field.endswith(".key") and problem.field[:-3] + "label" in unnamed:
            continue  # a key is made from the label: one fault is enough
        root, *rest = problem.field.split(".")
        if rest and root in numbers:
            at = numbers[root][int(rest[0])]
            problem = replace(problem, field=".".join([root, str(at), *rest[1:]]))
        elif root in _NAMED_BY_INPUT:
            problem = replace(problem, field=_NAMED_BY_INPUT[root])
        # A sum that was not read is no reason to say that items do not add up to it.
        if problem.field not in named and not (unsure and problem.code == "items_sum"):
            unread.append(problem)
    return unread


def _read_items(form: InvoiceForm) -> dict[int, Item | Problem]:
    """Item or what is wrong with its price, by the number of the row; empty rows are left out."""
    read: dict[int, Item | Problem] = {}
    for n, row in enumerate(form.items):
        if row.empty:
            continue
        price = read_money(row.price, f"items.{n}.price", form.currency)
        if isinstance(price, Problem):
            read[n] = price
        else:
            read[n] = Item(row.name, read_quantity(row.quantity), price)
    return read


def _read_expiry(form: InvoiceForm, tz: str, now: int) -> int | Problem | None:
    if form.expiry is Expiry.NONE:
        return None
    if days := _DAYS.get(form.expiry):
        day, _ = moment_text(now + days * DAY_US, tz)
        return read_moment(day, "expires_on", tz)
    return read_moment(f"{form.expires_on} {form.expires_time}".strip(), "expires_on", tz)


def _read_times(form: InvoiceForm) -> int | Problem | None:
    if form.times is Times.COUNT:
        return read_count(form.max_payments, "max_payments", least=1, most=MAX_PAYMENTS)
    return 1 if form.times is Times.ONCE else None


def question_of(row: AskRow) -> Question:
    """The question that a row sets up. Options of kinds that have none are dropped, not refused."""
    kind = Kind(row.kind)
    if row.built_in:
        return Question(str(kind), kind, required=row.required)
    options = [o for o in (line.strip() for line in row.options.split("\n")) if o]
    return Question(
        row.key,
        kind,
        label=row.label,
        required=row.required,
        options=tuple(options) if kind in WITH_OPTIONS else (),
        hint=row.hint,
    )
