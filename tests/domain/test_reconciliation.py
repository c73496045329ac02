"""Reconciliation rules: which pairs differ, the merge of two lists, waiting for the acquirer."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.billing import payment as payments
from sigma.domain.billing import refund as refunds
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.refund import Refund
from sigma.domain.local_time import local_time
from sigma.domain.money import Money
from sigma.domain.reconciliation import missing_payment
from sigma.domain.reconciliation import run as runs
from sigma.domain.reconciliation.difference import (
    ACTIONS,
    Action,
    Claim,
    Difference,
    Kind,
    PaymentPair,
    RefundPair,
    Side,
    State,
    attempted,
    closed,
    confirmed,
    payment_difference,
    refund_difference,
)
from sigma.domain.reconciliation.run import Phase, Progress, Run
from sigma.domain.reconciliation.run import Status as RunStatus
from sigma.domain.reconciliation.stream_matcher import MAX_CLOCK_SKEW_US, StreamMatcher
from sigma.domain.time_units import DAY_US, HOUR_US, SECOND_US
from tests.domain.factories import (
    NOW_US,
    SHOP,
    SequentialIds,
    invoice,
    payment,
    payment_reply,
)

PAID, BACK = Money(150_000), Money(500)
LATER_US = NOW_US + 2 * DAY_US


def refund(status: str = "succeeded") -> Refund:
    return Refund(
        id="ref_1",
        shop_id=SHOP.id,
        payment_id="pay_1",
        invoice_id="inv_1",
        connection_id="con_1",
        operation_key="op_2",
        amount=Money(500),
        status=refunds.Status(status),
        created_at_us=NOW_US,
        created_by="usr_1",
        provider_id="bank-refund",
    )


def refund_reply(event: str = "succeeded", *other_amount: Money | None) -> refunds.RefundReply:
    """Return the acquirer's reply about a refund of 5.00, or of `other_amount` if given."""
    amount = other_amount[0] if other_amount else BACK
    return refunds.RefundReply("bank-refund", refunds.Event(event), amount)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("pending", "captured", Kind.PAYMENT_CAPTURED_THERE),
        ("created", "captured", Kind.PAYMENT_CAPTURED_THERE),
        ("authorized", "captured", Kind.PAYMENT_CAPTURED_THERE),
        ("failed", "captured", Kind.PAYMENT_CAPTURED_THERE),
        ("canceled", "captured", Kind.PAYMENT_CAPTURED_THERE),
        ("captured", "pending", Kind.PAYMENT_CAPTURED_HERE),
        ("captured", "authorized", Kind.PAYMENT_CAPTURED_HERE),
        ("captured", "canceled", Kind.PAYMENT_CAPTURED_HERE),
        ("captured", "failed", Kind.PAYMENT_CAPTURED_HERE),
        ("pending", "authorized", Kind.PAYMENT_STATUS_DIFFERS),
        ("authorized", "canceled", Kind.PAYMENT_STATUS_DIFFERS),
        ("canceled", "authorized", Kind.PAYMENT_STATUS_DIFFERS),
        ("pending", "canceled", Kind.PAYMENT_STATUS_DIFFERS),
        ("captured", "captured", None),
        ("authorized", "authorized", None),
        ("pending", "pending", None),
        ("failed", "canceled", None),
        ("canceled", "failed", None),
        ("failed", "pending", None),
    ],
)
def test_statuses_of_both_sides_are_compared(ours: str, theirs: str, expected: Kind | None) -> None:
    pair = PaymentPair(payment(status=payments.Status(ours)), payment_reply(theirs), booked=PAID)
    assert payment_difference(pair, LATER_US) is expected


def test_unpaid_payment_may_end_a_day_later_here_but_money_is_reported_at_once() -> None:
    ours = payment(status=payments.Status.PENDING)
    canceled = PaymentPair(ours, payment_reply("canceled"))
    assert payment_difference(canceled, NOW_US + HOUR_US) is None
    assert payment_difference(canceled, NOW_US + DAY_US) is Kind.PAYMENT_STATUS_DIFFERS
    held = PaymentPair(ours, payment_reply("authorized"))
    assert payment_difference(held, NOW_US) is Kind.PAYMENT_STATUS_DIFFERS


