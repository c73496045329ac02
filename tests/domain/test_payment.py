"""A payment: what the acquirer's answers make of it."""

from dataclasses import replace
from itertools import permutations, product
from typing import Any

import pytest

from sigma.domain.billing import invoice as invoices
from sigma.domain.billing import payment as payments
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import FLOW, Attention, Event, Method, Payment, Status
from sigma.domain.billing.receipt import Receipt
from sigma.domain.change import Change
from sigma.domain.errors import Refused
from sigma.domain.ledger import Account
from sigma.domain.money import Money
from tests.domain.objects import (
    HOUR,
    NOW,
    Books,
    NewIds,
    captured,
    invoice,
    payment,
    reply,
    settled,
)

C, P, A, K, X, F = (
    Status.CREATED,
    Status.PENDING,
    Status.AUTHORIZED,
    Status.CAPTURED,
    Status.CANCELED,
    Status.FAILED,
)
# Rows: what it is; columns: what the acquirer says, in the order pending, authorized, captured,
# canceled, failed. None is a contradiction that calls a person.
EXPECTED: dict[Status, tuple[Status | None, ...]] = {
    C: (P, A, K, X, F),
    P: (P, A, K, X, F),
    A: (A, A, K, X, F),
    K: (K, K, K, None, None),
    X: (X, X, K, X, X),
    F: (F, F, K, F, F),
}


def after(change: Change, before: Payment) -> Payment:
    return next((s for s in change.saved if isinstance(s, Payment)), before)


@pytest.mark.parametrize(("status", "event"), list(product(Status, Event)))
def test_every_pair_is_in_the_table_or_calls_a_person(status: Status, event: Event) -> None:
    expected = EXPECTED[status][list(Event).index(event)]
    assert FLOW[status].get(event) is expected
    before = payment(status=status)
    moved = after(settled(before, invoice(), reply(str(event))), before)
    if expected is None:
        assert (moved.status, moved.attention) == (status, Attention.CONTRADICTION)
    else:
        assert (moved.status, moved.attention) == (expected, None)


def test_the_table_has_a_row_for_every_status() -> None:
    assert set(FLOW) == set(Status)


def test_captured_never_leaves_captured() -> None:
    assert set(FLOW[Status.CAPTURED].values()) == {Status.CAPTURED}


def test_no_status_goes_back_but_to_captured() -> None:
    rank = {C: 0, P: 1, A: 2, X: 3, F: 3, K: 4}
    for before, row in FLOW.items():
        for then in row.values():
            assert then is before or rank[then] > rank[before]


@pytest.mark.parametrize("event", list(Event))
def test_the_same_reply_told_again_changes_nothing(event: Event) -> None:
    answer = reply(
        str(event),
        method=Method(mask="220000******0004", brand="mir"),
        confirmation_url="https://bank.example/1",
        failure="insufficient_funds" if event is Event.FAILED else "",
        income=Money(145_000),
    )
    told = settled(payment(unknown=True), invoice(), answer)
    moved = after(told, payment())
    assert told
    filled = next((s for s in told.saved if isinstance(s, Invoice)), invoice())
    for _ in range(3):
        assert not settled(moved, filled, answer)


@pytest.mark.parametrize("order", list(permutations(["pending", "authorized", "captured"])))
def test_replies_in_any_order_book_once(order: tuple[str, ...]) -> None:
    books = Books()
    books.write(Change((payment(version=0), invoice(version=0))))
    ids = NewIds()
    for event in order * 3:
        now_paid, now_invoice = books.rows["pay_1"], books.rows["inv_1"]
        books.write(settled(now_paid, now_invoice, reply(event), ids=ids))
    assert books.rows["pay_1"].status is Status.CAPTURED
    assert books.rows["inv_1"].status is invoices.Status.PAID
    assert list(books.entries) == [("capture", "pay_1")]
    assert len(books.of(Receipt)) == 1
    assert books.balance(Account.SALES) == -150_000


