"""An invoice: a request for money with a link, what it asks of the client, and when it can be
paid.
"""

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from sigma.domain.accounts.shop import url_ok
from sigma.domain.billing.question import Question, check_questions
from sigma.domain.change import Change, Happening, Job, NewId
from sigma.domain.errors import Problem, Refused, has_controls, invalid
from sigma.domain.money import BadMoney, Money


class Status(StrEnum):
    """The states that are stored."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    EXPIRED = "expired"


class Event(StrEnum):
    """What can happen to an invoice."""

    ISSUED = "issued"
    FILLED = "filled"  # the last payment that it waits for was captured in time
    VOIDED = "voided"
    LAPSED = "lapsed"  # its time is over


# Every pair is here or refused. A payment that the acquirer finished before the expiry fills an
# expired invoice too.
FLOW: dict[Status, dict[Event, Status]] = {
    Status.DRAFT: {Event.ISSUED: Status.OPEN, Event.VOIDED: Status.VOID},
    Status.OPEN: {
        Event.FILLED: Status.PAID,
        Event.VOIDED: Status.VOID,
        Event.LAPSED: Status.EXPIRED,
    },
    Status.PAID: {},
    Status.VOID: {Event.VOIDED: Status.VOID},
    Status.EXPIRED: {
        Event.FILLED: Status.PAID,
        Event.VOIDED: Status.VOID,
        Event.LAPSED: Status.EXPIRED,
    },
}

MAX_ITEMS, MAX_TITLE, MAX_DESCRIPTION = 100, 200, 4000
MAX_PAYMENTS = 100_000
# UTC microseconds of 2200-01-02: pages show a moment on any clock, and the last day that a calendar
# knows (9999-12-31) is over its edge on some. A day of grace: shops west of UTC may say 2199 whole.
LATEST = 7_258_204_800_000_000
_QUANTITY = re.compile(r"\d{1,5}(\.\d{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the invoice. `quantity` is a decimal text, `price` is for one."""

    name: str
    quantity: str
    price: Money

    def sum(self) -> Money:
        """price × quantity. Raises BadMoney when it is not a whole minor unit."""
        return self.price.times(Decimal(self.quantity))


@dataclass(frozen=True, slots=True)
class Invoice:
    """Times are UTC microseconds.

    `max_payments` None means any number. `paid_count` counts captures that were in time.
    """

    id: str
    shop_id: str
    number: int
    token: str
    status: Status
    title: str
    amount: Money
    created_at: int
    description: str = ""
    items: tuple[Item, ...] = ()
    questions: tuple[Question, ...] = ()
    max_payments: int | None = 1
    paid_count: int = 0
    expires_at: int | None = None
    return_url: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    created_by: str = ""
    conversation_id: str | None = None  # the dialog it is for
    service_id: str | None = None  # what of the catalogue it is for
    version: int = 0

    @property
    def full(self) -> bool:
        """Whether it waits for no more payments."""
        return self.max_payments is not None and self.paid_count >= self.max_payments

    def lapsed(self, now: int) -> bool:
        """Whether its time is over at `now`, told or not."""
        return self.expires_at is not None and now >= self.expires_at


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person or a program wants invoiced, before it has an id and a number."""

    title: str
    amount: Money
    description: str = ""
    items: tuple[Item, ...] = ()
    questions: tuple[Question, ...] = ()
    max_payments: int | None = 1
    expires_at: int | None = None
    return_url: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    conversation_id: str | None = None
    service_id: str | None = None


def check_named(title: str, title_most: int, description: str, most: int) -> list[Problem]:
    """What is wrong with the name and the description of something that is sold."""
    problems = []
    if not title.strip():
        problems.append(Problem("title", "required"))
    for name, text, limit in (("title", title, title_most), ("description", description, most)):
        if len(text) > limit:
            problems.append(Problem(name, "too_long", {"max": limit}))
    if has_controls(title):
        problems.append(Problem("title", "characters"))
    if has_controls(description, lines=True):
        problems.append(Problem("description", "characters"))
    return problems


def check_draft(draft: Draft, now: int) -> list[Problem]:
    """Everything that is wrong with a draft, by field path; empty when it can be issued."""
    problems = check_named(draft.title, MAX_TITLE, draft.description, MAX_DESCRIPTION)
    if draft.amount.minor <= 0:
        problems.append(Problem("amount", "money_positive"))
    if draft.max_payments is not None and not 1 <= draft.max_payments <= MAX_PAYMENTS:
        problems.append(Problem("max_payments", "range", {"min": 1, "max": MAX_PAYMENTS}))
    if draft.expires_at is not None and not now < draft.expires_at < LATEST:
        code = "too_far" if draft.expires_at >= LATEST else "in_the_past"
        problems.append(Problem("expires_at", code))
    if draft.return_url and not url_ok(draft.return_url):
        problems.append(Problem("return_url", "url"))
    return (
        problems + _check_items(draft) + _check_metadata(draft) + check_questions(draft.questions)
    )


def _check_items(draft: Draft) -> list[Problem]:
    problems = []
    if len(draft.items) > MAX_ITEMS:
        problems.append(Problem("items", "too_many", {"max": MAX_ITEMS}))
    sums = []
    for n, item in enumerate(draft.items):
        path = f"items.{n}"
        if not item.name.strip():
            problems.append(Problem(f"{path}.name", "required"))
        if len(item.name) > 128:
            problems.append(Problem(f"{path}.name", "too_long", {"max": 128}))
        if has_controls(item.name):
            problems.append(Problem(f"{path}.name", "characters"))
        if item.price.currency != draft.amount.currency:
            problems.append(Problem(f"{path}.price", "currency_mixed"))
            continue
        if not _quantity_ok(item.quantity):
            problems.append(Problem(f"{path}.quantity", "quantity"))
            continue
        try:
            sums.append(item.sum().minor)
        except BadMoney as error:
            problems.append(Problem(f"{path}.price", error.code))
    if draft.items and not problems and sum(sums) != draft.amount.minor:
        problems.append(Problem("items", "items_sum"))
    return problems


def _quantity_ok(text: str) -> bool:
    """A positive decimal of at most 5 + 3 digits, the limit of Russian receipts (tag 1023)."""
    return _QUANTITY.fullmatch(text) is not None and Decimal(text) > 0


def _check_metadata(draft: Draft) -> list[Problem]:
    long = [k for k, v in draft.metadata.items() if not k or len(k) > 40 or len(v) > 500]
    if len(draft.metadata) > 20 or long:
        return [Problem("metadata", "metadata", {"max": 20})]
    return []


def create(
    draft: Draft,
    *,
    shop_id: str,
    number: int,
    token: str,
    now: int,
    new_id: NewId,
    actor: str,
    issued: bool = True,
) -> tuple[Invoice, Change]:
    """A new invoice, open unless `issued` is False.

    Raises Refused("validation") with every problem at once.
    """
    if problems := check_draft(draft, now):
        raise invalid(*problems)
    invoice = Invoice(
        id=new_id("inv"),
        shop_id=shop_id,
        number=number,
        token=token,
        status=Status.OPEN if issued else Status.DRAFT,
        created_at=now,
        created_by=actor,
        title=draft.title.strip(),
        amount=draft.amount,
        description=draft.description.strip(),
        items=draft.items,
        questions=draft.questions,
        max_payments=draft.max_payments,
        expires_at=draft.expires_at,
        return_url=draft.return_url,
        metadata=draft.metadata,
        conversation_id=draft.conversation_id,
        service_id=draft.service_id,
    )
    told = happened(invoice, "issued" if issued else "drafted", now, new_id, actor)
    return invoice, Change((invoice, told), jobs=_expiry(invoice) if issued else ())


def happened(
    invoice: Invoice, kind: str, now: int, new_id: NewId, actor: str = "system"
) -> Happening:
    """A line of this invoice's timeline."""
    return Happening(new_id("evt"), invoice.shop_id, invoice.id, f"invoice.{kind}", now, actor)


