"""The books balance whatever is told, in whatever order."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sigma.domain.billing import payment as payments
from sigma.domain.billing import refund as refunds
from sigma.domain.billing.invoice import Invoice, lapse, void
from sigma.domain.billing.payment import Attention, Payment
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.domain.change import Change
from sigma.domain.errors import Refused
from sigma.domain.ledger import Account
from sigma.domain.money import Money
from tests.domain.objects import HOUR, NOW, SHOP, Books, NewIds, invoice, payment

PAYMENTS = ("pay_1", "pay_2", "pay_3")
SUMS = [Money(150_000)] * 6 + [Money(1), Money(150_000, "USD"), None]
INCOMES = [None, Money(145_000), Money(0), Money(200_000), Money(1, "USD")]


def _paid(which: str) -> tuple[Any, ...]:
    answer = payments.Reply(f"bank-{which}", payments.Event.CAPTURED, Money(150_000))
    return "reply", which, answer


payment_replies = st.builds(
    lambda which, event, amount, at, income, other: (
        "reply",
        which,
        payments.Reply(
            provider_id="bank-other" if other else f"bank-{which}",
            event=event,
            amount=amount,
            captured_at=at,
            income=income,
        ),
    ),
    st.sampled_from(PAYMENTS),
    st.sampled_from(list(payments.Event)),
    st.sampled_from(SUMS),
    st.sampled_from([None, NOW, NOW + HOUR, NOW + HOUR + 1]),
    st.sampled_from(INCOMES),
    st.integers(0, 9).map(lambda n: n == 0),
)
refund_wishes = st.tuples(
    st.just("refund"),
    st.sampled_from(PAYMENTS),
    st.sampled_from([Money(50_000), Money(100_000), Money(150_000)])
    | st.integers(1, 160_000).map(Money),
)
refund_replies = st.builds(
    lambda nth, event, right: ("refunded", nth, event, right),
    st.integers(0, 5),
    st.sampled_from(list(refunds.Event)),
    st.integers(0, 9).map(lambda n: n > 0),
)
lost = st.tuples(st.just("lost"), st.sampled_from(PAYMENTS))
about_invoice = st.tuples(st.sampled_from(["void", "lapse"]))
anything = payment_replies | refund_wishes | refund_replies | lost | about_invoice
paid_first = st.lists(st.sampled_from(PAYMENTS).map(_paid), max_size=3)
stories = st.builds(
    lambda *parts: [step for part in parts for step in part],
    st.lists(anything, max_size=8),
    paid_first,
    st.lists(refund_wishes | refund_replies | refund_replies | payment_replies, max_size=20),
    st.lists(anything, max_size=8),
)


class Story:
    """Decisions taken one after another, each written as a store would."""

    def __init__(self, of: Invoice) -> None:
        self.books, self.ids, self.now = Books(), NewIds(), NOW
        attempts = (
            payment(id=p, provider_id=None, version=0, token=p, wants_mail=p == "pay_1")
            for p in PAYMENTS
        )
        self.books.write(Change((replace(of, version=0), *attempts)))

    def step(self, what: str, *given: Any) -> None:
        self.now += 1
        of = self.books.rows["inv_1"]
        change: Change | None
        try:
            change = getattr(self, f"_{what}")(of, *given)
        except Refused:
            change = None
        if change is not None:
            self.books.write(change)

    def _reply(self, of: Invoice, which: str, answer: payments.Reply) -> Change:
        paid = self.books.rows[which]
        return payments.settle(paid, of, SHOP, answer, self.now, self.ids)

    def _lost(self, _: Invoice, which: str) -> Change:
        paid: Payment = self.books.rows[which]
        return Change() if paid.final else payments.not_known(paid, self.now, self.ids)

    def _void(self, of: Invoice) -> Change:
        return void(of, self.now, self.ids, "usr_1")

    def _lapse(self, of: Invoice) -> Change:
        return lapse(of, NOW + HOUR, self.ids)

    def refunds_of(self, which: str) -> tuple[Refund, ...]:
        return tuple(r for r in self.books.refunds() if r.payment_id == which)

    def _refund(self, _: Invoice, which: str, amount: Money) -> Change:
        _, change = refunds.request(
            self.books.rows[which],
            self.refunds_of(which),
            amount,
            "",
            operation_key=self.ids("op"),
            now=self.now,
            new_id=self.ids,
            actor="usr_1",
        )
        return change

    def _refunded(self, _: Invoice, nth: int, event: refunds.Event, right: bool) -> Change:
        made = self.books.refunds()
        if not made:
            return Change()
        asked = made[nth % len(made)]
        answer = refunds.Reply(f"bank-{asked.id}", event, asked.amount if right else Money(1))
        return refunds.settle(
            asked,
            self.books.rows[asked.payment_id],
            self.refunds_of(asked.payment_id),
            answer,
            self.now,
            self.ids,
            owed=self.books.owed(asked.payment_id),
        )

    def check(self) -> None:
        captured = [p for p in self.books.of(Payment) if p.status is payments.Status.CAPTURED]
        booked = {subject for kind, subject in self.books.entries if kind == "capture"}
        assert booked == {p.id for p in captured}
        assert {r.payment_id for r in self.books.of(Receipt)} == booked
        assert sum(self.books.balance(account) for account in Account) == 0
        self._check_refunds(captured)
        of = self.books.rows["inv_1"]
        sold = [p for p in captured if not self.books.owed(p.id)]
        assert len(sold) == of.paid_count
        assert of.max_payments is None or of.paid_count <= of.max_payments

    def _check_refunds(self, captured: list[Payment]) -> None:
        done = [r for r in self.books.refunds() if r.status is refunds.Status.SUCCEEDED]
        booked = {subject for kind, subject in self.books.entries if kind == "refund"}
        assert booked == {r.id for r in done}
        due = {True: 0, False: 0}
        for paid in captured:
            back = refunds.refunded(self.refunds_of(paid.id), "RUB")
            assert back <= refunds.taken(self.refunds_of(paid.id), "RUB") <= paid.amount
            owed = self.books.owed(paid.id)
            due[owed] += (paid.amount - back).minor
            if owed and back < paid.amount:
                assert paid.attention is not None, "money to give back is looked at"
        assert -self.books.balance(Account.OWED) == due[True]
        assert -self.books.balance(Account.SALES) == due[False]


invoice_kinds = st.sampled_from(
    [invoice(), invoice(max_payments=2), invoice(max_payments=None), invoice(expires_at=NOW + HOUR)]
)


@given(invoice_kinds, stories)
@settings(max_examples=400)
def test_the_books_balance_whatever_is_told_in_whatever_order(
    of: Invoice, steps: list[tuple[Any, ...]]
) -> None:
    story = Story(of)
    for step in steps:
        story.step(*step)
        story.check()


@given(invoice_kinds, stories)
@settings(max_examples=50)
def test_a_story_told_twice_over_books_nothing_more(
    of: Invoice, steps: list[tuple[Any, ...]]
) -> None:
    answers = [step for step in steps if step[0] == "reply"]
    once, twice = Story(of), Story(of)
    for step in answers:
        once.step(*step)
        twice.step(*step)
        twice.step(*step)
    assert set(once.books.entries) == set(twice.books.entries)
    assert once.books.rows["inv_1"].paid_count == twice.books.rows["inv_1"].paid_count


def test_an_extra_payment_given_back_leaves_the_books_as_if_it_had_never_come() -> None:
    story = Story(invoice())
    for which in ("pay_1", "pay_2"):
        story.step(*_paid(which))
    assert story.books.rows["pay_2"].attention is Attention.EXTRA
    story.step("refund", "pay_2", Money(50_000))
    story.step("refunded", 0, refunds.Event.FAILED, True)
    for minor in (50_000, 100_000):
        story.step("refund", "pay_2", Money(minor))
    story.step("refunded", 1, refunds.Event.SUCCEEDED, True)
    story.step("refunded", 2, refunds.Event.SUCCEEDED, True)
    story.check()
    assert story.books.rows["pay_2"].attention is None
    assert story.books.balance(Account.OWED) == 0
    assert story.books.balance(Account.SALES) == -150_000
    assert story.books.balance(Account.ACQUIRER) == 150_000
