"""What programs send: the shapes of requests, read strictly and turned into the domain's words."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from sigma.domain.billing.invoice import (
    MAX_DESCRIPTION,
    MAX_PAYMENTS,
    MAX_TITLE,
    Draft,
    Item,
    check_draft,
)
from sigma.domain.billing.question import BUILT_IN, Kind, Question
from sigma.domain.errors import Problem, invalid
from sigma.domain.money import EXPONENTS, BadMoney, Money

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _documented(text: str, **schema: object) -> Meta:
    return Meta(description=text, extra_json_schema=schema)


class MoneyAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """An amount: a decimal string and a currency."""

    value: Annotated[str, _documented("A decimal string with a dot", examples=["1500.00"])]
    currency: Annotated[str, _documented("ISO 4217", enum=sorted(EXPONENTS))]


class ItemAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the invoice."""

    name: Annotated[str, _documented("What is sold", maxLength=128, examples=["Маникюр"])]
    price: Annotated[MoneyAsked, _documented("For one")]
    quantity: Annotated[
        str, _documented("A decimal string, three decimals at most", examples=["1", "0.5"])
    ] = "1"


class QuestionAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """Something to ask the client. Keys email, phone, name, address are built in."""

    key: Annotated[str, _documented("The field's name", maxLength=40, examples=["email", "wish"])]
    kind: Annotated[str | None, _documented("Required for keys of your own", examples=["text"])] = (
        None
    )
    label: Annotated[
        str, _documented("What the client reads; not for built-in keys", maxLength=120)
    ] = ""
    required: bool = False
    options: Annotated[list[str], _documented("For select and multiselect", maxItems=50)] = []
    hint: Annotated[str, _documented("A line under the field", maxLength=200)] = ""


class InvoiceAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """A request for money."""

    title: Annotated[str, _documented("What it is for", maxLength=MAX_TITLE, examples=["Маникюр"])]
    amount: MoneyAsked
    description: Annotated[str | None, _documented("More about it", maxLength=MAX_DESCRIPTION)] = (
        None
    )
    items: Annotated[
        list[ItemAsked], _documented("Lines; their sum must equal the amount", maxItems=100)
    ] = []
    ask: Annotated[list[QuestionAsked], _documented("What to ask the client", maxItems=30)] = []
    return_url: Annotated[
        str | None,
        _documented(
            "Where «back to the shop» leads; {invoice}, {payment} and {status} are filled in",
            maxLength=2000,
            examples=["https://vk.me/studio"],
        ),
    ] = None
    expires_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        _documented("Until when it can be paid; before 2200", examples=["2030-12-31T20:59:59Z"]),
    ] = None
    max_payments: Annotated[
        int | None,
        _documented(
            "How many payments it takes; null: any number", minimum=1, maximum=MAX_PAYMENTS
        ),
    ] = 1
    metadata: Annotated[
        dict[str, str],
        _documented("Your own words, 20 pairs at most; given back as they are", maxProperties=20),
    ] = {}


class RefundAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """Money to be given back."""

    amount: MoneyAsked
    reason: Annotated[str, _documented("Why, for your own people", maxLength=250)] = ""


def read_draft(asked: InvoiceAsked, now: int) -> Draft:
    """The domain's draft. Raises Refused("validation") with every problem at once.

    What can be read is checked too when something else cannot, so that nothing is told later.
    """
    problems: list[Problem] = []
    draft = Draft(
        title=asked.title,
        amount=_money(asked.amount, "amount", problems),
        description=asked.description or "",
        items=tuple(
            Item(item.name, item.quantity, _money(item.price, f"items.{n}.price", problems))
            for n, item in enumerate(asked.items)
        ),
        questions=tuple(_question(q, n, problems) for n, q in enumerate(asked.ask)),
        max_payments=asked.max_payments,
        expires_at=microseconds(asked.expires_at) if asked.expires_at else None,
        return_url=asked.return_url or "",
        metadata=asked.metadata,
    )
    if problems:
        told = {problem.field for problem in problems}
        more = [
            problem
            for problem in check_draft(draft, now)
            if problem.code not in ("items_sum", "currency_mixed")  # of amounts that were not read
            and not any(problem.field.startswith(field) for field in told)
        ]
        raise invalid(*problems, *more)
    return draft


def read_amount(asked: MoneyAsked) -> Money:
    """An amount by itself. Raises Refused("validation")."""
    problems: list[Problem] = []
    amount = _money(asked, "amount", problems)
    if problems:
        raise invalid(*problems)
    return amount


def microseconds(moment: datetime) -> int:
    """UTC microseconds of an aware moment."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def _money(asked: MoneyAsked, path: str, problems: list[Problem]) -> Money:
    """The amount; something like it, and a problem, when it cannot be read."""
    try:
        return Money.parse(asked.value, asked.currency)
    except BadMoney as error:
        field = "currency" if error.code == "money_currency" else "value"
        problems.append(Problem(f"{path}.{field}", error.code))
        return Money(100)


def _question(asked: QuestionAsked, n: int, problems: list[Problem]) -> Question:
    kind = Kind.TEXT
    if asked.kind is not None:
        try:
            kind = Kind(asked.kind)
        except ValueError:
            problems.append(Problem(f"ask.{n}.kind", "choose"))
    elif asked.key in BUILT_IN:
        kind = Kind(asked.key)
    else:
        problems.append(Problem(f"ask.{n}.kind", "required"))
    return Question(asked.key, kind, asked.label, asked.required, tuple(asked.options), asked.hint)


INVOICE = msgspec.json.Decoder(InvoiceAsked)
REFUND = msgspec.json.Decoder(RefundAsked)
