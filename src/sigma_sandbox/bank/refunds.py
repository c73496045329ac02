"""Refund operations. A refund succeeds at once; `/control` can delay or decline it."""

from msgspec.structs import replace

from sigma_sandbox.bank import receipts, request_validation
from sigma_sandbox.bank.errors import ApiError, invalid_request
from sigma_sandbox.bank.request_validation import parse_amount
from sigma_sandbox.bank.serializers import refund_json
from sigma_sandbox.bank.store import Bank, Json, Payment, Refund, Shop
from sigma_sandbox.faults import Effect


def create(bank: Bank, shop: Shop, body: Json) -> Refund:
    """Create a refund (POST /refunds) and settle it unless it must stay pending.

    Raises ApiError unless the payment succeeded and the amount is at most what is left of it, with
    pending refunds subtracted.
    """
    payment = bank.payments.get(str(body.get("payment_id")))
    if payment is None or payment.shop_id != shop.id:
        raise ApiError(404, "not_found", "No such payment", "payment_id")
    amount_minor, currency = parse_amount(body.get("amount"))
    if payment.status != "succeeded":
        raise invalid_request(
            f"Payment is {payment.status}: only succeeded can be refunded", "payment_id"
        )
    if currency != payment.currency:
        raise invalid_request("Currency must match the payment", "amount.currency")
    reserved_minor = sum(
        r.amount_minor for r in bank.list_refunds(payment.id) if r.status == "pending"
    )
    if amount_minor > payment.amount_minor - payment.refunded_minor - reserved_minor:
        raise invalid_request("Amount exceeds what is left of the payment", "amount.value")
    refund = Refund(
        id=bank.new_id(shop.id, "0015-5000-a000"),
        shop_id=shop.id,
        payment_id=payment.id,
        status="pending",
        amount_minor=amount_minor,
        currency=currency,
        created_at_us=bank.now_us(shop.id),
        description=request_validation.parse_description(body),
        receipt=request_validation.parse_receipt(body.get("receipt"), amount_minor),
        polls_left=bank.faults.consume(Effect.REFUND_PENDING, "refund", shop.id) or 0,
        outcome=bank.faults.consume(Effect.REFUND_DECLINE, "refund", shop.id) or "succeeded",
    )
    bank.put_refund(refund)
    return refund if refund.polls_left else settle(bank, refund, refund.outcome)


def charge_back(bank: Bank, payment: Payment, body: Json) -> Payment:
    """Take money back at the demand of the payer's bank (a chargeback).

    The payment's refunded amount grows; no refund is created and no notice is sent, because
    YooKassa documents neither for a chargeback. Raises ApiError like `create`.
    """
    if payment.status != "succeeded":
        raise invalid_request(f"Payment is {payment.status}: only succeeded can be charged back")
    amount_minor, currency = parse_amount(body.get("amount"))
    if currency != payment.currency:
        raise invalid_request("Currency must match the payment", "amount.currency")
    if amount_minor > payment.amount_minor - payment.refunded_minor:
        raise invalid_request("Amount exceeds what is left of the payment", "amount.value")
    return bank.put_payment(replace(payment, refunded_minor=payment.refunded_minor + amount_minor))


def poll(bank: Bank, refund: Refund) -> Refund:
    """Count one read of a pending refund; when no polls are left, settle it."""
    if refund.status != "pending" or refund.polls_left < 0:
        return refund
    if refund.polls_left == 0:
        return settle(bank, refund, refund.outcome)
    return bank.put_refund(replace(refund, polls_left=refund.polls_left - 1))


def settle(bank: Bank, refund: Refund, outcome: str) -> Refund:
    """End a pending refund. `outcome` is "succeeded" or a cancellation reason.

    YooKassa has no event for a canceled refund, so no notice is sent for it.
    """
    if refund.status != "pending":
        return refund
    if outcome != "succeeded":
        return bank.put_refund(replace(refund, status="canceled", cancel_reason=outcome))
    payment = bank.payments[refund.payment_id]
    bank.put_payment(replace(payment, refunded_minor=payment.refunded_minor + refund.amount_minor))
    refund = bank.put_refund(replace(refund, status="succeeded"))
    receipts.register_refund_receipt(bank, refund)
    shop = bank.get_or_create_shop(refund.shop_id)
    bank.on_event(shop, "refund.succeeded", refund_json(refund, bank.now_us(shop.id)))
    return refund
