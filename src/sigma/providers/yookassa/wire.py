"""Translation between YooKassa's JSON and our types. Pure functions.

Source: https://yookassa.ru/developers/api (v3). A field that decides about money must be readable,
otherwise UnknownOutcomeError is raised; an unreadable optional field (card, commission, times) is
left out.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

from sigma.domain.billing import payment, refund
from sigma.domain.money import Money, MoneyError
from sigma.providers.base import (
    AcquirerRefund,
    FiscalItem,
    PaymentPage,
    PaymentRequest,
    RefundPage,
    RefundRequest,
    RejectedError,
    UnknownOutcomeError,
)

MAX_DESCRIPTION = 128  # characters, as the other text limits
MAX_METADATA_KEYS = 16
MAX_METADATA_VALUE = 512
MAX_DETAIL = 300
MAX_RETRY_AFTER_S = 3600.0
PAYMENT_ID_KEY = "payment"  # key of our payment id in YooKassa's metadata
INVOICE_ID_KEY = "invoice"  # key of our invoice id, sent by the service that starts a payment

LOCALES = {"ru": "ru_RU", "en": "en_US"}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_CODE_PATTERN = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_BRAND_PATTERN = re.compile(r"[a-z0-9 _-]{1,32}", re.ASCII)
# A refund has no metadata, so our refund id stands at the end of its description.
_REFUND_ID_PATTERN = re.compile(r"\[([A-Za-z0-9_-]{1,64})\]$", re.ASCII)

_PAYMENT_EVENTS = {
    "pending": payment.Event.PENDING,
    "waiting_for_capture": payment.Event.AUTHORIZED,
    "succeeded": payment.Event.CAPTURED,
}
_REFUND_EVENTS = {
    "pending": refund.Event.PENDING,
    "succeeded": refund.Event.SUCCEEDED,
    "canceled": refund.Event.FAILED,
}
# Cancellation reasons that are not a decline: canceled by the merchant or payer, or expired.
_CANCELED_REASONS = {
    "canceled_by_merchant",
    "expired_on_confirmation",
    "expired_on_capture",
    "permission_revoked",
}
# HTTP status → RejectedError.code. Any other 4xx is bad_request.
_REJECTION_CODES = {401: "credentials", 403: "forbidden", 404: "not_found", 410: "gone"}


# --- requests ---


def payment_body(request: PaymentRequest) -> dict[str, Any]:
    """Return the body of POST /payments. `capture` is always sent: without it YooKassa assumes two
    stages.
    """
    assert len(request.metadata) < MAX_METADATA_KEYS
    metadata = {key: value[:MAX_METADATA_VALUE] for key, value in request.metadata.items()}
    body: dict[str, Any] = {
        "amount": amount_body(request.amount),
        "capture": not request.two_stage,
        "confirmation": {
            "type": "redirect",
            "return_url": request.return_url,
            "locale": LOCALES.get(request.locale, LOCALES["ru"]),
        },
        "metadata": metadata | {PAYMENT_ID_KEY: request.payment_id},
    }
    if description := request.description.strip()[:MAX_DESCRIPTION]:
        body["description"] = description
    if request.fiscal_items:
        body["receipt"] = _fiscal_receipt(request)
    return body


def amount_body(amount: Money) -> dict[str, str]:
    """Return {"value": "1500.00", "currency": "RUB"}."""
    return {"value": amount.to_decimal_text(), "currency": amount.currency}


def refund_body(request: RefundRequest) -> dict[str, Any]:
    """Return the body of POST /refunds; the description ends with our refund id in brackets."""
    return {
        "payment_id": request.provider_payment_id,
        "amount": amount_body(request.amount),
        "description": refund_description(request.refund_id, request.description),
    }


def refund_description(refund_id: str, text: str) -> str:
    """Return the reason, cut to MAX_DESCRIPTION, and our id: "Не подошёл размер [ref_1]"."""
    suffix = f"[{refund_id}]"
    assert _REFUND_ID_PATTERN.fullmatch(suffix)
    return f"{text.strip()[: MAX_DESCRIPTION - len(suffix) - 1]} {suffix}".strip()


def _fiscal_receipt(request: PaymentRequest) -> dict[str, Any]:
    customer = {"email": request.customer_email, "phone": request.customer_phone.removeprefix("+")}
    return {
        "customer": {key: value for key, value in customer.items() if value},
        "items": [_fiscal_item(item) for item in request.fiscal_items],
    }


def _fiscal_item(item: FiscalItem) -> dict[str, Any]:
    return {
        "description": item.name[:MAX_DESCRIPTION],
        "quantity": item.quantity,
        "amount": amount_body(item.price),
        "vat_code": item.vat_code,
        "payment_subject": item.payment_subject,
        "payment_mode": item.payment_mode,
    }


def format_time(at_us: int, *, round_up: bool = False) -> str:
    """Return UTC microseconds as RFC 3339 with milliseconds, rounded down or up.

    Round the end of a range up, so that the range never shrinks.
    """
    ms = -(-at_us // 1000) if round_up else at_us // 1000
    at = _EPOCH + timedelta(milliseconds=ms)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


# --- answers ---


def is_object_id(text: object) -> bool:
    """Return whether a value has the form of an object id and is safe in a URL path."""
    return isinstance(text, str) and _ID_PATTERN.fullmatch(text) is not None


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object. Raises UnknownOutcomeError."""
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise UnknownOutcomeError("unreadable answer: not JSON") from None
    if not isinstance(data, dict):
        raise UnknownOutcomeError("unreadable answer: not an object")
    return data


