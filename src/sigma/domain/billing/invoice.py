"""An invoice: a request for money with a link, the questions to the client, and the rules of when
it can be paid.
"""

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from sigma.domain.accounts.shop import is_web_url
from sigma.domain.bank_cards import contains_card_number
from sigma.domain.billing.question import Question, check_questions
from sigma.domain.change import Change, Job, NewId, TimelineEvent
from sigma.domain.errors import Problem, RefusedError, has_control_characters, validation_error
from sigma.domain.figures import Attribution, Source, attribution_of
from sigma.domain.money import Money, MoneyError
from sigma.domain.text_cleaning import clean_text
from sigma.domain.time_units import HOUR_US


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
    FULLY_PAID = "fully_paid"  # the last allowed payment was captured in time
    VOIDED = "voided"
    EXPIRED = "expired"  # `expires_at_us` has passed


# Allowed transitions; all others are refused. An expired invoice can become paid: the payment may
# have been finished at the acquirer before the expiry and reported after it.
FLOW: dict[Status, dict[Event, Status]] = {
    Status.DRAFT: {Event.ISSUED: Status.OPEN, Event.VOIDED: Status.VOID},
    Status.OPEN: {
        Event.FULLY_PAID: Status.PAID,
        Event.VOIDED: Status.VOID,
        Event.EXPIRED: Status.EXPIRED,
    },
    Status.PAID: {},
    Status.VOID: {Event.VOIDED: Status.VOID},
    Status.EXPIRED: {
        Event.FULLY_PAID: Status.PAID,
        Event.VOIDED: Status.VOID,
        Event.EXPIRED: Status.EXPIRED,
    },
}

