"""Filters of lists: what a URL means, and that it survives a round trip."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.domain.lists.amount import parse_amount
from sigma.domain.lists.filters import (
    PAYMENT_PARAMETERS,
    PaymentFilter,
    is_filter_parameter,
    parse_invoice_filter,
    parse_payment_filter,
)
from sigma.domain.lists.period import Period, Preset, bound_text, parse_bound
from sigma.domain.lists.search_query import SearchQuery, parse_search

EXAMPLES: dict[str, list[str]] = {
    "q": ["№ 12", "Анна", "1500"],
    "period": [*map(str, Preset), "forever"],
    "created_from": ["2026-11-01", "01.11.2026", "2026-11-01T10:00:00+03:00", "31.02.2026"],
    "created_to": ["2026-11-30", "x"],
    "status": ["captured", "failed", "paid"],
    "refunded": ["any", "none", "most"],
    "amount_from": ["1500", "1 500,00", "1.500", "-1"],
    "email": ["Irina@Mail.RU", "nobody"],
    "phone": ["8 916 765-43-21", "12"],
    "metadata[order]": ["42", ""],
    "sort": ["-amount", "created", "name"],
    "service": ["svc_01hzzzzzzzzzzzzzzzzz", "x' OR 1=1"],
    "method": ["sbp", "<script>"],
    "empty": ["wish", "Пожелания"],
}


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * 1_000_000


@given(st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in EXAMPLES.items()}))
def test_parsed_filter_survives_a_url_and_wrong_values_filter_nothing(
    given_: dict[str, str],
) -> None:
    parsed, problems = parse_payment_filter({name: [value] for name, value in given_.items()})
    again, none = parse_payment_filter({k: [v] for k, v in parsed.to_values().items()})
    assert again == parsed
    assert none == []
    assert {problem.field for problem in problems} <= {*given_, "phone"}
    assert all(is_filter_parameter(name, PAYMENT_PARAMETERS) for name in parsed.to_values())


def test_empty_filter_is_not_active_and_a_sorted_one_neither() -> None:
    assert PaymentFilter().to_values() == {}
    parsed, _ = parse_invoice_filter({"sort": ["-amount"]})
    assert not parsed.is_active


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1500", (150_000,)),
        ("1 500,00", (150_000,)),
        ("1\u00a0500,5 ₽", (150_050,)),
        ("1,234.50", (123_450,)),
        ("1500 руб.", (150_000,)),
        ("1.500", (150, 150_000)),
        ("-5", ()),
        ("abc", ()),
        ("", ()),
        ("9" * 41, ()),
    ],
)
def test_amount_is_read_in_every_common_spelling(text: str, expected: tuple[int, ...]) -> None:
    assert parse_amount(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("№ 12", SearchQuery(number=12)),
        ("№12", SearchQuery(number=12)),
        ("счёт № 12", SearchQuery(number=12)),
        ("#12", SearchQuery(number=12)),
        ("8 (916) 765-43-21", SearchQuery(phone="+79167654321")),
        ("+7 916 765 43 21", SearchQuery(phone="+79167654321")),
        ("1 500,00", SearchQuery(amounts_minor=(150_000,))),
        ("", SearchQuery()),
        ("  ", SearchQuery()),
    ],
)
def test_search_understands(text: str, expected: SearchQuery) -> None:
    assert parse_search(text) == expected


def test_a_number_may_be_an_invoice_a_sum_a_card_or_a_vk_user() -> None:
    found = parse_search("1500")
    assert (found.number, found.amounts_minor, found.last4, found.vk_id) == (
        1500,
        (150_000,),
        "1500",
        1500,
    )
    assert parse_search("vk.com/id77").vk_id == 77
    assert parse_search("•••• 0004").last4 == "0004"
    assert parse_search("order=A 7").pair == ("order", "A 7")
    assert parse_search("Irina <Irina@Mail.ru>").email == "irina@mail.ru"


def test_period_is_bounded_by_days_of_the_shop() -> None:
    now_us = us("2026-11-28T22:30:00+00:00")  # 29 November, 01:30 in Moscow
    expected = {
        Preset.TODAY: ("2026-11-29", "2026-11-30"),
        Preset.YESTERDAY: ("2026-11-28", "2026-11-29"),
        Preset.WEEK: ("2026-11-23", "2026-11-30"),
        Preset.MONTH: ("2026-11-01", "2026-11-30"),
        Preset.LAST_MONTH: ("2026-10-01", "2026-11-01"),
    }
    for preset, (start, end) in expected.items():
        bounds = Period(preset).bounds_us(now_us, "Europe/Moscow")
        assert bounds == (us(f"{start}T00:00:00+03:00"), us(f"{end}T00:00:00+03:00")), preset


def test_typed_days_count_more_than_a_chosen_preset() -> None:
    given_ = {"period": ["month"], "created_from": ["2026-11-02"], "created_to": [""]}
    parsed, problems = parse_payment_filter(given_)
    assert problems == []
    assert parsed.to_values() == {"created_from": "2026-11-02"}
    parsed, _ = parse_payment_filter({"period": ["month"], "created_from": [""]})
    assert parsed.to_values() == {"period": "month"}


def test_day_with_a_change_of_the_clocks_is_whole() -> None:
    """On 25 October 2026 Berlin has 25 hours."""
    day = parse_bound("2026-10-25")
    start, end = Period(None, day, day).bounds_us(0, "Europe/Berlin")
    assert start is not None
    assert end is not None
    assert end - start == 25 * 3_600_000_000


@given(st.integers(40_000_000_000_000, 7_000_000_000_000_000))
def test_moment_survives_its_text(at_us: int) -> None:
    assert parse_bound(bound_text(at_us)) == at_us
