"""The form of a service as entered, and its conversion to service fields. Pure.

Its questions are rows of the invoice form, so both forms behave the same.
"""

import re
from dataclasses import dataclass, field, replace

from sigma.domain.catalogue.service import (
    MAX_EXPIRES_DAYS,
    InvoiceTemplate,
    PriceKind,
    Service,
    ServiceFields,
    check_service,
)
from sigma.domain.errors import Problem
from sigma.domain.money import Money
from sigma.web.cabinet.invoices.form import (
    InvoiceForm,
    complete_rows,
    parse_draft,
    parse_invoice_form,
)
from sigma.web.cabinet.invoices.form_edit import amount_text, apply_button, row_from_question
from sigma.web.forms import FormValues, first_value, parse_count, parse_money

_PHOTO_ID = re.compile(r"pho_[A-Za-z0-9_-]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ServiceForm:
    """The form as entered, not validated.

    `invoice_form`: the fields shared with the invoice form. `max_amount`: the upper end of a range,
    `expires_days`: the invoice's lifetime, both as entered.
    """

    invoice_form: InvoiceForm = field(default_factory=InvoiceForm)
    price_kind: PriceKind = PriceKind.FIXED
    max_amount: str = ""
    price_unit: str = ""
    category: str = ""
    external_id: str = ""
    expires_days: str = "7"
    is_visible: bool = True
    photo_id: str = ""


def parse_service_form(form_data: FormValues) -> ServiceForm:
    """Parse the posted form without validating it; unknown choices become the defaults."""
    price, photo_id = first_value(form_data, "price"), first_value(form_data, "photo_id")
    return ServiceForm(
        invoice_form=parse_invoice_form(form_data),
        price_kind=PriceKind(price) if price in set(PriceKind) else PriceKind.FIXED,
        max_amount=first_value(form_data, "max_amount"),
        price_unit=first_value(form_data, "price_unit"),
        category=first_value(form_data, "category"),
        external_id=first_value(form_data, "external_id"),
        expires_days=first_value(form_data, "expires_days"),
        is_visible=bool(first_value(form_data, "visible")),
        photo_id=photo_id if _PHOTO_ID.fullmatch(photo_id) else "",
    )


def form_from_service(service: Service) -> ServiceForm:
    """Return the form filled from a stored service."""
    template, amount = service.invoice_template, service.amount
    price = amount or service.max_amount
    return ServiceForm(
        invoice_form=InvoiceForm(
            title=service.title,
            amount=amount_text(amount) if amount else "",
            description=service.description,
            questions=complete_rows(row_from_question(q) for q in template.questions),
            return_url=template.return_url,
            currency=price.currency if price else "RUB",
        ),
        price_kind=service.price_kind,
        max_amount=amount_text(service.max_amount) if service.max_amount else "",
        price_unit=service.price_unit,
        category=service.category,
        external_id=service.external_id,
        expires_days=str(template.expires_days or ""),
        is_visible=service.is_visible,
        photo_id=service.photo_id or "",
    )


def apply_form_button(form: ServiceForm, button: str) -> ServiceForm:
    """Return the form after one of its buttons: add, remove or move a question."""
    return replace(form, invoice_form=apply_button(form.invoice_form, button))


def parse_service_fields(
    form: ServiceForm, *, tz: str, now_us: int
) -> tuple[ServiceFields, list[Problem]]:
    """Return the service fields and all problems, named by the form's inputs.

    `now_us`: UTC microseconds.
    """
    draft, draft_problems = parse_draft(form.invoice_form, tz=tz, now_us=now_us)
    problems = [p for p in draft_problems if p.field != "amount"]
    amount, max_amount = _parse_amount(form), _parse_max_amount(form)
    days = _parse_days(form.expires_days)
    problems += [p for p in (amount, max_amount, days) if isinstance(p, Problem)]
    fields = ServiceFields(
        title=form.invoice_form.title,
        description=form.invoice_form.description,
        price_kind=form.price_kind,
        amount=amount if isinstance(amount, Money) else None,
        max_amount=max_amount if isinstance(max_amount, Money) else None,
        price_unit=form.price_unit,
        category=form.category,
        external_id=form.external_id,
        photo_id=form.photo_id or None,
        is_visible=form.is_visible,
        invoice_template=InvoiceTemplate(
            draft.questions,
            None if isinstance(days, Problem) else days,
            form.invoice_form.return_url,
        ),
    )
    reported = {p.field for p in problems}
    problems += [
        p
        for p in check_service(preview_service(fields))
        if p.field not in reported and not p.field.startswith("ask")  # parse_draft reports those
    ]
    return fields, problems


def preview_service(fields: ServiceFields) -> Service:
    """Return an unsaved service for the preview and for validation."""
    return Service(
        id="svc_preview",
        shop_id="",
        title=fields.title,
        created_at_us=0,
        description=fields.description,
        price_kind=fields.price_kind,
        amount=fields.amount,
        max_amount=fields.max_amount,
        price_unit=fields.price_unit,
        category=fields.category,
        external_id=fields.external_id,
        photo_id=fields.photo_id,
        invoice_template=fields.invoice_template,
    )


def _parse_amount(form: ServiceForm) -> Money | Problem | None:
    if form.price_kind in (PriceKind.AGREEMENT, PriceKind.FREE):
        return None
    if form.price_kind is PriceKind.RANGE and not form.invoice_form.amount:
        return None  # a price up to `max_amount`
    return parse_money(form.invoice_form.amount, "amount", form.invoice_form.currency)


def _parse_max_amount(form: ServiceForm) -> Money | Problem | None:
    if form.price_kind is not PriceKind.RANGE:
        return None
    return parse_money(form.max_amount, "max_amount", form.invoice_form.currency)


def _parse_days(text: str) -> int | Problem | None:
    return parse_count(text, "expires_days", minimum=1, maximum=MAX_EXPIRES_DAYS) if text else None
