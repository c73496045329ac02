"""Typed text becomes money, dates, counts and ids, or a problem that can be shown."""

import unicodedata
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.errors import Problem, Refused
from sigma.domain.money import MAX_MINOR, Money
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
def test_a_sum_is_read_as_people_type_it(typed: str, minor: int) -> None:
    assert forms.read_money(typed, "amount") == Money(minor)


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
def test_what_is_no_sum_is_told_by_a_code(typed: str, code: str) -> None:
    assert forms.read_money(typed, "amount") == Problem("amount", code)


@given(st.integers(0, MAX_MINOR))
def test_every_sum_survives_its_own_spellings(minor: int) -> None:
    money = Money(minor)
    rubles, kopecks = money.decimal().split(".")
    for text in (
        money.decimal(),
        f"{rubles},{kopecks}",
        f"{int(rubles):,}".replace(",", NBSP) + f",{kopecks}{NBSP}₽",
        f"{int(rubles):_}".replace("_", " ") + f".{kopecks} руб.",
    ):
        assert forms.read_money(text, "amount") == money


@given(st.text())
def test_no_text_breaks_a_reader(text: str) -> None:
    assert isinstance(forms.read_money(text, "amount"), Money | Problem)
    assert isinstance(forms.read_count(text, "n", least=1, most=9), int | Problem)
    assert isinstance(forms.read_moment(text, "at", "Europe/Moscow"), int | Problem)
    assert 1 <= forms.read_limit(text) <= forms.MAX_LIMIT
    forms.read_quantity(text)
    forms.read_cursor(text)
    forms.read_filter({"status": [text], "q": [text], "cursor": [text]}, {"open"})


@given(st.text(st.characters(exclude_categories=())))
def test_a_cleaned_text_can_be_stored(text: str) -> None:
    cleaned = forms.clean(text, lines=True)
    cleaned.encode()
    assert "\0" not in cleaned
    assert "\r" not in cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert forms.clean(cleaned, lines=True) == cleaned


def test_lines_are_kept_where_they_mean_something_only() -> None:
    assert forms.clean("а\r\nб\tв", lines=True) == "а\nб в"
    assert forms.clean("а\r\nб") == "а б"


def utc(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("typed", "at"),
    [
        ("2026-12-31", utc(2026, 12, 31, 20, 59, 59)),
        ("31.12.2026", utc(2026, 12, 31, 20, 59, 59)),
        ("2026-12-31T18:30", utc(2026, 12, 31, 15, 30)),
        ("31.12.2026 18:30", utc(2026, 12, 31, 15, 30)),
        ("31.12.2026, 9:05", utc(2026, 12, 31, 6, 5)),
        ("2026-12-31T18:30:15", utc(2026, 12, 31, 15, 30, 15)),
    ],
)
def test_a_moment_is_read_in_the_shops_zone(typed: str, at: int) -> None:
    assert forms.read_moment(typed, "at", "Europe/Moscow") == at


@pytest.mark.parametrize(
    "typed", ["2026-02-30", "31.12", "завтра", "2026-12-31 25:00", "9999-12-31"]
)
def test_what_is_no_moment_is_a_problem(typed: str) -> None:
    assert forms.read_moment(typed, "at", "Europe/Moscow") == Problem("at", "date")


def test_an_hour_that_comes_twice_means_the_later_one() -> None:
    read = forms.read_moment("2026-10-25 02:30", "at", "Europe/Berlin")
    assert read == utc(2026, 10, 25, 1, 30)


@given(
    st.dates(date(1971, 1, 2), date(2199, 12, 30)),
    st.sampled_from(["Europe/Moscow", "Asia/Kamchatka", "America/Sao_Paulo", "Europe/Berlin"]),
)
def test_a_bare_date_is_its_last_second(day: date, tz: str) -> None:
    read = forms.read_moment(day.isoformat(), "at", tz)
    assert isinstance(read, int)
    local = datetime.fromtimestamp(read / 1_000_000, ZoneInfo(tz))
    assert local.date() == day
    assert (local + timedelta(seconds=1)).date() > day
    assert forms.moment_text(read, tz) == (day.isoformat(), "23:59")


@pytest.mark.parametrize(
    ("typed", "read"),
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
def test_a_count_is_whole_and_within_bounds(typed: str, read: int | Problem) -> None:
    assert forms.read_count(typed, "n", least=1, most=1000) == read


def test_an_id_that_cannot_be_one_is_not_found() -> None:
    assert forms.read_id("inv_0abcXYZ-_", "inv") == "inv_0abcXYZ-_"
    for text in ("pay_1", "inv_", "inv_a b", "inv_\0", "inv_" + "a" * 61, "inv_1\n", "inv_ж"):
        with pytest.raises(Refused) as refused:
            forms.read_id(text, "inv")
        assert refused.value.code == "not_found"


def test_a_filter_keeps_only_what_a_list_knows() -> None:
    asked = {"status": ["paid"], "q": [" Маникюр\0 "], "cursor": ["inv_1"], "limit": ["1000"]}
    assert forms.read_filter(asked, {"paid"}) == forms.Filter(
        status="paid", query="Маникюр", cursor="inv_1", limit=forms.MAX_LIMIT
    )
    nothing = forms.read_filter({"status": ["' or 1=1"], "cursor": ["а б"]}, {"paid"})
    assert nothing == forms.Filter()
    assert not nothing.narrowed
