"""A fee that the acquirer reports only after the capture: booked once, at the capture's time."""

from dataclasses import replace

import pytest

from sigma.domain.billing.payment import Attention, Payment, PaymentReply, Status, record_fee
from sigma.domain.change import Change
from sigma.domain.figures import capture_figures, sum_figures
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

FEE = 5_250


def capture_without_a_fee() -> tuple[InMemoryStore, list[Change]]:
    """Return a store with a captured payment, and the Change of its capture."""
    store = InMemoryStore()
    store.write(Change((payment(version=0), invoice(version=0))))
    captured = payment_reply(captured_at_us=NOW_US)
    change = settle(store.rows["pay_1"], store.rows["inv_1"], captured)
    store.write(change)
    return store, [change]


@pytest.mark.parametrize("fee_minor", [0, 1, FEE, 149_999])
@pytest.mark.parametrize("way", ["settle", "record_fee"])
def test_late_fee_leaves_everything_as_if_it_came_with_the_capture(
    fee_minor: int, way: str
) -> None:
    store, made = capture_without_a_fee()
    assert store.rows["pay_1"].income is None
    reply = payment_reply(income=Money(150_000 - fee_minor))
    for _ in range(3):
        stored, of_invoice = store.rows["pay_1"], store.rows["inv_1"]
        change = record_fee(stored, reply)
        if way == "settle":
            later = NOW_US + HOUR_US
            change = settle(stored, of_invoice, reply, later, SequentialIds())
        store.write(change)
        made.append(change)
    paid = store.rows["pay_1"]
    assert paid.income == Money(150_000 - fee_minor)
    assert store.balance(Account.FEES) == fee_minor
    assert store.balance(Account.ACQUIRER) == 150_000 - fee_minor
    assert {entry.booked_at_us for entry in store.entries.values()} == {NOW_US}
    tallies = [tally for change in made for tally in change.tallies]
    assert {tally.at_us for tally in tallies} == {NOW_US}
    counted = sum_figures([tally.figures for tally in tallies])
    expected = capture_figures(150_000, 150_000 - fee_minor)
    assert replace(counted, opened_count=0, paid_count=0) == expected


@pytest.mark.parametrize(
    "reply",
    [
        payment_reply(),
        payment_reply(income=Money(0)),
        payment_reply(income=Money(-1)),
        payment_reply(income=Money(150_001)),
        payment_reply(income=Money(1, "USD")),
        payment_reply(income=Money(144_750), provider_id="bank-2"),
        payment_reply(income=Money(144_750), amount=Money(149_999)),
        payment_reply("pending", income=Money(144_750)),
        payment_reply("canceled", income=Money(144_750)),
    ],
)
def test_reply_that_does_not_fit_reports_no_fee(reply: PaymentReply) -> None:
    store, _ = capture_without_a_fee()
    assert not record_fee(store.rows["pay_1"], reply)
    later = settle(store.rows["pay_1"], store.rows["inv_1"], reply)
    assert not later.entries
    assert not later.tallies


def test_known_fee_is_not_booked_again_when_another_is_reported() -> None:
    paid = captured_payment(income=Money(144_750))
    assert not record_fee(paid, payment_reply(income=Money(140_000)))


@pytest.mark.parametrize("status", [one for one in Status if one is not Status.CAPTURED])
def test_payment_that_is_not_captured_has_no_late_fee(status: Status) -> None:
    open_payment: Payment = payment(status=status)
    assert not record_fee(open_payment, payment_reply(income=Money(144_750)))


def test_payment_to_refund_has_its_late_fee_too() -> None:
    store = InMemoryStore()
    store.write(Change((payment(version=0), invoice(version=0, paid_count=1))))
    store.write(settle(store.rows["pay_1"], store.rows["inv_1"], payment_reply()))
    assert store.rows["pay_1"].attention is Attention.EXTRA
    store.write(record_fee(store.rows["pay_1"], payment_reply(income=Money(144_750))))
    assert store.balance(Account.FEES) == FEE
    assert store.balance(Account.REFUNDS_DUE) == -150_000
