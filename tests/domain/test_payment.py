"""Payments: how the acquirer's replies change them, and what is booked."""

from dataclasses import replace
from itertools import permutations, product
from typing import Any

import pytest

from sigma.domain.billing import invoice as invoices
from sigma.domain.billing import payment as payments
from sigma.domain.billing import payment_actions
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import FLOW, Attention, Event, Payment, PaymentMethod, Status
from sigma.domain.billing.payment_starts import begin
from sigma.domain.billing.receipt import Receipt
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.ledger import Account
from sigma.domain.money import Money
from tests.domain.factories import (
    HOUR_US,
    NOW_US,
    InMemoryStore,
    SequentialIds,
    captured_payment,
    invoice,
    payment,
    payment_reply,
    settle,
)

C, P, A, K, X, F = (
    Status.CREATED,
    Status.PENDING,
    Status.AUTHORIZED,
    Status.CAPTURED,
    Status.CANCELED,
    Status.FAILED,
)
# Rows: the current status. Columns: the acquirer's status, in the order pending, authorized,
# captured, canceled, failed. None is a contradiction, which flags the payment for the owner.
EXPECTED: dict[Status, tuple[Status | None, ...]] = {
    C: (P, A, K, X, F),
    P: (P, A, K, X, F),
    A: (A, A, K, X, F),
    K: (K, K, K, None, None),
    X: (X, X, K, X, X),
    F: (F, F, K, F, F),
}


def after(change: Change, before: Payment) -> Payment:
    return next((s for s in change.rows if isinstance(s, Payment)), before)


@pytest.mark.parametrize(("status", "event"), list(product(Status, Event)))
def test_transition_follows_table_or_flags_contradiction(status: Status, event: Event) -> None:
    expected = EXPECTED[status][list(Event).index(event)]
    assert FLOW[status].get(event) is expected
    before = payment(status=status)
    moved = after(settle(before, invoice(), payment_reply(str(event))), before)
    if expected is None:
        assert (moved.status, moved.attention) == (status, Attention.CONTRADICTION)
    else:
        assert (moved.status, moved.attention) == (expected, None)


def test_flow_has_row_for_every_status() -> None:
    assert set(FLOW) == set(Status)


def test_captured_payment_stays_captured() -> None:
    assert set(FLOW[Status.CAPTURED].values()) == {Status.CAPTURED}


def test_status_never_goes_back_except_to_captured() -> None:
    rank = {C: 0, P: 1, A: 2, X: 3, F: 3, K: 4}
    for before, row in FLOW.items():
        for result in row.values():
            assert result is before or rank[result] > rank[before]


@pytest.mark.parametrize("event", list(Event))
def test_repeated_reply_changes_nothing(event: Event) -> None:
    answer = payment_reply(
        str(event),
        method=PaymentMethod(mask="220000******0004", brand="mir"),
        confirmation_url="https://bank.example/1",
        failure="insufficient_funds" if event is Event.FAILED else "",
        income=Money(145_000),
    )
    change = settle(payment(is_outcome_unknown=True), invoice(), answer)
    moved = after(change, payment())
    assert change
    paid_invoice = next((s for s in change.rows if isinstance(s, Invoice)), invoice())
    for _ in range(3):
        assert not settle(moved, paid_invoice, answer)


@pytest.mark.parametrize("events", list(permutations(["pending", "authorized", "captured"])))
def test_replies_in_any_order_book_capture_once(events: tuple[str, ...]) -> None:
    store = InMemoryStore()
    store.write(Change((payment(version=0), invoice(version=0))))
    ids = SequentialIds()
    for event in events * 3:
        stored_payment, stored_invoice = store.rows["pay_1"], store.rows["inv_1"]
        store.write(settle(stored_payment, stored_invoice, payment_reply(event), ids=ids))
    assert store.rows["pay_1"].status is Status.CAPTURED
    assert store.rows["inv_1"].status is invoices.Status.PAID
    assert list(store.entries) == [("capture", "pay_1")]
    assert len(store.list_of(Receipt)) == 1
    assert store.balance(Account.SALES) == -150_000


@pytest.mark.parametrize("event", ["authorized", "captured"])
@pytest.mark.parametrize(
    "amount", [None, Money(149_999), Money(150_001), Money(0), Money(150_000, "USD")]
)
def test_wrong_amount_is_never_captured_and_owner_is_mailed(
    event: str, amount: Money | None
) -> None:
    answer = payment_reply(event, amount=amount, captured_at_us=NOW_US)
    change = settle(payment(), invoice(), answer)
    moved = after(change, payment())
    assert (moved.status, moved.attention) == (Status.PENDING, Attention.MISMATCH)
    assert not change.entries
    assert [m.kind for m in change.rows if isinstance(m, Mail)] == ["attention"]
    assert not settle(moved, invoice(), answer)


