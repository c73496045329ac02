"""The life of a payment: asked for, paid by card, captured, canceled, expired.

Every change of status goes through `_turn`, which writes the books and tells the merchant.
"""

import secrets

from msgspec.structs import replace

from sigma_sandbox.bank import cards, receipts, request_validation
from sigma_sandbox.bank.cards import Card, ListedCard
from sigma_sandbox.bank.serializers import invalid, payment_json, read_amount
from sigma_sandbox.bank.store import Bank, Challenge, Json, Payment, Shop
from sigma_sandbox.faults import Effect
from sigma_sandbox.time_util import DAY, HOUR

CONFIRM_TERM = HOUR
HOLD_TERM = 7 * DAY
CODE_TRIES = 3
THREE_DS_FAILED = "3d_secure_failed"


def create(bank: Bank, shop: Shop, body: Json) -> Payment:
    """Open a payment that waits for its payer. Raises Refused."""
    wish = request_validation.new_payment(body)
    now = bank.now(shop.id)
    return bank.put_payment(
        Payment(
            id=bank.new_id(shop.id),
            shop_id=shop.id,
            status="pending",
            created_at=now,
            confirm_before=now + CONFIRM_TERM,
            amount=wish.amount,
            currency=wish.currency,
            capture=wish.capture,
            return_url=wish.return_url,
            locale=wish.locale,
            description=wish.description,
            metadata=wish.metadata,
            receipt=wish.receipt,
            customer_id=wish.customer_id,
        )
    )


def capture(bank: Bank, payment: Payment, body: Json) -> Payment:
    """Take the held money, all or less; the rest goes back to the payer. Raises Refused."""
    _must_wait(payment, "captured")
    amount = payment.amount
    if body.get("amount") is not None:
        amount, currency = read_amount(body["amount"])
        if currency != payment.currency:
            raise invalid("The currency is another one", "amount.currency")
        if amount > payment.amount:
            raise invalid("More than was held", "amount.value")
    receipt = request_validation.receipt(body.get("receipt"), amount) or payment.receipt
    taken = replace(payment, amount=amount, receipt=receipt)
    return _succeed(bank, taken)


def cancel(bank: Bank, payment: Payment) -> Payment:
    """Let the held money go. Raises Refused."""
    _must_wait(payment, "canceled")
    return refuse(bank, payment, "canceled_by_merchant")


def _must_wait(payment: Payment, wish: str) -> None:
    if payment.status != "waiting_for_capture":
        raise invalid(f"Payment is {payment.status}: only waiting_for_capture can be {wish}")


def attempt(bank: Bank, payment: Payment, test_card: ListedCard, card: Card) -> Payment:
    """The payer gave a card: ask for a code, take the money, or refuse. Only while pending."""
    reason = bank.control.take(Effect.DECLINE, "pay", payment.shop_id)
    if reason is not None:
        return refuse(bank, replace(payment, card=card), reason)
    if test_card.three_ds:
        outcome = test_card.reason
        return bank.put_payment(replace(payment, challenge=Challenge(card, outcome)))
    if test_card.reason is not None:
        return refuse(bank, replace(payment, card=card), test_card.reason)
    return _authorize(bank, replace(payment, card=card))


def answer_code(bank: Bank, payment: Payment, right: bool) -> Payment:
    """The payer gave the code of 3-D Secure; a third wrong one refuses the payment."""
    challenge = payment.challenge
    assert challenge is not None
    if not right:
        if challenge.tries + 1 < CODE_TRIES:
            again = replace(challenge, tries=challenge.tries + 1)
            return bank.put_payment(replace(payment, challenge=again))
        return decline_code(bank, payment)
    if challenge.reason is not None:
        return refuse(bank, replace(payment, card=challenge.card), challenge.reason)
    return _authorize(bank, replace(payment, card=challenge.card, three_ds=True))


def decline_code(bank: Bank, payment: Payment) -> Payment:
    """The payer refused to confirm."""
    assert payment.challenge is not None
    return refuse(bank, replace(payment, card=payment.challenge.card), THREE_DS_FAILED)


def refuse(bank: Bank, payment: Payment, reason: str) -> Payment:
    """End the payment without money."""
    return _turn(
        bank,
        replace(
            payment,
            status="canceled",
            challenge=None,
            method_id=payment.method_id or (payment.card and bank.new_id(payment.shop_id)),
            canceled_at=bank.now(payment.shop_id),
            cancel_party=cards.party(reason),
            cancel_reason=reason,
        ),
    )


def expire_due(bank: Bank, shop_id: str) -> None:
    """End what nobody confirmed within an hour and what nobody captured within seven days."""
    for payment in list(bank.due(shop_id)):
        now = bank.now(shop_id)
        if payment.status == "pending" and payment.confirm_before <= now:
            refuse(bank, payment, "expired_on_confirmation")
        elif payment.status == "waiting_for_capture" and (payment.hold_until or now) <= now:
            refuse(bank, payment, "expired_on_capture")


def _authorize(bank: Bank, payment: Payment) -> Payment:
    held = replace(
        payment,
        challenge=None,
        method_id=bank.new_id(payment.shop_id),
        rrn=f"{secrets.randbelow(10**12):012d}",
        auth_code=f"{secrets.randbelow(10**6):06d}",
    )
    if payment.capture:
        return _succeed(bank, held)
    hold_until = bank.now(payment.shop_id) + HOLD_TERM
    return _turn(bank, replace(held, status="waiting_for_capture", hold_until=hold_until))


def _succeed(bank: Bank, payment: Payment) -> Payment:
    now = bank.now(payment.shop_id)
    receipts.register_payment(bank, payment)
    return _turn(bank, replace(payment, status="succeeded", hold_until=None, captured_at=now))


def _turn(bank: Bank, payment: Payment) -> Payment:
    bank.put_payment(payment)
    shop = bank.shop(payment.shop_id)
    body = payment_json(payment, bank.base_url, bank.now(shop.id))
    bank.on_event(shop, f"payment.{payment.status}", body)
    return payment
