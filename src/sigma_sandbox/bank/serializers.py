"""The bank's objects as YooKassa API v3 writes them, and its refusals. Pure.

Source: yookassa.ru/developers/api, checked with the official `yookassa` package.
"""

from typing import Any

from sigma_sandbox import money, time_util
from sigma_sandbox.bank.store import Json, Payment, Receipt, Refund

BRAND_COUNTRY = {"Mir": "RU", "Visa": "US", "MasterCard": "US"}
CURRENCIES = frozenset(
    ["RUB", "USD", "EUR", "BYN", "KZT", "UAH", "UZS", "TRY", "INR", "MDL", "AZN", "AMD"]
)
RECEIPT_TAKES = time_util.SECOND


class Refused(Exception):  # noqa: N818, it is an answer, not a fault
    """The API says no: an HTTP status, a code, the parameter and words for a programmer."""

    def __init__(self, status: int, code: str, description: str, parameter: str | None = None):
        super().__init__(description)
        self.status = status
        self.code = code
        self.description = description
        self.parameter = parameter


def invalid(description: str, parameter: str | None = None) -> Refused:
    """400 invalid_request."""
    return Refused(400, "invalid_request", description, parameter)


def error_json(refused: Refused, error_id: str) -> Json:
    """The error envelope."""
    body: Json = {"type": "error", "id": error_id, "code": refused.code}
    body["description"] = refused.description
    if refused.parameter:
        body["parameter"] = refused.parameter
    return body


def amount_json(minor: int, currency: str) -> Json:
    """{"value": "1500.00", "currency": "RUB"}."""
    return {"value": money.to_wire(minor), "currency": currency}


def income(payment: Payment) -> int:
    """The sum less the commission of 3.5 %, minor units; half a kopeck of commission rounds up."""
    return payment.amount - (payment.amount * 35 + 500) // 1000


def checkout_url(base_url: str, payment: Payment) -> str:
    """Where the payer enters the card."""
    return f"{base_url}/bank/checkout/{payment.id}"


def payment_json(payment: Payment, base_url: str, now: int) -> Json:
    """A payment object; fields appear as its life goes on."""
    body: Json = {
        "id": payment.id,
        "status": payment.status,
        "amount": amount_json(payment.amount, payment.currency),
        "created_at": time_util.to_wire(payment.created_at),
        "metadata": payment.metadata,
        "paid": payment.status in ("waiting_for_capture", "succeeded"),
        "recipient": {"account_id": payment.shop_id, "gateway_id": f"{payment.shop_id}1"},
        "refundable": payment.status == "succeeded" and payment.refunded < payment.amount,
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
        body["payment_method"] = _method_json(payment)
    if payment.status == "waiting_for_capture" and payment.hold_until is not None:
        body["expires_at"] = time_util.to_wire(payment.hold_until)
    if payment.rrn is not None:
        body["authorization_details"] = {
            "rrn": payment.rrn,
            "auth_code": payment.auth_code,
            "three_d_secure": {"applied": payment.three_ds},
        }
    if payment.captured_at is not None:
        body["captured_at"] = time_util.to_wire(payment.captured_at)
        body["income_amount"] = amount_json(income(payment), payment.currency)
        body["refunded_amount"] = amount_json(payment.refunded, payment.currency)
    if payment.cancel_reason is not None:
        body["cancellation_details"] = {
            "party": payment.cancel_party,
            "reason": payment.cancel_reason,
        }
    if payment.receipt is not None:
        done_at = payment.captured_at and payment.captured_at + RECEIPT_TAKES
        body["receipt_registration"] = _registration(payment.status, done_at, now)
    return body


def _method_json(payment: Payment) -> Json:
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


def _registration(status: str, done_at: int | None, now: int) -> str:
    if status == "canceled":
        return "canceled"
    return "succeeded" if done_at is not None and now >= done_at else "pending"


def refund_json(refund: Refund, now: int) -> Json:
    """A refund object."""
    body: Json = {
        "id": refund.id,
        "status": refund.status,
        "amount": amount_json(refund.amount, refund.currency),
        "created_at": time_util.to_wire(refund.created_at),
        "payment_id": refund.payment_id,
    }
    if refund.description is not None:
        body["description"] = refund.description
    if refund.cancel_reason is not None:
        body["cancellation_details"] = {"party": "refund_network", "reason": refund.cancel_reason}
    if refund.receipt is not None:
        done_at = refund.created_at + RECEIPT_TAKES if refund.status == "succeeded" else None
        body["receipt_registration"] = _registration(refund.status, done_at, now)
    return body


def receipt_json(receipt: Receipt, now: int) -> Json:
    """A receipt object; the fiscal fields appear once it is registered."""
    body: Json = {
        "id": receipt.id,
        "type": receipt.type,
        "payment_id": receipt.payment_id,
        "status": "succeeded" if now >= receipt.registers_at else "pending",
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
            "registered_at": time_util.to_wire(receipt.registers_at),
            "fiscal_provider_id": f"sandbox-{receipt.number}",
        }
    return body


def read_amount(body: Any, parameter: str = "amount") -> tuple[int, str]:
    """A sum that was sent, as minor units and currency. Raises Refused."""
    if not isinstance(body, dict):
        raise invalid("Amount is required", parameter)
    value, currency = body.get("value"), body.get("currency")
    minor = money.from_wire(value) if isinstance(value, str) else None
    if minor is None:
        raise invalid(
            "A decimal string with two digits after the point is expected", f"{parameter}.value"
        )
    if minor <= 0:
        raise invalid("Amount must be greater than zero", f"{parameter}.value")
    if currency not in CURRENCIES:
        raise invalid("Unknown currency", f"{parameter}.currency")
    return minor, currency
