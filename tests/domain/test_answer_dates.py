"""Dates that clients type are bounded by what the question is about."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.billing.answer_dates import date_bounds, parse_date
from sigma.domain.errors import Problem

TODAY = date(2026, 11, 28)


def answer_or_code(label: str, typed: str, key: str = "day") -> str:
    """Return the ISO date, or the problem's code in angle quotes."""
    value = parse_date("x", typed, date_bounds(key, label, TODAY))
    return f"‹{value.code}›" if isinstance(value, Problem) else value


@pytest.mark.parametrize(
    "label",
    ["Дата рождения", "День рождения ребёнка", "Когда родился малыш", "Date of birth", "DOB"],
)
def test_date_of_birth_is_between_1900_and_today(label: str) -> None:
    assert answer_or_code(label, "28.11.2026") == "2026-11-28"
    assert answer_or_code(label, "1900-01-01") == "1900-01-01"
    assert answer_or_code(label, "31.12.1899") == "‹date_too_early›"
    assert answer_or_code(label, "29.11.2026") == "‹date_of_birth_in_future›"
    assert answer_or_code(label, "9999-12-31") == "‹date_of_birth_in_future›"


@pytest.mark.parametrize(
    "label",
    [
        *("Дата визита", "Желаемая дата записи", "День приёма", "Когда заезд", "Дата доставки"),
        *("Дата съёмки", "Preferred visit date", "Check-in", "Delivery date"),
    ],
)
def test_visit_is_between_yesterday_and_two_years_from_now(label: str) -> None:
    assert answer_or_code(label, "27.11.2026") == "2026-11-27"  # still today west of the shop
    assert answer_or_code(label, "28.11.2028") == "2028-11-28"
    assert answer_or_code(label, "26.11.2026") == "‹date_too_early›"
    assert answer_or_code(label, "29.11.2028") == "‹date_too_late›"
    assert answer_or_code(label, "1990-05-05") == "‹date_too_early›"


def test_purpose_is_also_read_from_the_key() -> None:
    assert answer_or_code("Укажите дату", "2030-01-01", "birth_date") == "‹date_of_birth_in_future›"
    assert answer_or_code("Укажите дату", "2020-01-01", "visit") == "‹date_too_early›"


@pytest.mark.parametrize("label", ["Дата последнего визита", "Праздник: день рождения", "Дата", ""])
def test_date_of_another_or_an_unclear_purpose_has_wide_bounds(label: str) -> None:
    assert answer_or_code(label, "01.05.2020") == "2020-05-01"
    assert answer_or_code(label, "0999-05-01") == "‹date_too_early›"
    assert answer_or_code(label, "9999-05-01") == "‹date_too_late›"


def test_past_event_cannot_be_in_the_future() -> None:
    assert answer_or_code("Когда выдан паспорт", "29.11.2026") == "‹date_too_late›"


@pytest.mark.parametrize(
    ("typed", "example"),
    [
        ("0026-12-05", "05.12.2026"),  # a browser's date field after typing 05 12 26
        ("05.12.26", "05.12.2026"),
        ("5.3.90", "05.03.2090"),
        ("0001-01-01", "01.01.2001"),
    ],
)
def test_year_of_two_digits_is_explained_with_an_example(typed: str, example: str) -> None:
    problem = parse_date("x", typed, date_bounds("x", "Дата", TODAY))
    assert isinstance(problem, Problem)
    assert (problem.code, problem.params["example"]) == ("date_year", example)


@pytest.mark.parametrize(
    "typed", ["29.02.2027", "31.04.2026", "2026-13-01", "0.1.2026", "31.02.26"]
)
def test_day_that_does_not_exist_is_refused_as_such(typed: str) -> None:
    assert answer_or_code("Дата", typed) == "‹date_missing›"


def test_bounds_exist_on_29_february() -> None:
    assert date_bounds("visit", "", date(2028, 2, 29)).last == date(2030, 2, 28)


@given(st.text(max_size=40), st.text("0123456789.-", max_size=12))
def test_any_typed_text_is_a_date_within_bounds_or_a_problem(label: str, typed: str) -> None:
    bounds = date_bounds("x", label, TODAY)
    value = parse_date("x", typed, bounds)
    if not isinstance(value, Problem):
        assert bounds.first <= date.fromisoformat(value) <= bounds.last
