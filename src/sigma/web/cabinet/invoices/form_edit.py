"""Changes of the invoice form that need no script: adding, removing, moving rows, the sum of items.

Pure: a form and the name of a button in, a form out.
"""

import re
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from sigma.domain.billing.invoice import MAX_ITEMS, Invoice
from sigma.domain.billing.question import MAX_QUESTIONS, Question
from sigma.domain.catalogue.service import PriceKind, Service
from sigma.domain.errors import Problem
from sigma.domain.money import BadMoney, Money, total
from sigma.web.cabinet.invoices.form import (
    DAY_US,
    AskRow,
    Expiry,
    InvoiceForm,
    ItemRow,
    Times,
    complete,
)
from sigma.web.forms import moment_text, read_money, read_quantity

Row = TypeVar("Row")

_BUTTON = re.compile(r"(items|ask)-(add|remove|up|down)(?:-(\d{1,4}))?|sum", re.ASCII)


def edits(button: str) -> bool:
    """Whether a submit button only changes the form."""
    return bool(_BUTTON.fullmatch(button))


def edited(form: InvoiceForm, button: str) -> InvoiceForm:
    """The form after one of its own buttons: «items-add», «ask-up-2», «sum»…"""
    found = _BUTTON.fullmatch(button)
    if not found:
        return form
    if button == "sum":
        added = sum_of_items(form)
        return replace(form, amount=plain_sum(added)) if added else form
    what, how, number = found[1], found[2], int(found[3] or 0)
    if what == "items":
        rows = _changed(form.items, how, number, ItemRow(), MAX_ITEMS)
        return replace(form, items=rows)
    return replace(form, ask=_changed(form.ask, how, number, AskRow("text"), MAX_QUESTIONS))


def focus_after(form: InvoiceForm, button: str) -> str:
    """The input or button that takes the focus when a button has changed the form `form`."""
    found = _BUTTON.fullmatch(button)
    if not found or button == "sum":
        return "amount"
    what, how, number = found[1], found[2], int(found[3] or 0)
    if how == "add":
        rows: tuple[object, ...] = form.items if what == "items" else form.ask
        return f"{what}.{len(rows)}." + ("name" if what == "items" else "label")
    if how == "remove":
        return f"do-{what}-add"
    # The same arrow of the moved row; at the end of the list it is off, so the other one.
    at = number + (-1 if how == "up" else 1)
    if at <= 0:
        return f"do-{what}-down-0"
    return f"do-{what}-up-{at}" if at >= len(form.ask) - 1 else f"do-{what}-{how}-{at}"


def _changed(
    rows: tuple[Row, ...], how: str, number: int, fresh: Row, most: int
) -> tuple[Row, ...]:
    if how == "add":
        return (*rows, fresh) if len(rows) < most else rows
    if number >= len(rows):
        return rows
    changed = list(rows)
    row = changed.pop(number)
    if how != "remove":
        changed.insert(max(0, number + (-1 if how == "up" else 1)), row)
    return tuple(changed)


def sum_of_items(form: InvoiceForm) -> Money | None:
    """What the items add up to; None when there are none or one of them cannot be read."""
    sums = []
    for row in form.items:
        if row.empty:
            continue
        price = read_money(row.price, "price", form.currency)
        if isinstance(price, Problem):
            return None
        try:
            sums.append(price.times(Decimal(read_quantity(row.quantity))))
        except (BadMoney, InvalidOperation, ValueError, OverflowError):
            return None
    return total(sums, form.currency) if sums else None


def plain_sum(amount: Money) -> str:
    """A sum as people type it: "1500", «1500,50»."""
    return amount.decimal().removesuffix(".00").replace(".", ",")


def form_of(invoice: Invoice) -> InvoiceForm:
    """The form that would make such an invoice again. Its time is not repeated: it is over."""
    counted = invoice.max_payments is not None and invoice.max_payments > 1
    times = Times.ANY if invoice.max_payments is None else Times.ONCE
    return InvoiceForm(
        title=invoice.title,
        amount=plain_sum(invoice.amount),
        description=invoice.description,
        items=tuple(ItemRow(i.name, i.quantity, plain_sum(i.price)) for i in invoice.items),
        ask=complete(row_of(q) for q in invoice.questions),
        times=Times.COUNT if counted else times,
        max_payments=str(invoice.max_payments) if counted else "",
        return_url=invoice.return_url,
        currency=invoice.amount.currency,
    )


def form_of_service(service: Service, *, tz: str, now: int) -> InvoiceForm:
    """The form that an invoice for a service begins with, at `now` on the clock of `tz`."""
    expiry, expires_on, days = Expiry.NONE, "", service.template.expires_days
    if days is not None:
        known = {1: Expiry.DAY, 3: Expiry.THREE_DAYS, 7: Expiry.WEEK}
        expiry = known.get(days, Expiry.DATE)
        if expiry is Expiry.DATE:
            expires_on, _ = moment_text(now + days * DAY_US, tz)
    fixed = service.price is PriceKind.FIXED and service.amount is not None
    return InvoiceForm(
        title=service.title,
        amount=plain_sum(service.amount) if fixed and service.amount else "",
        description=service.description,
        ask=complete(row_of(q) for q in service.template.questions),
        expiry=expiry,
        expires_on=expires_on,
        return_url=service.template.return_url,
        currency=service.amount.currency if service.amount else "RUB",
        service=service.id,
    )


def row_of(q: Question) -> AskRow:
    """A question as a row of the form."""
    return AskRow(
        kind=str(q.kind),
        key=q.key,
        required=q.required,
        label=q.label,
        options="\n".join(q.options),
        hint=q.hint,
    )
