"""A service that a shop offers: title, price, and the template of its invoices."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from sigma.domain.accounts.shop import is_web_url
from sigma.domain.bank_cards import contains_card_number
from sigma.domain.billing.invoice import Draft, check_title_and_description
from sigma.domain.billing.question import Question, check_questions
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.money import Money
from sigma.domain.time_units import DAY_US

MAX_TITLE, MAX_DESCRIPTION = 100, 4000  # characters
MAX_CATEGORY, MAX_EXTERNAL_ID, MAX_PRICE_UNIT = 100, 100, 30  # characters
MAX_EXPIRES_DAYS = 365
# Units that count whole services: the price for one of them is the sum to pay. The sum for other
# units (an hour, a square metre) depends on a quantity that only the seller knows.
_COUNTED_UNITS = """
шт услуга усл сеанс процедура визит приём прием занятие урок раз комплект компл набор чел человек
pcs piece service session visit lesson set person
"""
COUNTED_UNITS = frozenset(_COUNTED_UNITS.split())


class PriceKind(StrEnum):
    """What the price means. Only a service with a FIXED price can be paid without an operator.

    RANGE: from `amount` to `max_amount`; without `amount` it is a price "up to" `max_amount`.
    """

    FIXED = "fixed"
    FROM = "from"
    RANGE = "range"
    FREE = "free"
    AGREEMENT = "agreement"


PRICED_KINDS = (PriceKind.FIXED, PriceKind.FROM)  # these need an amount


@dataclass(frozen=True, slots=True)
class InvoiceTemplate:
    """Defaults for invoices of a service. `expires_days` None: the invoice never expires."""

    questions: tuple[Question, ...] = ()
    expires_days: int | None = 7
    return_url: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """One service. Times are UTC microseconds.

    `amount` is required by the kinds FIXED and FROM, `max_amount` by RANGE; both are in the same
    currency. `price_unit`: what the price is for («час», «м²»), empty for the whole service.
    `category`: the group in lists, empty for none. `external_id`: the code of the service in the
    seller's other program (1C); an import finds the service by it. `position` sorts the list,
    ascending. `vk_item_id` links it to a market item of the community; `vk_synced_state` is the
    state on which both sides last agreed, so a change on one side is no conflict.
    `deleted_at_us` marks a deleted service, which invoices still refer to.
    """

    id: str
    shop_id: str
    title: str
    created_at_us: int
    description: str = ""
    price_kind: PriceKind = PriceKind.AGREEMENT
    amount: Money | None = None
    max_amount: Money | None = None
    price_unit: str = ""
    category: str = ""
    external_id: str = ""
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
        return self.is_sum_known and self.is_visible and self.deleted_at_us is None

    @property
    def is_sum_known(self) -> bool:
        """Whether the price alone says what one client pays."""
        unit = self.price_unit.casefold().rstrip(".")
        return self.price_kind is PriceKind.FIXED and (not unit or unit in COUNTED_UNITS)


@dataclass(frozen=True, slots=True)
class ServiceFields:
    """The editable fields of a service. Amounts that the kind of price does not use are ignored."""

    title: str
    description: str = ""
    price_kind: PriceKind = PriceKind.AGREEMENT
    amount: Money | None = None
    max_amount: Money | None = None
    price_unit: str = ""
    category: str = ""
    external_id: str = ""
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
        max_amount=service.max_amount,
        price_unit=service.price_unit,
        category=service.category,
        external_id=service.external_id,
        photo_id=service.photo_id,
        is_visible=service.is_visible,
        invoice_template=service.invoice_template,
    )


def with_fields(service: Service, fields: ServiceFields) -> Service:
    """Return the service with new fields. Raises RefusedError("validation") with all problems."""
    kind = fields.price_kind
    has_price = kind not in (PriceKind.AGREEMENT, PriceKind.FREE)
    changed = replace(
        service,
        title=fields.title.strip(),
        description=fields.description.strip(),
        price_kind=kind,
        amount=fields.amount if has_price else None,
        max_amount=fields.max_amount if kind is PriceKind.RANGE else None,
        price_unit=fields.price_unit.strip() if has_price else "",
        category=" ".join(fields.category.split()),
        external_id=fields.external_id.strip(),
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
    for field_name, limit in (
        ("category", MAX_CATEGORY),
        ("external_id", MAX_EXTERNAL_ID),
        ("price_unit", MAX_PRICE_UNIT),
    ):
        if len(getattr(service, field_name)) > limit:
            problems.append(Problem(field_name, "too_long", {"max": limit}))
        elif contains_card_number(getattr(service, field_name)):
            problems.append(Problem(field_name, "card_number"))
    return problems + _check_price(service) + _check_template(service.invoice_template)


def _check_price(service: Service) -> list[Problem]:
    problems = []
    low, high = service.amount, service.max_amount
    if service.price_kind in PRICED_KINDS and low is None:
        problems.append(Problem("amount", "required"))
    if service.price_kind is PriceKind.RANGE and high is None:
        problems.append(Problem("max_amount", "required"))
    for field_name, amount in (("amount", low), ("max_amount", high)):
        if amount is not None and amount.minor <= 0:
            problems.append(Problem(field_name, "money_positive"))
    if low is not None and high is not None:
        if low.currency != high.currency:
            problems.append(Problem("max_amount", "money_currency"))
        elif low >= high:
            problems.append(Problem("max_amount", "price_range"))
    return problems


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

    Raises RefusedError("service_not_payable") when there is no `amount` and the price does not say
    the sum.
    """
    money = amount or (service.amount if service.is_sum_known else None)
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


