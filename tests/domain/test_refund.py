"""Refunds: never more than was captured, booked once, failures reported to the owner."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.billing import refund as refunds
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Attention, Payment
from sigma.domain.billing.payment import Status as PaymentStatus
from sigma.domain.billing.refund import FLOW, Event, Refund, Status
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.ledger import Account
from sigma.domain.money import Money
from tests.domain.factories import (
    NOW_US,
    SequentialIds,
    captured_payment,
    payment,
    refund,
    refund_reply,
)

P, S, F = Status.PENDING, Status.SUCCEEDED, Status.FAILED
EXPECTED: dict[Status, tuple[Status | None, ...]] = {  # on the reply pending, succeeded, failed
    P: (P, S, F),
    S: (S, S, None),
    F: (F, S, F),
}


def request_refund(paid: Payment, amount: Money, *earlier: Refund, reason: str = "") -> Refund:
    refund, change = refunds.request(
        paid,
        earlier,
        amount,
        reason,
        operation_key="op_9",
        now_us=NOW_US,
        new_id=SequentialIds(),
        actor="usr_1",
    )
    assert [(job.kind, job.subject_id) for job in change.jobs] == [("refund.advance", refund.id)]
    return refund


def settled(
    given: Refund,
    paid: Payment,
    answer: refunds.RefundReply,
    *earlier: Refund,
    is_refund_due: bool = False,
) -> Change:
    return refunds.settle(
        given,
        paid,
        earlier or (given,),
        answer,
        NOW_US,
        SequentialIds(),
        is_refund_due=is_refund_due,
    )


def after(change: Change, before: Any) -> Any:
    return next((s for s in change.rows if type(s) is type(before)), before)


@pytest.mark.parametrize(("status", "event"), list(product(Status, Event)))
def test_transition_follows_table_or_flags_contradiction(status: Status, event: Event) -> None:
    assert set(FLOW) == set(Status)
    expected = EXPECTED[status][list(Event).index(event)]
    assert FLOW[status].get(event) is expected
    before = refund(status=status)
    change = settled(before, captured_payment(), refund_reply(str(event)))
    if expected is None:
        assert after(change, before) == before
        assert after(change, captured_payment()).attention is Attention.CONTRADICTION
    else:
        assert after(change, before).status is expected


@pytest.mark.parametrize("status", [s for s in PaymentStatus if s is not PaymentStatus.CAPTURED])
def test_only_captured_payment_can_be_refunded(status: PaymentStatus) -> None:
    with pytest.raises(RefusedError, match="payment_not_captured"):
        request_refund(payment(status=status), Money(1))


@pytest.mark.parametrize(
    ("amount", "reason", "code"),
    [
        (Money(0), "", "validation"),
        (Money(-1), "", "validation"),
        (Money(1, "USD"), "", "refund_currency"),
        (Money(150_001), "", "refund_too_large"),
        (Money(1), "x" * 251, "validation"),
        (Money(1), "a\x00b", "validation"),
    ],
)
def test_invalid_refund_request_is_refused(amount: Money, reason: str, code: str) -> None:
    with pytest.raises(RefusedError, match=code):
        request_refund(captured_payment(), amount, reason=reason)


def test_refusal_names_refundable_amount() -> None:
    with pytest.raises(RefusedError) as caught:
        request_refund(captured_payment(), Money(100_001), refund())
    assert caught.value.params["left"] == Money(100_000)
    assert request_refund(captured_payment(), Money(100_000), refund(status=S)).status is P
    # A failed refund reserves nothing.
    assert request_refund(captured_payment(), Money(150_000), refund(status=F)).status is P


def test_refund_check_reports_all_problems() -> None:
    problems = refunds.check_refund(Money(0), "x" * 251)
    assert [(problem.field, problem.code) for problem in problems] == [
        ("amount", "money_positive"),
        ("reason", "too_long"),
    ]
    assert not refunds.check_refund(Money(1), "x" * 250)


def test_only_a_captured_payment_is_refundable() -> None:
    assert refunds.refundable_amount(captured_payment(), (refund(),)) == Money(100_000)
    for status in set(PaymentStatus) - {PaymentStatus.CAPTURED}:
        assert refunds.refundable_amount(payment(status=status), ()) == Money(0)


@pytest.mark.parametrize("status", list(Status))
def test_only_a_pending_refund_is_polled(status: Status) -> None:
    at_us = refunds.next_poll_at_us(refund(status=status, created_at_us=NOW_US), NOW_US)
    assert at_us == (NOW_US + 10_000_000 if status is P else None)


statuses = st.sampled_from(list(Status))


@given(st.lists(st.tuples(st.integers(1, 200_000), statuses), max_size=12))
def test_refunds_never_exceed_the_payment_amount(requests: list[tuple[int, Status]]) -> None:
    requested: list[Refund] = []
    for n, (minor, status) in enumerate(requests):
        left = captured_payment().amount - refunds.reserved_amount(tuple(requested), "RUB")
        if Money(minor) > left:
            with pytest.raises(RefusedError, match="refund_too_large"):
                request_refund(captured_payment(), Money(minor), *requested)
            continue
        request_refund(captured_payment(), Money(minor), *requested)
        requested.append(refund(id=f"ref_{n}", amount=Money(minor), status=status))
    assert refunds.reserved_amount(tuple(requested), "RUB") <= captured_payment().amount
    assert refunds.refunded_amount(tuple(requested), "RUB") <= refunds.reserved_amount(
        tuple(requested), "RUB"
    )


@pytest.mark.parametrize("event", list(Event))
def test_repeated_reply_changes_nothing(event: Event) -> None:
    answer = refund_reply(str(event), failure="no_funds" if event is Event.FAILED else "")
    change = settled(refund(is_outcome_unknown=True), captured_payment(), answer)
    moved, paid = after(change, refund()), after(change, captured_payment())
    assert change
    for _ in range(3):
        assert not settled(moved, paid, answer)


@pytest.mark.parametrize("amount", [None, Money(49_999), Money(50_000, "USD")])
def test_reply_with_wrong_amount_is_flagged_and_not_booked(amount: Money | None) -> None:
    answer = refund_reply(amount=amount)
    change = settled(refund(), captured_payment(), answer)
    assert after(change, refund()).status is P
    assert not change.entries
    flagged = after(change, captured_payment())
    assert flagged.attention is Attention.CONTRADICTION
    assert not settled(refund(), flagged, answer)


@pytest.mark.parametrize("is_refund_due", [True, False])
def test_refund_is_booked_to_the_account_of_its_capture(is_refund_due: bool) -> None:
    flagged = captured_payment(
        attention=Attention.CONTRADICTION
    )  # another attention flag must not matter
    (entry,) = settled(refund(), flagged, refund_reply(), is_refund_due=is_refund_due).entries
    assert entry.postings[0].account is (Account.REFUNDS_DUE if is_refund_due else Account.SALES)
    assert [posting.amount.minor for posting in entry.postings] == [50_000, -50_000]


@pytest.mark.parametrize("attention", [Attention.EXTRA, Attention.LATE, Attention.VOIDED])
def test_attention_stays_until_due_refund_is_complete(
    attention: Attention,
) -> None:
    paid = captured_payment(attention=attention)
    part = settled(refund(), paid, refund_reply(), is_refund_due=True)
    assert after(part, paid).attention is attention
    failed = settled(refund(), paid, refund_reply("failed", failure="no_funds"), is_refund_due=True)
    assert after(failed, paid).attention is attention
    assert [m.kind for m in failed.rows if isinstance(m, Mail)] == ["attention"]
    rest = refund(id="ref_2", amount=Money(100_000))
    earlier = (refund(status=S), rest)
    answer = refund_reply(provider_id="bank-r2", amount=Money(100_000))
    whole = settled(rest, paid, answer, *earlier, is_refund_due=True)
    assert after(whole, paid).attention is None


def test_each_failed_refund_mails_owner_and_success_clears_attention() -> None:
    first = settled(refund(), captured_payment(), refund_reply("failed", failure="no_funds"))
    paid = after(first, captured_payment())
    assert paid.attention is Attention.REFUND_FAILED
    second = settled(refund(id="ref_2"), paid, refund_reply("failed", provider_id="bank-r2"))
    assert [m.subject_key for m in second.rows if isinstance(m, Mail)] == ["ref_2:refund_failed"]
    third = settled(refund(id="ref_3"), paid, refund_reply(provider_id="bank-r3"))
    assert after(third, paid).attention is None


@pytest.mark.parametrize("status", [P, F])
@pytest.mark.parametrize(("earlier_minor", "is_booked"), [(50_000, True), (50_001, False)])
def test_success_is_booked_up_to_the_captured_amount_only(
    status: Status, earlier_minor: int, is_booked: bool
) -> None:
    paid, late = captured_payment(), refund(status=status, amount=Money(100_000))
    earlier = refund(id="ref_2", status=S, amount=Money(earlier_minor), provider_id="bank-r2")
    change = settled(late, paid, refund_reply(amount=Money(100_000)), earlier)
    assert bool(change.entries) is is_booked
    if not is_booked:
        assert after(change, paid).attention is Attention.CONTRADICTION


def test_refund_is_mailed_to_client_who_gave_email() -> None:
    change = settled(refund(), captured_payment(has_email=True), refund_reply())
    assert [(m.kind, m.subject_key) for m in change.rows if isinstance(m, Mail)] == [
        ("refund", "ref_1")
    ]


def test_lost_reply_sets_unknown_and_next_reply_clears_it() -> None:
    unknown = after(refunds.mark_unknown(refund(), NOW_US, SequentialIds()), refund())
    assert (unknown.status, unknown.is_outcome_unknown) == (P, True)
    assert not refunds.mark_unknown(unknown, NOW_US, SequentialIds())
    again = refunds.mark_unknown(unknown, NOW_US + 1, SequentialIds())
    assert [row.lost_call_at_us for row in again.rows if isinstance(row, Refund)] == [NOW_US + 1]
    assert len(again.rows) == 1
    for event in Event:
        assert not after(
            settled(unknown, captured_payment(), refund_reply(str(event))), unknown
        ).is_outcome_unknown
