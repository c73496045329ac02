"""JSON of the bank's objects in the format of YooKassa API v3. No I/O.

Source: https://yookassa.ru/developers/api; tests check it with the official `yookassa` package.
"""

from sigma_sandbox import money, time_util
from sigma_sandbox.bank.store import Json, Payment, Receipt, Refund

BRAND_COUNTRY = {"Mir": "RU", "Visa": "US", "MasterCard": "US"}
RECEIPT_DELAY_US = time_util.SECOND_US


def amount_json(amount_minor: int, currency: str) -> Json:
    """Return `{"value": "1500.00", "currency": "RUB"}` for 150000 minor units."""
    return {"value": money.to_wire(amount_minor), "currency": currency}


def income_minor(payment: Payment) -> int:
    """Return the amount minus the 3.5 % commission (rounded half up), in minor units."""
    return payment.amount_minor - (payment.amount_minor * 35 + 500) // 1000


def checkout_url(base_url: str, payment: Payment) -> str:
    """Return the URL of the hosted card page."""
    return f"{base_url}/bank/checkout/{payment.id}"


def payment_json(payment: Payment, base_url: str, now_us: int) -> Json:
    """Return a payment object at the time `now_us` (UTC microseconds), as GET /payments/{id} does.

    Fields that do not apply to the current status are absent.
    """
    body: Json = {
        "id": payment.id,
        "status": payment.status,
        "amount": amount_json(payment.amount_minor, payment.currency),
        "created_at": time_util.to_wire(payment.created_at_us),
        "metadata": payment.metadata,
        "paid": payment.status in ("waiting_for_capture", "succeeded"),
        "recipient": {"account_id": payment.shop_id, "gateway_id": f"{payment.shop_id}1"},
        "refundable": payment.status == "succeeded"
        and payment.refunded_minor < payment.amount_minor,
        "test": True,
    }
    if payment.description is not None:
        body["description"] = payment.description
    if payment.customer_id is not None:
        body["merchant_customer_id"] = payment.customer_id
    if payment.status == "pending":
        body["confirmation"] = {
            "type": "redirect",
            "return_url": payment.return_url,
            "confirmation_url": checkout_url(base_url, payment),
        }
    if payment.card is not None:
        body["payment_method"] = _payment_method_json(payment)
    if payment.status == "waiting_for_capture" and payment.hold_until_us is not None:
        body["expires_at"] = time_util.to_wire(payment.hold_until_us)
    if payment.rrn is not None:
        body["authorization_details"] = {
            "rrn": payment.rrn,
            "auth_code": payment.auth_code,
            "three_d_secure": {"applied": payment.is_three_ds_passed},
        }
    if payment.captured_at_us is not None:
        body["captured_at"] = time_util.to_wire(payment.captured_at_us)
        body["income_amount"] = amount_json(income_minor(payment), payment.currency)
        body["refunded_amount"] = amount_json(payment.refunded_minor, payment.currency)
    if payment.cancel_reason is not None:
        body["cancellation_details"] = {
            "party": payment.cancel_party,
            "reason": payment.cancel_reason,
        }
    if payment.receipt is not None:
        registered_at_us = payment.captured_at_us and payment.captured_at_us + RECEIPT_DELAY_US
        body["receipt_registration"] = _registration_status(
            payment.status, registered_at_us, now_us
        )
    return body


def _payment_method_json(payment: Payment) -> Json:
    card = payment.card
    assert card is not None
    return {
        "type": "bank_card",
        "id": payment.method_id,
        "saved": False,
        "status": "inactive",
        "title": f"Bank card *{card.last4}",
        "card": {
            "first6": card.first6,
            "last4": card.last4,
            "expiry_year": card.expiry_year,
            "expiry_month": card.expiry_month,
            "card_type": card.brand,
            "issuer_country": BRAND_COUNTRY.get(card.brand, "RU"),
        },
    }


def _registration_status(status: str, registered_at_us: int | None, now_us: int) -> str:
    if status == "canceled":
        return "canceled"
    return "succeeded" if registered_at_us is not None and now_us >= registered_at_us else "pending"


def refund_json(refund: Refund, now_us: int) -> Json:
    """Return a refund object at the time `now_us` (UTC microseconds)."""
    body: Json = {
        "id": refund.id,
        "status": refund.status,
        "amount": amount_json(refund.amount_minor, refund.currency),
        "created_at": time_util.to_wire(refund.created_at_us),
        "payment_id": refund.payment_id,
    }
    if refund.description is not None:
        body["description"] = refund.description
    if refund.cancel_reason is not None:
        body["cancellation_details"] = {"party": "refund_network", "reason": refund.cancel_reason}
    if refund.receipt is not None:
        is_done = refund.status == "succeeded"
        registered_at_us = refund.created_at_us + RECEIPT_DELAY_US if is_done else None
        body["receipt_registration"] = _registration_status(refund.status, registered_at_us, now_us)
    return body


def receipt_json(receipt: Receipt, now_us: int) -> Json:
    """Return a receipt object at the time `now_us` (UTC microseconds).

    The fiscal fields are present once the receipt is registered.
    """
    body: Json = {
        "id": receipt.id,
        "type": receipt.type,
        "payment_id": receipt.payment_id,
        "status": "succeeded" if now_us >= receipt.registered_at_us else "pending",
        "items": receipt.body.get("items", []),
        "settlements": receipt.body.get("settlements", []),
    }
    if receipt.refund_id is not None:
        body["refund_id"] = receipt.refund_id
    if "tax_system_code" in receipt.body:
        body["tax_system_code"] = receipt.body["tax_system_code"]
    if body["status"] == "succeeded":
        body |= {
            "fiscal_document_number": str(1000 + receipt.number),
            "fiscal_storage_number": "9999078900000001",
            "fiscal_attribute": str(2_654_435_761 * receipt.number % 4_294_967_296).zfill(10),
            "registered_at": time_util.to_wire(receipt.registered_at_us),
            "fiscal_provider_id": f"sandbox-{receipt.number}",
        }
    return body
