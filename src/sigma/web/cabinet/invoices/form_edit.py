"""Edits of the invoice form without a script: add, remove and move rows, total the items.

Pure: takes a form and the name of the pressed button, returns a form.
"""

import re
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from sigma.domain.billing.invoice import MAX_ITEMS, Invoice
from sigma.domain.billing.question import MAX_QUESTIONS, Question
from sigma.domain.catalogue.service import Service
from sigma.domain.errors import Problem
from sigma.domain.money import Money, MoneyError, sum_money
from sigma.domain.time_units import DAY_US
from sigma.web.cabinet.invoices.form import (
    ExpiryChoice,
    InvoiceForm,
    ItemRow,
    PaymentLimit,
    QuestionRow,
    complete_rows,
)
from sigma.web.forms import date_time_texts, parse_money, parse_quantity

Row = TypeVar("Row")

_BUTTON = re.compile(r"(items|ask)-(add|remove|up|down)(?:-(\d{1,4}))?|sum", re.ASCII)


def is_edit_button(button: str) -> bool:
    """Whether this submit button only edits the form."""
    return bool(_BUTTON.fullmatch(button))


def apply_button(form: InvoiceForm, button: str) -> InvoiceForm:
    """Return the form after an edit button: `items-add`, `ask-up-2`, `sum`."""
    match = _BUTTON.fullmatch(button)
    if not match:
        return form
    if button == "sum":
        items_sum = items_total(form)
        return replace(form, amount=amount_text(items_sum)) if items_sum else form
    group, action, number = match[1], match[2], int(match[3] or 0)
    if group == "items":
        rows = _edit_rows(form.items, action, number, ItemRow(), MAX_ITEMS)
        return replace(form, items=rows)
    return replace(
        form,
        questions=_edit_rows(form.questions, action, number, QuestionRow("text"), MAX_QUESTIONS),
    )


def focus_after_edit(form: InvoiceForm, button: str) -> str:
    """Return the name of the input or button to focus after `button` edited `form`.

    `form`: the form before the edit.
    """
    match = _BUTTON.fullmatch(button)
    if not match or button == "sum":
        return "amount"
    group, action, number = match[1], match[2], int(match[3] or 0)
    if action == "add":
        rows: tuple[object, ...] = form.items if group == "items" else form.questions
        return f"{group}.{len(rows)}." + ("name" if group == "items" else "label")
    if action == "remove":
        return f"do-{group}-add"
    # Focus the same arrow of the moved row, or the other arrow if that one is disabled: at either
    # end of the list.
    index = number + (-1 if action == "up" else 1)
    if index <= 0:
        return f"do-{group}-down-0"
    is_last = index >= len(form.questions) - 1
    return f"do-{group}-up-{index}" if is_last else f"do-{group}-{action}-{index}"


def _edit_rows(
    rows: tuple[Row, ...], action: str, number: int, new_row: Row, limit: int
) -> tuple[Row, ...]:
    if action == "add":
        return (*rows, new_row) if len(rows) < limit else rows
    if number >= len(rows):
        return rows
    changed = list(rows)
    row = changed.pop(number)
    if action != "remove":
        changed.insert(max(0, number + (-1 if action == "up" else 1)), row)
    return tuple(changed)


def items_total(form: InvoiceForm) -> Money | None:
    """Return the total of the items; None without items or when one cannot be parsed."""
    sums = []
    for row in form.items:
        if row.is_blank:
            continue
        price = parse_money(row.price, "price", form.currency)
        if isinstance(price, Problem):
            return None
        try:
            sums.append(price.multiply(Decimal(parse_quantity(row.quantity))))
        except (MoneyError, InvalidOperation, ValueError, OverflowError):
            return None
    return sum_money(sums, form.currency) if sums else None


def amount_text(amount: Money) -> str:
    """Return an amount as people type it in Russian: "1500", "1500,50"."""
    return amount.to_decimal_text().removesuffix(".00").replace(".", ",")


def form_from_invoice(invoice: Invoice) -> InvoiceForm:
    """Return a form that repeats an invoice, without its expiry, conversation and service."""
    counted = invoice.max_payments is not None and invoice.max_payments > 1
    limit = PaymentLimit.ANY if invoice.max_payments is None else PaymentLimit.ONCE
    return InvoiceForm(
        title=invoice.title,
        amount=amount_text(invoice.amount),
        description=invoice.description,
        items=tuple(ItemRow(i.name, i.quantity, amount_text(i.price)) for i in invoice.items),
        questions=complete_rows(row_from_question(q) for q in invoice.questions),
        payment_limit=PaymentLimit.COUNT if counted else limit,
        max_payments=str(invoice.max_payments) if counted else "",
        return_url=invoice.return_url,
        currency=invoice.amount.currency,
    )


def form_from_service(service: Service, *, tz: str, now_us: int) -> InvoiceForm:
    """Return the initial form of an invoice for a service.

    The expiry counts from `now_us` (UTC microseconds) in the time zone `tz`.
    """
    expiry, expires_date, days = ExpiryChoice.NONE, "", service.invoice_template.expires_days
    if days is not None:
        choices = {1: ExpiryChoice.DAY, 3: ExpiryChoice.THREE_DAYS, 7: ExpiryChoice.WEEK}
        expiry = choices.get(days, ExpiryChoice.DATE)
        if expiry is ExpiryChoice.DATE:
            expires_date, _ = date_time_texts(now_us + days * DAY_US, tz)
    price = service.amount or service.max_amount
    return InvoiceForm(
        title=service.title,
        amount=amount_text(service.amount) if service.is_sum_known and service.amount else "",
        description=service.description,
        questions=complete_rows(row_from_question(q) for q in service.invoice_template.questions),
        expiry=expiry,
        expires_date=expires_date,
        return_url=service.invoice_template.return_url,
        currency=price.currency if price else "RUB",
        service_id=service.id,
    )


def row_from_question(question: Question) -> QuestionRow:
    """Return a question as a row of the form."""
    return QuestionRow(
        kind=str(question.kind),
        key=question.key,
        required=question.required,
        label=question.label,
        options="\n".join(question.options),
        hint=question.hint,
        show_on_receipt=question.show_on_receipt,
        keep_days=str(question.keep_days or ""),
    )
