"""Money is whole minor units; anything that is not is refused at once."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.money import EXPONENTS, MAX_MINOR, BadMoney, Money, total

currencies = st.sampled_from(sorted(EXPONENTS))
minors = st.integers(-MAX_MINOR, MAX_MINOR)


@given(st.integers(0, MAX_MINOR), currencies)
def test_decimal_text_comes_back_as_the_same_money(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert Money.parse(money.decimal(), currency) == money


@given(minors)
def test_decimal_text_is_what_decimal_arithmetic_says(minor: int) -> None:
    assert Decimal(Money(minor).decimal()) == Decimal(minor) / 100


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("0", 0),
        ("1500", 150_000),
        ("1500.0", 150_000),
        ("1500.00", 150_000),
        ("1500.5", 150_050),
        ("0.01", 1),
        ("1500.5000", 150_050),
        ("007.10", 710),
        ("100000000000.00", MAX_MINOR),
    ],
)
def test_an_amount_is_read(text: str, minor: int) -> None:
    assert Money.parse(text) == Money(minor)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "money_format"),
        (" 1", "money_format"),
        ("1 ", "money_format"),
        ("1\n", "money_format"),
        ("1 500", "money_format"),
        ("1500,50", "money_format"),
        ("-1", "money_format"),
        ("+1", "money_format"),
        (".5", "money_format"),
        ("5.", "money_format"),
        ("1e3", "money_format"),
        ("1_000", "money_format"),
        ("0x10", "money_format"),
        ("NaN", "money_format"),
        ("Infinity", "money_format"),
        ("١٢", "money_format"),
        ("１２", "money_format"),
        ("1.005", "money_fraction"),
        ("0.001", "money_fraction"),
        ("100000000000.01", "money_too_large"),
        ("999999999999.99", "money_too_large"),
        ("1000000000000", "money_format"),
    ],
)
def test_text_that_is_no_amount_is_refused(text: str, code: str) -> None:
    with pytest.raises(BadMoney) as caught:
        Money.parse(text)
    assert caught.value.code == code


@pytest.mark.parametrize("zeros", [0, 1, 5, 20, 30, 60])
def test_a_fraction_is_refused_however_small(zeros: int) -> None:
    with pytest.raises(BadMoney):
        Money.parse(f"1.00{'0' * zeros}1")
    with pytest.raises(BadMoney):
        Money.parse(f"1.{'9' * (zeros + 3)}")


@pytest.mark.parametrize("minor", [12.5, 12.0, True, False, "12", None, Decimal(12)])
def test_minor_units_are_int_and_nothing_else(minor: object) -> None:
    with pytest.raises(TypeError):
        Money(minor)  # type: ignore[arg-type]


@pytest.mark.parametrize("currency", ["", "rub", "RUR", "XXX", "₽"])
def test_an_unknown_currency_is_refused(currency: str) -> None:
    with pytest.raises(BadMoney, match="money_currency"):
        Money(1, currency)
    with pytest.raises(BadMoney, match="money_currency"):
        Money.parse("1", currency)


def test_nonsense_sums_are_refused() -> None:
    for minor in (MAX_MINOR + 1, -MAX_MINOR - 1):
        with pytest.raises(BadMoney, match="money_too_large"):
            Money(minor)


def test_currencies_do_not_mix() -> None:
    rub, usd = Money(1, "RUB"), Money(1, "USD")
    assert rub != usd
    for mix in (lambda: rub + usd, lambda: rub - usd, lambda: rub < usd, lambda: rub >= usd):
        with pytest.raises(TypeError, match="do not mix"):
            mix()


small = st.integers(-(10**9), 10**9)


@given(st.lists(small, max_size=20))
def test_a_total_is_the_sum_of_minor_units(parts: list[int]) -> None:
    assert total([Money(p) for p in parts], "RUB") == Money(sum(parts))


@given(small, small)
def test_order_and_arithmetic_follow_the_minor_units(a: int, b: int) -> None:
    assert (Money(a) < Money(b), Money(a) >= Money(b)) == (a < b, a >= b)
    assert Money(a) + Money(b) - Money(b) == Money(a)
    assert -Money(a) + Money(a) == Money(0)
    assert bool(Money(a)) == (a != 0)


@given(st.integers(0, 10**9), st.integers(1, 99_999_999))
def test_a_price_times_a_quantity_is_exact_or_refused(minor: int, thousandths: int) -> None:
    quantity = Decimal(thousandths) / 1000
    exact, rest = divmod(minor * thousandths, 1000)
    if rest:
        with pytest.raises(BadMoney, match="money_fraction"):
            Money(minor).times(quantity)
    elif exact <= MAX_MINOR:
        assert Money(minor).times(quantity) == Money(exact)
