"""Money: whole minor units; every other value is refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.money import CURRENCY_EXPONENTS, MAX_MINOR, Money, MoneyError, sum_money

currencies = st.sampled_from(sorted(CURRENCY_EXPONENTS))
minors = st.integers(-MAX_MINOR, MAX_MINOR)


@given(st.integers(0, MAX_MINOR), currencies)
def test_money_survives_round_trip_through_decimal_text(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert Money.parse(money.to_decimal_text(), currency) == money


@given(minors)
def test_decimal_text_equals_minor_units_divided_by_100(minor: int) -> None:
    assert Decimal(Money(minor).to_decimal_text()) == Decimal(minor) / 100


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
def test_valid_amount_text_is_parsed(text: str, minor: int) -> None:
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
def test_invalid_amount_text_is_refused(text: str, code: str) -> None:
    with pytest.raises(MoneyError) as caught:
        Money.parse(text)
    assert caught.value.code == code


@pytest.mark.parametrize("zeros", [0, 1, 5, 20, 30, 60])
def test_fraction_of_minor_unit_is_refused_however_small(zeros: int) -> None:
    with pytest.raises(MoneyError):
        Money.parse(f"1.00{'0' * zeros}1")
    with pytest.raises(MoneyError):
        Money.parse(f"1.{'9' * (zeros + 3)}")


@pytest.mark.parametrize("minor", [12.5, 12.0, True, False, "12", None, Decimal(12)])
def test_minor_units_must_be_int(minor: object) -> None:
    with pytest.raises(TypeError):
        Money(minor)  # type: ignore[arg-type]


@pytest.mark.parametrize("currency", ["", "rub", "RUR", "XXX", "₽"])
def test_unknown_currency_is_refused(currency: str) -> None:
    with pytest.raises(MoneyError, match="money_currency"):
        Money(1, currency)
    with pytest.raises(MoneyError, match="money_currency"):
        Money.parse("1", currency)


def test_amount_out_of_range_is_refused() -> None:
    for minor in (MAX_MINOR + 1, -MAX_MINOR - 1):
        with pytest.raises(MoneyError, match="money_too_large"):
            Money(minor)


def test_arithmetic_on_two_currencies_raises() -> None:
    rub, usd = Money(1, "RUB"), Money(1, "USD")
    assert rub != usd
    for operation in (lambda: rub + usd, lambda: rub - usd, lambda: rub < usd, lambda: rub >= usd):
        with pytest.raises(TypeError, match="do not mix"):
            operation()


small = st.integers(-(10**9), 10**9)


@given(st.lists(small, max_size=20))
def test_total_is_sum_of_minor_units(parts: list[int]) -> None:
    assert sum_money([Money(p) for p in parts], "RUB") == Money(sum(parts))


@given(small, small)
def test_comparison_and_arithmetic_follow_minor_units(a: int, b: int) -> None:
    assert (Money(a) < Money(b), Money(a) >= Money(b)) == (a < b, a >= b)
    assert Money(a) + Money(b) - Money(b) == Money(a)
    assert -Money(a) + Money(a) == Money(0)
    assert bool(Money(a)) == (a != 0)


@given(st.integers(0, 10**9), st.integers(1, 99_999_999))
def test_price_times_quantity_is_exact_or_refused(minor: int, thousandths: int) -> None:
    quantity = Decimal(thousandths) / 1000
    exact, rest = divmod(minor * thousandths, 1000)
    if rest:
        with pytest.raises(MoneyError, match="money_fraction"):
            Money(minor).multiply(quantity)
    elif exact <= MAX_MINOR:
        assert Money(minor).multiply(quantity) == Money(exact)
