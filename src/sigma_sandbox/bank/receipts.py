"""Simulated fiscal receipts: registered one second later, with made-up fiscal attributes."""

from sigma_sandbox.bank import request_validation
from sigma_sandbox.bank.errors import ApiError, invalid_request
from sigma_sandbox.bank.serializers import RECEIPT_DELAY_US
from sigma_sandbox.bank.store import Bank, Json, Payment, Receipt, Refund, Shop


def create(bank: Bank, shop: Shop, body: Json) -> Receipt:
    """Create a separate receipt (POST /receipts).

    Raises ApiError: 400 for malformed data, 404 for an unknown payment.
    """
    kind = body.get("type")
    if kind not in ("payment", "refund"):
        raise invalid_request("payment or refund is expected", "type")
    if not body.get("settlements"):
        raise invalid_request("Settlements are required", "settlements")
    request_validation.parse_receipt(body, None, "receipt")
    refund = bank.refunds.get(str(body.get("refund_id")))
    payment_id = refund.payment_id if refund else str(body.get("payment_id"))
    payment = bank.payments.get(payment_id)
    if payment is None or payment.shop_id != shop.id:
        raise ApiError(404, "not_found", "No such payment", f"{kind}_id")
    return _register(bank, kind, payment, refund, body)


def register_payment_receipt(bank: Bank, payment: Payment) -> None:
    """Register the receipt sent with a payment, if any, when the payment is captured."""
    if payment.receipt is not None:
        _register(bank, "payment", payment, None, payment.receipt)


def register_refund_receipt(bank: Bank, refund: Refund) -> None:
    """Register the receipt sent with a refund, if any, when the refund succeeds."""
    if refund.receipt is not None:
        payment = bank.payments[refund.payment_id]
        _register(bank, "refund", payment, refund, refund.receipt)


def _register(
    bank: Bank, kind: str, payment: Payment, refund: Refund | None, body: Json
) -> Receipt:
    now_us = bank.now_us(payment.shop_id)
    return bank.put_receipt(
        Receipt(
            id=f"rt-{bank.new_id(payment.shop_id, '0016-5000-9000')}",
            shop_id=payment.shop_id,
            type=kind,
            payment_id=payment.id,
            refund_id=refund.id if refund else None,
            body=body,
            created_at_us=now_us,
            registered_at_us=now_us + RECEIPT_DELAY_US,
            number=len(bank.receipts) + 1,
        )
    )