MAX_ITEMS, MAX_TITLE, MAX_DESCRIPTION, MAX_ITEM_NAME = 100, 200, 4000, 128  # texts in characters
MAX_PAYMENTS = 100_000
# Exclusive upper limit: 2200-01-02 UTC. Pages convert times to any time zone, and 9999-12-31 would
# overflow `datetime` in some. The extra day allows all of 2199 for shops west of UTC.
MAX_EXPIRES_AT_US = 7_258_204_800_000_000
REMINDER_DELAY_US = 20 * HOUR_US  # `reminder.GAP_US`: no client is reminded earlier
_QUANTITY_PATTERN = re.compile(r"\d{1,5}(\.\d{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class InvoiceItem:
    """One position of the invoice. `quantity` is decimal text; `price` is for a quantity of 1."""

    name: str
    quantity: str
    price: Money

    def total(self) -> Money:
        """Return price × quantity. Raises MoneyError when it is not a whole minor unit."""
        return self.price.multiply(Decimal(self.quantity))

    @property
    def has_total(self) -> bool:
        """Whether the quantity is valid and the total is an amount."""
        try:
            return _is_quantity(self.quantity) and self.total() is not None
        except MoneyError:
            return False


@dataclass(frozen=True, slots=True)
class Invoice:
    """A request for money. Times are UTC microseconds.

    `token` is the public part of the link /i/{token}. `max_payments` None means no limit.
    `paid_count` counts the payments captured in time; late and extra ones are not counted.
    `conversation_id` is the conversation that the invoice was issued in, `customer_id` the
    customer that it was issued to; None for a link that anybody may pay. `opened_at_us`: when a
    client first opened the payment page. `source`: where reports count it, decided at that moment.
    """

    id: str
    shop_id: str
    number: int
    token: str
    status: Status
    title: str
    amount: Money
    created_at_us: int
    description: str = ""
    items: tuple[InvoiceItem, ...] = ()
    questions: tuple[Question, ...] = ()
    max_payments: int | None = 1
    paid_count: int = 0
    expires_at_us: int | None = None
    return_url: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    created_by: str = ""
    conversation_id: str | None = None
    service_id: str | None = None
    customer_id: str | None = None
    opened_at_us: int | None = None
    source: Source | None = None
    version: int = 0

    @property
    def is_fully_paid(self) -> bool:
        """Whether `max_payments` payments are captured."""
        return self.max_payments is not None and self.paid_count >= self.max_payments

    @property
    def attribution(self) -> Attribution:
        """To what reports count the invoice and its payments."""
        return attribution_of(
            created_by=self.created_by,
            conversation_id=self.conversation_id,
            service_id=self.service_id,
            source=self.source,
        )

    @property
    def is_shared_link(self) -> bool:
        """Whether several people may pay by the link, perhaps on the same device."""
        return self.max_payments != 1

    def is_expired(self, now_us: int) -> bool:
        """Return whether the expiry has passed at `now_us`, whatever the stored status is."""
        return self.expires_at_us is not None and now_us >= self.expires_at_us

    def status_at(self, now_us: int) -> Status:
        """Return the status to show: an open invoice past its expiry is expired.

        The stored status follows when the job invoice.expire runs.
        """
        is_open = self.status is Status.OPEN
        return Status.EXPIRED if is_open and self.is_expired(now_us) else self.status


@dataclass(frozen=True, slots=True)
class Draft:
    """The requested content of an invoice, before it has an id and a number."""

    title: str
    amount: Money
    description: str = ""
    items: tuple[InvoiceItem, ...] = ()
    questions: tuple[Question, ...] = ()
    max_payments: int | None = 1
    expires_at_us: int | None = None
    return_url: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    conversation_id: str | None = None
    service_id: str | None = None
    customer_id: str | None = None


def check_title_and_description(
    title: str, max_title: int, description: str, max_description: int
) -> list[Problem]:
    """Return the problems of the title and description of an invoice or service.

    The limits are in characters.
    """
    problems = []
    if not clean_text(title):
        problems.append(Problem("title", "required"))
    for name, text, limit in (
        ("title", title, max_title),
        ("description", description, max_description),
    ):
        if len(text) > limit:
            problems.append(Problem(name, "too_long", {"max": limit}))
        elif contains_card_number(text):
            problems.append(Problem(name, "card_number"))
    if has_control_characters(title):
        problems.append(Problem("title", "characters"))
    if has_control_characters(description, allow_line_breaks=True):
        problems.append(Problem("description", "characters"))
    return problems


def check_draft(draft: Draft, now_us: int) -> list[Problem]:
    """Return all problems of a draft by field path; empty when it can be issued."""
    problems = check_title_and_description(
        draft.title, MAX_TITLE, draft.description, MAX_DESCRIPTION
    )
    if draft.amount.minor <= 0:
        problems.append(Problem("amount", "money_positive"))
    if draft.max_payments is not None and not 1 <= draft.max_payments <= MAX_PAYMENTS:
        problems.append(Problem("max_payments", "range", {"min": 1, "max": MAX_PAYMENTS}))
    if draft.expires_at_us is not None and not now_us < draft.expires_at_us < MAX_EXPIRES_AT_US:
        code = "too_far" if draft.expires_at_us >= MAX_EXPIRES_AT_US else "in_the_past"
        problems.append(Problem("expires_at", code))
    if draft.return_url and not is_web_url(draft.return_url):
        problems.append(Problem("return_url", "url"))
    return (
        problems + _check_items(draft) + _check_metadata(draft) + check_questions(draft.questions)
    )


def _check_items(draft: Draft) -> list[Problem]:
    problems: list[Problem] = []
    if len(draft.items) > MAX_ITEMS:
        problems.append(Problem("items", "too_many", {"max": MAX_ITEMS}))
    sums = []
    for n, item in enumerate(draft.items):
        path = f"items.{n}"
        problems += _check_item_name(f"{path}.name", item.name)
        if item.price.currency != draft.amount.currency:
            problems.append(Problem(f"{path}.price", "currency_mixed"))
            continue
        if not _is_quantity(item.quantity):
            problems.append(Problem(f"{path}.quantity", "quantity"))
            continue
        try:
            sums.append(item.total().minor)
        except MoneyError as error:
            problems.append(Problem(f"{path}.price", error.code))
    if draft.items and not problems and sum(sums) != draft.amount.minor:
        problems.append(Problem("items", "items_sum"))
    return problems


def _check_item_name(path: str, name: str) -> list[Problem]:
    problems = []
    if not clean_text(name):
        problems.append(Problem(path, "required"))
    if has_control_characters(name):
        problems.append(Problem(path, "characters"))
    if len(name) > MAX_ITEM_NAME:
        problems.append(Problem(path, "too_long", {"max": MAX_ITEM_NAME}))
    elif contains_card_number(name):
        problems.append(Problem(path, "card_number"))
    return problems


def _is_quantity(text: str) -> bool:
    """Return whether the text is a positive decimal of at most 5 + 3 digits.

    This is the limit of Russian fiscal receipts (tag 1023).
    """
    return _QUANTITY_PATTERN.fullmatch(text) is not None and Decimal(text) > 0


def _check_metadata(draft: Draft) -> list[Problem]:
    long = [k for k, v in draft.metadata.items() if not k or len(k) > 40 or len(v) > 500]
    if len(draft.metadata) > 20 or long:
        return [Problem("metadata", "metadata", {"max": 20})]
    if any(contains_card_number(text) for pair in draft.metadata.items() for text in pair):
        return [Problem("metadata", "card_number")]
    return []


def create(
    draft: Draft,
    *,
    shop_id: str,
    number: int,
    token: str,
    now_us: int,
    new_id: NewId,
    actor: str,
    is_issued: bool = True,
) -> tuple[Invoice, Change]:
    """Return a new invoice and its Change. The invoice is open unless `is_issued` is False.

    Raises RefusedError("validation") with all problems at once.
    """
    if problems := check_draft(draft, now_us):
        raise validation_error(*problems)
    invoice = Invoice(
        id=new_id("inv"),
        shop_id=shop_id,
        number=number,
        token=token,
        status=Status.OPEN if is_issued else Status.DRAFT,
        created_at_us=now_us,
        created_by=actor,
        title=draft.title.strip(),
        amount=draft.amount,
        description=draft.description.strip(),
        items=draft.items,
        questions=draft.questions,
        max_payments=draft.max_payments,
        expires_at_us=draft.expires_at_us,
        return_url=draft.return_url,
        metadata=draft.metadata,
        conversation_id=draft.conversation_id,
        service_id=draft.service_id,
        customer_id=draft.customer_id,
    )
    event = timeline_event(invoice, "issued" if is_issued else "drafted", now_us, new_id, actor)
    return invoice, Change((invoice, event), jobs=_expiry_jobs(invoice) if is_issued else ())


def timeline_event(
    invoice: Invoice, kind: str, now_us: int, new_id: NewId, actor: str = "system"
) -> TimelineEvent:
    """Return an event for this invoice's timeline."""
    kind = f"invoice.{kind}"
    return TimelineEvent(new_id("evt"), invoice.shop_id, invoice.id, kind, now_us, actor)


def card_refresh(invoice: Invoice) -> Change:
    """Return the job that refreshes the invoice's cards; empty without a conversation."""
    if invoice.conversation_id is None:
        return Change()
    return Change(jobs=(Job("card.refresh", invoice.id, invoice.shop_id),))


def reminder_jobs(invoice: Invoice, now_us: int) -> tuple[Job, ...]:
    """Return the job that looks a day later whether a client must be reminded.

    Nothing is sent earlier; the job itself decides when it looks again, see `reminder.decide`.
    """
    return (Job("invoice.remind", invoice.id, invoice.shop_id, now_us + REMINDER_DELAY_US),)


def _expiry_jobs(invoice: Invoice) -> tuple[Job, ...]:
    if invoice.expires_at_us is None:
        return ()
    return (Job("invoice.expire", invoice.id, invoice.shop_id, invoice.expires_at_us),)


def apply_event(invoice: Invoice, event: Event) -> Invoice:
    """Return the invoice after an event.

    Raises RefusedError("invoice_already_paid" or "invoice_not_open") when FLOW does not allow it.
    """
    after = FLOW[invoice.status].get(event)
    if after is None:
        code = "invoice_already_paid" if invoice.status is Status.PAID else "invoice_not_open"
        raise RefusedError(code, status=str(invoice.status))
    return replace(invoice, status=after)


def issue(invoice: Invoice, now_us: int, new_id: NewId, actor: str) -> Change:
    """Open a draft. Raises RefusedError("invoice_expired") when its expiry has passed."""
    if invoice.is_expired(now_us):
        raise RefusedError("invoice_expired")
    opened = apply_event(invoice, Event.ISSUED)
    event = timeline_event(opened, "issued", now_us, new_id, actor)
    return Change((opened, event), jobs=_expiry_jobs(opened))


def void(invoice: Invoice, now_us: int, new_id: NewId, actor: str) -> Change:
    """Void the invoice. Raises RefusedError("invoice_already_paid").

    Voiding twice changes nothing. A payment that was already started may still be captured; it is
    then flagged with Attention.VOIDED.
    """
    voided = apply_event(invoice, Event.VOIDED)
    if voided.status is invoice.status:
        return Change()
    event = timeline_event(voided, "voided", now_us, new_id, actor)
    return Change((voided, event)) + card_refresh(voided)


def expire(invoice: Invoice, now_us: int, new_id: NewId) -> Change:
    """Expire an open invoice. The Change is empty before the expiry and in other states."""
    if not invoice.is_expired(now_us) or invoice.status is not Status.OPEN:
        return Change()
    after = apply_event(invoice, Event.EXPIRED)
    return Change((after, timeline_event(after, "expired", now_us, new_id))) + card_refresh(after)


def require_payable(invoice: Invoice, now_us: int, authorized_count: int) -> None:
    """Raise RefusedError with the reason when the invoice cannot be paid now.

    `authorized_count`: payments authorized but not captured. They use up `max_payments` too.
    """
    if invoice.status is Status.VOID:
        raise RefusedError("invoice_void")
    if invoice.is_fully_paid:
        is_single = invoice.max_payments == 1
        raise RefusedError("invoice_already_paid" if is_single else "invoice_limit_reached")
    if invoice.status is Status.DRAFT:
        raise RefusedError("invoice_not_open", status=str(invoice.status))
    if invoice.status is Status.EXPIRED or invoice.is_expired(now_us):
        raise RefusedError("invoice_expired")
    taken = invoice.paid_count + authorized_count
    if invoice.max_payments is not None and taken >= invoice.max_payments:
        raise RefusedError("invoice_has_live_payment")
