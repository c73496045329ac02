"""Response bodies of the API and their construction from domain objects."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.invoice import Status as InvoiceStatus
from sigma.domain.billing.payment import Attention, Payment
from sigma.domain.billing.payment import Status as PaymentStatus
from sigma.domain.billing.question import AnswerValue, Question, QuestionKind
from sigma.domain.billing.refund import Origin as RefundOrigin
from sigma.domain.billing.refund import Refund
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.catalogue.service import PriceKind, Service
from sigma.domain.money import Money
from sigma.services.billing.payment_views import PaymentWithAnswers
from sigma.texts import Translator
from sigma.texts.failures import Reader, payment_failure_text, refund_failure_text
from sigma.web.api.requests import EPOCH

Timestamp = Annotated[datetime, Meta(tz=True)]  # encoded as RFC 3339 with "Z"


class Amount(Struct, frozen=True):
    """An amount: a decimal string and a currency."""

    value: Annotated[str, Meta(examples=["1500.00"])]
    currency: Annotated[str, Meta(examples=["RUB"])]


class ItemResponse(Struct, frozen=True):
    """An item of an invoice; `price` is the price of one unit."""

    name: str
    quantity: str
    price: Amount


class QuestionResponse(Struct, frozen=True):
    """A question for the payer."""

    key: str
    kind: QuestionKind
    label: str
    required: bool
    options: list[str]
    hint: str
    show_on_receipt: Annotated[bool, Meta(description="Whether the receipt shows the answer")]
    keep_days: Annotated[
        int | UnsetType, Meta(description="Only for an answer with a period of its own")
    ] = UNSET


class InvoiceWarning(Struct, frozen=True):
    """Why clients cannot pay an issued invoice: a problem that the shop must fix."""

    code: Annotated[str, Meta(examples=["no_connection"])]
    message: str


class InvoiceResponse(Struct, frozen=True):
    """An issued invoice."""

    id: Annotated[str, Meta(examples=["inv_0007x8kq1b2c3d4e5f6g7h8"])]
    number: Annotated[str, Meta(description="Number within the shop", examples=["42"])]
    status: InvoiceStatus
    url: Annotated[str, Meta(description="Payment page, to be sent to the client")]
    amount: Amount
    title: str
    description: str
    items: list[ItemResponse]
    ask: list[QuestionResponse]
    return_url: str | None
    expires_at: Timestamp | None
    max_payments: Annotated[int | None, Meta(description="null: any number")]
    paid_count: Annotated[int, Meta(description="Payments captured in time")]
    metadata: dict[str, str]
    created_at: Timestamp
    created_by: Annotated[str, Meta(description="Id of the user or API key that issued it")]
    warnings: Annotated[
        list[InvoiceWarning],
        Meta(description="Why clients cannot pay an open invoice now; usually empty"),
    ]


class MethodResponse(Struct, frozen=True):
    """The payment method. Sigma never receives more of a card number than the mask."""

    kind: Annotated[str, Meta(examples=["card"])]
    mask: Annotated[str, Meta(examples=["220000******0004"])]
    brand: Annotated[str, Meta(examples=["mir"])]


class Failure(Struct, frozen=True):
    """Why it failed: the acquirer's code and a sentence for people."""

    code: Annotated[str, Meta(examples=["insufficient_funds"])]
    message: str


class PaymentRefund(Struct, frozen=True):
    """A refund as part of its payment. `GET /refunds/{id}` has more."""

    id: Annotated[str, Meta(examples=["ref_0007x8kq1b2c3d4e5f6g7h8"])]
    amount: Amount
    status: RefundStatus
    origin: RefundOrigin