def shown_anew(invoice: Invoice) -> Change:
    """The promise to show its dialog, if it has one, what has become of it."""
    if invoice.conversation_id is None:
        return Change()
    return Change(jobs=(Job("card.refresh", invoice.id, invoice.shop_id),))


def _expiry(invoice: Invoice) -> tuple[Job, ...]:
    if invoice.expires_at is None:
        return ()
    return (Job("invoice.expire", invoice.id, invoice.shop_id, invoice.expires_at),)


def move(invoice: Invoice, event: Event) -> Invoice:
    """The invoice after an event. Raises Refused with the code that names its present state."""
    after = FLOW[invoice.status].get(event)
    if after is None:
        raise Refused(
            "invoice_already_paid" if invoice.status is Status.PAID else "invoice_not_open",
            status=str(invoice.status),
        )
    return replace(invoice, status=after)


def issue(invoice: Invoice, now: int, new_id: NewId, actor: str) -> Change:
    """Opens a draft. Raises Refused("invoice_expired") when its time has passed meanwhile."""
    if invoice.lapsed(now):
        raise Refused("invoice_expired")
    opened = move(invoice, Event.ISSUED)
    return Change((opened, happened(opened, "issued", now, new_id, actor)), jobs=_expiry(opened))


def void(invoice: Invoice, now: int, new_id: NewId, actor: str) -> Change:
    """Calls it off.

    Voiding twice changes nothing. A payment already at the bank may still come; it is then
    flagged.
    """
    voided = move(invoice, Event.VOIDED)
    if voided.status is invoice.status:
        return Change()
    return Change((voided, happened(voided, "voided", now, new_id, actor))) + shown_anew(voided)


def lapse(invoice: Invoice, now: int, new_id: NewId) -> Change:
    """Its time is over. Nothing happens before the time or to an invoice that is past caring."""
    if not invoice.lapsed(now) or invoice.status is not Status.OPEN:
        return Change()
    after = move(invoice, Event.LAPSED)
    return Change((after, happened(after, "expired", now, new_id))) + shown_anew(after)


def check_payable(invoice: Invoice, now: int, holds: int) -> None:
    """Raises Refused with the reason why it cannot be paid now.

    `holds` counts payments held at the bank but not captured.
    """
    if invoice.status is Status.VOID:
        raise Refused("invoice_void")
    if invoice.full:
        raise Refused(
            "invoice_already_paid" if invoice.max_payments == 1 else "invoice_limit_reached"
        )
    if invoice.status is Status.DRAFT:
        raise Refused("invoice_not_open", status=str(invoice.status))
    if invoice.status is Status.EXPIRED or invoice.lapsed(now):
        raise Refused("invoice_expired")
    if invoice.max_payments is not None and invoice.paid_count + holds >= invoice.max_payments:
        raise Refused("invoice_has_live_payment")
