"""Refunds in the acquirer's list: each is booked once, whatever was booked before."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Attention, Payment
from sigma.domain.billing.refund import Event, Refund, RefundReply, Status, refunded_amount
from sigma.domain.billing.refund_sync import ListedRefund, record_difference, settle_listed
from sigma.domain.change import Change
from sigma.domain.money import Money
from tests.domain.factories import NOW_US, SequentialIds, captured_payment, refund

PAID = captured_payment()  # 1500 ₽


class PaymentRecord:
    """A payment, its refunds and what the ledger has of them, as the store would keep them."""

    def __init__(self, *refunds: Refund, payment: Payment = PAID) -> None:
        self.payment = payment
        self.refunds = {one.id: one for one in refunds}
        self.booked: dict[str, int] = {}
        self.mails: list[Mail] = []
        self.ids = SequentialIds()

    def apply(self, change: Change) -> None:
        for row in change.rows:
            if isinstance(row, Refund):
                self.refunds[row.id] = row
            elif isinstance(row, Payment):
                self.payment = row
            elif isinstance(row, Mail):
                self.mails.append(row)
        for entry in change.entries:
            assert entry.subject_id not in self.booked, "booked twice"
            self.booked[entry.subject_id] = entry.postings[0].amount.minor

    def difference(self, total: int, *, complete: bool = False, rejected: str = "") -> None:
        change = record_difference(
            self.payment,
            tuple(self.refunds.values()),
            Money(total),
            NOW_US,
            self.ids,
            is_list_complete=complete,
            is_refund_due=False,
            rejected_id=rejected,
        )
        self.apply(change)

    def listed(self, total: int, *items: ListedRefund) -> None:
        for item in items:
            change = settle_listed(
                item,
                self.payment,
                tuple(self.refunds.values()),
                Money(total),
                NOW_US,
                self.ids,
                is_refund_due=False,
            )
            self.apply(change)

    def states(self) -> list[tuple[str, str, int]]:
        return sorted((r.origin, r.status, r.amount.minor) for r in self.refunds.values())

    def check(self, expected_total: int) -> None:
        """The refunds and the ledger have the acquirer's total, refund by refund."""
        assert refunded_amount(tuple(self.refunds.values()), "RUB") == Money(expected_total)
        ids = [r.provider_id for r in self.refunds.values() if r.provider_id]
        assert len(ids) == len(set(ids)), "the acquirer's id is unique"
        assert self.booked == {
            r.id: r.amount.minor for r in self.refunds.values() if r.status is Status.SUCCEEDED
        }


def item(provider_id: str, minor: int, refund_id: str = "", event: str = "succeeded") -> Any:
    return ListedRefund(RefundReply(provider_id, Event(event), Money(minor)), refund_id)


def failed_refund(minor: int = 30_000, **more: Any) -> Refund:
    values: dict[str, Any] = {"status": Status.FAILED, "failure": "never_started"}
    return refund(id="ref_ours", amount=Money(minor), **(values | more))


@pytest.mark.parametrize("is_complete", [True, False])
@pytest.mark.parametrize("status", [Status.FAILED, Status.PENDING])
def test_our_refund_found_after_its_money_was_booked_is_not_booked_again(
    status: Status, is_complete: bool
) -> None:
    flagged = replace(PAID, attention=Attention.REFUND_FAILED)
    record = PaymentRecord(failed_refund(reason="Отмена записи"), payment=flagged)
    record.difference(30_000, complete=is_complete)
    record.refunds["ref_ours"] = replace(record.refunds["ref_ours"], status=status)
    for _ in range(2):
        record.listed(30_000, item("bank-1", 30_000, "ref_ours"))
    record.check(30_000)
    assert record.states() == [("sigma", "failed", 30_000), ("sigma", "succeeded", 30_000)]
    (done,) = (r for r in record.refunds.values() if r.status is Status.SUCCEEDED)
    assert (done.provider_id, done.reason) == ("bank-1", "Отмена записи")
    assert record.payment.attention is None


def test_our_refund_found_before_the_difference_leaves_none() -> None:
    record = PaymentRecord(failed_refund())
    record.listed(30_000, item("bank-1", 30_000, "ref_ours"))
    record.difference(30_000, complete=True)
    record.check(30_000)
    assert record.states() == [("sigma", "succeeded", 30_000)]


ITEMS = [item("bank-1", 30_000, "ref_ours"), item("bank-2", 30_000), item("bank-3", 30_000)]


@pytest.mark.parametrize("order", list(permutations(ITEMS)))
@pytest.mark.parametrize("booked_before", [0, 30_000])
def test_equal_refunds_are_each_booked_once_in_every_order(
    order: Sequence[ListedRefund], booked_before: int
) -> None:
    record = PaymentRecord(failed_refund())
    record.difference(booked_before)
    for _ in range(2):
        record.listed(90_000, *order)
        record.difference(90_000, complete=True)
    record.check(90_000)


def test_our_refund_inside_a_larger_difference_is_not_booked_again() -> None:
    record = PaymentRecord(failed_refund())
    record.difference(50_000)
    for _ in range(2):
        record.listed(50_000, item("bank-2", 20_000), item("bank-1", 30_000, "ref_ours"))
    record.check(50_000)


def test_our_refund_with_an_acquirer_id_keeps_it_and_is_not_booked_again() -> None:
    record = PaymentRecord(failed_refund(provider_id="bank-1"))
    record.difference(30_000)
    record.listed(30_000, item("bank-1", 30_000, "ref_ours"))
    record.check(30_000)


def test_rejected_refund_explains_nothing_only_when_the_list_does_not_have_it() -> None:
    record = PaymentRecord(refund(id="ref_ours", amount=Money(30_000)))
    record.difference(30_000, rejected="ref_ours")  # without a list it may have been made
    assert record.states() == [("sigma", "pending", 30_000)]
    record.difference(30_000, rejected="ref_ours", complete=True)
    assert record.states() == [("chargeback", "succeeded", 30_000), ("sigma", "pending", 30_000)]


@pytest.mark.parametrize("event", ["pending", "succeeded", "failed"])
def test_refund_of_nothing_is_ignored(event: str) -> None:
    record = PaymentRecord()
    record.listed(0, item("bank-1", 0, event=event))
    assert (record.states(), record.payment.attention) == ([], None)


@pytest.mark.parametrize("earlier_minor", [0, 1, 150_000])
def test_refunds_above_the_captured_amount_are_flagged_once_and_not_booked(
    earlier_minor: int,
) -> None:
    record = PaymentRecord()
    record.difference(earlier_minor, complete=True)
    mails_before = len(record.mails)
    for _ in range(2):
        record.listed(300_000, item("bank-1", 150_001 - earlier_minor + earlier_minor % 2))
        record.difference(300_000, complete=True)
    record.check(earlier_minor)
    assert record.payment.attention is Attention.CONTRADICTION
    assert len(record.mails) == mails_before + 1


def test_refund_in_another_currency_is_flagged_and_not_booked() -> None:
    record = PaymentRecord()
    listed = ListedRefund(RefundReply("bank-1", Event.SUCCEEDED, Money(30_000, "USD")))
    for _ in range(2):
        record.listed(0, listed)
    record.check(0)
    assert record.payment.attention is Attention.CONTRADICTION


def test_refund_canceled_afterwards_is_flagged_and_stays_booked() -> None:
    record = PaymentRecord()
    record.listed(30_000, item("bank-1", 30_000))
    record.listed(0, item("bank-1", 30_000, event="failed"))
    record.check(30_000)
    assert record.payment.attention is Attention.CONTRADICTION
