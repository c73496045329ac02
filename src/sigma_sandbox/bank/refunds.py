"""Money back for a payment. Usually at once; `/control` can make it wait or be refused."""

from msgspec.structs import replace

from sigma_sandbox.bank import receipts, request_validation
from sigma_sandbox.bank.serializers import Refused, invalid, read_amount, refund_json
from sigma_sandbox.bank.store import Bank, Json, Refund, Shop
from sigma_sandbox.faults import Effect


def create(bank: Bank, shop: Shop, body: Json) -> Refund:
    """Give back at most what is left of the payment, pending refunds counted. Raises Refused."""
    payment = bank.payments.get(str(body.get("payment_id")))
    if payment is None or payment.shop_id != shop.id:
        raise Refused(404, "not_found", "No such payment", "payment_id")
    amount, currency = read_amount(body.get("amount"))
    if payment.status != "succeeded":
        raise invalid(f"Payment is {payment.status}: only succeeded can be refunded", "payment_id")
    if currency != payment.currency:
        raise invalid("The currency is another one", "amount.currency")
    reserved = sum(r.amount for r in bank.refunds_of(payment.id) if r.status == "pending")
    if amount > payment.amount - payment.refunded - reserved:
        raise invalid("More than is left of the payment", "amount.value")
    refund = Refund(
        id=bank.new_id(shop.id, "0015-5000-a000"),
        shop_id=shop.id,
        payment_id=payment.id,
        status="pending",
        amount=amount,
        currency=currency,
        created_at=bank.now(shop.id),
        description=request_validation.description(body),
        receipt=request_validation.receipt(body.get("receipt"), amount),
        polls_left=bank.control.take(Effect.REFUND_PENDING, "refund", shop.id) or 0,
        outcome=bank.control.take(Effect.REFUND_DECLINE, "refund", shop.id) or "succeeded",
    )
    bank.put_refund(refund)
    return refund if refund.polls_left else settle(bank, refund, refund.outcome)


def poll(bank: Bank, refund: Refund) -> Refund:
    """Somebody asked about the refund: after enough questions it comes to its outcome."""
    if refund.status != "pending" or refund.polls_left < 0:
        return refund
    if refund.polls_left == 0:
        return settle(bank, refund, refund.outcome)
    return bank.put_refund(replace(refund, polls_left=refund.polls_left - 1))


def settle(bank: Bank, refund: Refund, outcome: str) -> Refund:
    """End a pending refund: "succeeded", or a reason of refusal, of which no event is sent."""
    if refund.status != "pending":
        return refund
    if outcome != "succeeded":
        return bank.put_refund(replace(refund, status="canceled", cancel_reason=outcome))
    payment = bank.payments[refund.payment_id]
    bank.put_payment(replace(payment, refunded=payment.refunded + refund.amount))
    done = bank.put_refund(replace(refund, status="succeeded"))
    receipts.register_refund(bank, done)
    shop = bank.shop(refund.shop_id)
    bank.on_event(shop, "refund.succeeded", refund_json(done, bank.now(shop.id)))
    return done
