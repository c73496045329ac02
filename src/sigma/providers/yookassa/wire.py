"""YooKassa's words and ours, both ways. Pure. Source: yookassa.ru/developers/api (v3).

What decides about money must be readable, or the answer is Unknown; what only decorates (card,
commission, moments) is left out when it is strange.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

from sigma.domain.billing import payment, refund
from sigma.domain.money import BadMoney, Money
from sigma.providers.base import (
    FoundRefund,
    Listed,
    NoticeRead,
    Order,
    ReceiptLine,
    RefundOrder,
    Rejected,
    Unknown,
)

MAX_DESCRIPTION = 128
MAX_METADATA_KEYS = 16
MAX_METADATA_VALUE = 512
MAX_NOTICE_BYTES = 262_144
MAX_DETAIL = 300
MAX_RETRY_AFTER_S = 3600.0
PAYMENT_KEY = "payment"  # where our payment's id lives in YooKassa's metadata

LOCALES = {"ru": "ru_RU", "en": "en_US"}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_EVENT = re.compile(r"[a-z_]{1,40}\.[a-z_]{1,40}", re.ASCII)
_WORD = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_BRAND = re.compile(r"[a-z0-9 _-]{1,32}", re.ASCII)
# A refund has no metadata, so our refund's id stands at the end of its description.
_OUR_REFUND = re.compile(r"\[([A-Za-z0-9_-]{1,64})\]$", re.ASCII)

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
# Nobody refused these: the merchant or the payer let go, or the time was up.
_LET_GO = {
    "canceled_by_merchant",
    "expired_on_confirmation",
    "expired_on_capture",
    "permission_revoked",
}
# HTTP status → our word. Any other 4xx is bad_request.
_REJECTIONS = {401: "credentials", 403: "forbidden", 404: "not_found", 410: "gone"}


# --- what we say ---


def payment_body(order: Order) -> dict[str, Any]:
    """The body of POST /payments. `capture` is always sent: left out, it would mean two stages."""
    assert len(order.metadata) < MAX_METADATA_KEYS
    metadata = {key: value[:MAX_METADATA_VALUE] for key, value in order.metadata.items()}
    body: dict[str, Any] = {
        "amount": amount_body(order.amount),
        "capture": not order.two_stage,
        "confirmation": {
            "type": "redirect",
            "return_url": order.return_url,
            "locale": LOCALES.get(order.locale, LOCALES["ru"]),
        },
        "metadata": metadata | {PAYMENT_KEY: order.payment_id},
    }
    if description := order.description.strip()[:MAX_DESCRIPTION]:
        body["description"] = description
    if order.receipt:
        body["receipt"] = _receipt(order)
    return body


def amount_body(amount: Money) -> dict[str, str]:
    """{"value": "1500.00", "currency": "RUB"}."""
    return {"value": amount.decimal(), "currency": amount.currency}


def refund_body(order: RefundOrder) -> dict[str, Any]:
    """The body of POST /refunds; the description ends with our refund's id in brackets."""
    return {
        "payment_id": order.provider_payment_id,
        "amount": amount_body(order.amount),
        "description": refund_description(order.refund_id, order.description),
    }


def refund_description(refund_id: str, text: str) -> str:
    """The owner's words, cut to leave room, and our id: "Не подошёл размер [ref_1]"."""
    mark = f"[{refund_id}]"
    assert _OUR_REFUND.fullmatch(mark)
    return f"{text.strip()[: MAX_DESCRIPTION - len(mark) - 1]} {mark}".strip()


def _receipt(order: Order) -> dict[str, Any]:
    customer = {"email": order.customer_email, "phone": order.customer_phone.removeprefix("+")}
    return {
        "customer": {key: value for key, value in customer.items() if value},
        "items": [_receipt_line(line) for line in order.receipt],
    }


def _receipt_line(line: ReceiptLine) -> dict[str, Any]:
    return {
        "description": line.name[:MAX_DESCRIPTION],
        "quantity": line.quantity,
        "amount": amount_body(line.price),
        "vat_code": line.vat_code,
        "payment_subject": line.subject,
        "payment_mode": line.mode,
    }


