"""Refunds: never more than was paid, booked once, failures told."""

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
from sigma.domain.errors import Refused
from sigma.domain.ledger import Account
from sigma.domain.money import Money
from tests.domain.objects import NOW, NewIds, captured, payment, refund, refund_reply

P, S, F = Status.PENDING, Status.SUCCEEDED, Status.FAILED
EXPECTED: dict[Status, tuple[Status | None, ...]] = {  # told pending, succeeded, failed
    P: (P, S, F),
    S: (S, S, None),
    F: (F, None, F),
}


def ask(paid: Payment, amount: Money, *earlier: Refund, reason: str = "") -> Refund:
    made, change = refunds.request(
        paid,
        earlier,
        amount,
        reason,
        operation_key="op_9",
        now=NOW,
        new_id=NewIds(),
        actor="usr_1",
    )
    assert [(job.kind, job.subject) for job in change.jobs] == [("refund.advance", made.id)]
    return made


def settled(
    given: Refund,
    paid: Payment,
    answer: refunds.Reply,
    *earlier: Refund,
    owed: bool = False,
) -> Change:
    return refunds.settle(given, paid, earlier or (given,), answer, NOW, NewIds(), owed=owed)


def after(change: Change, before: Any) -> Any:
    return next((s for s in change.saved if type(s) is type(before)), before)


@pytest.mark.parametrize(("status", "event"), list(product(Status, Event)))
def test_every_pair_is_in_the_table_or_calls_a_person(status: Status, event: Event) -> None:
    assert set(FLOW) == set(Status)
    expected = EXPECTED[status][list(Event).index(event)]
    assert FLOW[status].get(event) is expected
    before = refund(status=status)
    change = settled(before, captured(), refund_reply(str(event)))
    if expected is None:
        assert after(change, before) == before
        assert after(change, captured()).attention is Attention.CONTRADICTION
    else:
        assert after(change, before).status is expected


@pytest.mark.parametrize("status", [s for s in PaymentStatus if s is not PaymentStatus.CAPTURED])
def test_only_captured_money_can_go_back(status: PaymentStatus) -> None:
    with pytest.raises(Refused, match="payment_not_captured"):
        ask(payment(status=status), Money(1))


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
def test_a_refund_that_cannot_be_is_refused(amount: Money, reason: str, code: str) -> None:
    with pytest.raises(Refused, match=code):
        ask(captured(), amount, reason=reason)


def test_what_is_left_is_told() -> None:
    with pytest.raises(Refused) as caught:
        ask(captured(), Money(100_001), refund())
    assert caught.value.params["left"] == Money(100_000)
    assert ask(captured(), Money(100_000), refund(status=S))
    assert ask(captured(), Money(150_000), refund(status=F))  # a failed one took nothing


statuses = st.sampled_from(list(Status))


@given(st.lists(st.tuples(st.integers(1, 200_000), statuses), max_size=12))
def test_refunds_never_exceed_the_payment(wishes: list[tuple[int, Status]]) -> None:
    made: list[Refund] = []
    for n, (minor, status) in enumerate(wishes):
        left = captured().amount - refunds.taken(tuple(made), "RUB")
        if Money(minor) > left:
            with pytest.raises(Refused, match="refund_too_large"):
                ask(captured(), Money(minor), *made)
            continue
        ask(captured(), Money(minor), *made)
        made.append(refund(id=f"ref_{n}", amount=Money(minor), status=status))
    assert refunds.taken(tuple(made), "RUB") <= captured().amount
    assert refunds.refunded(tuple(made), "RUB") <= refunds.taken(tuple(made), "RUB")


@pytest.mark.parametrize("event", list(Event))
def test_the_same_reply_told_again_changes_nothing(event: Event) -> None:
    answer = refund_reply(str(event), failure="no_funds" if event is Event.FAILED else "")
    told = settled(refund(unknown=True), captured(), answer)
    moved, paid = after(told, refund()), after(told, captured())
    assert told
    for _ in range(3):
        assert not settled(moved, paid, answer)


@pytest.mark.parametrize("amount", [None, Money(49_999), Money(50_000, "USD")])
def test_a_sum_that_is_not_ours_is_never_given_back(amount: Money | None) -> None:
    answer = refund_reply(amount=amount)
    change = settled(refund(), captured(), answer)
    assert after(change, refund()).status is P
    assert not change.entries
    flagged = after(change, captured())
    assert flagged.attention is Attention.CONTRADICTION
    assert not settled(refund(), flagged, answer)


@pytest.mark.parametrize("owed", [True, False])
def test_money_back_is_booked_where_it_had_been_booked(owed: bool) -> None:
    flagged = captured(attention=Attention.CONTRADICTION)  # whatever a person looks at now
    (entry,) = settled(refund(), flagged, refund_reply(), owed=owed).entries
    assert entry.lines[0].account is (Account.OWED if owed else Account.SALES)
    assert [line.amount.minor for line in entry.lines] == [50_000, -50_000]


@pytest.mark.parametrize("attention", [Attention.EXTRA, Attention.LATE, Attention.VOIDED])
def test_money_that_must_go_back_is_looked_at_until_all_of_it_is_back(
    attention: Attention,
) -> None:
    paid = captured(attention=attention)
    part = settled(refund(), paid, refund_reply(), owed=True)
    assert after(part, paid).attention is attention
    no = settled(refund(), paid, refund_reply("failed", failure="no_funds"), owed=True)
    assert after(no, paid).attention is attention
    assert [m.kind for m in no.saved if isinstance(m, Mail)] == ["attention"]
    rest = refund(id="ref_2", amount=Money(100_000))
    earlier = (refund(status=S), rest)
    answer = refund_reply(provider_id="bank-r2", amount=Money(100_000))
    whole = settled(rest, paid, answer, *earlier, owed=True)
    assert after(whole, paid).attention is None


def test_every_failed_refund_calls_and_a_later_success_calms() -> None:
    first = settled(refund(), captured(), refund_reply("failed", failure="no_funds"))
    paid = after(first, captured())
    assert paid.attention is Attention.REFUND_FAILED
    second = settled(refund(id="ref_2"), paid, refund_reply("failed", provider_id="bank-r2"))
    assert [m.subject for m in second.saved if isinstance(m, Mail)] == ["ref_2:refund_failed"]
    third = settled(refund(id="ref_3"), paid, refund_reply(provider_id="bank-r3"))
    assert after(third, paid).attention is None


def test_a_client_who_gave_an_email_is_told_of_the_refund() -> None:
    change = settled(refund(), captured(wants_mail=True), refund_reply())
    assert [(m.kind, m.subject) for m in change.saved if isinstance(m, Mail)] == [
        ("refund", "ref_1")
    ]


def test_a_lost_answer_is_a_flag_and_the_next_answer_takes_it_away() -> None:
    asking = after(refunds.not_known(refund(), NOW, NewIds()), refund())
    assert (asking.status, asking.unknown) == (P, True)
    assert not refunds.not_known(asking, NOW, NewIds())
    for event in Event:
        assert not after(settled(asking, captured(), refund_reply(str(event))), asking).unknown