def test_right_amount_after_wrong_one_is_captured() -> None:
    flagged = after(settle(payment(), invoice(), payment_reply(amount=Money(1))), payment())
    paid = after(settle(flagged, invoice(), payment_reply()), flagged)
    assert (paid.status, paid.attention) == (Status.CAPTURED, None)


def test_reply_about_another_payment_is_flagged_and_not_booked() -> None:
    change = settle(payment(), invoice(), payment_reply(provider_id="bank-2"))
    moved = after(change, payment())
    assert (moved.status, moved.attention) == (Status.PENDING, Attention.CONTRADICTION)
    assert not change.entries


def test_recurring_problem_is_mailed_each_time_it_recurs() -> None:
    store = InMemoryStore()
    store.write(Change((payment(version=0),)))
    ids = SequentialIds()
    wrong, other = payment_reply(amount=Money(1)), payment_reply(provider_id="bank-2")
    for answer in (wrong, wrong, other, other, wrong):
        store.write(settle(store.rows["pay_1"], invoice(), answer, ids=ids))
    problems = [mail.subject_key.partition(":")[2] for mail in store.list_of(Mail)]
    assert problems == ["mismatch", "contradiction", "mismatch"]


@pytest.mark.parametrize(
    ("current", "captured_at_us", "attention"),
    [
        (invoice(expires_at_us=NOW_US), NOW_US, None),  # exactly at the deadline is in time
        (invoice(expires_at_us=NOW_US), NOW_US - 1, None),
        (invoice(expires_at_us=NOW_US), NOW_US + 1, Attention.LATE),
        (invoice(expires_at_us=NOW_US, status=invoices.Status.EXPIRED), NOW_US, None),
        (invoice(expires_at_us=NOW_US, status=invoices.Status.EXPIRED), NOW_US + 1, Attention.LATE),
        (invoice(status=invoices.Status.VOID), NOW_US, Attention.VOIDED),
        (invoice(status=invoices.Status.PAID, paid_count=1), NOW_US, Attention.EXTRA),
        (invoice(paid_count=2, max_payments=3), NOW_US, None),
        (invoice(paid_count=3, max_payments=3), NOW_US, Attention.EXTRA),
        (invoice(paid_count=3, max_payments=None), NOW_US, None),
    ],
)
def test_capture_is_booked_and_flagged_when_refund_is_due(
    current: Invoice, captured_at_us: int, attention: Attention | None
) -> None:
    learned_at_us = NOW_US + 9 * HOUR_US  # the time we learn of the capture does not matter
    change = settle(payment(), current, payment_reply(captured_at_us=captured_at_us), learned_at_us)
    paid = after(change, payment())
    assert (paid.status, paid.attention, paid.captured_at_us) == (
        Status.CAPTURED,
        attention,
        captured_at_us,
    )
    (entry,) = change.entries
    is_refund_due = any(posting.account is Account.REFUNDS_DUE for posting in entry.postings)
    assert is_refund_due is (attention is not None)
    saved_invoices = [s for s in change.rows if isinstance(s, Invoice)]
    assert [c.paid_count - current.paid_count for c in saved_invoices] == ([] if attention else [1])
    owner_mails = [m for m in change.rows if isinstance(m, Mail) and m.kind == "attention"]
    assert len(owner_mails) == (attention is not None)


def test_last_expected_payment_makes_invoice_paid() -> None:
    def status(current: Invoice) -> Any:
        change = settle(payment(), current, payment_reply())
        return next(s for s in change.rows if isinstance(s, Invoice)).status

    assert status(invoice()) is invoices.Status.PAID
    assert status(invoice(max_payments=2)) is invoices.Status.OPEN
    assert status(invoice(max_payments=2, paid_count=1)) is invoices.Status.PAID
    assert status(invoice(max_payments=None, paid_count=7)) is invoices.Status.OPEN


def test_receipt_is_mailed_only_when_email_was_given() -> None:
    def mails(paid: Payment) -> list[str]:
        change = settle(paid, invoice(), payment_reply())
        assert len([job for job in change.jobs if job.kind == "mail.send"]) == paid.has_email
        return [m.kind for m in change.rows if isinstance(m, Mail)]

    assert mails(payment(has_email=True)) == ["receipt"]
    assert mails(payment(has_email=False)) == []


@pytest.mark.parametrize("income", [Money(0), Money(-1), Money(150_001), Money(1, "USD")])
def test_implausible_income_is_not_stored(income: Money) -> None:
    change = settle(payment(), invoice(), payment_reply(income=income))
    assert after(change, payment()).income is None
    assert {posting.account for posting in change.entries[0].postings} == {
        Account.ACQUIRER,
        Account.SALES,
    }


