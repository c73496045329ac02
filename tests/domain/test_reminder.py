"""When an automatic reminder is sent: pure decisions about one client of one invoice."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sigma.domain.billing.invoice import Invoice, Status
from sigma.domain.local_time import local_time
from sigma.domain.money import Money
from sigma.domain.reminders.reminder import (
    GAP_US,
    MAX_PER_CLIENT,
    EndReason,
    Outlook,
    ReminderFacts,
    ReminderKind,
    ReminderSettings,
    decide,
    humane_time,
    is_still_due,
    is_stop_word,
    outlook,
)
from sigma.domain.time_units import DAY_US, HOUR_US

TZ = "Europe/Moscow"
ALL_ON = ReminderSettings(opened=True, expires=True, rest=True)


def at_us(day: int, hour: int, minute: int = 0) -> int:
    """Return a time of June 2026 in Moscow (UTC+3), in UTC microseconds."""
    return int(datetime(2026, 6, day, hour - 3, minute, tzinfo=UTC).timestamp()) * 1_000_000


SENT_US = at_us(1, 12)
OPENED_US = at_us(2, 12)
INVOICE = Invoice(
    id="inv_1",
    shop_id="shp_1",
    number=1,
    token="t",
    status=Status.OPEN,
    title="Маникюр",
    amount=Money(150_000),
    created_at_us=SENT_US,
)
OPENED = ReminderFacts(INVOICE, sent_at_us=SENT_US, opened_at_us=OPENED_US)
EXPIRING = ReminderFacts(replace(INVOICE, expires_at_us=at_us(10, 15)), sent_at_us=SENT_US)
PART_PAID = replace(
    OPENED,
    invoice=replace(INVOICE, max_payments=3, paid_count=1),
    paid_at_us=at_us(3, 12),
    has_paid=True,
)


def test_opened_invoice_is_reminded_of_a_day_later() -> None:
    early = decide(OPENED, ALL_ON, TZ, OPENED_US + HOUR_US)
    assert (early.kind, early.at_us) == (None, OPENED_US + DAY_US)
    assert decide(OPENED, ALL_ON, TZ, OPENED_US + DAY_US).kind is ReminderKind.OPENED


def test_unopened_invoice_without_expiry_is_not_reminded_of() -> None:
    facts = replace(OPENED, opened_at_us=None)
    assert decide(facts, ALL_ON, TZ, at_us(5, 12)).reason is EndReason.NOTHING_DUE


def test_expiring_invoice_is_reminded_of_on_the_day_before() -> None:
    assert decide(EXPIRING, ALL_ON, TZ, at_us(8, 12)).at_us == at_us(9, 10)
    assert decide(EXPIRING, ALL_ON, TZ, at_us(9, 10)).kind is ReminderKind.EXPIRES
    assert decide(EXPIRING, ALL_ON, TZ, at_us(10, 10)).kind is None


def test_invoice_that_expires_at_midnight_expires_on_the_day_before() -> None:
    midnight = at_us(10, 23, 59) + 60_000_000
    facts = replace(EXPIRING, invoice=replace(INVOICE, expires_at_us=midnight))
    assert decide(facts, ALL_ON, TZ, at_us(9, 12)).kind is ReminderKind.EXPIRES
    assert decide(facts, ALL_ON, TZ, at_us(10, 12)).kind is None


def test_invoice_sent_today_that_expires_tomorrow_is_not_reminded_of() -> None:
    facts = replace(EXPIRING, sent_at_us=at_us(9, 9))
    assert decide(facts, ALL_ON, TZ, at_us(9, 12)).reason is EndReason.NOTHING_DUE


def test_rest_is_reminded_of_three_days_after_the_payment() -> None:
    assert decide(PART_PAID, ALL_ON, TZ, at_us(4, 12)).at_us == at_us(6, 12)
    assert decide(PART_PAID, ALL_ON, TZ, at_us(6, 12)).kind is ReminderKind.REST
    shared = replace(PART_PAID, is_only_client=False)
    assert decide(shared, ALL_ON, TZ, at_us(6, 12)).reason is EndReason.NOTHING_DUE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"invoice": replace(INVOICE, status=Status.PAID, paid_count=1)}, EndReason.NOT_OPEN),
        ({"invoice": replace(INVOICE, status=Status.VOID)}, EndReason.NOT_OPEN),
        ({"invoice": replace(INVOICE, status=Status.DRAFT)}, EndReason.NOT_OPEN),
        ({"invoice": replace(INVOICE, expires_at_us=at_us(3, 11))}, EndReason.NOT_OPEN),
        ({"is_silenced": True}, EndReason.SILENCED),
        ({"is_opted_out": True}, EndReason.OPTED_OUT),
        ({"can_reach": False}, EndReason.UNREACHABLE),
        ({"is_payer_unknown": True}, EndReason.PAYER_UNKNOWN),
        ({"sent": (ReminderKind.EXPIRES, ReminderKind.REST)}, EndReason.CAPPED),
        ({"has_paid": True}, EndReason.NOTHING_DUE),
        ({"wrote_at_us": OPENED_US}, EndReason.NOTHING_DUE),
        ({"wrote_at_us": at_us(3, 11)}, EndReason.NOTHING_DUE),
        ({"sent": (ReminderKind.OPENED,)}, EndReason.NOTHING_DUE),
    ],
)
def test_reminder_is_not_sent(changes: dict[str, Any], reason: EndReason) -> None:
    assert decide(OPENED, ALL_ON, TZ, at_us(3, 12)).kind is ReminderKind.OPENED
    assert decide(replace(OPENED, **changes), ALL_ON, TZ, at_us(3, 12)).reason is reason


@pytest.mark.parametrize(
    ("facts", "now_us"),
    [(OPENED, at_us(3, 12)), (EXPIRING, at_us(9, 12)), (PART_PAID, at_us(6, 12))],
    ids=["opened", "expires", "rest"],
)
def test_each_kind_is_off_by_default_and_waits_for_a_payment_that_is_going_on(
    facts: ReminderFacts, now_us: int
) -> None:
    assert decide(facts, ALL_ON, TZ, now_us).kind is not None
    assert decide(facts, ReminderSettings(), TZ, now_us).kind is None
    going_on = decide(replace(facts, has_unfinished_payment=True), ALL_ON, TZ, now_us)
    assert (going_on.kind, going_on.at_us) == (None, now_us + HOUR_US)


def test_message_before_the_occasion_does_not_cancel_it() -> None:
    facts = replace(OPENED, wrote_at_us=OPENED_US - 1)
    assert decide(facts, ALL_ON, TZ, at_us(3, 12)).kind is ReminderKind.OPENED


def test_reminders_keep_a_distance_also_from_those_of_an_operator() -> None:
    facts = replace(OPENED, reminded_at_us=at_us(3, 11))
    assert decide(facts, ALL_ON, TZ, at_us(3, 12)).at_us == humane_time(at_us(3, 11) + GAP_US, TZ)


@pytest.mark.parametrize("tz", ["Europe/Moscow", "Asia/Kamchatka", "America/New_York", "UTC"])
def test_nothing_is_ever_sent_at_night(tz: str) -> None:
    for quarter in range(14 * 24 * 4):
        now_us = SENT_US + quarter * HOUR_US // 4
        for facts in (OPENED, EXPIRING, PART_PAID):
            decision = decide(facts, ALL_ON, tz, now_us)
            if decision.kind is not None:
                assert 10 <= local_time(now_us, tz).hour < 20
            if decision.at_us is not None:
                assert decision.at_us > now_us
                assert 10 <= local_time(decision.at_us, tz).hour < 20


def test_humane_time_follows_the_clock_over_a_change_of_summer_time() -> None:
    before = int(datetime(2026, 3, 28, 22, tzinfo=UTC).timestamp()) * 1_000_000
    local = local_time(humane_time(before, "Europe/Berlin"), "Europe/Berlin")
    assert (local.day, local.hour, local.minute) == (29, 10, 0)


def test_simulated_client_gets_at_most_the_cap() -> None:
    facts = replace(OPENED, invoice=replace(INVOICE, expires_at_us=at_us(6, 15)))
    sent: list[int] = []
    for hour in range(24 * 14):
        now_us = SENT_US + hour * HOUR_US
        kind = decide(facts, ALL_ON, TZ, now_us).kind
        if kind is not None:
            sent.append(now_us)
            facts = replace(facts, sent=(*facts.sent, kind), reminded_at_us=now_us)
    assert len(sent) == MAX_PER_CLIENT
    assert sent[1] - sent[0] >= GAP_US


def test_reminder_that_waits_is_checked_by_its_own_kind() -> None:
    waiting = replace(OPENED, sent=(ReminderKind.OPENED,), reminded_at_us=at_us(3, 12))
    now_us = at_us(3, 13)
    assert is_still_due(ReminderKind.OPENED, waiting, ALL_ON, TZ, now_us)
    assert not is_still_due(ReminderKind.OPENED, waiting, ALL_ON, TZ, at_us(3, 21))
    off = ReminderSettings(expires=True)
    assert not is_still_due(ReminderKind.OPENED, waiting, off, TZ, now_us)
    written = replace(waiting, wrote_at_us=now_us)
    assert not is_still_due(ReminderKind.OPENED, written, ALL_ON, TZ, now_us)
    going_on = replace(waiting, has_unfinished_payment=True)
    assert not is_still_due(ReminderKind.OPENED, going_on, ALL_ON, TZ, now_us)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("стоп", True),
        (" СТОП! ", True),
        ("Stop.", True),
        ("«стоп»", True),
        ("стоп, а цена?", False),
    ],
)
def test_only_the_word_alone_stops(text: str, expected: bool) -> None:
    assert is_stop_word(text) is expected


OPENED_ON = ReminderSettings(opened=True)


@pytest.mark.parametrize(
    ("settings", "targets", "is_silenced", "expected"),
    [
        (OPENED_ON, [OPENED], False, Outlook.ACTIVE),
        (ReminderSettings(), [OPENED], False, Outlook.OFF),
        (OPENED_ON, [OPENED], True, Outlook.SILENCED),
        (OPENED_ON, [], False, Outlook.NO_CLIENT),
        (OPENED_ON, [replace(OPENED, can_reach=False)], False, Outlook.NO_CLIENT),
        (OPENED_ON, [replace(OPENED, is_opted_out=True)], False, Outlook.OPTED_OUT),
        (OPENED_ON, [replace(OPENED, is_opted_out=True), OPENED], False, Outlook.ACTIVE),
        (OPENED_ON, [replace(OPENED, can_reach=False), OPENED], False, Outlook.ACTIVE),
        (ReminderSettings(expires=True), [OPENED], False, Outlook.NO_OCCASION),
        (ReminderSettings(rest=True), [OPENED], False, Outlook.NO_OCCASION),
        (
            ALL_ON,
            [replace(OPENED, sent=(ReminderKind.OPENED, ReminderKind.EXPIRES))],
            False,
            Outlook.NO_OCCASION,
        ),
    ],
)
def test_outlook_says_whether_anybody_will_be_reminded(
    settings: ReminderSettings,
    targets: list[ReminderFacts],
    is_silenced: bool,
    expected: Outlook,
) -> None:
    found = outlook(INVOICE, settings, targets, is_silenced=is_silenced, now_us=OPENED_US)
    assert found is expected


def test_outlook_knows_which_kinds_fit_the_invoice() -> None:
    expires = ReminderSettings(expires=True)
    for settings, facts in ((expires, EXPIRING), (ReminderSettings(rest=True), PART_PAID)):
        found = outlook(facts.invoice, settings, [facts], is_silenced=False, now_us=OPENED_US)
        assert found is Outlook.ACTIVE
