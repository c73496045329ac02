"""A service of the catalogue: what is offered, for how much, and what its invoice asks."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from sigma.domain.accounts.shop import url_ok
from sigma.domain.billing.invoice import Draft, check_named
from sigma.domain.billing.question import Question, check_questions
from sigma.domain.errors import Problem, Refused
from sigma.domain.money import Money

MAX_TITLE, MAX_DESCRIPTION = 100, 4000
MAX_DAYS = 365
DAY = 86_400_000_000  # microseconds


class PriceKind(StrEnum):
    """How the price is meant. Only a fixed one can be paid without talking."""

    FIXED = "fixed"
    FROM = "from"
    AGREEMENT = "agreement"


@dataclass(frozen=True, slots=True)
class Template:
    """What an invoice of this service is made with. `expires_days` None: it never expires."""

    questions: tuple[Question, ...] = ()
    expires_days: int | None = 7
    return_url: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """`amount` is None only by agreement. `position` orders the catalogue, the smaller the earlier.

    `vk_item_id` ties it to an item of the community's market; `vk_seen` is what that item was when
    both sides last agreed, so that a change on either side can be told from a change on both.
    """

    id: str
    shop_id: str
    title: str
    created_at: int
    description: str = ""
    price: PriceKind = PriceKind.AGREEMENT
    amount: Money | None = None
    photo_id: str | None = None
    visible: bool = True
    position: int = 0
    template: Template = field(default_factory=Template)
    vk_connection_id: str | None = None
    vk_item_id: int | None = None
    vk_seen: dict[str, Any] = field(default_factory=dict)
    deleted_at: int | None = None
    version: int = 0

    @property
    def payable(self) -> bool:
        """Whether a client may pay it without asking first."""
        return self.price is PriceKind.FIXED and self.visible and self.deleted_at is None


def folded(title: str) -> str:
    """A title as two are compared: case, ё and spaces do not matter."""
    return " ".join(title.casefold().replace("ё", "е").split())


def check_service(service: Service) -> list[Problem]:
    """Everything that is wrong with a service, by field path."""
    problems = check_named(service.title, MAX_TITLE, service.description, MAX_DESCRIPTION)
    if service.price is not PriceKind.AGREEMENT and service.amount is None:
        problems.append(Problem("amount", "required"))
    if service.amount is not None and service.amount.minor <= 0:
        problems.append(Problem("amount", "money_positive"))
    return problems + _check_template(service.template)


def _check_template(template: Template) -> list[Problem]:
    problems = []
    days = template.expires_days
    if days is not None and not 1 <= days <= MAX_DAYS:
        problems.append(Problem("expires_days", "range", {"min": 1, "max": MAX_DAYS}))
    if template.return_url and not url_ok(template.return_url):
        problems.append(Problem("return_url", "url"))
    return problems + check_questions(template.questions)


def draft_of(service: Service, now: int, amount: Money | None = None) -> Draft:
    """The invoice that this service begins with. `amount` is what was agreed, where it was.

    Raises Refused("service_not_payable") when neither the price nor the agreement names a sum.
    """
    money = amount or (service.amount if service.price is PriceKind.FIXED else None)
    if money is None:
        raise Refused("service_not_payable")
    days = service.template.expires_days
    return Draft(
        title=service.title,
        amount=money,
        description=service.description,
        questions=service.template.questions,
        expires_at=now + days * DAY if days is not None else None,
        return_url=service.template.return_url,
        service_id=service.id,
    )


def moved(services: list[Service], service_id: str, step: int) -> list[Service]:
    """The services whose position changes when one goes `step` places down (−1: up)."""
    order = [s.id for s in services]
    if service_id not in order:
        return []
    here = order.index(service_id)
    there = min(max(here + step, 0), len(order) - 1)
    order.insert(there, order.pop(here))
    known = {s.id: s for s in services}
    return [
        replace(known[name], position=n)
        for n, name in enumerate(order)
        if known[name].position != n
    ]