def payment_reply(data: Mapping[str, Any]) -> payment.PaymentReply:
    """Translate a payment object. An unknown status means pending. Raises UnknownOutcomeError."""
    provider_id, status = _id_and_status(data)
    event = _PAYMENT_EVENTS.get(status, payment.Event.PENDING)
    failure = ""
    if status == "canceled":
        event, failure = _cancellation(_nested_object(data, "cancellation_details"))
    has_money = event in (payment.Event.AUTHORIZED, payment.Event.CAPTURED)
    amount = _amount(data, "amount", required=has_money)
    captured_at_us = None
    if event is payment.Event.CAPTURED:
        captured_at_us = parse_time(data.get("captured_at"))
    return payment.PaymentReply(
        provider_id=provider_id,
        event=event,
        amount=amount,
        confirmation_url=_web_url(_nested_object(data, "confirmation").get("confirmation_url")),
        method=_payment_method(_nested_object(data, "payment_method")),
        failure=failure,
        captured_at_us=captured_at_us,
        income=_same_currency(_amount(data, "income_amount"), amount),
        refunded=_same_currency(_amount(data, "refunded_amount"), amount),
        payment_id=metadata_id(data, PAYMENT_ID_KEY),
        invoice_id=metadata_id(data, INVOICE_ID_KEY),
        created_at_us=parse_time(data.get("created_at")),
    )


def refund_reply(data: Mapping[str, Any]) -> AcquirerRefund:
    """Translate a refund object, with our id from its description. Raises UnknownOutcomeError."""
    provider_id, status = _id_and_status(data)
    event = _REFUND_EVENTS.get(status, refund.Event.PENDING)
    amount = _amount(data, "amount", required=event is refund.Event.SUCCEEDED)
    failure = ""
    if event is refund.Event.FAILED:
        failure = _reason_code(_nested_object(data, "cancellation_details").get("reason"))
    created_at_us = parse_time(data.get("created_at"))
    reply = refund.RefundReply(provider_id, event, amount, failure, created_at_us)
    payment_provider_id = data.get("payment_id")
    return AcquirerRefund(
        reply,
        described_refund_id(data),
        str(payment_provider_id) if is_object_id(payment_provider_id) else "",
    )


def payment_page(data: Mapping[str, Any]) -> PaymentPage:
    """Translate a page of payments. Raises UnknownOutcomeError."""
    replies = tuple(payment_reply(item) for item in list_items(data))
    return PaymentPage(replies, next_cursor(data))


def refund_page(data: Mapping[str, Any]) -> RefundPage:
    """Translate a page of refunds. Raises UnknownOutcomeError."""
    return RefundPage(tuple(map(refund_reply, list_items(data))), next_cursor(data))


