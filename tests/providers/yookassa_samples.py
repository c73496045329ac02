"""YooKassa objects as in its API documentation; keyword arguments replace fields.

Source: https://yookassa.ru/developers/api
"""

from typing import Any

PAYMENT_ID = "2e0b0c1f-000f-5000-8000-18db351245c7"
REFUND_ID = "2e0c1a2b-0015-5000-a000-1f2e3d4c5b6a"


def rub(value: str) -> dict[str, str]:
    return {"value": value, "currency": "RUB"}


def pending(**more: Any) -> dict[str, Any]:
    body = {
        "id": PAYMENT_ID,
        "status": "pending",
        "paid": False,
        "amount": rub("1500.00"),
        "confirmation": {
            "type": "redirect",
            "confirmation_url": "https://yoomoney.ru/checkout/payments/v2/contract?orderId=1",
        },
        "created_at": "2026-11-24T10:53:29.072Z",
        "description": "Invoice 1042",
        "metadata": {"invoice": "1042", "payment": "pay_1"},
        "recipient": {"account_id": "100500", "gateway_id": "100700"},
        "refundable": False,
        "test": True,
    }
    return body | more


def card(**more: Any) -> dict[str, Any]:
    body = {
        "first6": "220000",
        "last4": "0004",
        "expiry_month": "12",
        "expiry_year": "2028",
        "card_type": "Mir",
        "issuer_country": "RU",
    }
    return {"type": "bank_card", "id": PAYMENT_ID, "saved": False, "card": body | more}


def succeeded(**more: Any) -> dict[str, Any]:
    body = pending(
        status="succeeded",
        paid=True,
        captured_at="2026-11-24T10:55:00.123Z",
        income_amount=rub("1447.50"),
        refunded_amount=rub("0.00"),
        refundable=True,
        payment_method=card(),
    )
    del body["confirmation"]
    return body | more


def canceled(party: str = "payment_network", reason: str = "general_decline") -> dict[str, Any]:
    details = {"party": party, "reason": reason}
    return pending(status="canceled", cancellation_details=details)


def refund(**more: Any) -> dict[str, Any]:
    body = {
        "id": REFUND_ID,
        "status": "succeeded",
        "payment_id": PAYMENT_ID,
        "amount": rub("500.00"),
        "created_at": "2026-11-25T09:00:00.000Z",
        "description": "Return of item 2 [ref_1]",
    }
    return body | more
