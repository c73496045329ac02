"""A service that a shop offers: title, price, and the template of its invoices."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from sigma.domain.accounts.shop import is_web_url
from sigma.domain.billing.invoice import Draft, check_title_and_description
from sigma.domain.billing.question import Question, check_questions
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.money import Money
from sigma.domain.time_units import DAY_US

MAX_TITLE, MAX_DESCRIPTION = 100, 4000  # characters
MAX_EXPIRES_DAYS = 365


class PriceKind(StrEnum):
    """What the price means. Only a service with a FIXED price can be paid without an operator."""

    FIXED = "fixed"
    FROM = "from"
    AGREEMENT = "agreement"


@dataclass(frozen=True, slots=True)
class InvoiceTemplate:
    """Defaults for invoices of a service. `expires_days` None: the invoice never expires."""

    questions: tuple[Question, ...] = ()
    expires_days: int | None = 7
    return_url: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """One service. Times are UTC microseconds.

    `amount` may be None only when `price_kind` is AGREEMENT. `position` sorts the list, ascending.
    `vk_item_id` links it to a market item of the community; `vk_synced_state` is the state on which
    both sides last agreed, so a change on one side can be distinguished from a conflict.
    `deleted_at_us` marks a deleted service, which invoices still refer to.
    """

    id: str
    shop_id: str
    title: str
    created_at_us: int
    description: str = ""
    price_kind: PriceKind = PriceKind.AGREEMENT
    amount: Money | None = None
    photo_id: str | None = None
    is_visible: bool = True
    position: int = 0
    invoice_template: InvoiceTemplate = field(default_factory=InvoiceTemplate)
    vk_connection_id: str | None = None
    vk_item_id: int | None = None
    vk_synced_state: dict[str, Any] = field(default_factory=dict)
    deleted_at_us: int | None = None
    version: int = 0

    @property
    def is_payable(self) -> bool:
        """Whether clients can pay it from the public page, without an operator."""
        return self.price_kind is PriceKind.FIXED and self.is_visible and self.deleted_at_us is None


@dataclass(frozen=True, slots=True)
class ServiceFields:
    """The editable fields of a service. `amount` is ignored when the price is by agreement."""

    title: str
    description: str = ""
    price_kind: PriceKind = PriceKind.AGREEMENT
    amount: Money | None = None
    photo_id: str | None = None
    is_visible: bool = True
    invoice_template: InvoiceTemplate = field(default_factory=InvoiceTemplate)


def fields_of(service: Service) -> ServiceFields:
    """Return the editable fields of a service."""
    return ServiceFields(
        title=service.title,
        description=service.description,
        price_kind=service.price_kind,
        amount=service.amount,
        photo_id=service.photo_id,
        is_visible=service.is_visible,
        invoice_template=service.invoice_template,
    )


def with_fields(service: Service, fields: ServiceFields) -> Service:
    """Return the service with new fields. Raises RefusedError("validation") with all problems."""
    changed = replace(
        service,
        title=fields.title.strip(),
        description=fields.description.strip(),
        price_kind=fields.price_kind,
        amount=None if fields.price_kind is PriceKind.AGREEMENT else fields.amount,
        photo_id=fields.photo_id,
        is_visible=fields.is_visible,
        invoice_template=fields.invoice_template,
    )
    if problems := check_service(changed):
        raise validation_error(*problems)
    return changed


def with_visibility(service: Service, is_visible: bool) -> Service:
    """Return the service shown to clients or hidden from them."""
    return replace(service, is_visible=is_visible)


def with_market_link(
    service: Service, connection_id: str, item_id: int, synced_state: dict[str, Any]
) -> Service:
    """Return the service linked to a market item of a community.

    `synced_state`: both sides as they are now, when they are equal.
    """
    return replace(
        service,
        vk_connection_id=connection_id,
        vk_item_id=item_id,
        vk_synced_state=synced_state,
    )


def without_market_link(service: Service) -> Service:
    """Return the service without its link to a market item."""
    return replace(service, vk_connection_id=None, vk_item_id=None, vk_synced_state={})


def mark_deleted(service: Service, now_us: int) -> Service:
    """Return the service as deleted for good, without its link to a market item."""
    return replace(without_market_link(service), deleted_at_us=now_us)


def require_unchanged(current: Service, compared: Service) -> None:
    """Raise RefusedError("changed_meanwhile") if the service was changed since a comparison."""
    if current.version != compared.version or current.deleted_at_us is not None:
        raise RefusedError("changed_meanwhile")


def normalized_title(title: str) -> str:
    """Return the title for comparison: case, «ё» and extra spaces do not matter."""
    return " ".join(title.casefold().replace("ё", "е").split())


def check_service(service: Service) -> list[Problem]:
    """Return all problems of a service by field path; empty when it is valid."""
    problems = check_title_and_description(
        service.title, MAX_TITLE, service.description, MAX_DESCRIPTION
    )
    if service.price_kind is not PriceKind.AGREEMENT and service.amount is None:
        problems.append(Problem("amount", "required"))
    if service.amount is not None and service.amount.minor <= 0:
        problems.append(Problem("amount", "money_positive"))
    return problems + _check_template(service.invoice_template)


def _check_template(template: InvoiceTemplate) -> list[Problem]:
    problems = []
    days = template.expires_days
    if days is not None and not 1 <= days <= MAX_EXPIRES_DAYS:
        problems.append(Problem("expires_days", "range", {"min": 1, "max": MAX_EXPIRES_DAYS}))
    if template.return_url and not is_web_url(template.return_url):
        problems.append(Problem("return_url", "url"))
    return problems + check_questions(template.questions)


def draft_invoice(service: Service, now_us: int, amount: Money | None = None) -> Draft:
    """Return an invoice draft for this service. `amount` overrides the service's price.

    Raises RefusedError("service_not_payable") when there is no `amount` and no fixed price.
    """
    money = amount or (service.amount if service.price_kind is PriceKind.FIXED else None)
    if money is None:
        raise RefusedError("service_not_payable")
    days = service.invoice_template.expires_days
    return Draft(
        title=service.title,
        amount=money,
        description=service.description,
        questions=service.invoice_template.questions,
        expires_at_us=now_us + days * DAY_US if days is not None else None,
        return_url=service.invoice_template.return_url,
        service_id=service.id,
    )


def thumbnail_id(photo_id: str) -> str:
    """Return the id of a photo's thumbnail: the same id with another prefix."""
    return photo_id.replace("pho_", "phs_", 1)


def reordered(services: list[Service], service_id: str, offset: int) -> list[Service]:
    """Return the services whose `position` changes when one moves `offset` rows (negative: up)."""
    order = [s.id for s in services]
    if service_id not in order:
        return []
    old_index = order.index(service_id)
    new_index = min(max(old_index + offset, 0), len(order) - 1)
    order.insert(new_index, order.pop(old_index))
    by_id = {s.id: s for s in services}
    return [
        replace(by_id[id_], position=n) for n, id_ in enumerate(order) if by_id[id_].position != n
    ]