@pytest.mark.parametrize("event", ["authorized", "captured"])
@pytest.mark.parametrize(
    "amount", [None, Money(149_999), Money(150_001), Money(0), Money(150_000, "USD")]
)
def test_a_sum_that_is_not_ours_is_never_paid_and_a_person_is_told(
    event: str, amount: Money | None
) -> None:
    answer = reply(event, amount=amount, captured_at=NOW)
    change = settled(payment(), invoice(), answer)
    moved = after(change, payment())
    assert (moved.status, moved.attention) == (Status.PENDING, Attention.MISMATCH)
    assert not change.entries
    assert [m.kind for m in change.saved if isinstance(m, Mail)] == ["attention"]
    assert not settled(moved, invoice(), answer)


def test_the_right_sum_after_a_wrong_one_is_paid() -> None:
    flagged = after(settled(payment(), invoice(), reply(amount=Money(1))), payment())
    paid = after(settled(flagged, invoice(), reply()), flagged)
    assert (paid.status, paid.attention) == (Status.CAPTURED, None)


def test_an_answer_about_another_payment_is_not_believed() -> None:
    change = settled(payment(), invoice(), reply(provider_id="bank-2"))
    moved = after(change, payment())
    assert (moved.status, moved.attention) == (Status.PENDING, Attention.CONTRADICTION)
    assert not change.entries


def test_trouble_that_comes_and_goes_and_comes_back_calls_each_time() -> None:
    books = Books()
    books.write(Change((payment(version=0),)))
    ids = NewIds()
    wrong, other = reply(amount=Money(1)), reply(provider_id="bank-2")
    for answer in (wrong, wrong, other, other, wrong):
        books.write(settled(books.rows["pay_1"], invoice(), answer, ids=ids))
    whys = [mail.subject.partition(":")[2] for mail in books.of(Mail)]
    assert whys == ["mismatch", "contradiction", "mismatch"]


@pytest.mark.parametrize(
    ("of", "finished", "attention"),
    [
        (invoice(expires_at=NOW), NOW, None),  # the very microsecond counts
        (invoice(expires_at=NOW), NOW - 1, None),
        (invoice(expires_at=NOW), NOW + 1, Attention.LATE),
        (invoice(expires_at=NOW, status=invoices.Status.EXPIRED), NOW, None),
        (invoice(expires_at=NOW, status=invoices.Status.EXPIRED), NOW + 1, Attention.LATE),
        (invoice(status=invoices.Status.VOID), NOW, Attention.VOIDED),
        (invoice(status=invoices.Status.PAID, paid_count=1), NOW, Attention.EXTRA),
        (invoice(paid_count=2, max_payments=3), NOW, None),
        (invoice(paid_count=3, max_payments=3), NOW, Attention.EXTRA),
        (invoice(paid_count=3, max_payments=None), NOW, None),
    ],
)
def test_money_that_comes_is_booked_and_flagged_when_it_must_go_back(
    of: Invoice, finished: int, attention: Attention | None
) -> None:
    later = NOW + 9 * HOUR  # when we learn of it does not matter
    change = settled(payment(), of, reply(captured_at=finished), later)
    paid = after(change, payment())
    assert (paid.status, paid.attention, paid.captured_at) == (
        Status.CAPTURED,
        attention,
        finished,
    )
    (entry,) = change.entries
    owed = any(line.account is Account.OWED for line in entry.lines)
    assert owed is (attention is not None)
    counted = [s for s in change.saved if isinstance(s, Invoice)]
    assert [c.paid_count - of.paid_count for c in counted] == ([] if attention else [1])
    called = [m for m in change.saved if isinstance(m, Mail) and m.kind == "attention"]
    assert len(called) == (attention is not None)


def test_the_last_payment_that_an_invoice_waits_for_fills_it() -> None:
    def status(of: Invoice) -> Any:
        change = settled(payment(), of, reply())
        return next(s for s in change.saved if isinstance(s, Invoice)).status

    assert status(invoice()) is invoices.Status.PAID
    assert status(invoice(max_payments=2)) is invoices.Status.OPEN
    assert status(invoice(max_payments=2, paid_count=1)) is invoices.Status.PAID
    assert status(invoice(max_payments=None, paid_count=7)) is invoices.Status.OPEN


def test_a_receipt_is_mailed_when_an_email_was_given() -> None:
    def mails(paid: Payment) -> list[str]:
        change = settled(paid, invoice(), reply())
        assert len([job for job in change.jobs if job.kind == "mail.send"]) == paid.wants_mail
        return [m.kind for m in change.saved if isinstance(m, Mail)]

    assert mails(payment(wants_mail=True)) == ["receipt"]
    assert mails(payment(wants_mail=False)) == []


