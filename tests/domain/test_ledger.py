"""The books: an entry that does not balance cannot be built."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.ledger import Account, Entry, Line, capture_entry, refund_entry
from sigma.domain.money import Money

accounts = st.sampled_from(list(Account))
amounts = st.integers(-(10**9), 10**9)


def entry(*lines: tuple[Account, Money]) -> Entry:
    return Entry("capture", "pay_1", "shp_1", 1, tuple(Line(a, m) for a, m in lines))


@given(st.lists(st.tuples(accounts, amounts), max_size=6))
def test_only_what_balances_can_be_built(lines: list[tuple[Account, int]]) -> None:
    good = len(lines) >= 2 and all(m for _, m in lines) and sum(m for _, m in lines) == 0
    made = [(account, Money(minor)) for account, minor in lines]
    if good:
        assert sum(line.amount.minor for line in entry(*made).lines) == 0
    else:
        with pytest.raises(ValueError, match="entry"):
            entry(*made)


@given(accounts, accounts, st.integers(1, 10**9))
def test_a_pair_of_opposite_lines_can_be_built(a: Account, b: Account, minor: int) -> None:
    assert entry((a, Money(minor)), (b, Money(-minor)))


def test_two_currencies_in_one_entry_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="one currency"):
        entry((Account.ACQUIRER, Money(5, "RUB")), (Account.SALES, Money(-5, "USD")))


incomes = st.none() | st.integers(-100, 2 * 10**9).map(Money) | st.just(Money(90, "USD"))


@given(st.integers(1, 10**9), incomes, st.booleans())
def test_a_capture_is_booked_whole_whatever_the_acquirer_says_it_kept(
    minor: int, income: Money | None, owed: bool
) -> None:
    made = capture_entry(
        payment_id="pay_1", shop_id="shp_1", at=1, amount=Money(minor), income=income, owed=owed
    )
    lines = {line.account: line.amount.minor for line in made.lines}
    assert lines[Account.OWED if owed else Account.SALES] == -minor
    assert lines[Account.ACQUIRER] + lines.get(Account.FEES, 0) == minor
    assert lines[Account.ACQUIRER] > 0
    assert lines.get(Account.FEES, 0) >= 0


@given(st.integers(1, 10**9), st.booleans())
def test_a_refund_takes_back_what_a_capture_gave(minor: int, owed: bool) -> None:
    common = {"shop_id": "shp_1", "at": 1, "amount": Money(minor), "owed": owed}
    there = capture_entry(payment_id="pay_1", income=None, **common)  # type: ignore[arg-type]
    back = refund_entry(refund_id="ref_1", **common)  # type: ignore[arg-type]
    by_account: dict[Account, int] = {}
    for line in (*there.lines, *back.lines):
        by_account[line.account] = by_account.get(line.account, 0) + line.amount.minor
    assert set(by_account.values()) == {0}