@pytest.mark.parametrize(
    ("amount", "event", "expected"),
    [
        (Money(149_999), "captured", Kind.PAYMENT_AMOUNT_DIFFERS),
        (Money(150_000, "USD"), "captured", Kind.PAYMENT_CURRENCY_DIFFERS),
        (None, "captured", Kind.PAYMENT_CURRENCY_DIFFERS),  # a currency without support
        (None, "pending", Kind.PAYMENT_CAPTURED_HERE),  # nothing is paid there
        (Money(1), "canceled", Kind.PAYMENT_AMOUNT_DIFFERS),
    ],
)
def test_amount_and_currency_are_compared_before_the_status(
    amount: Money | None, event: str, expected: Kind
) -> None:
    ours = payment(status=payments.Status.CAPTURED)
    pair = PaymentPair(ours, payment_reply(event, amount=amount), booked=PAID)
    assert payment_difference(pair, LATER_US) is expected


@pytest.mark.parametrize(
    ("claim", "event", "expected"),
    [
        (Claim.UNSTARTED, "captured", Kind.PAYMENT_MISSING_HERE),
        (Claim.UNSTARTED, "authorized", Kind.PAYMENT_MISSING_HERE),
        (Claim.OTHER, "captured", Kind.PAYMENT_DUPLICATE),
        (Claim.NOTHING, "captured", Kind.PAYMENT_FOREIGN),
        (Claim.NOTHING, "pending", None),
        (Claim.OTHER, "canceled", None),
        (Claim.UNSTARTED, "failed", None),
    ],
)
def test_payment_without_a_row_here_counts_when_money_has_moved(
    claim: Claim, event: str, expected: Kind | None
) -> None:
    pair = PaymentPair(None, payment_reply(event), claim)
    assert payment_difference(pair, NOW_US) is expected


def test_payment_unknown_to_the_acquirer_is_missing_there() -> None:
    assert payment_difference(PaymentPair(payment(), None), NOW_US) is Kind.PAYMENT_MISSING_THERE


def test_money_must_be_in_the_ledger_with_the_same_amount() -> None:
    ours = payment(status=payments.Status.CAPTURED)
    agreeing = PaymentPair(ours, payment_reply(), booked=PAID)
    assert payment_difference(agreeing, NOW_US) is None
    assert payment_difference(replace(agreeing, booked=None), NOW_US) is Kind.LEDGER_MISSING
    wrong = replace(agreeing, booked=Money(1))
    assert payment_difference(wrong, NOW_US) is Kind.LEDGER_DIFFERS
    back = RefundPair(refund(), refund_reply(), "pay_1", Money(500))
    assert refund_difference(back) is None
    assert refund_difference(replace(back, booked=None)) is Kind.LEDGER_MISSING
    assert refund_difference(replace(back, booked=Money(-500))) is Kind.LEDGER_DIFFERS


@pytest.mark.parametrize("ours", list(refunds.Status))
@pytest.mark.parametrize("theirs", list(refunds.Event))
def test_refund_statuses_must_be_equal(ours: refunds.Status, theirs: refunds.Event) -> None:
    pair = RefundPair(refund(ours), refund_reply(theirs), "pay_1", Money(500))
    expected = None if str(ours) == str(theirs) else Kind.REFUND_STATUS_DIFFERS
    assert refund_difference(pair) is expected


def test_refund_of_nothing_is_no_difference() -> None:
    theirs = refunds.RefundReply("bank-1", refunds.Event.SUCCEEDED, Money(0))
    assert refund_difference(RefundPair(None, theirs, "pay_1")) is None


def test_refunds_are_missing_on_either_side_or_have_another_amount() -> None:
    assert refund_difference(RefundPair(refund(), None, "pay_1")) is Kind.REFUND_MISSING_THERE
    for amount in (Money(499), Money(500, "USD"), None):
        pair = RefundPair(refund(), refund_reply("succeeded", amount), "pay_1", Money(500))
        assert refund_difference(pair) is Kind.REFUND_AMOUNT_DIFFERS
    for event in ("succeeded", "pending"):
        pair = RefundPair(None, refund_reply(event), "pay_1")
        assert refund_difference(pair) is Kind.REFUND_MISSING_HERE
    assert refund_difference(RefundPair(None, refund_reply("failed"), "pay_1")) is None
    assert refund_difference(RefundPair(None, refund_reply(), "")) is None  # a foreign payment


def difference(kind: Kind = Kind.PAYMENT_MISSING_HERE) -> Difference:
    return Difference(
        id="dif_1",
        shop_id=SHOP.id,
        run_id="rec_1",
        connection_id="con_1",
        kind=kind,
        provider_id="bank-1",
        payment_id="",
        refund_id="",
        invoice_id="inv_1",
        ours=Side(),
        theirs=Side("captured", PAID),
        created_at_us=NOW_US,
        found_at_us=NOW_US,
    )


