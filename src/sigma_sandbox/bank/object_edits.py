"""Edits of the bank's objects without a notice to the merchant: lose, add and change them.

`POST /control/objects` calls `apply`. No notice is sent, so a merchant learns of an edit only by
comparing its own records with the bank's lists:

    {"shop": "100500",
     "lose": ["{id of a payment or refund}"],
     "change": {"{id}": {"status": "canceled", "amount": {"value": "1.00", "currency": "RUB"}}},
     "add": {"payments": [{"amount": {…}, "metadata": {"payment": "pay_…"}}],
             "refunds": [{"payment_id": "…", "amount": {…}}]}}
"""

from typing import Any

from msgspec.structs import replace

from sigma_sandbox import time_util
from sigma_sandbox.bank.errors import ApiError, invalid_request
from sigma_sandbox.bank.payments import CONFIRM_TERM_US, HOLD_TERM_US
from sigma_sandbox.bank.request_validation import parse_amount, parse_description, parse_metadata
from sigma_sandbox.bank.serializers import payment_json, refund_json
from sigma_sandbox.bank.store import Bank, Json, Payment, Refund

PAYMENT_STATUSES = ("pending", "waiting_for_capture", "succeeded", "canceled")
REFUND_STATUSES = ("pending", "succeeded", "canceled")
RETURN_URL = "http://localhost/"
CANCEL_REASON = "general_decline"


def apply(bank: Bank, body: Json) -> Json:
    """Apply the edits of a request body: first `lose`, then `change`, then `add`.

    Returns the added objects as `{"payments": […], "refunds": […]}`. Raises ApiError for an
    unknown object or a malformed field; earlier edits of the same body then stay.
    """
    shop_id = body.get("shop")
    if not isinstance(shop_id, str) or not shop_id:
        raise invalid_request("The id of a shop is expected", "shop")
    if unknown := body.keys() - {"shop", "lose", "change", "add"}:
        raise invalid_request("lose, change and add are known", min(unknown))
    bank.get_or_create_shop(shop_id)
    for object_id in _parse_list(body.get("lose"), "lose"):
        _lose(bank, shop_id, str(object_id))
    for object_id, fields in _parse_object(body.get("change"), "change").items():
        _change(bank, shop_id, object_id, _parse_object(fields, "change"))
    added = _parse_object(body.get("add"), "add")
    now_us = bank.now_us(shop_id)
    payments = [
        _add_payment(bank, shop_id, _parse_object(fields, "add.payments"))
        for fields in _parse_list(added.get("payments"), "add.payments")
    ]
    refunds = [
        _add_refund(bank, shop_id, _parse_object(fields, "add.refunds"))
        for fields in _parse_list(added.get("refunds"), "add.refunds")
    ]
    return {
        "payments": [payment_json(payment, bank.base_url, now_us) for payment in payments],
        "refunds": [refund_json(refund, now_us) for refund in refunds],
    }


def _lose(bank: Bank, shop_id: str, object_id: str) -> None:
    found = _find(bank, shop_id, object_id)
    if isinstance(found, Payment):
        bank.delete_payment(found)
    else:
        bank.delete_refund(found)
        _recount_refunded(bank, found.payment_id)


def _change(bank: Bank, shop_id: str, object_id: str, fields: Json) -> None:
    found = _find(bank, shop_id, object_id)
    if isinstance(found, Payment):
        bank.put_payment(_edited_payment(found, fields, bank.now_us(shop_id)))
    else:
        bank.put_refund(_edited_refund(found, fields))
        _recount_refunded(bank, found.payment_id)


def _add_payment(bank: Bank, shop_id: str, fields: Json) -> Payment:
    amount_minor, currency = parse_amount(fields.get("amount"))
    created_at_us = _parse_time(fields, bank.now_us(shop_id))
    blank = Payment(
        id=bank.new_id(shop_id),
        shop_id=shop_id,
        status="pending",
        amount_minor=amount_minor,
        currency=currency,
        capture=True,
        created_at_us=created_at_us,
        return_url=RETURN_URL,
        confirm_until_us=created_at_us + CONFIRM_TERM_US,
    )
    return bank.put_payment(_edited_payment(blank, {"status": "succeeded"} | fields, created_at_us))


