"""What comes next for a payment: actions of the shop, step of the payer, time of the next poll."""

from typing import Any

import pytest

from sigma.domain.billing.payment import Attention, Status
from sigma.domain.billing.payment_actions import (
    PayerStep,
    SuggestedAction,
    available_actions,
    next_poll_at_us,
    payer_step,
)
from sigma.domain.money import Money
from tests.domain.factories import NOW_US, payment

BANK_URL = "https://bank.example/pay"
SECOND_US = 1_000_000


@pytest.mark.parametrize(
    ("fields", "step"),
    [
        ({"status": Status.CAPTURED, "attention": Attention.EXTRA}, PayerStep.RECEIPT),
        ({"status": Status.FAILED, "attention": Attention.CONTRADICTION}, PayerStep.RETRY),
        ({"status": Status.CANCELED}, PayerStep.RETRY),
        ({"status": Status.PENDING, "attention": Attention.MISMATCH}, PayerStep.REVIEW),
        ({"status": Status.PENDING, "is_outcome_unknown": True}, PayerStep.UNKNOWN),
        ({"status": Status.AUTHORIZED}, PayerStep.AUTHORIZED),
        ({"status": Status.PENDING}, PayerStep.CONFIRM),
        ({"status": Status.CREATED, "confirmation_url": ""}, PayerStep.PENDING),
        ({"status": Status.PENDING, "confirmation_url": "javascript:0"}, PayerStep.PENDING),
    ],
)
def test_next_step_of_the_payer(fields: dict[str, Any], step: PayerStep) -> None:
    assert payer_step(payment(**({"confirmation_url": BANK_URL} | fields))) is step


@pytest.mark.parametrize(
    ("attention", "refundable", "action"),
    [
        (None, 100, None),
        (Attention.EXTRA, 100, SuggestedAction.REFUND),
        (Attention.REFUND_FAILED, 100, SuggestedAction.REFUND),
        (Attention.LATE, 0, SuggestedAction.REFRESH),  # refunded, not yet confirmed
        (Attention.MISMATCH, 100, SuggestedAction.REFRESH),
    ],
)
def test_suggested_action(
    attention: Attention | None, refundable: int, action: SuggestedAction | None
) -> None:
    flagged = payment(status=Status.CAPTURED, attention=attention)
    assert (
        available_actions(flagged, Money(refundable), has_receipt=True).suggested_action is action
    )


def test_only_an_authorized_payment_without_a_requested_action_can_be_captured() -> None:
    for status in Status:
        actions = available_actions(payment(status=status), Money(0), has_receipt=False)
        assert actions.can_capture is (status is Status.AUTHORIZED)
    requested = payment(status=Status.AUTHORIZED, requested_action="cancel")
    assert not available_actions(requested, Money(0), has_receipt=False).can_capture


def test_payment_can_be_refreshed_unless_it_is_canceled() -> None:
    refreshable = {
        status
        for status in Status
        if available_actions(payment(status=status), Money(0), has_receipt=False).can_refresh
    }
    assert refreshable == set(Status) - {
        Status.CANCELED
    }  # a captured one may have been refunded elsewhere
    unknown = payment(status=Status.CANCELED, is_outcome_unknown=True)
    assert available_actions(unknown, Money(0), has_receipt=False).can_refresh


def test_receipt_can_be_mailed_only_to_a_known_address() -> None:
    for has_email in (True, False):
        for has_receipt in (True, False):
            paid = payment(status=Status.CAPTURED, has_email=has_email)
            actions = available_actions(paid, Money(0), has_receipt=has_receipt)
            assert actions.can_mail_receipt is (has_email and has_receipt)


@pytest.mark.parametrize(
    ("age_s", "delay_s"), [(0, 20), (30, 30), (60, 60), (1200, 1200), (86_400, 1800)]
)
def test_poll_delay_grows_with_the_age_of_the_payment(age_s: int, delay_s: int) -> None:
    pending = payment(created_at_us=NOW_US - age_s * SECOND_US)
    assert next_poll_at_us(pending, NOW_US) == NOW_US + delay_s * SECOND_US


@pytest.mark.parametrize(
    ("age_s", "delay_s"), [(0, 10), (20, 10), (60, 30), (1200, 600), (86_400, 600)]
)
@pytest.mark.parametrize(
    "more",
    [{"is_outcome_unknown": True}, {"status": Status.AUTHORIZED, "requested_action": "cancel"}],
)
def test_payment_with_a_lost_or_requested_call_is_polled_more_often(
    more: dict[str, Any], age_s: int, delay_s: int
) -> None:
    pending = payment(created_at_us=NOW_US - age_s * SECOND_US, **more)
    assert next_poll_at_us(pending, NOW_US) == NOW_US + delay_s * SECOND_US


def test_abandoned_payment_is_polled_rarely_until_the_acquirer_ends_it() -> None:
    """An acquirer ends an unfinished payment after an hour."""
    abandoned, at_us, polls = payment(created_at_us=NOW_US), NOW_US + 20 * SECOND_US, 0
    while at_us < NOW_US + 3600 * SECOND_US:
        polls += 1
        next_at_us = next_poll_at_us(abandoned, at_us)
        assert next_at_us is not None
        at_us = next_at_us
    assert polls <= 9


@pytest.mark.parametrize("attention", [Attention.MISMATCH, Attention.CONTRADICTION])
def test_payment_that_needs_a_person_is_not_polled(attention: Attention) -> None:
    assert next_poll_at_us(payment(attention=attention), NOW_US) is None


@pytest.mark.parametrize("status", [Status.CAPTURED, Status.CANCELED, Status.FAILED])
def test_final_payment_is_not_polled(status: Status) -> None:
    assert next_poll_at_us(payment(status=status), NOW_US) is None