def moment_out(at_us: int, *, up: bool = False) -> str:
    """UTC microseconds as RFC 3339 with milliseconds, rounded down or up: a range never shrinks."""
    ms = -(-at_us // 1000) if up else at_us // 1000
    at = _EPOCH + timedelta(milliseconds=ms)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


# --- what they say ---


def is_id(text: object) -> bool:
    """Whether it can be an object's id at all, and so stand in an address."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def read_json(body: bytes) -> dict[str, Any]:
    """The answer as an object. Raises Unknown."""
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise Unknown("unreadable answer: not JSON") from None
    if not isinstance(said, dict):
        raise Unknown("unreadable answer: not an object")
    return said


def payment_reply(said: Mapping[str, Any]) -> payment.Reply:
    """A payment object. A status that we do not know is pending. Raises Unknown."""
    provider_id, status = _identity(said)
    event = _PAYMENT_EVENTS.get(status, payment.Event.PENDING)
    failure = ""
    if status == "canceled":
        event, failure = _canceled(_object(said, "cancellation_details"))
    must_name = event in (payment.Event.AUTHORIZED, payment.Event.CAPTURED)
    amount = _amount(said, "amount", required=must_name)
    captured_at = None
    if event is payment.Event.CAPTURED:
        captured_at = moment_in(said.get("captured_at"))
    return payment.Reply(
        provider_id=provider_id,
        event=event,
        amount=amount,
        confirmation_url=_web_url(_object(said, "confirmation").get("confirmation_url")),
        method=_method(_object(said, "payment_method")),
        failure=failure,
        captured_at=captured_at,
        income=_same_currency(_amount(said, "income_amount"), amount),
        refunded=_same_currency(_amount(said, "refunded_amount"), amount),
        our_id=_our_payment(said),
    )


def refund_reply(said: Mapping[str, Any]) -> FoundRefund:
    """A refund object with our own id from its description. Raises Unknown."""
    provider_id, status = _identity(said)
    event = _REFUND_EVENTS.get(status, refund.Event.PENDING)
    amount = _amount(said, "amount", required=event is refund.Event.SUCCEEDED)
    failure = ""
    if event is refund.Event.FAILED:
        failure = _word(_object(said, "cancellation_details").get("reason"))
    return FoundRefund(refund.Reply(provider_id, event, amount, failure), _our_refund(said))


def listed(said: Mapping[str, Any]) -> Listed:
    """A page of payments. Raises Unknown."""
    replies = tuple(payment_reply(item) for item in items(said))
    return Listed(replies, next_cursor(said))


def items(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The objects of a list. Raises Unknown."""
    found = said.get("items")
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Unknown("unreadable answer: not a list")
    return found


def next_cursor(said: Mapping[str, Any]) -> str | None:
    """Where the next page of a list begins; None at the end."""
    cursor = said.get("next_cursor")
    return cursor if isinstance(cursor, str) and cursor else None


def account_fact(said: Mapping[str, Any]) -> str:
    """GET /me in a few neutral words: "100500, test". Raises Unknown; Rejected when off."""
    account = said.get("account_id")
    if not is_id(account):
        raise Unknown("unreadable answer: no account")
    status = said.get("status", "enabled")
    if status != "enabled":
        raise Rejected("forbidden", f"status: {status}"[:MAX_DETAIL])
    return f"{account}, test" if said.get("test") is True else str(account)


def rejection(status: int, said: Mapping[str, Any]) -> Rejected:
    """A 4xx answer as a plain "no"."""
    detail, parameter = said.get("description"), said.get("parameter")
    return Rejected(
        _REJECTIONS.get(status, "bad_request"),
        detail[:MAX_DETAIL] if isinstance(detail, str) else "",
        parameter[:64] if isinstance(parameter, str) else "",
    )


def retry_after_s(said: object, header: str = "") -> float | None:
    """When to ask again: a 202's `retry_after` (milliseconds) or a Retry-After header (seconds)."""
    wanted = said.get("retry_after") if isinstance(said, dict) else None
    if type(wanted) is int and wanted >= 0:
        return min(wanted / 1000, MAX_RETRY_AFTER_S)
    if header.isascii() and header.isdecimal():
        return min(float(header), MAX_RETRY_AFTER_S)
    return None


def read_notice(body: bytes) -> NoticeRead:
    """A notice, of which nothing is believed but whom to ask about. Raises ValueError."""
    if len(body) > MAX_NOTICE_BYTES:
        raise ValueError("the notice is too large")
    try:
        said = read_json(body)
    except Unknown as unreadable:
        raise ValueError(str(unreadable)) from None
    event, thing = said.get("event"), said.get("object")
    if said.get("type") != "notification" or not isinstance(thing, dict):
        raise ValueError("not a notice")
    if not isinstance(event, str) or not _EVENT.fullmatch(event) or not is_id(thing.get("id")):
        raise ValueError("a notice without an event or an object")
    object_id = str(thing["id"])
    if event.startswith("payment."):
        return NoticeRead(event, object_id, "payment", object_id, _our_payment(thing))
    if event.startswith("refund."):
        if not is_id(thing.get("payment_id")):
            raise ValueError("a refund's notice without its payment")
        return NoticeRead(event, object_id, "refund", str(thing["payment_id"]), _our_refund(thing))
    return NoticeRead(event, object_id, "other")


def moment_in(said: object) -> int | None:
    """RFC 3339 to UTC microseconds; None when it cannot be read or has no offset."""
    if not isinstance(said, str):
        return None
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        return None
    return (at - _EPOCH) // _MICROSECOND if at.tzinfo else None


def _identity(said: Mapping[str, Any]) -> tuple[str, str]:
    provider_id, status = said.get("id"), said.get("status")
    if not is_id(provider_id) or not isinstance(status, str):
        raise Unknown("unreadable answer: no id or status")
    return str(provider_id), status


def _object(said: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = said.get(key)
    return inner if isinstance(inner, dict) else {}


def _amount(said: Mapping[str, Any], key: str, *, required: bool = False) -> Money | None:
    """The named amount. None: not named, or named but no Money of ours (a currency we never take).

    Raises Unknown when it is required and there is nothing that reads as an amount.
    """
    named = _object(said, key)
    value, currency = named.get("value"), named.get("currency")
    try:
        if isinstance(value, str) and isinstance(currency, str):
            return Money.parse(value, currency)
    except BadMoney as bad:
        if bad.code != "money_format":
            return None
    if required:
        raise Unknown(f"unreadable answer: no {key}")
    return None


def _same_currency(part: Money | None, whole: Money | None) -> Money | None:
    if part is None or whole is None or part.currency != whole.currency:
        return None
    return part


def _canceled(details: Mapping[str, Any]) -> tuple[payment.Event, str]:
    reason = _word(details.get("reason"))
    if reason in _LET_GO or details.get("party") == "merchant":
        return payment.Event.CANCELED, reason
    return payment.Event.FAILED, reason


def _word(said: object) -> str:
    return said if isinstance(said, str) and _WORD.fullmatch(said) else "unknown"


def _method(said: Mapping[str, Any]) -> payment.Method | None:
    kind = said.get("type")
    if not isinstance(kind, str) or not _WORD.fullmatch(kind):
        return None
    if kind != "bank_card":
        return payment.Method(kind=kind)
    card = _object(said, "card")
    brand = str(card.get("card_type", "")).lower()
    return payment.Method("card", _mask(card), brand if _BRAND.fullmatch(brand) else "")


def _mask(card: Mapping[str, Any]) -> str:
    """As 220000******0004. Anything but six and four digits is left out: what else may it be?"""
    first, last = (str(card.get(part, "")) for part in ("first6", "last4"))
    if not re.fullmatch(r"\d{4}", last, re.ASCII):
        return ""
    return (first if re.fullmatch(r"\d{6}", first, re.ASCII) else "******") + "******" + last


def _web_url(said: object) -> str:
    """Only where a browser may be sent: http(s) with a host."""
    if not isinstance(said, str) or not said.isprintable() or " " in said or len(said) > 2048:
        return ""
    try:
        parts = urlsplit(said)
    except ValueError:
        return ""
    return said if parts.scheme in ("http", "https") and parts.hostname else ""


def _our_payment(said: Mapping[str, Any]) -> str:
    ours = _object(said, "metadata").get(PAYMENT_KEY)
    return ours if isinstance(ours, str) and is_id(ours) else ""


def _our_refund(said: Mapping[str, Any]) -> str:
    description = said.get("description")
    found = _OUR_REFUND.search(description) if isinstance(description, str) else None
    return found.group(1) if found else ""