def test_every_kind_has_one_action_and_only_open_differences_offer_it() -> None:
    assert set(ACTIONS) == set(Kind)
    suspected = difference()
    assert suspected.action is None
    opened = confirmed(suspected, Kind.PAYMENT_MISSING_HERE, (Side(), Side("captured", PAID)))
    assert (opened.state, opened.action) == (State.OPEN, Action.RECORD_PAYMENT)
    still = attempted(opened, agrees=False, actor="usr_1", now_us=NOW_US)
    assert (still.state, still.action) == (State.OPEN, Action.ASK_ACQUIRER)
    done = attempted(still, agrees=True, actor="usr_1", now_us=NOW_US)
    assert (done.state, done.closed_by, done.action) == (State.REPAIRED, "usr_1", None)
    assert closed(opened, "usr_1", NOW_US).state is State.CLOSED


def test_suspicion_is_dismissed_when_both_sides_agree_or_the_object_is_found() -> None:
    both = (Side("captured", PAID), Side("captured", PAID))
    assert confirmed(difference(), None, both).state is State.DISMISSED
    missing = difference(Kind.PAYMENT_MISSING_THERE)
    found = confirmed(missing, Kind.PAYMENT_AMOUNT_DIFFERS, both)
    assert found.state is State.DISMISSED  # the row of the acquirer's list reports it
    assert confirmed(missing, Kind.PAYMENT_MISSING_THERE, both).state is State.OPEN


def test_changed_side_is_another_difference() -> None:
    before = difference()
    assert before.fingerprint == replace(before, id="dif_2", run_id="rec_2").fingerprint
    changed = replace(before, theirs=Side("canceled", PAID))
    assert before.fingerprint != changed.fingerprint


row_times = st.lists(st.integers(0, 400), max_size=60)


@given(row_times, st.data(), st.integers(1, 7), st.integers(1, 7))
def test_rows_without_a_partner_are_found_whatever_the_pages_and_delays(
    minutes: list[int], data: st.DataObject, their_page: int, our_page: int
) -> None:
    """Our rows at these minutes; each has a partner, an hour before to a day after it, or none."""
    minute_us = 60 * SECOND_US
    ours = [(f"pay_{n}", at * minute_us) for n, at in enumerate(minutes)]
    partners = []
    lost = set()
    for our_id, at_us in ours:
        delay = data.draw(st.none() | st.integers(-59, 1500))
        if delay is None:
            lost.add(our_id)
        else:
            partners.append((our_id, at_us + delay * minute_us))
    partners.sort(key=lambda one: -one[1])
    ours.sort(key=lambda one: -one[1])
    matcher, missing = StreamMatcher({}, ()), []
    while True:
        page, partners = partners[:their_page], partners[their_page:]
        for our_id, _ in page:
            matcher.add_partner(our_id)
        reached_us = page[-1][1] if partners else None
        while ours and (reached_us is None or ours[0][1] >= reached_us):
            batch = [one for one in ours[:our_page] if reached_us is None or one[1] >= reached_us]
            ours = ours[len(batch) :]
            for our_id, at_us in batch:
                matcher.add_ours(our_id, at_us)
            missing += matcher.pop_missing(reached_us)
        matcher = StreamMatcher(matcher.unmatched, matcher.matched)  # as stored between steps
        if reached_us is None:
            break
    missing += matcher.pop_missing(None)
    assert sorted(missing) == sorted(lost)


def test_matcher_holds_only_rows_around_its_position() -> None:
    matcher = StreamMatcher({}, ())
    largest = 0
    for n in range(10_000, 0, -1):  # newest first, one a minute; every tenth is lost
        at_us = n * 60 * SECOND_US
        if n % 10:
            matcher.add_partner(f"pay_{n}")
        matcher.add_ours(f"pay_{n}", at_us)
        matcher.pop_missing(at_us)
        largest = max(largest, len(matcher.unmatched) + len(matcher.matched))
    assert largest <= MAX_CLOCK_SKEW_US // (60 * SECOND_US) // 10 + 1


def plain_run() -> Run:
    return Run("rec_1", SHOP.id, NOW_US - DAY_US, NOW_US, NOW_US, "usr_1", updated_at_us=NOW_US)