def list_items(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the objects of a list answer. Raises UnknownOutcomeError."""
    objects = data.get("items")
    if not isinstance(objects, list) or not all(isinstance(item, dict) for item in objects):
        raise UnknownOutcomeError("unreadable answer: not a list")
    return objects


def next_cursor(data: Mapping[str, Any]) -> str | None:
    """Return the cursor of the next page of a list; None on the last page."""
    cursor = data.get("next_cursor")
    return cursor if isinstance(cursor, str) and cursor else None


def account_label(data: Mapping[str, Any]) -> str:
    """Return the label of a GET /me answer: "100500, test".

    Raises UnknownOutcomeError; RejectedError("forbidden") when the account is not enabled.
    """
    account = data.get("account_id")
    if not is_object_id(account):
        raise UnknownOutcomeError("unreadable answer: no account")
    status = data.get("status", "enabled")
    if status != "enabled":
        raise RejectedError("forbidden", f"status: {status}"[:MAX_DETAIL])
    return f"{account}, test" if data.get("test") is True else str(account)


def rejection(status: int, data: Mapping[str, Any]) -> RejectedError:
    """Translate a 4xx answer."""
    detail, parameter = data.get("description"), data.get("parameter")
    return RejectedError(
        _REJECTION_CODES.get(status, "bad_request"),
        detail[:MAX_DETAIL] if isinstance(detail, str) else "",
        parameter[:64] if isinstance(parameter, str) else "",
    )


def retry_after_s(data: object, header: str = "") -> float | None:
    """Return the requested delay, at most MAX_RETRY_AFTER_S; None when there is none.

    It is `retry_after` in the body of a 202 (milliseconds) or the Retry-After header (seconds).
    """
    delay_ms = data.get("retry_after") if isinstance(data, dict) else None
    if type(delay_ms) is int and delay_ms >= 0:
        return min(delay_ms / 1000, MAX_RETRY_AFTER_S)
    if header.isascii() and header.isdecimal():
        return min(float(header), MAX_RETRY_AFTER_S)
    return None


def metadata_id(data: Mapping[str, Any], key: str) -> str:
    """Return one of our ids from the metadata; empty when it is missing or malformed."""
    our_id = _nested_object(data, "metadata").get(key)
    return our_id if isinstance(our_id, str) and is_object_id(our_id) else ""


def described_refund_id(data: Mapping[str, Any]) -> str:
    """Return our refund id from the end of a refund's description; empty when it has none."""
    description = data.get("description")
    match = _REFUND_ID_PATTERN.search(description) if isinstance(description, str) else None
    return match.group(1) if match else ""


def parse_time(data: object) -> int | None:
    """Parse RFC 3339 to UTC microseconds; None when it is unreadable or has no offset."""
    if not isinstance(data, str):
        return None
    try:
        at = datetime.fromisoformat(data)
    except ValueError:
        return None
    return (at - _EPOCH) // _MICROSECOND if at.tzinfo else None


def _id_and_status(data: Mapping[str, Any]) -> tuple[str, str]:
    provider_id, status = data.get("id"), data.get("status")
    if not is_object_id(provider_id) or not isinstance(status, str):
        raise UnknownOutcomeError("unreadable answer: no id or status")
    return str(provider_id), status


def _nested_object(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = data.get(key)
    return inner if isinstance(inner, dict) else {}


def _amount(data: Mapping[str, Any], key: str, *, required: bool = False) -> Money | None:
    """Return the amount in a field. None: it is missing, or Money does not support it (currency).

    Raises UnknownOutcomeError when it is required and not readable as an amount.
    """
    field = _nested_object(data, key)
    value, currency = field.get("value"), field.get("currency")
    try:
        if isinstance(value, str) and isinstance(currency, str):
            return Money.parse(value, currency)
    except MoneyError as error:
        if error.code != "money_format":
            return None
    if required:
        raise UnknownOutcomeError(f"unreadable answer: no {key}")
    return None


def _same_currency(part: Money | None, whole: Money | None) -> Money | None:
    if part is None or whole is None or part.currency != whole.currency:
        return None
    return part


def _cancellation(details: Mapping[str, Any]) -> tuple[payment.Event, str]:
    reason = _reason_code(details.get("reason"))
    if reason in _CANCELED_REASONS or details.get("party") == "merchant":
        return payment.Event.CANCELED, reason
    return payment.Event.FAILED, reason


def _reason_code(data: object) -> str:
    return data if isinstance(data, str) and _CODE_PATTERN.fullmatch(data) else "unknown"


def _payment_method(data: Mapping[str, Any]) -> payment.PaymentMethod | None:
    kind = data.get("type")
    if not isinstance(kind, str) or not _CODE_PATTERN.fullmatch(kind):
        return None
    if kind != "bank_card":
        return payment.PaymentMethod(kind=kind)
    card = _nested_object(data, "card")
    brand = str(card.get("card_type", "")).lower()
    return payment.PaymentMethod(
        "card", _card_mask(card), brand if _BRAND_PATTERN.fullmatch(brand) else ""
    )


def _card_mask(card: Mapping[str, Any]) -> str:
    """Return 220000******0004; empty without the last four digits.

    Anything but six and four digits is dropped: longer values could be a card number.
    """
    first, last = (str(card.get(part, "")) for part in ("first6", "last4"))
    if not re.fullmatch(r"\d{4}", last, re.ASCII):
        return ""
    return (first if re.fullmatch(r"\d{6}", first, re.ASCII) else "******") + "******" + last


def _web_url(data: object) -> str:
    """Return an http(s) URL with a host, to which a browser may be redirected; else empty."""
    if not isinstance(data, str) or not data.isprintable() or " " in data or len(data) > 2048:
        return ""
    try:
        parts = urlsplit(data)
    except ValueError:
        return ""
    return data if parts.scheme in ("http", "https") and parts.hostname else ""
