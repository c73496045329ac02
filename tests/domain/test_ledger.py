"""The ledger: an entry that does not balance cannot be built."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.ledger import Account, Entry, Posting, capture_entry, refund_entry
from sigma.domain.money import Money

accounts = st.sampled_from(list(Account))
amounts = st.integers(-(10**9), 10**9)


def entry(*postings: tuple[Account, Money]) -> Entry:
    return Entry("capture", "pay_1", "shp_1", 1, tuple(Posting(a, m) for a, m in postings))


@given(st.lists(st.tuples(accounts, amounts), max_size=6))
def test_only_balanced_entry_can_be_built(postings: list[tuple[Account, int]]) -> None:
    minors = [minor for _, minor in postings]
    is_valid = len(minors) >= 2 and all(minors) and sum(minors) == 0
    pairs = [(account, Money(minor)) for account, minor in postings]
    if is_valid:
        assert sum(posting.amount.minor for posting in entry(*pairs).postings) == 0
    else:
        with pytest.raises(ValueError, match=r"entry|posting"):
            entry(*pairs)


@given(accounts, accounts, st.integers(1, 10**9))
def test_entry_with_two_opposite_postings_can_be_built(a: Account, b: Account, minor: int) -> None:
    assert len(entry((a, Money(minor)), (b, Money(-minor))).postings) == 2


def test_entry_with_two_currencies_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="one currency"):
        entry((Account.ACQUIRER, Money(5, "RUB")), (Account.SALES, Money(-5, "USD")))


reported_incomes = st.none() | st.integers(-100, 2 * 10**9).map(Money) | st.just(Money(90, "USD"))


@given(st.integers(1, 10**9), reported_incomes, st.booleans())
def test_capture_is_booked_in_full_whatever_income_is_reported(
    minor: int, income: Money | None, is_refund_due: bool
) -> None:
    capture = capture_entry(
        payment_id="pay_1",
        shop_id="shp_1",
        booked_at_us=1,
        amount=Money(minor),
        income=income,
        is_refund_due=is_refund_due,
    )
    amounts = {posting.account: posting.amount.minor for posting in capture.postings}
    assert amounts[Account.REFUNDS_DUE if is_refund_due else Account.SALES] == -minor
    assert amounts[Account.ACQUIRER] + amounts.get(Account.FEES, 0) == minor
    assert amounts[Account.ACQUIRER] > 0
    assert amounts.get(Account.FEES, 0) >= 0


@given(st.integers(1, 10**9), st.booleans())
def test_full_refund_reverses_its_capture(minor: int, is_refund_due: bool) -> None:
    amount = Money(minor)
    capture = capture_entry(
        payment_id="pay_1",
        shop_id="shp_1",
        booked_at_us=1,
        amount=amount,
        income=None,
        is_refund_due=is_refund_due,
    )
    refund = refund_entry(
        refund_id="ref_1",
        shop_id="shp_1",
        booked_at_us=1,
        amount=amount,
        origin="sigma",
        is_refund_due=is_refund_due,
    )
    balances: dict[Account, int] = {}
    for posting in (*capture.postings, *refund.postings):
        balances[posting.account] = balances.get(posting.account, 0) + posting.amount.minor
    assert set(balances.values()) == {0}
