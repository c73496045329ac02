"""Payment operations: create, pay by card, capture, cancel, expire.

Every change of status goes through `_save_and_notify`, which stores the payment and notifies the
merchant.
"""

import secrets

from msgspec.structs import replace

from sigma_sandbox.bank import cards, receipts, request_validation
from sigma_sandbox.bank.cards import ListedCard, MaskedCard
from sigma_sandbox.bank.errors import ApiError, invalid_request
from sigma_sandbox.bank.request_validation import parse_amount
from sigma_sandbox.bank.serializers import payment_json
from sigma_sandbox.bank.store import Bank, Challenge, Json, Payment, Shop
from sigma_sandbox.faults import Effect
from sigma_sandbox.time_util import DAY_US, HOUR_US, as_datetime

CONFIRM_TERM_US = HOUR_US
HOLD_TERM_US = 7 * DAY_US
MAX_CODE_ATTEMPTS = 3
THREE_DS_FAILED = "3d_secure_failed"


def create(bank: Bank, shop: Shop, body: Json) -> Payment:
    """Create a pending payment (POST /payments). Raises ApiError for invalid data."""
    request = request_validation.parse_payment(body)
    now_us = bank.now_us(shop.id)
    return bank.put_payment(
        Payment(
            id=bank.new_id(shop.id),
            shop_id=shop.id,
            status="pending",
            created_at_us=now_us,
            confirm_until_us=now_us + CONFIRM_TERM_US,
            amount_minor=request.amount_minor,
            currency=request.currency,
            capture=request.capture,
            return_url=request.return_url,
            locale=request.locale,
            description=request.description,
            metadata=request.metadata,
            receipt=request.receipt,
            customer_id=request.customer_id,
        )
    )


def capture(bank: Bank, payment: Payment, body: Json) -> Payment:
    """Capture the held amount or a part of it; the rest is released.

    Raises ApiError unless the payment is waiting_for_capture and the held amount is not exceeded.
    """
    _require_waiting_for_capture(payment, "captured")
    amount_minor = payment.amount_minor
    if body.get("amount") is not None:
        amount_minor, currency = parse_amount(body["amount"])
        if currency != payment.currency:
            raise invalid_request("Currency must match the payment", "amount.currency")
        if amount_minor > payment.amount_minor:
            raise invalid_request("Amount exceeds the held amount", "amount.value")
    receipt = request_validation.parse_receipt(body.get("receipt"), amount_minor) or payment.receipt
    return _succeed(bank, replace(payment, amount_minor=amount_minor, receipt=receipt))


def cancel(bank: Bank, payment: Payment) -> Payment:
    """Release the held amount. Raises ApiError unless the payment is waiting_for_capture."""
    _require_waiting_for_capture(payment, "canceled")
    return cancel_with_reason(bank, payment, "canceled_by_merchant")


def _require_waiting_for_capture(payment: Payment, action: str) -> None:
    if payment.status != "waiting_for_capture":
        raise invalid_request(
            f"Payment is {payment.status}: only waiting_for_capture can be {action}"
        )


def submit_card(bank: Bank, payment: Payment, test_card: ListedCard, card: MaskedCard) -> Payment:
    """Process the payer's card: start a 3-D Secure challenge, authorize, or decline.

    The payment must be pending.
    """
    reason = bank.faults.consume(Effect.DECLINE, "pay", payment.shop_id)
    if reason is not None:
        return cancel_with_reason(bank, replace(payment, card=card), reason)
    if test_card.has_three_ds:
        challenge = Challenge(card, test_card.decline_reason)
        return bank.put_payment(replace(payment, challenge=challenge))
    if test_card.decline_reason is not None:
        return cancel_with_reason(bank, replace(payment, card=card), test_card.decline_reason)
    return _authorize(bank, replace(payment, card=card))