def _add_refund(bank: Bank, shop_id: str, fields: Json) -> Refund:
    payment_id = str(fields.get("payment_id"))
    if not isinstance(_find(bank, shop_id, payment_id), Payment):
        raise invalid_request("The id of a payment is expected", "payment_id")
    amount_minor, currency = parse_amount(fields.get("amount"))
    blank = Refund(
        id=bank.new_id(shop_id, "0015-5000-a000"),
        shop_id=shop_id,
        payment_id=payment_id,
        status="succeeded",
        amount_minor=amount_minor,
        currency=currency,
        created_at_us=_parse_time(fields, bank.now_us(shop_id)),
        polls_left=-1,
    )
    refund = bank.put_refund(_edited_refund(blank, fields))
    _recount_refunded(bank, payment_id)
    return refund


def _edited_payment(payment: Payment, fields: Json, now_us: int) -> Payment:
    """Return the payment with new fields; times and reasons follow from the status."""
    status = _parse_status(fields, payment.status, PAYMENT_STATUSES)
    is_captured, is_canceled = status == "succeeded", status == "canceled"
    edited = replace(
        payment,
        status=status,
        description=parse_description(fields) or payment.description,
        hold_until_us=now_us + HOLD_TERM_US if status == "waiting_for_capture" else None,
        captured_at_us=(payment.captured_at_us or now_us) if is_captured else None,
        canceled_at_us=now_us if is_canceled else None,
        cancel_party="yoo_money" if is_canceled else None,
        cancel_reason=CANCEL_REASON if is_canceled else None,
    )
    if "metadata" in fields:
        edited = replace(edited, metadata=parse_metadata(fields["metadata"]))
    if "amount" in fields:
        amount_minor, currency = parse_amount(fields["amount"])
        edited = replace(edited, amount_minor=amount_minor, currency=currency)
    return edited


def _edited_refund(refund: Refund, fields: Json) -> Refund:
    """Return the refund with new fields."""
    status = _parse_status(fields, refund.status, REFUND_STATUSES)
    edited = replace(
        refund,
        status=status,
        description=parse_description(fields) or refund.description,
        cancel_reason=CANCEL_REASON if status == "canceled" else None,
    )
    if "amount" in fields:
        amount_minor, currency = parse_amount(fields["amount"])
        edited = replace(edited, amount_minor=amount_minor, currency=currency)
    return edited


def _recount_refunded(bank: Bank, payment_id: str) -> None:
    payment = bank.payments.get(payment_id)
    if payment is not None:
        refunded_minor = sum(
            r.amount_minor for r in bank.list_refunds(payment_id) if r.status == "succeeded"
        )
        bank.put_payment(replace(payment, refunded_minor=refunded_minor))


def _find(bank: Bank, shop_id: str, object_id: str) -> Payment | Refund:
    found = bank.payments.get(object_id) or bank.refunds.get(object_id)
    if found is None or found.shop_id != shop_id:
        raise ApiError(404, "not_found", f"No such object: {object_id}", "id")
    return found


def _parse_status(fields: Json, default: str, known: tuple[str, ...]) -> str:
    status = fields.get("status", default)
    if status not in known:
        raise invalid_request(f"One of {', '.join(known)}", "status")
    return str(status)


def _parse_time(fields: Json, default_us: int) -> int:
    if "created_at" not in fields:
        return default_us
    time_us = time_util.from_wire(str(fields["created_at"]))
    if time_us is None:
        raise invalid_request("An ISO 8601 time is expected", "created_at")
    return time_us


def _parse_list(raw: Any, parameter: str) -> list[Any]:
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise invalid_request("A list is expected", parameter)
    return raw


def _parse_object(raw: Any, parameter: str) -> Json:
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise invalid_request("An object is expected", parameter)
    return raw
