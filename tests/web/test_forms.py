"""Form text is parsed into money, times, counts and ids, or into a problem for the form."""

import unicodedata
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.errors import Problem
from sigma.domain.money import MAX_MINOR, Money
from sigma.services.paging import MAX_LIMIT
from sigma.web import forms

NBSP, THIN, NARROW = "\u00a0", "\u2009", "\u202f"


@pytest.mark.parametrize(
    ("typed", "minor"),
    [
        ("1500", 150_000),
        ("1500.5", 150_050),
        ("1 500,50", 150_050),
        (f"1{NBSP}500,50{NBSP}₽", 150_050),
        (f"1{NARROW}234{NARROW}567", 123_456_700),
        (f"1{THIN}500", 150_000),
        ("1 500 ₽", 150_000),
        ("₽1500", 150_000),
        ("1500руб.", 150_000),
        ("1500 РУБЛЕЙ", 150_000),
        ("1500 р", 150_000),
        ("1500 р.", 150_000),
        ("1500,50 rub", 150_050),
        ("1,234.50", 123_450),
        ("1.234,50", 123_450),
        ("1.234.567", 123_456_700),
        ("0,500", 50),
        ("0", 0),
        ("  7  ", 700),
        ("１５００", 150_000),
    ],
)
def test_money_is_parsed_from_common_spellings(typed: str, minor: int) -> None:
    assert forms.parse_money(typed, "amount") == Money(minor)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "required"),
        (f" {NBSP} ", "required"),
        ("₽", "money_format"),
        ("-5", "money_positive"),
        ("−5", "money_positive"),
        ("1.500", "money_ambiguous"),
        ("1,500", "money_ambiguous"),
        ("15 00", "money_format"),
        ("1 500 50", "money_format"),
        ("1 50", "money_format"),
        ("1 500.000.5", "money_format"),
        ("1,2.3,4", "money_format"),
        ("1500.", "money_format"),
        (",5", "money_format"),
        ("1500,505", "money_fraction"),
        ("0.001", "money_fraction"),
        ("1e5", "money_format"),
        ("١٥٠٠", "money_format"),
        ("тысяча", "money_format"),
        ("1500 $", "money_format"),
        ("9" * 13, "money_format"),
        ("999999999999", "money_too_large"),
        ("1500; DROP TABLE", "money_format"),
    ],
)
def test_invalid_money_returns_a_problem_code(typed: str, code: str) -> None:
    assert forms.parse_money(typed, "amount") == Problem("amount", code)


@given(st.integers(0, MAX_MINOR))
def test_formatted_money_is_parsed_back(minor: int) -> None:
    money = Money(minor)
    rubles, kopecks = money.to_decimal_text().split(".")
    for text in (
        money.to_decimal_text(),
        f"{rubles},{kopecks}",
        f"{int(rubles):,}".replace(",", NBSP) + f",{kopecks}{NBSP}₽",
        f"{int(rubles):_}".replace("_", " ") + f".{kopecks} руб.",
    ):
        assert forms.parse_money(text, "amount") == money


@given(st.text())
def test_parsers_never_raise_on_any_text(text: str) -> None:
    assert isinstance(forms.parse_money(text, "amount"), Money | Problem)
    assert isinstance(forms.parse_count(text, "n", minimum=1, maximum=9), int | Problem)
    assert isinstance(forms.parse_date_time(text, "at", "Europe/Moscow"), int | Problem)
    assert 1 <= forms.parse_limit(text) <= MAX_LIMIT
    forms.parse_quantity(text)
    forms.parse_cursor(text)
    forms.search_text({"q": [text]})


@given(st.text(st.characters(exclude_categories=())))
def test_cleaned_text_is_storable(text: str) -> None:
    cleaned = forms.clean(text, multiline=True)
    cleaned.encode()
    assert "\0" not in cleaned
    assert "\r" not in cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert forms.clean(cleaned, multiline=True) == cleaned


def test_line_breaks_are_preserved_only_in_multiline_fields() -> None:
    assert forms.clean("а\r\nб\tв", multiline=True) == "а\nб в"
    assert forms.clean("а\r\nб") == "а б"


def utc_us(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("typed", "expected_us"),
    [
        ("2026-12-31", utc_us(2026, 12, 31, 20, 59, 59)),
        ("31.12.2026", utc_us(2026, 12, 31, 20, 59, 59)),
        ("2026-12-31T18:30", utc_us(2026, 12, 31, 15, 30)),
        ("31.12.2026 18:30", utc_us(2026, 12, 31, 15, 30)),
        ("31.12.2026, 9:05", utc_us(2026, 12, 31, 6, 5)),
        ("2026-12-31T18:30:15", utc_us(2026, 12, 31, 15, 30, 15)),
    ],
)
def test_time_is_parsed_in_the_shop_time_zone(typed: str, expected_us: int) -> None:
    assert forms.parse_date_time(typed, "at", "Europe/Moscow") == expected_us


@pytest.mark.parametrize(
    "typed", ["2026-02-30", "31.12", "завтра", "2026-12-31 25:00", "9999-12-31"]
)
def test_invalid_time_is_a_problem(typed: str) -> None:
    assert forms.parse_date_time(typed, "at", "Europe/Moscow") == Problem("at", "date")


def test_ambiguous_local_time_means_the_later_one() -> None:
    parsed = forms.parse_date_time("2026-10-25 02:30", "at", "Europe/Berlin")
    assert parsed == utc_us(2026, 10, 25, 1, 30)


@given(
    st.dates(date(1971, 1, 2), date(2199, 12, 30)),
    st.sampled_from(["Europe/Moscow", "Asia/Kamchatka", "America/Sao_Paulo", "Europe/Berlin"]),
)
def test_date_without_time_means_its_last_second(day: date, tz: str) -> None:
    parsed = forms.parse_date_time(day.isoformat(), "at", tz)
    assert isinstance(parsed, int)
    local = datetime.fromtimestamp(parsed / 1_000_000, ZoneInfo(tz))
    assert local.date() == day
    assert (local + timedelta(seconds=1)).date() > day
    assert forms.date_time_texts(parsed, tz) == (day.isoformat(), "23:59")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("3", 3),
        (f"1{NBSP}000", 1000),
        ("", Problem("n", "required")),
        ("0", Problem("n", "range", {"min": 1, "max": 1000})),
        ("-1", Problem("n", "range", {"min": 1, "max": 1000})),
        ("1001", Problem("n", "range", {"min": 1, "max": 1000})),
        ("2.5", Problem("n", "count")),
        ("два", Problem("n", "count")),
    ],
)
def test_count_is_a_whole_number_within_bounds(typed: str, expected: int | Problem) -> None:
    assert forms.parse_count(typed, "n", minimum=1, maximum=1000) == expected


def test_parameters_of_a_list_are_cleaned_and_bounded() -> None:
    assert forms.search_text({"q": [" Маникюр\0 "]}) == "Маникюр"
    assert forms.search_text({}) == ""
    assert forms.parse_limit("1000") == MAX_LIMIT
    assert forms.parse_cursor("inv_1") == "inv_1"
    assert forms.parse_cursor("а б") is None