def grouped(services: Iterable[Service]) -> list[tuple[str, list[Service]]]:
    """Return (category, its services) in the order of the first service of each category.

    Services without a category come first, with the category "". Spelling differences that
    `normalized_title` ignores do not make another category.
    """
    groups: dict[str, tuple[str, list[Service]]] = {}
    for service in services:
        key = normalized_title(service.category)
        groups.setdefault(key, (service.category, []))[1].append(service)
    without = groups.pop("", None)
    return [*([without] if without else []), *groups.values()]


def grouped_page(
    services: Iterable[Service], offset: int, limit: int
) -> list[tuple[str, list[Service]]]:
    """Return one page of the grouped list: `limit` services from `offset` on, with categories."""
    rows = [(name, service) for name, members in grouped(services) for service in members]
    page: dict[str, list[Service]] = {}
    for name, service in rows[offset : offset + limit]:
        page.setdefault(name, []).append(service)
    return list(page.items())


def reordered(services: list[Service], service_id: str, offset: int) -> list[Service]:
    """Return the services whose `position` changes when one moves `offset` rows (negative: up).

    A service stays within its category: the first one does not move up.
    """
    groups = [list(members) for _, members in grouped(services)]
    for members in groups:
        index = next((n for n, s in enumerate(members) if s.id == service_id), None)
        if index is not None:
            new_index = min(max(index + offset, 0), len(members) - 1)
            members.insert(new_index, members.pop(index))
            return _renumbered(groups)
    return []


def reordered_category(services: list[Service], category: str, offset: int) -> list[Service]:
    """Return the services whose `position` changes when a whole category moves among the others."""
    groups = grouped(services)
    names = [normalized_title(name) for name, _ in groups]
    first = 1 if "" in names else 0  # services without a category stay in front
    if (key := normalized_title(category)) not in names[first:]:
        return []
    index = names.index(key)
    new_index = min(max(index + offset, first), len(groups) - 1)
    groups.insert(new_index, groups.pop(index))
    return _renumbered([members for _, members in groups])


def _renumbered(groups: list[list[Service]]) -> list[Service]:
    order = [service for members in groups for service in members]
    return [replace(s, position=n) for n, s in enumerate(order) if s.position != n]
