"""The table of limits: growing delays, waiting times, bounds of payment starts."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sigma.domain.billing.payment_starts import (
    MAX_UNFINISHED,
    UNFINISHED_WINDOW_US,
    max_unfinished,
    require_start_allowed,
    start_limit,
)
from sigma.domain.errors import RefusedError
from sigma.domain.limits import (
    ALL_LIMITS,
    PAYMENT_START_INVOICE,
    PAYMENT_START_SHARED_LINK,
    SIGN_IN_ACCOUNT,
    too_many_requests,
    waiting_time,
)
from sigma.domain.time_units import HOUR_US, MINUTE_US, SECOND_US
from tests.store.factories import INVOICE, NOW_US


def test_delay_doubles_from_one_second_to_fifteen_minutes() -> None:
    waits_s = [SIGN_IN_ACCOUNT.wait_us(n) // SECOND_US for n in range(18)]
    assert waits_s == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert SIGN_IN_ACCOUNT.wait_us(10**9) == 900 * SECOND_US


def test_a_day_of_guessing_one_password_is_about_a_hundred_attempts() -> None:
    failures, at_us = 0, 0
    while at_us < 24 * HOUR_US:
        failures += 1
        at_us += max(SIGN_IN_ACCOUNT.wait_us(failures), 1)
    assert failures < 120


@pytest.mark.parametrize(
    ("wait_us", "expected"),
    [
        (0, timedelta(seconds=1)),
        (1, timedelta(seconds=1)),
        (SECOND_US + 1, timedelta(seconds=2)),
        (119 * SECOND_US, timedelta(seconds=119)),
        (121 * SECOND_US, timedelta(minutes=3)),
        (14 * MINUTE_US + 1, timedelta(minutes=15)),
        (HOUR_US, timedelta(hours=1)),
        (13 * HOUR_US + 1, timedelta(hours=14)),
    ],
)
def test_waiting_time_is_rounded_up(wait_us: int, expected: timedelta) -> None:
    assert waiting_time(wait_us) == expected
    assert too_many_requests(wait_us).params == {"wait": expected}


def test_names_of_limits_are_unique() -> None:
    """Counters of different limits must not mix."""
    assert len({limit.name for limit in ALL_LIMITS}) == len(ALL_LIMITS)


@pytest.mark.parametrize(
    ("max_payments", "paid_count", "expected"),
    [(1, 0, 5), (1, 1, 5), (3, 0, 7), (3, 2, 5), (10**6, 0, MAX_UNFINISHED), (None, 0, 100)],
)
def test_unfinished_payments_of_an_invoice_are_bounded(
    max_payments: int | None, paid_count: int, expected: int
) -> None:
    invoice = replace(INVOICE, max_payments=max_payments, paid_count=paid_count)
    assert max_unfinished(invoice) == expected
    require_start_allowed(invoice, [NOW_US] * (expected - 1), NOW_US)
    with pytest.raises(RefusedError, match="too_many_requests"):
        require_start_allowed(invoice, [NOW_US] * expected, NOW_US)


def test_refused_start_says_when_the_oldest_unfinished_payment_frees_its_place() -> None:
    invoice = replace(INVOICE, max_payments=1)
    started_at_us = [NOW_US - n * MINUTE_US for n in range(5)]
    with pytest.raises(RefusedError) as caught:
        require_start_allowed(invoice, started_at_us, NOW_US)
    left_us = UNFINISHED_WINDOW_US - 4 * MINUTE_US
    assert caught.value.params["wait"] == timedelta(microseconds=left_us)


def test_link_for_several_people_has_a_higher_limit() -> None:
    assert start_limit(replace(INVOICE, max_payments=1)) is PAYMENT_START_INVOICE
    for max_payments in (None, 2):
        limit = start_limit(replace(INVOICE, max_payments=max_payments))
        assert limit is PAYMENT_START_SHARED_LINK
