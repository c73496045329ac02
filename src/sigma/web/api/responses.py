"""What programs are told: the shapes of answers and how they are made of the domain's words."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from msgspec import Meta, Struct

from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.invoice import Status as InvoiceStatus
from sigma.domain.billing.payment import Attention, Payment
from sigma.domain.billing.payment import Status as PaymentStatus
from sigma.domain.billing.question import Kind, Question, Value
from sigma.domain.billing.refund import Refund
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.catalogue.service import PriceKind, Service
from sigma.domain.money import Money
from sigma.services.billing.payment_views import Told
from sigma.texts import Words
from sigma.web.api.requests import EPOCH

Moment = Annotated[datetime, Meta(tz=True)]  # JSON shows it as RFC 3339 with Z


class Amount(Struct, frozen=True):
    """An amount: a decimal string and a currency."""

    value: Annotated[str, Meta(examples=["1500.00"])]
    currency: Annotated[str, Meta(examples=["RUB"])]


class ItemTold(Struct, frozen=True):
    """A line of an invoice; the price is for one."""

    name: str
    quantity: str
    price: Amount


class QuestionTold(Struct, frozen=True):
    """What the client is asked."""

    key: str
    kind: Kind
    label: str
    required: bool
    options: list[str]
    hint: str


class InvoiceTold(Struct, frozen=True):
    """An invoice."""

    id: Annotated[str, Meta(examples=["inv_0007x8kq1b2c3d4e5f6g7h8"])]
    number: Annotated[str, Meta(description="The shop's own number", examples=["42"])]
    status: InvoiceStatus
    url: Annotated[str, Meta(description="The link for the client")]
    amount: Amount
    title: str
    description: str
    items: list[ItemTold]
    ask: list[QuestionTold]
    return_url: str | None
    expires_at: Moment | None
    max_payments: Annotated[int | None, Meta(description="null: any number")]
    paid_count: Annotated[int, Meta(description="Payments captured in time")]
    metadata: dict[str, str]
    created_at: Moment
    created_by: Annotated[str, Meta(description="Id of the user or key that made it")]


class MethodTold(Struct, frozen=True):
    """What was paid with. The mask is all that Sigma ever knows of a card."""

    kind: Annotated[str, Meta(examples=["card"])]
    mask: Annotated[str, Meta(examples=["220000******0004"])]
    brand: Annotated[str, Meta(examples=["mir"])]


class Failure(Struct, frozen=True):
    """Why it did not work: the acquirer's word, and a sentence for a person."""

    code: Annotated[str, Meta(examples=["insufficient_funds"])]
    message: str


class PaymentTold(Struct, frozen=True):
    """One attempt to pay an invoice."""

    id: Annotated[str, Meta(examples=["pay_0007x8kq1b2c3d4e5f6g7h8"])]
    invoice_id: str
    status: PaymentStatus
    unknown: Annotated[bool, Meta(description="The acquirer's answer was lost; Sigma keeps asking")]
    amount: Amount
    refunded: Annotated[Amount, Meta(description="The sum of refunds that succeeded")]
    method: MethodTold | None
    answers: Annotated[dict[str, Value], Meta(description="What the client answered, by key")]
    receipt_url: Annotated[str | None, Meta(description="null until captured")]
    created_at: Moment
    captured_at: Moment | None
    failure: Failure | None
    attention: Annotated[Attention | None, Meta(description="Why a person must look at it")]
    provider: Annotated[str, Meta(examples=["yookassa"])]
    provider_id: Annotated[str | None, Meta(description="The payment's id at the acquirer")]


class RefundTold(Struct, frozen=True):
    """Money back for a payment."""

    id: Annotated[str, Meta(examples=["ref_0007x8kq1b2c3d4e5f6g7h8"])]
    payment_id: str
    invoice_id: str
    status: RefundStatus
    unknown: bool
    amount: Amount
    reason: str
    failure: Failure | None
    created_at: Moment
    finished_at: Moment | None
    provider_id: str | None


class ServiceTold(Struct, frozen=True):
    """What the shop offers."""

    id: Annotated[str, Meta(examples=["svc_0007x8kq1b2c3d4e5f6g7h8"])]
    title: str
    description: str
    price: Annotated[PriceKind, Meta(description="Only a fixed one can be paid without asking")]
    amount: Annotated[Amount | None, Meta(description="null by agreement")]
    visible: Annotated[bool, Meta(description="Whether clients see it")]
    photo_url: str | None
    page_url: Annotated[str | None, Meta(description="Its public page; null when there is none")]
    dialog_url: Annotated[str | None, Meta(description="Where a client writes about it")]
    ask: Annotated[list[QuestionTold], Meta(description="What its invoice asks")]
    expires_days: Annotated[int | None, Meta(description="null: its invoice never expires")]
    return_url: str | None
    created_at: Moment


