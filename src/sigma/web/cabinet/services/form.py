"""The form of a service: everything typed, as typed, and the offer that it means. Pure.

Its questions are the invoice form's own rows, so both builders work alike.
"""

import re
from dataclasses import dataclass, field, replace

from sigma.domain.catalogue.service import MAX_DAYS, PriceKind, Service, Template, check_service
from sigma.domain.errors import Problem
from sigma.domain.money import Money
from sigma.services.catalogue.services import Offer
from sigma.web.cabinet.invoices.form import InvoiceForm, complete, read_draft, read_form
from sigma.web.cabinet.invoices.form_edit import edited, plain_sum, row_of
from sigma.web.forms import Given, one, read_count, read_money

_PHOTO = re.compile(r"pho_[A-Za-z0-9_-]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ServiceForm:
    """Everything typed. `sheet` is what it has in common with an invoice; `days` as typed."""

    sheet: InvoiceForm = field(default_factory=InvoiceForm)
    price: PriceKind = PriceKind.FIXED
    days: str = "7"
    visible: bool = True
    photo_id: str = ""


def read_service_form(given: Given) -> ServiceForm:
    """The form as posted. Nothing typed is lost, right or wrong; unknown choices fall back."""
    price, photo_id = one(given, "price"), one(given, "photo_id")
    return ServiceForm(
        sheet=read_form(given),
        price=PriceKind(price) if price in set(PriceKind) else PriceKind.FIXED,
        days=one(given, "expires_days"),
        visible=bool(one(given, "visible")),
        photo_id=photo_id if _PHOTO.fullmatch(photo_id) else "",
    )


def form_of_service(service: Service) -> ServiceForm:
    """The form that shows a service as it is."""
    template, amount = service.template, service.amount
    return ServiceForm(
        sheet=InvoiceForm(
            title=service.title,
            amount=plain_sum(amount) if amount else "",
            description=service.description,
            ask=complete(row_of(q) for q in template.questions),
            return_url=template.return_url,
            currency=amount.currency if amount else "RUB",
        ),
        price=service.price,
        days=str(template.expires_days or ""),
        visible=service.visible,
        photo_id=service.photo_id or "",
    )


def pressed(form: ServiceForm, button: str) -> ServiceForm:
    """The form after one of its buttons that move questions."""
    return replace(form, sheet=edited(form.sheet, button))


def read_offer(form: ServiceForm, *, tz: str, now: int) -> tuple[Offer, list[Problem]]:
    """The offer that the form means and all that is wrong, by the names of the inputs."""
    draft, wrong = read_draft(form.sheet, tz=tz, now=now)
    problems = [p for p in wrong if p.field != "amount"]
    amount = _amount(form)
    days = _days(form.days)
    problems += [p for p in (amount, days) if isinstance(p, Problem)]
    offer = Offer(
        title=form.sheet.title,
        description=form.sheet.description,
        price=form.price,
        amount=amount if isinstance(amount, Money) else None,
        photo_id=form.photo_id or None,
        visible=form.visible,
        template=Template(
            draft.questions, None if isinstance(days, Problem) else days, form.sheet.return_url
        ),
    )
    named = {p.field for p in problems}
    problems += [
        p
        for p in check_service(preview_of(offer))
        if p.field not in named and not p.field.startswith("ask")  # read_draft has named those
    ]
    return offer, problems


def preview_of(offer: Offer) -> Service:
    """A service that says what the offer says and is stored nowhere."""
    return Service(
        id="svc_preview",
        shop_id="",
        title=offer.title,
        created_at=0,
        description=offer.description,
        price=offer.price,
        amount=offer.amount,
        photo_id=offer.photo_id,
        template=offer.template,
    )


def _amount(form: ServiceForm) -> Money | Problem | None:
    if form.price is PriceKind.AGREEMENT:
        return None
    return read_money(form.sheet.amount, "amount", form.sheet.currency)


def _days(text: str) -> int | Problem | None:
    return read_count(text, "expires_days", least=1, most=MAX_DAYS) if text else None