class PaymentResponse(Struct, frozen=True):
    """One attempt to pay an invoice."""

    id: Annotated[str, Meta(examples=["pay_0007x8kq1b2c3d4e5f6g7h8"])]
    invoice_id: str
    status: PaymentStatus
    unknown: Annotated[
        bool, Meta(description="The acquirer's response was lost; Sigma keeps checking")
    ]
    amount: Amount
    refunded: Annotated[Amount, Meta(description="The sum of refunds that succeeded")]
    refunds: Annotated[list[PaymentRefund], Meta(description="All refunds, oldest first")]
    method: MethodResponse | None
    answers: Annotated[
        dict[str, AnswerValue], Meta(description="The payer's answers, by question key")
    ]
    answers_unreadable: Annotated[
        bool,
        Meta(
            description="The answers are encrypted with a key that is missing in the server's "
            "SIGMA_SECRET_KEY, so `answers` is empty"
        ),
    ]
    receipt_url: Annotated[
        str | None,
        Meta(
            description="null until captured, and when it shows answers that the key may not read"
        ),
    ]
    created_at: Timestamp
    captured_at: Timestamp | None
    failure: Failure | None
    attention: Annotated[Attention | None, Meta(description="Why the payment needs attention")]
    provider: Annotated[str, Meta(examples=["yookassa"])]
    provider_id: Annotated[str | None, Meta(description="The payment's id at the acquirer")]


class RefundResponse(Struct, frozen=True):
    """A refund of a payment, in full or in part."""

    id: Annotated[str, Meta(examples=["ref_0007x8kq1b2c3d4e5f6g7h8"])]
    payment_id: str
    invoice_id: str
    status: RefundStatus
    origin: Annotated[
        RefundOrigin,
        Meta(
            description="sigma: requested here; acquirer: made in the acquirer's own cabinet; "
            "chargeback: taken back by the client's bank"
        ),
    ]
    unknown: bool
    amount: Amount
    reason: str
    failure: Failure | None
    created_at: Timestamp
    finished_at: Timestamp | None
    provider_id: str | None


class ServiceResponse(Struct, frozen=True):
    """A service of the shop."""

    id: Annotated[str, Meta(examples=["svc_0007x8kq1b2c3d4e5f6g7h8"])]
    title: str
    description: str
    price: Annotated[
        PriceKind, Meta(description="Only a fixed price can be paid on the public page")
    ]
    amount: Annotated[
        Amount | None, Meta(description="null when the price is free, by agreement or only up to")
    ]
    max_amount: Annotated[Amount | None, Meta(description="Upper end of a range, else null")]
    price_unit: Annotated[str, Meta(description="What the price is for, empty: the whole service")]
    category: Annotated[str, Meta(description="Group in lists, empty for none")]
    external_id: Annotated[
        str, Meta(description="Code in the seller's other program, empty for none")
    ]
    visible: Annotated[bool, Meta(description="Whether the public page shows it")]
    photo_url: str | None
    page_url: Annotated[str | None, Meta(description="Public page; null when there is none")]
    dialog_url: Annotated[
        str | None, Meta(description="Link to the conversation about it; null when there is none")
    ]
    ask: Annotated[list[QuestionResponse], Meta(description="Questions of its invoices")]
    expires_days: Annotated[
        int | None, Meta(description="Lifetime of its invoices; null: they never expire")
    ]
    return_url: str | None
    created_at: Timestamp


class Services(Struct, frozen=True):
    """A page of services in the order of the seller."""

    data: list[ServiceResponse]
    next_cursor: Annotated[str | None, Meta(description="Next page; null on the last one")]


class Invoices(Struct, frozen=True):
    """A page of invoices, newest first."""

    data: list[InvoiceResponse]
    next_cursor: Annotated[str | None, Meta(description="Next page; null on the last one")]


class Payments(Struct, frozen=True):
    """A page of payments, newest first."""

    data: list[PaymentResponse]
    next_cursor: Annotated[str | None, Meta(description="Next page; null on the last one")]


class Refunds(Struct, frozen=True):
    """All refunds of a payment, oldest first."""

    data: list[RefundResponse]
    next_cursor: Annotated[str | None, Meta(description="Always null: the list is complete")]


def amount_response(money: Money) -> Amount:
    """Return money as a decimal string with its currency."""
    return Amount(money.to_decimal_text(), money.currency)


def to_datetime(at_us: int) -> datetime:
    """Return UTC microseconds as a datetime in UTC."""
    return EPOCH + timedelta(microseconds=at_us)


def _optional_datetime(at_us: int | None) -> datetime | None:
    return None if at_us is None else to_datetime(at_us)


def _question_response(question: Question) -> QuestionResponse:
    return QuestionResponse(
        question.key,
        question.kind,
        question.label,
        question.required,
        list(question.options),
        question.hint,
        question.show_on_receipt,
        question.keep_days or UNSET,
    )


