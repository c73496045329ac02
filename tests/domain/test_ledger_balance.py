"""Property test: the ledger balances after any replies, in any order."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sigma.domain.billing import payment as payments
from sigma.domain.billing import refund as refunds
from sigma.domain.billing.invoice import Invoice, expire, void
from sigma.domain.billing.payment import Attention, Payment
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.domain.change import Change
from sigma.domain.errors import RefusedError
from sigma.domain.ledger import Account
from sigma.domain.money import Money
from tests.domain.factories import (
    HOUR_US,
    NOW_US,
    SHOP,
    InMemoryStore,
    SequentialIds,
    invoice,
    payment,
)

PAYMENT_IDS = ("pay_1", "pay_2", "pay_3")
AMOUNTS = [Money(150_000)] * 6 + [Money(1), Money(150_000, "USD"), None]
INCOMES = [None, Money(145_000), Money(0), Money(200_000), Money(1, "USD")]

# A step is the name of a method of Scenario without its underscore, then its arguments.
Step = tuple[Any, ...]


def _capture_step(payment_id: str) -> Step:
    reply = payments.PaymentReply(f"bank-{payment_id}", payments.Event.CAPTURED, Money(150_000))
    return "payment_reply", payment_id, reply


payment_replies = st.builds(
    lambda payment_id, event, amount, captured_at, income, is_other: (
        "payment_reply",
        payment_id,
        payments.PaymentReply(
            provider_id="bank-other" if is_other else f"bank-{payment_id}",
            event=event,
            amount=amount,
            captured_at_us=captured_at,
            income=income,
        ),
    ),
    st.sampled_from(PAYMENT_IDS),
    st.sampled_from(list(payments.Event)),
    st.sampled_from(AMOUNTS),
    st.sampled_from([None, NOW_US, NOW_US + HOUR_US, NOW_US + HOUR_US + 1]),
    st.sampled_from(INCOMES),
    st.integers(0, 9).map(lambda n: n == 0),
)
refund_requests = st.tuples(
    st.just("request_refund"),
    st.sampled_from(PAYMENT_IDS),
    st.sampled_from([Money(50_000), Money(100_000), Money(150_000)])
    | st.integers(1, 160_000).map(Money),
)
refund_replies = st.builds(
    lambda index, event, is_right_amount: ("refund_reply", index, event, is_right_amount),
    st.integers(0, 5),
    st.sampled_from(list(refunds.Event)),
    st.integers(0, 9).map(lambda n: n > 0),
)
lost_replies = st.tuples(st.just("lose_reply"), st.sampled_from(PAYMENT_IDS))
invoice_steps = st.tuples(st.sampled_from(["void", "expire"]))
any_step = payment_replies | refund_requests | refund_replies | lost_replies | invoice_steps
captures = st.lists(st.sampled_from(PAYMENT_IDS).map(_capture_step), max_size=3)
step_lists = st.builds(
    lambda *parts: [step for part in parts for step in part],
    st.lists(any_step, max_size=8),
    captures,
    st.lists(refund_requests | refund_replies | refund_replies | payment_replies, max_size=20),
    st.lists(any_step, max_size=8),
)


class Scenario:
    """Domain decisions made one after another, each written to the store as the product does."""

    def __init__(self, start: Invoice) -> None:
        self.store, self.ids, self.now_us = InMemoryStore(), SequentialIds(), NOW_US
        self.revived_payment_ids: set[str] = set()  # with a failed refund that succeeded after all
        attempts = (
            payment(id=p, provider_id=None, version=0, token=p, has_email=p == "pay_1")
            for p in PAYMENT_IDS
        )
        self.store.write(Change((replace(start, version=0), *attempts)))

    def run(self, step: str, *arguments: Any) -> None:
        """Do one step; a step that the domain refuses changes nothing."""
        self.now_us += 1
        current = self.store.rows["inv_1"]
        change: Change | None
        try:
            change = getattr(self, f"_{step}")(current, *arguments)
        except RefusedError:
            change = None
        if change is not None:
            self.store.write(change)

    def _payment_reply(
        self, current: Invoice, payment_id: str, reply: payments.PaymentReply
    ) -> Change:
        stored = self.store.rows[payment_id]
        return payments.settle(stored, current, SHOP, reply, self.now_us, self.ids)

    def _lose_reply(self, _: Invoice, payment_id: str) -> Change:
        stored: Payment = self.store.rows[payment_id]
        return Change() if stored.is_final else payments.mark_unknown(stored, self.now_us, self.ids)

    def _void(self, current: Invoice) -> Change:
        return void(current, self.now_us, self.ids, "usr_1")

    def _expire(self, current: Invoice) -> Change:
        return expire(current, NOW_US + HOUR_US, self.ids)

    def refunds_of(self, payment_id: str) -> tuple[Refund, ...]:
        return tuple(r for r in self.store.refunds() if r.payment_id == payment_id)

    def _request_refund(self, _invoice: Invoice, payment_id: str, amount: Money) -> Change:
        _, change = refunds.request(
            self.store.rows[payment_id],
            self.refunds_of(payment_id),
            amount,
            "",
            operation_key=self.ids("op"),
            now_us=self.now_us,
            new_id=self.ids,
            actor="usr_1",
        )
        return change

    def _refund_reply(
        self, _: Invoice, index: int, event: refunds.Event, is_right_amount: bool
    ) -> Change:
        requested = self.store.refunds()
        if not requested:
            return Change()
        refund = requested[index % len(requested)]
        amount = refund.amount if is_right_amount else Money(1)
        if (refund.status, event) == (refunds.Status.FAILED, refunds.Event.SUCCEEDED):
            self.revived_payment_ids.add(refund.payment_id)
        return refunds.settle(
            refund,
            self.store.rows[refund.payment_id],
            self.refunds_of(refund.payment_id),
            refunds.RefundReply(f"bank-{refund.id}", event, amount),
            self.now_us,
            self.ids,
            is_refund_due=self.store.is_refund_due(refund.payment_id),
        )

    def check(self) -> None:
        """Check that the ledger, the receipts, the refunds and the paid count agree."""
        captured = [p for p in self.store.list_of(Payment) if p.status is payments.Status.CAPTURED]
        booked = {subject for kind, subject in self.store.entries if kind == "capture"}
        assert booked == {p.id for p in captured}
        assert {r.payment_id for r in self.store.list_of(Receipt)} == booked
        assert sum(self.store.balance(account) for account in Account) == 0
        fees = [p.amount - p.income for p in captured if p.income is not None]
        assert self.store.balance(Account.FEES) == sum(fee.minor for fee in fees)
        self._check_refunds(captured)
        current = self.store.rows["inv_1"]
        sales = [p for p in captured if not self.store.is_refund_due(p.id)]
        assert len(sales) == current.paid_count
        assert current.max_payments is None or current.paid_count <= current.max_payments

    def _check_refunds(self, captured: list[Payment]) -> None:
        succeeded = [r for r in self.store.refunds() if r.status is refunds.Status.SUCCEEDED]
        booked = {subject for kind, subject in self.store.entries if kind == "refund"}
        assert booked == {r.id for r in succeeded}
        net_minor = {True: 0, False: 0}
        for paid in captured:
            refunded = refunds.refunded_amount(self.refunds_of(paid.id), "RUB")
            reserved = refunds.reserved_amount(self.refunds_of(paid.id), "RUB")
            assert refunded <= reserved
            assert refunded <= paid.amount
            # A failed refund that succeeds after all takes what a later one has reserved.
            assert reserved <= paid.amount or paid.id in self.revived_payment_ids
            is_refund_due = self.store.is_refund_due(paid.id)
            net_minor[is_refund_due] += (paid.amount - refunded).minor
            if is_refund_due and refunded < paid.amount:
                assert paid.attention is not None, "a payment to refund needs attention"
        assert -self.store.balance(Account.REFUNDS_DUE) == net_minor[True]
        assert -self.store.balance(Account.SALES) == net_minor[False]


invoice_kinds = st.sampled_from(
    [
        invoice(),
        invoice(max_payments=2),
        invoice(max_payments=None),
        invoice(expires_at_us=NOW_US + HOUR_US),
    ]
)


@given(invoice_kinds, step_lists)
@settings(max_examples=400)
def test_ledger_balances_after_any_steps_in_any_order(start: Invoice, steps: list[Step]) -> None:
    scenario = Scenario(start)
    for step in steps:
        scenario.run(*step)
        scenario.check()


@given(invoice_kinds, step_lists)
@settings(max_examples=50)
def test_repeated_payment_replies_book_nothing_more(start: Invoice, steps: list[Step]) -> None:
    replies = [step for step in steps if step[0] == "payment_reply"]
    once, twice = Scenario(start), Scenario(start)
    for step in replies:
        once.run(*step)
        twice.run(*step)
        twice.run(*step)
    assert set(once.store.entries) == set(twice.store.entries)
    assert once.store.rows["inv_1"].paid_count == twice.store.rows["inv_1"].paid_count


def test_refunded_extra_payment_leaves_ledger_as_if_it_never_came() -> None:
    scenario = Scenario(invoice())
    for payment_id in ("pay_1", "pay_2"):
        scenario.run(*_capture_step(payment_id))
    assert scenario.store.rows["pay_2"].attention is Attention.EXTRA
    scenario.run("request_refund", "pay_2", Money(50_000))
    scenario.run("refund_reply", 0, refunds.Event.FAILED, True)
    for minor in (50_000, 100_000):
        scenario.run("request_refund", "pay_2", Money(minor))
    scenario.run("refund_reply", 1, refunds.Event.SUCCEEDED, True)
    scenario.run("refund_reply", 2, refunds.Event.SUCCEEDED, True)
    scenario.check()
    refunded_payment = scenario.store.rows["pay_2"]
    assert refunded_payment.attention is None
    assert scenario.store.balance(Account.REFUNDS_DUE) == 0
    assert scenario.store.balance(Account.SALES) == -150_000
    assert scenario.store.balance(Account.ACQUIRER) == 150_000
