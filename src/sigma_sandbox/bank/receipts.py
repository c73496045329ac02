"""Simulated fiscal receipts: registered a second later, with made-up fiscal signs."""

from sigma_sandbox.bank import request_validation
from sigma_sandbox.bank.serializers import RECEIPT_TAKES, Refused, invalid
from sigma_sandbox.bank.store import Bank, Json, Payment, Receipt, Refund, Shop


def create(bank: Bank, shop: Shop, body: Json) -> Receipt:
    """A separate receipt: POST /receipts. Raises Refused."""
    kind = body.get("type")
    if kind not in ("payment", "refund"):
        raise invalid("payment or refund is expected", "type")
    if not body.get("settlements"):
        raise invalid("Settlements are required", "settlements")
    request_validation.receipt(body, None, "receipt")
    refund = bank.refunds.get(str(body.get("refund_id")))
    payment_id = refund.payment_id if refund else str(body.get("payment_id"))
    payment = bank.payments.get(payment_id)
    if payment is None or payment.shop_id != shop.id:
        raise Refused(404, "not_found", "No such payment", f"{kind}_id")
    return _register(bank, kind, payment, refund, body)


def register_payment(bank: Bank, payment: Payment) -> None:
    """The receipt that came inside a payment, registered when the money is taken."""
    if payment.receipt is not None:
        _register(bank, "payment", payment, None, payment.receipt)


def register_refund(bank: Bank, refund: Refund) -> None:
    """The receipt that came inside a refund, registered when the money goes back."""
    if refund.receipt is not None:
        payment = bank.payments[refund.payment_id]
        _register(bank, "refund", payment, refund, refund.receipt)


def _register(
    bank: Bank, kind: str, payment: Payment, refund: Refund | None, body: Json
) -> Receipt:
    now = bank.now(payment.shop_id)
    return bank.put_receipt(
        Receipt(
            id=f"rt-{bank.new_id(payment.shop_id, '0016-5000-9000')}",
            shop_id=payment.shop_id,
            type=kind,
            payment_id=payment.id,
            refund_id=refund.id if refund else None,
            body=body,
            created_at=now,
            registers_at=now + RECEIPT_TAKES,
            number=len(bank.receipts) + 1,
        )
    )
