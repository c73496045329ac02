"""What comes next for a payment: for the shop, for the payer and for the polling job."""

from dataclasses import dataclass, replace
from enum import StrEnum

from sigma.domain.accounts.shop import is_web_url
from sigma.domain.billing.payment import (
    REFUND_REASONS,
    Attention,
    Payment,
    Status,
    timeline_event,
)
from sigma.domain.change import Change, Job, NewId
from sigma.domain.errors import RefusedError
from sigma.domain.money import Money

MIN_POLL_DELAY_US, MAX_POLL_DELAY_US = 10_000_000, 600_000_000  # 10 s, 10 min
# For a payment whose last call was answered. The client's return, the waiting page and notices also
# query it: the job matters only when the client does not come back and no notice arrives.
MIN_IDLE_POLL_DELAY_US, MAX_IDLE_POLL_DELAY_US = 20_000_000, 1_800_000_000  # 20 s, 30 min

# Polling cannot resolve these: the acquirer repeats the same answer until a person acts.
_UNPOLLED_ATTENTION = (Attention.MISMATCH, Attention.CONTRADICTION)


class SuggestedAction(StrEnum):
    """What the shop should do about a payment that needs attention."""

    REFUND = "refund"
    REFRESH = "refresh"  # query the acquirer again


@dataclass(frozen=True, slots=True)
class PaymentActions:
    """What the shop can do with a payment now, apart from the member's permissions."""

    can_capture: bool
    can_refund: bool
    can_refresh: bool
    can_mail_receipt: bool
    suggested_action: SuggestedAction | None  # None: the payment needs no attention


def available_actions(payment: Payment, refundable: Money, *, has_receipt: bool) -> PaymentActions:
    """Return what the shop can do with a payment. `refundable`: what can still be refunded."""
    return PaymentActions(
        can_capture=payment.status is Status.AUTHORIZED and not payment.requested_action,
        can_refund=payment.status is Status.CAPTURED and bool(refundable),
        # A failed payment may have been paid after all, a captured one refunded elsewhere.
        can_refresh=payment.status is not Status.CANCELED or payment.is_outcome_unknown,
        can_mail_receipt=has_receipt and payment.has_email,
        suggested_action=_suggested_action(payment.attention, refundable),
    )


def _suggested_action(attention: Attention | None, refundable: Money) -> SuggestedAction | None:
    if attention is None:
        return None
    is_refund_due = attention in REFUND_REASONS or attention is Attention.REFUND_FAILED
    return SuggestedAction.REFUND if is_refund_due and refundable else SuggestedAction.REFRESH


class PayerStep(StrEnum):
    """What comes next for the payer of a started payment."""

    RECEIPT = "receipt"  # captured
    RETRY = "retry"  # failed or canceled: the invoice can be paid again
    REVIEW = "review"  # flagged: the shop must look at it, the payer must not pay again
    UNSTARTED = "unstarted"  # the acquirer has not been reached yet: wait for its page
    UNKNOWN = "unknown"  # the acquirer's answer was lost: wait
    AUTHORIZED = "authorized"  # wait until the shop captures
    CONFIRM = "confirm"  # pay on the acquirer's page, `confirmation_url`
    PENDING = "pending"  # wait; there is no page to pay on


def payer_step(payment: Payment) -> PayerStep:
    """Return what comes next for the payer."""
    if payment.status is Status.CAPTURED:
        return PayerStep.RECEIPT
    if payment.status in (Status.FAILED, Status.CANCELED):
        return PayerStep.RETRY
    if payment.attention is not None:
        return PayerStep.REVIEW
    if payment.is_outcome_unknown:
        return PayerStep.UNKNOWN
    if payment.status is Status.CREATED and payment.provider_id is None:
        return PayerStep.UNSTARTED
    if payment.status is Status.AUTHORIZED:
        return PayerStep.AUTHORIZED
    return PayerStep.CONFIRM if is_web_url(payment.confirmation_url) else PayerStep.PENDING


def next_poll_at_us(payment: Payment, now_us: int) -> int | None:
    """Return when to query the acquirer again (UTC microseconds), None to stop polling.

    A payment with a mismatch or contradiction needs a person. One with an unknown outcome or a
    requested action is queried often. Any other is queried when its age has doubled: about nine
    times in the hour after which the acquirer ends it.
    """
    if payment.is_final or payment.attention in _UNPOLLED_ATTENTION:
        return None
    age_us = now_us - payment.created_at_us
    if payment.is_outcome_unknown or payment.requested_action:
        return now_us + poll_delay_us(age_us)
    return now_us + min(max(age_us, MIN_IDLE_POLL_DELAY_US), MAX_IDLE_POLL_DELAY_US)


def poll_delay_us(age_us: int) -> int:
    """Return the delay before the next query (microseconds): half the age, 10 s to 10 min."""
    return min(max(age_us // 2, MIN_POLL_DELAY_US), MAX_POLL_DELAY_US)


def request_action(
    payment: Payment, action: str, action_key: str, now_us: int, new_id: NewId, actor: str
) -> Change:
    """Decide to "capture" or "cancel" an authorized payment; the job calls the acquirer.

    `action_key` is the operation key of that call. Requesting the same action twice changes
    nothing. Raises RefusedError("payment_not_authorized").
    """
    assert action in ("capture", "cancel")
    if payment.requested_action == action:
        return Change()
    if payment.status is not Status.AUTHORIZED or payment.requested_action:
        raise RefusedError("payment_not_authorized", status=str(payment.status))
    job = Job("payment.advance", payment.id, payment.shop_id, 0, payment.connection_id)
    payment = replace(payment, requested_action=action, requested_action_key=action_key)
    event = timeline_event(payment, f"{action}_requested", now_us, new_id, actor)
    return Change((payment, event), jobs=(job,))