class Services(Struct, frozen=True):
    """The whole catalogue in its order."""

    data: list[ServiceTold]
    next_cursor: Annotated[str | None, Meta(description="Always null: the list is whole")]


class Invoices(Struct, frozen=True):
    """A part of the list, newest first."""

    data: list[InvoiceTold]
    next_cursor: Annotated[str | None, Meta(description="For the next part; null at the end")]


class Payments(Struct, frozen=True):
    """A part of the list, newest first."""

    data: list[PaymentTold]
    next_cursor: Annotated[str | None, Meta(description="For the next part; null at the end")]


class Refunds(Struct, frozen=True):
    """All refunds of a payment, oldest first."""

    data: list[RefundTold]
    next_cursor: Annotated[str | None, Meta(description="Always null: the list is whole")]


def amount(money: Money) -> Amount:
    """Money as a decimal string."""
    return Amount(money.decimal(), money.currency)


def moment(at: int) -> datetime:
    """UTC microseconds as a moment."""
    return EPOCH + timedelta(microseconds=at)


def _moment(at: int | None) -> datetime | None:
    return None if at is None else moment(at)


def _question(q: Question) -> QuestionTold:
    return QuestionTold(q.key, q.kind, q.label, q.required, list(q.options), q.hint)


def invoice(seen: Invoice, url: str, now: int) -> InvoiceTold:
    """An invoice; an open one whose time is over counts as expired."""
    status = seen.status
    if status is InvoiceStatus.OPEN and seen.lapsed(now):
        status = InvoiceStatus.EXPIRED
    return InvoiceTold(
        id=seen.id,
        number=str(seen.number),
        status=status,
        url=url,
        amount=amount(seen.amount),
        title=seen.title,
        description=seen.description,
        items=[ItemTold(i.name, i.quantity, amount(i.price)) for i in seen.items],
        ask=[_question(q) for q in seen.questions],
        return_url=seen.return_url or None,
        expires_at=_moment(seen.expires_at),
        max_payments=seen.max_payments,
        paid_count=seen.paid_count,
        metadata=seen.metadata,
        created_at=moment(seen.created_at),
        created_by=seen.created_by,
    )


def payment(told: Told, base_url: str, words: Words) -> PaymentTold:
    """A payment with its answers; the failure is worded in the reader's language."""
    seen = told.payment
    method = seen.method
    return PaymentTold(
        id=seen.id,
        invoice_id=seen.invoice_id,
        status=seen.status,
        unknown=seen.unknown,
        amount=amount(seen.amount),
        refunded=amount(told.refunded),
        method=MethodTold(method.kind, method.mask, method.brand) if method else None,
        answers=told.answers,
        receipt_url=receipt_url(seen, base_url),
        created_at=moment(seen.created_at),
        captured_at=_moment(seen.captured_at),
        failure=_failure(seen.failure, words),
        attention=seen.attention,
        provider=seen.provider,
        provider_id=seen.provider_id,
    )


def receipt_url(seen: Payment, base_url: str) -> str | None:
    """The receipt's public link, once there is a receipt."""
    return f"{base_url}/r/{seen.token}" if seen.status is PaymentStatus.CAPTURED else None


def refund(seen: Refund, words: Words) -> RefundTold:
    """A refund."""
    return RefundTold(
        id=seen.id,
        payment_id=seen.payment_id,
        invoice_id=seen.invoice_id,
        status=seen.status,
        unknown=seen.unknown,
        amount=amount(seen.amount),
        reason=seen.reason,
        failure=_failure(seen.failure, words),
        created_at=moment(seen.created_at),
        finished_at=_moment(seen.finished_at),
        provider_id=seen.provider_id,
    )


def service(seen: Service, base_url: str, slug: str | None, dialog_url: str) -> ServiceTold:
    """A service with where it can be looked at and written about."""
    shown = slug is not None and seen.visible
    return ServiceTold(
        id=seen.id,
        title=seen.title,
        description=seen.description,
        price=seen.price,
        amount=amount(seen.amount) if seen.amount else None,
        visible=seen.visible,
        photo_url=f"{base_url}/photos/{seen.photo_id}" if seen.photo_id else None,
        page_url=f"{base_url}/s/{slug}/{seen.id}" if shown else None,
        dialog_url=dialog_url or None,
        ask=[_question(q) for q in seen.template.questions],
        expires_days=seen.template.expires_days,
        return_url=seen.template.return_url or None,
        created_at=moment(seen.created_at),
    )


def _failure(code: str, words: Words) -> Failure | None:
    if not code:
        return None
    known: Any = code if words.has(f"checkout.decline.{code}") else "other"
    if code.startswith("rejected_") and known == "other":
        known = "acquirer_refused"
    return Failure(code, words.t(f"checkout.decline.{known}"))