@pytest.mark.parametrize("income", [Money(0), Money(-1), Money(150_001), Money(1, "USD")])
def test_an_income_that_cannot_be_true_is_not_kept(income: Money) -> None:
    change = settled(payment(), invoice(), reply(income=income))
    assert after(change, payment()).income is None
    assert {line.account for line in change.entries[0].lines} == {Account.ACQUIRER, Account.SALES}


def test_a_lost_answer_is_a_flag_and_the_next_answer_takes_it_away() -> None:
    change = payments.not_known(payment(), NOW, NewIds())
    asking = after(change, payment())
    assert (asking.status, asking.unknown) == (Status.PENDING, True)
    assert not payments.not_known(asking, NOW, NewIds())
    for event in Event:
        assert not after(settled(asking, invoice(), reply(str(event))), asking).unknown


@pytest.mark.parametrize("wanted", ["capture", "cancel"])
def test_held_money_is_decided_once(wanted: str) -> None:
    held = payment(status=Status.AUTHORIZED)
    change = payments.want(held, wanted, "op_9", NOW, NewIds(), "usr_1")
    decided = after(change, held)
    assert (decided.wanted, decided.wanted_key, decided.status) == (wanted, "op_9", held.status)
    assert [job.kind for job in change.jobs] == ["payment.advance"]
    assert not payments.want(decided, wanted, "op_10", NOW, NewIds(), "usr_1")
    other = "cancel" if wanted == "capture" else "capture"
    with pytest.raises(Refused, match="payment_not_authorized"):
        payments.want(decided, other, "op_10", NOW, NewIds(), "usr_1")
    answer = reply("captured" if wanted == "capture" else "canceled")
    assert after(settled(decided, invoice(), answer), decided).wanted == ""


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.AUTHORIZED])
def test_money_that_is_not_held_cannot_be_taken_or_let_go(status: Status) -> None:
    for wanted in ("capture", "cancel"):
        with pytest.raises(Refused, match="payment_not_authorized"):
            payments.want(payment(status=status), wanted, "op_9", NOW, NewIds(), "usr_1")


def test_a_receipt_is_built_from_the_payment_and_stays_as_it_was() -> None:
    of = invoice(items=(invoices.Item("Маникюр", "2.5", Money(60_000)),), return_url="")
    paid = payment(method=Method(mask="220000******0004", brand="mir"))
    change = settled(paid, of, reply(captured_at=NOW + 5))
    receipt = next(s for s in change.saved if isinstance(s, Receipt))
    assert receipt.token == paid.token
    body = receipt.body
    assert body["paid_at"] == NOW + 5
    assert (body["mask"], body["brand"]) == ("220000******0004", "mir")
    assert body["amount"] == {"minor": 150_000, "currency": "RUB"}
    assert body["items"][0]["sum"] == {"minor": 150_000, "currency": "RUB"}
    assert body["seller"]["inn"] == "500100732259"
    plain = settled(payment(), invoice(title="Стрижка"), reply())
    only = next(s for s in plain.saved if isinstance(s, Receipt)).body["items"]
    assert [(i["name"], i["quantity"]) for i in only] == [("Стрижка", "1")]


def test_what_began_is_stored_with_its_promise_before_any_call() -> None:
    fresh = payments.begin(payment(version=0), None, None, NOW, NewIds(), fresh=True)
    assert [(j.kind, j.subject) for j in fresh.jobs] == [("payment.advance", "pay_1")]
    assert fresh.jobs[0].due_at > NOW  # the request itself asks first
    again = payments.begin(payment(), None, None, NOW, NewIds(), fresh=False)
    assert again.jobs[0].due_at == 0


def test_final_payments_are_those_the_acquirer_ends() -> None:
    assert {s for s in Status if replace(captured(), status=s).final} == {K, X, F}


def test_held_money_that_the_shop_takes_after_the_deadline_was_given_in_time() -> None:
    over = invoice(expires_at=NOW, status=invoices.Status.EXPIRED)
    held = payment(status=Status.AUTHORIZED, wanted="capture", wanted_key="op_9")
    paid = after(settled(held, over, reply(captured_at=NOW + HOUR)), held)
    assert (paid.status, paid.attention, paid.wanted) == (Status.CAPTURED, None, "")