def invoice_response(
    invoice: Invoice, url: str, now_us: int, warnings: tuple[str, ...], translator: Translator
) -> InvoiceResponse:
    """Return an invoice; an open one past its expiry has the status "expired".

    `warnings`: codes, see `sigma.services.billing.payment_limits.list_warnings`.
    """
    return InvoiceResponse(
        id=invoice.id,
        number=str(invoice.number),
        status=invoice.status_at(now_us),
        url=url,
        amount=amount_response(invoice.amount),
        title=invoice.title,
        description=invoice.description,
        items=[ItemResponse(i.name, i.quantity, amount_response(i.price)) for i in invoice.items],
        ask=[_question_response(q) for q in invoice.questions],
        return_url=invoice.return_url or None,
        expires_at=_optional_datetime(invoice.expires_at_us),
        max_payments=invoice.max_payments,
        paid_count=invoice.paid_count,
        metadata=invoice.metadata,
        created_at=to_datetime(invoice.created_at_us),
        created_by=invoice.created_by,
        warnings=[InvoiceWarning(code, translator.t(f"api.warning.{code}")) for code in warnings],
    )


def payment_response(
    view: PaymentWithAnswers, base_url: str, translator: Translator
) -> PaymentResponse:
    """Return a payment with its answers; the failure text is in the translator's language."""
    payment = view.payment
    method = payment.method
    return PaymentResponse(
        id=payment.id,
        invoice_id=payment.invoice_id,
        status=payment.status,
        unknown=payment.is_outcome_unknown,
        amount=amount_response(payment.amount),
        refunded=amount_response(view.refunded),
        refunds=[
            PaymentRefund(r.id, amount_response(r.amount), r.status, r.origin) for r in view.refunds
        ],
        method=MethodResponse(method.kind, method.mask, method.brand) if method else None,
        answers=view.answers,
        answers_unreadable=view.are_answers_unreadable,
        receipt_url=None if view.is_receipt_hidden else receipt_url(payment, base_url),
        created_at=to_datetime(payment.created_at_us),
        captured_at=_optional_datetime(payment.captured_at_us),
        failure=_failure_response(payment.failure, payment_failure_text, translator),
        attention=payment.attention,
        provider=payment.provider,
        provider_id=payment.provider_id,
    )


def receipt_url(payment: Payment, base_url: str) -> str | None:
    """Return the public URL of the receipt, or None until the payment is captured."""
    return f"{base_url}/r/{payment.token}" if payment.status is PaymentStatus.CAPTURED else None


def refund_response(refund: Refund, translator: Translator) -> RefundResponse:
    """Return a refund; the failure text is in the translator's language."""
    return RefundResponse(
        id=refund.id,
        payment_id=refund.payment_id,
        invoice_id=refund.invoice_id,
        status=refund.status,
        origin=refund.origin,
        unknown=refund.is_outcome_unknown,
        amount=amount_response(refund.amount),
        reason=refund.reason,
        failure=_failure_response(refund.failure, refund_failure_text, translator),
        created_at=to_datetime(refund.created_at_us),
        finished_at=_optional_datetime(refund.finished_at_us),
        provider_id=refund.provider_id,
    )


def service_response(
    service: Service, base_url: str, slug: str | None, dialog_url: str
) -> ServiceResponse:
    """Return a service with its public URLs. `slug` is None when the shop has no public page."""
    has_page = slug is not None and service.is_visible
    return ServiceResponse(
        id=service.id,
        title=service.title,
        description=service.description,
        price=service.price_kind,
        amount=amount_response(service.amount) if service.amount else None,
        max_amount=amount_response(service.max_amount) if service.max_amount else None,
        price_unit=service.price_unit,
        category=service.category,
        external_id=service.external_id,
        visible=service.is_visible,
        photo_url=f"{base_url}/photos/{service.photo_id}" if service.photo_id else None,
        page_url=f"{base_url}/s/{slug}/{service.id}" if has_page else None,
        dialog_url=dialog_url or None,
        ask=[_question_response(q) for q in service.invoice_template.questions],
        expires_days=service.invoice_template.expires_days,
        return_url=service.invoice_template.return_url or None,
        created_at=to_datetime(service.created_at_us),
    )


def _failure_response(
    code: str, text: Callable[[str, Reader, Translator], str], translator: Translator
) -> Failure | None:
    return Failure(code, text(code, Reader.PROGRAM, translator)) if code else None