def test_lost_reply_sets_unknown_and_next_reply_clears_it() -> None:
    change = payments.mark_unknown(payment(), NOW_US, SequentialIds())
    unknown = after(change, payment())
    assert (unknown.status, unknown.is_outcome_unknown) == (Status.PENDING, True)
    assert not payments.mark_unknown(unknown, NOW_US, SequentialIds())
    again = payments.mark_unknown(unknown, NOW_US + 1, SequentialIds())
    assert after(again, unknown).lost_call_at_us == NOW_US + 1
    assert len(again.rows) == 1
    for event in Event:
        assert not after(
            settle(unknown, invoice(), payment_reply(str(event))), unknown
        ).is_outcome_unknown


@pytest.mark.parametrize("action", ["capture", "cancel"])
def test_capture_or_cancel_of_authorized_payment_is_requested_once(action: str) -> None:
    authorized = payment(status=Status.AUTHORIZED)
    change = payment_actions.request_action(
        authorized, action, "op_9", NOW_US, SequentialIds(), "usr_1"
    )
    requested = after(change, authorized)
    assert (requested.requested_action, requested.requested_action_key) == (action, "op_9")
    assert requested.status is Status.AUTHORIZED
    assert [job.kind for job in change.jobs] == ["payment.advance"]
    assert not payment_actions.request_action(
        requested, action, "op_10", NOW_US, SequentialIds(), "usr_1"
    )
    other = "cancel" if action == "capture" else "capture"
    with pytest.raises(RefusedError, match="payment_not_authorized"):
        payment_actions.request_action(requested, other, "op_10", NOW_US, SequentialIds(), "usr_1")
    answer = payment_reply("captured" if action == "capture" else "canceled")
    assert after(settle(requested, invoice(), answer), requested).requested_action == ""


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.AUTHORIZED])
def test_payment_that_is_not_authorized_cannot_be_captured_or_canceled(status: Status) -> None:
    for action in ("capture", "cancel"):
        with pytest.raises(RefusedError, match="payment_not_authorized"):
            payment_actions.request_action(
                payment(status=status), action, "op_9", NOW_US, SequentialIds(), "usr_1"
            )


def test_receipt_contains_payment_items_and_seller() -> None:
    current = invoice(items=(invoices.InvoiceItem("Маникюр", "2.5", Money(60_000)),), return_url="")
    paid = payment(method=PaymentMethod(mask="220000******0004", brand="mir"))
    change = settle(paid, current, payment_reply(captured_at_us=NOW_US + 5))
    receipt = next(s for s in change.rows if isinstance(s, Receipt))
    assert receipt.token == paid.token
    body = receipt.body
    assert body["paid_at_us"] == NOW_US + 5
    assert (body["mask"], body["brand"]) == ("220000******0004", "mir")
    assert body["amount"] == {"minor": 150_000, "currency": "RUB"}
    assert body["items"][0]["sum"] == {"minor": 150_000, "currency": "RUB"}
    assert body["seller"]["inn"] == "500100732259"
    change = settle(payment(), invoice(title="Стрижка"), payment_reply())
    items = next(s for s in change.rows if isinstance(s, Receipt)).body["items"]
    assert [(i["name"], i["quantity"]) for i in items] == [("Стрижка", "1")]


def test_new_payment_is_stored_with_job_before_any_acquirer_call() -> None:
    first = begin(payment(version=0), None, None, NOW_US, SequentialIds(), is_new=True)
    assert [(j.kind, j.subject_id) for j in first.jobs] == [("payment.advance", "pay_1")]
    assert first.jobs[0].due_at_us > NOW_US  # the HTTP request itself calls the acquirer first
    again = begin(payment(), None, None, NOW_US, SequentialIds(), is_new=False)
    assert again.jobs[0].due_at_us == 0


def test_final_statuses_are_captured_canceled_and_failed() -> None:
    assert {s for s in Status if replace(captured_payment(), status=s).is_final} == {K, X, F}


def test_capture_after_expiry_of_payment_authorized_in_time_is_not_late() -> None:
    expired = invoice(expires_at_us=NOW_US, status=invoices.Status.EXPIRED)
    authorized = payment(
        status=Status.AUTHORIZED, requested_action="capture", requested_action_key="op_9"
    )
    paid = after(
        settle(authorized, expired, payment_reply(captured_at_us=NOW_US + HOUR_US)), authorized
    )
    assert (paid.status, paid.attention, paid.requested_action) == (Status.CAPTURED, None, "")