def test_call_without_answer_waits_as_requested_and_fails_after_eight() -> None:
    run = runs.call_failed(plain_run(), 30 * SECOND_US, NOW_US)
    assert run.resume_at_us == NOW_US + 30 * SECOND_US
    delays = []
    while run.is_running:
        run = runs.call_failed(run, 0, NOW_US)
        delays.append((run.resume_at_us - NOW_US) // SECOND_US)
    assert delays == [4, 8, 16, 32, 64, 120, 120]
    assert (run.status, run.failure) == (RunStatus.FAILED, "no_answer")
    recovered = runs.step_done(runs.call_failed(plain_run(), 0, NOW_US), Progress(), NOW_US)
    assert (recovered.failed_call_count, recovered.resume_at_us) == (0, 0)


def test_lists_of_all_accounts_are_read_before_the_confirmation() -> None:
    run, order = plain_run(), []
    while run.progress.phase is not Phase.CONFIRMATION:
        order.append((run.progress.account_number, run.progress.phase))
        run = runs.step_done(run, runs.next_list(run, 2), NOW_US)
    both = (Phase.PAYMENTS, Phase.REFUNDS)
    assert order == [(number, phase) for number in (0, 1) for phase in both]


@pytest.mark.parametrize("cycle", [1, 2, 3, 10])
@pytest.mark.parametrize("is_empty", [True, False])
def test_list_that_repeats_itself_has_no_end(cycle: int, is_empty: bool) -> None:
    progress: Progress | None = Progress()
    page_count = 0
    while progress is not None:
        number = page_count % cycle
        times = [] if is_empty else [NOW_US - number]
        progress = runs.page_read(progress, times, f"page-{number}")
        page_count += 1
    assert page_count <= cycle + runs.MAX_STANDING_PAGES + 1


def test_list_may_have_some_empty_pages_and_equal_times() -> None:
    progress: Progress | None = Progress()
    for number in range(100):
        times = [] if number % 3 == 1 else [NOW_US - number // 10]
        assert progress is not None
        progress = runs.page_read(progress, times, f"page-{number}")
    assert progress is not None
    end = runs.page_read(progress, [], None)
    assert end is not None
    assert end.is_list_read
    assert end.reached_us == NOW_US - 9


@pytest.mark.parametrize("tz", ["Europe/Moscow", "Europe/Berlin", "Asia/Vladivostok", "UTC"])
@pytest.mark.parametrize("month", [3, 10])
def test_nightly_run_is_between_four_and_five_every_day(tz: str, month: int) -> None:
    at_us = int(datetime(2026, month, 20, tzinfo=UTC).timestamp()) * SECOND_US
    days = []
    for _ in range(14):
        at_us = runs.next_night_us(at_us, "shp_000000000000000aaaa", tz)
        local = local_time(at_us, tz)
        assert local.hour == 4
        days.append(local.date().toordinal())
    assert [b - a for a, b in pairwise(days)] == [1] * 13


def test_payment_is_linked_once_and_keeps_its_former_id() -> None:
    unstarted = payment(provider_id=None)
    change = missing_payment.link(unstarted, "bank-9", NOW_US, SequentialIds(), "usr_1")
    assert [getattr(row, "provider_id", None) for row in change.rows] == ["bank-9", None]
    assert [job.kind for job in change.jobs] == ["payment.advance"]
    assert not missing_payment.link(payment(), "bank-9", NOW_US, SequentialIds(), "usr_1")

    shop_id = "shp_01kxxxxxxxxabcd12345678"
    former = "pay_01kyyyyyyyy" + shop_id[15:19] + "87654321"
    for reply_id, is_duplicate, expected in (
        (former, False, former),
        (former, True, "pay_1"),
        ("pay_01kyyyyyyyy" + "zzzz" + "87654321", False, "pay_1"),  # an id of another shop
        ("pay_'; DROP", False, "pay_1"),
    ):
        change = missing_payment.recreate(
            payment_reply(payment_id=reply_id, created_at_us=5),
            invoice(shop_id=shop_id),
            Connection("con_1", shop_id, "yookassa", "", "1", "ciphertext", NOW_US),
            is_duplicate=is_duplicate,
            token="t",
            now_us=NOW_US,
            new_id=lambda prefix: f"{prefix}_1",
            actor="usr_1",
        )
        created = change.rows[0]
        assert isinstance(created, payments.Payment)
        assert (created.id, created.created_at_us) == (expected, 5)
        assert (created.amount, created.status) == (PAID, payments.Status.CREATED)
