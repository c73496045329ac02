"""Texts of the largest permitted size: the work on them is bounded, whatever they hold."""

import sys
from collections.abc import Callable
from datetime import date
from types import FrameType
from typing import Any

import pytest

from sigma.domain.bank_cards import contains_card_number, mask_card_numbers
from sigma.domain.billing.question import MAX_LENGTHS, Question, QuestionKind, parse_answers
from sigma.web.checkout.invoice import MAX_FORM_BYTES

PIECES = (
    "1 ",
    "4 ",
    "4.",
    "4,",
    "4111 ",
    "4111 1111 1111 1111 ",
    "4111 1230 ",
    "9" * 13 + " ",
    "9",
)


def count_calls(work: Callable[[], object]) -> int:
    """Return how many calls of Python functions `work` makes: the same on every machine."""
    count = 0

    def profile(_: FrameType, event: str, __: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("search", [contains_card_number, mask_card_numbers])
@pytest.mark.parametrize("piece", PIECES)
def test_search_for_card_numbers_costs_few_calls_for_each_character(
    piece: str, search: Callable[[str], object]
) -> None:
    text = piece * (MAX_FORM_BYTES // 8 // len(piece))
    # Before only the first of equal groups was tried, "4 " cost 15 calls for each character.
    assert count_calls(lambda: search(text)) < 7 * len(text)


@pytest.mark.parametrize("kind", [k for k in QuestionKind if k not in ("select", "multiselect")])
@pytest.mark.parametrize("piece", PIECES)
def test_answer_of_any_kind_is_measured_before_it_is_read(kind: QuestionKind, piece: str) -> None:
    text = piece * (MAX_FORM_BYTES // len(piece))
    question = Question("q", kind, "Вопрос")

    def parse() -> None:
        _, (problem,) = parse_answers((question,), {"q": [text]}, today=date(2026, 1, 1))
        assert (problem.code, problem.params["max"]) == ("too_long", MAX_LENGTHS[kind])

    assert count_calls(parse) < 100
