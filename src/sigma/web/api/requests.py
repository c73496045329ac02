"""Request bodies of the API: strict structs and their conversion to domain values."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct

from sigma.domain.billing.invoice import (
    MAX_DESCRIPTION,
    MAX_PAYMENTS,
    MAX_TITLE,
    Draft,
    InvoiceItem,
    check_draft,
)
from sigma.domain.billing.question import BUILT_IN_KINDS, Question, QuestionKind
from sigma.domain.billing.refund import check_refund
from sigma.domain.errors import Problem
from sigma.domain.money import CURRENCY_EXPONENTS, Money, MoneyError
from sigma.domain.text_cleaning import clean_text
from sigma.web.api.body import is_within, require_valid

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _schema_meta(text: str, **schema: object) -> Meta:
    return Meta(description=text, extra_json_schema=schema)


class MoneyRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """An amount: a decimal string and a currency."""

    value: Annotated[str, _schema_meta("A decimal string with a dot", examples=["1500.00"])]
    currency: Annotated[str, _schema_meta("ISO 4217", enum=sorted(CURRENCY_EXPONENTS))]


class ItemRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """An item of the invoice."""

    name: Annotated[str, _schema_meta("What is sold", maxLength=128, examples=["Маникюр"])]
    price: Annotated[MoneyRequest, _schema_meta("Price of one unit")]
    quantity: Annotated[
        str, _schema_meta("A decimal string, three decimals at most", examples=["1", "0.5"])
    ] = "1"


class QuestionRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A question for the payer. The keys email, phone, name and address are built in."""

    key: Annotated[str, _schema_meta("The field's name", maxLength=40, examples=["email", "wish"])]
    kind: Annotated[
        str | None, _schema_meta("Required for keys of your own", examples=["text"])
    ] = None
    label: Annotated[
        str, _schema_meta("Text of the question; not for built-in keys", maxLength=120)
    ] = ""
    required: bool = False
    options: Annotated[list[str], _schema_meta("For select and multiselect", maxItems=50)] = []
    hint: Annotated[str, _schema_meta("Text below the field", maxLength=200)] = ""
    show_on_receipt: Annotated[
        bool, _schema_meta("Print the answer on the receipt; anyone with its link can read it")
    ] = False
    keep_days: Annotated[
        int, _schema_meta("Delete the answer after so many days; 0: with the shop's other answers")
    ] = 0


class InvoiceRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """An invoice to issue."""

    title: Annotated[
        str, _schema_meta("What the invoice is for", maxLength=MAX_TITLE, examples=["Маникюр"])
    ]
    amount: MoneyRequest
    description: Annotated[str | None, _schema_meta("Details", maxLength=MAX_DESCRIPTION)] = None
    items: Annotated[
        list[ItemRequest], _schema_meta("Items; their sum must equal the amount", maxItems=100)
    ] = []
    ask: Annotated[list[QuestionRequest], _schema_meta("Questions for the payer", maxItems=30)] = []
    return_url: Annotated[
        str | None,
        _schema_meta(
            "URL of the link back to the seller; {invoice}, {payment} and {status} are filled in",
            maxLength=2000,
            examples=["https://vk.me/studio"],
        ),
    ] = None
    expires_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        _schema_meta(
            "The invoice can be paid until then: RFC 3339 with a time zone, before 2200",
            examples=["2030-12-31T20:59:59Z"],
        ),
    ] = None
    max_payments: Annotated[
        int | None,
        _schema_meta(
            "How many payments are accepted; null: any number", minimum=1, maximum=MAX_PAYMENTS
        ),
    ] = 1
    metadata: Annotated[
        dict[str, str],
        _schema_meta("Your own data, 20 pairs at most; returned as stored", maxProperties=20),
    ] = {}


class RefundRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A refund to request."""

    amount: MoneyRequest
    reason: Annotated[str, _schema_meta("Reason, for your own records", maxLength=250)] = ""


def parse_draft(
    request: InvoiceRequest, now_us: int, body_problems: Sequence[Problem] = ()
) -> Draft:
    """Convert a request to the domain's draft. `body_problems`: of `parse_body`.

    Raises RefusedError("validation") with all problems at once: fields that were parsed are
    checked by the domain rules even if other fields could not be parsed.
    """
    problems: list[Problem] = []
    draft = Draft(
        title=clean_text(request.title),
        amount=_parse_money(request.amount, "amount", problems),
        description=request.description or "",
        items=tuple(
            InvoiceItem(
                clean_text(item.name),
                item.quantity,
                _parse_money(item.price, f"items.{n}.price", problems),
            )
            for n, item in enumerate(request.items)
        ),
        questions=tuple(_parse_question(q, n, problems) for n, q in enumerate(request.ask)),
        max_payments=request.max_payments,
        expires_at_us=to_us(request.expires_at) if request.expires_at else None,
        return_url=request.return_url or "",
        metadata=request.metadata,
    )
    # A question with an unreadable key has no kind to judge its other fields by.
    unparsed = [problem.field.removesuffix(".key") for problem in body_problems]
    problems = [p for p in problems if not any(is_within(p.field, field) for field in unparsed)]
    unparsed += [problem.field for problem in problems]
    problems += [
        problem
        for problem in check_draft(draft, now_us)
        # These compare the amounts with each other, so they need all of them.
        if not (unparsed and problem.code in ("items_sum", "currency_mixed"))
        and not any(is_within(problem.field, field) for field in unparsed)
    ]
    require_valid(body_problems, problems)
    return draft


def parse_refund(
    request: RefundRequest, body_problems: Sequence[Problem] = ()
) -> tuple[Money, str]:
    """Return amount and reason of a refund. `body_problems`: of `parse_body`.

    Raises RefusedError("validation") with all problems at once.
    """
    problems: list[Problem] = []
    amount = _parse_money(request.amount, "amount", problems)
    require_valid(body_problems, [*problems, *check_refund(amount, request.reason)])
    return amount, request.reason


def to_us(value: datetime) -> int:
    """Return a time-zone-aware datetime as UTC microseconds."""
    return (value - EPOCH) // timedelta(microseconds=1)


def _parse_money(request: MoneyRequest, path: str, problems: list[Problem]) -> Money:
    """Parse an amount; if it is invalid, add a problem and return a placeholder."""
    try:
        return Money.parse(request.value, request.currency)
    except MoneyError as error:
        field = "currency" if error.code == "money_currency" else "value"
        problems.append(Problem(f"{path}.{field}", error.code))
        return Money(100)


def _parse_question(request: QuestionRequest, index: int, problems: list[Problem]) -> Question:
    kind = QuestionKind.TEXT
    if request.kind is not None:
        try:
            kind = QuestionKind(request.kind)
        except ValueError:
            problems.append(Problem(f"ask.{index}.kind", "choose"))
    elif request.key in BUILT_IN_KINDS:
        kind = QuestionKind(request.key)
    else:
        problems.append(Problem(f"ask.{index}.kind", "required"))
    return Question(
        request.key,
        kind,
        clean_text(request.label),
        request.required,
        tuple(clean_text(option) for option in request.options),
        clean_text(request.hint),
        request.show_on_receipt,
        request.keep_days,
    )
