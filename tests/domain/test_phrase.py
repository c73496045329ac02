"""Invoice phrases: the grammar, one example per line."""

from datetime import date

import pytest

from sigma.domain.catalogue.phrase import Phrase, PhraseError, parse_phrase

TODAY = date(2026, 11, 24)  # a Tuesday


@pytest.mark.parametrize(
    ("typed", "amount", "title", "last_day"),
    [
        ("2500 маникюр", "2500", "Маникюр", None),
        ("2500 маникюр завтра", "2500", "Маникюр", date(2026, 11, 25)),
        ("маникюр 2 500,50 ₽", "2500.50", "Маникюр", None),
        ("2 500 ₽ маникюр", "2500", "Маникюр", None),
        ("2,5к педикюр до 1.12", "2500", "Педикюр", date(2026, 12, 1)),
        ("маникюр 3 тыс", "3000", "Маникюр", None),
        ("1500 руб. стрижка до пятницы", "1500", "Стрижка", date(2026, 11, 27)),
        ("1500р стрижка до вторника", "1500", "Стрижка", TODAY),
        ("3 500 фото на 3 дня", "3500", "Фото", date(2026, 11, 27)),
        ("2500р. маникюр, до 30 ноября", "2500", "Маникюр", date(2026, 11, 30)),
        ("700 стрижка до 3 марта", "700", "Стрижка", date(2027, 3, 3)),
        ("700 стрижка до 03.03.2028", "700", "Стрижка", date(2028, 3, 3)),
        ("7 500 000 ремонт", "7500000", "Ремонт", None),
        ("150 рельсы", "150", "Рельсы", None),  # «р» at the start of a word is no currency
        ("10 катушек", "10", "Катушек", None),  # and «к» is no thousand
        ("5 сеансов 10000 ₽", "10000", "5 сеансов", None),
        ("1000 ₽ 2 сеанса", "1000", "2 сеанса", None),
        ("2500 manicure tomorrow", "2500", "Manicure", date(2026, 11, 25)),
        ("  2500   маникюр   завтра  ", "2500", "Маникюр", date(2026, 11, 25)),
    ],
)
def test_phrase_is_parsed_into_amount_title_and_optional_day(
    typed: str, amount: str, title: str, last_day: date | None
) -> None:
    assert parse_phrase(typed, TODAY) == Phrase(amount, title, last_day)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "no_amount"),
        ("маникюр завтра", "no_amount"),
        ("2500", "no_title"),
        ("2500 ₽", "no_title"),
        ("2500 завтра", "no_title"),
        ("2500 ...", "no_title"),
        ("5 сеансов 10000", "two_amounts"),
        ("5 ₽ сеансов 10000 ₽", "two_amounts"),
        ("2500 маникюр до 31.02", "bad_day"),
        ("2500 маникюр до 32 ноября", "bad_day"),
        ("2500 маникюр до 1.13", "bad_day"),
    ],
)
def test_phrase_outside_grammar_is_refused_with_code(typed: str, code: str) -> None:
    with pytest.raises(PhraseError) as caught:
        parse_phrase(typed, TODAY)
    assert caught.value.code == code


def test_day_word_inside_title_stays_in_title() -> None:
    phrase = parse_phrase("2500 завтрак завтра утром", TODAY)
    assert (phrase.title, phrase.last_day) == ("Завтрак завтра утром", None)


def test_very_long_phrase_is_refused_quickly() -> None:
    with pytest.raises(PhraseError):
        parse_phrase("1 " * 100_000, TODAY)
    with pytest.raises(PhraseError):
        parse_phrase("до " * 100_000, TODAY)