def submit_code(bank: Bank, payment: Payment, is_correct: bool) -> Payment:
    """Process the 3-D Secure code; the third wrong code cancels the payment."""
    challenge = payment.challenge
    assert challenge is not None
    if not is_correct:
        if challenge.failed_attempts + 1 < MAX_CODE_ATTEMPTS:
            challenge = replace(challenge, failed_attempts=challenge.failed_attempts + 1)
            return bank.put_payment(replace(payment, challenge=challenge))
        return decline_three_ds(bank, payment)
    if challenge.decline_reason is not None:
        return cancel_with_reason(
            bank, replace(payment, card=challenge.card), challenge.decline_reason
        )
    return _authorize(bank, replace(payment, card=challenge.card, is_three_ds_passed=True))


def decline_three_ds(bank: Bank, payment: Payment) -> Payment:
    """Cancel the payment because the payer did not pass 3-D Secure."""
    assert payment.challenge is not None
    return cancel_with_reason(bank, replace(payment, card=payment.challenge.card), THREE_DS_FAILED)


def pay_by_card(bank: Bank, payment_id: str, body: Json) -> Payment:
    """Submit the card and the 3-D Secure code of a `pay` request body, as a payer would.

    Raises ApiError: 404 for an unknown payment, 400 for another card, 409 if it is not pending.
    """
    payment = bank.payments.get(payment_id)
    if payment is None:
        raise ApiError(404, "not_found", "No such payment", "payment_id")
    test_card = cards.CARDS_BY_NUMBER.get("".join(str(body.get("card", "")).split()))
    if test_card is None:
        raise invalid_request("Only the listed test cards are accepted", "card")
    three_ds = body.get("three_ds", "pass")
    if three_ds not in ("pass", "fail"):
        raise invalid_request("pass or fail is expected", "three_ds")
    expire_due(bank, payment.shop_id)
    payment = bank.payments[payment_id]
    if payment.status != "pending":
        raise ApiError(409, "invalid_request", f"Payment is {payment.status}: it cannot be paid")
    year = as_datetime(bank.now_us(payment.shop_id)).year + 2
    payment = submit_card(bank, payment, test_card, cards.mask_card(test_card, 12, year))
    if payment.challenge is None:
        return payment
    if three_ds == "fail":
        return decline_three_ds(bank, payment)
    return submit_code(bank, payment, is_correct=True)


def cancel_with_reason(bank: Bank, payment: Payment, reason: str) -> Payment:
    """Cancel the payment with a `cancellation_details.reason` and notify the merchant."""
    return _save_and_notify(
        bank,
        replace(
            payment,
            status="canceled",
            challenge=None,
            method_id=payment.method_id or (payment.card and bank.new_id(payment.shop_id)),
            canceled_at_us=bank.now_us(payment.shop_id),
            cancel_party=cards.cancellation_party(reason),
            cancel_reason=reason,
        ),
    )


def expire_due(bank: Bank, shop_id: str) -> None:
    """Cancel payments not paid within an hour and holds not captured within seven days."""
    for payment in list(bank.pop_due(shop_id)):
        now_us = bank.now_us(shop_id)
        if payment.status == "pending" and payment.confirm_until_us <= now_us:
            cancel_with_reason(bank, payment, "expired_on_confirmation")
        elif (
            payment.status == "waiting_for_capture" and (payment.hold_until_us or now_us) <= now_us
        ):
            cancel_with_reason(bank, payment, "expired_on_capture")


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
    hold_until_us = bank.now_us(payment.shop_id) + HOLD_TERM_US
    return _save_and_notify(
        bank, replace(held, status="waiting_for_capture", hold_until_us=hold_until_us)
    )


def _succeed(bank: Bank, payment: Payment) -> Payment:
    now_us = bank.now_us(payment.shop_id)
    receipts.register_payment_receipt(bank, payment)
    payment = replace(payment, status="succeeded", hold_until_us=None, captured_at_us=now_us)
    return _save_and_notify(bank, payment)


def _save_and_notify(bank: Bank, payment: Payment) -> Payment:
    bank.put_payment(payment)
    shop = bank.get_or_create_shop(payment.shop_id)
    body = payment_json(payment, bank.base_url, bank.now_us(shop.id))
    bank.on_event(shop, f"payment.{payment.status}", body)
    return payment
