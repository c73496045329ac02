"""Which column of a file is the price, in which currency and scale; nothing is guessed or lost."""

import pytest

from sigma.domain.catalogue.price_headers import LeftOut
from sigma.domain.catalogue.price_table import SkipReason
from sigma.domain.errors import Problem
from tests.price_lists import parse_file, parse_rows, price_of


def prices(text: str) -> dict[str, str]:
    """Return title → "kind low high currency unit" or the code of the problem."""
    return {
        row.title: " ".join(filter(None, price_of(row)))
        if not row.problems
        else _codes(row.problems)
        for row in parse_rows(text)
    }


def _codes(problems: tuple[Problem, ...]) -> str:
    return ",".join(problem.code for problem in problems)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Услуга;Цена без НДС;НДС 20%;Цена с НДС\nУход;1000;200;1200\n", "fixed 1200.00 RUB"),
        ("Услуга;Стоимость (с НДС);Стоимость (без НДС)\nУход;120;100\n", "fixed 120.00 RUB"),
        ("Item;Price excl. VAT;VAT;Price incl. VAT\nУход;100;20;120\n", "fixed 120.00 RUB"),
        ("Услуга;Ставка НДС;Цена без НДС\nУход;20%;1000\n", "fixed 1000.00 RUB"),
        ("Товар;Оптовая цена\nУход;300\n", "fixed 300.00 RUB"),
        ("Услуга;Предоплата;Цена\nУход;500;1500\n", "fixed 1500.00 RUB"),
        ("Услуга;Цена за 1 чел;Цена за группу\nУход;500;3000\n", "fixed 500.00 RUB чел"),
        ("Услуга;Цена за фото;Фото\nУход;300;a.jpg\n", "fixed 300.00 RUB"),
        ("Услуга;Бағасы (тг)\nУход;2500\n", "fixed 2500.00 KZT"),
        ("Услуга;Цена, PLN\nУход;25\n", "money_currency"),
        ("Услуга;Цена\nУход;25 zł\n", "money_currency"),
        ("Услуга;Цена\nУход;200 AED\n", "money_currency"),
        ("Услуга;Цена, тыс. руб.\nУход;1,5\n", "fixed 1500.00 RUB"),
        ("Услуга;Цена, тыс. руб.\nУход;2-3\n", "range 2000.00 3000.00 RUB"),
        ("Услуга;Цена, тыс. руб.\nУход;1500 руб\n", "fixed 1500.00 RUB"),
        ("Услуга;Цена, тыс. руб.\nУход;1,5 тыс\n", "fixed 1500.00 RUB"),
        ("Услуга;Цена (коп.)\nУход;150050\n", "fixed 1500.50 RUB"),
        ("Услуга;Цена (коп.)\nУход;0,5\n", "money_fraction"),
        ("Услуга;Цена (руб., коп.)\nУход;1500,50\n", "fixed 1500.50 RUB"),
        ("Услуга;Цена\nУход;30 мин\n", "price_text"),
        ("Услуга;Цена\nУход;5 сеансов\n", "price_text"),
        ("Уход;30 мин;1500\nБаня;60 мин;2500\n", "fixed 1500.00 RUB"),
        ("Услуга;30 мин;60 мин\nУход;1500;2500\n", "fixed 1500.00 RUB"),
        ("Услуга;1 сеанс;10 сеансов\nУход;1500;13000\n", "fixed 1500.00 RUB"),
        ("Услуга;Цена;Стоимость\nБ;2000;\nУход;;1500\n", "price_elsewhere"),
        ("Услуга;Цена;Цена со скидкой\nБ;2000;1800\nУход;;1500\n", "price_elsewhere"),
        ("Услуга;Цена;НДС\nБ;2000;20\nУход;;20\n", "agreement"),
        ("Услуга;Цена\nБ;100\nУход;цена по прайсу\n", "price_words"),
    ],
)
def test_price_is_what_the_file_says(text: str, expected: str) -> None:
    assert prices(text)["Уход"] == expected


def test_first_row_in_another_currency_is_no_header() -> None:
    rows = parse_rows("Услуга;Цена\nУрок;500 грн\nКурс;2000\n")
    assert [row.title for row in rows] == ["Урок", "Курс"]


def test_second_table_on_the_right_is_named() -> None:
    found = parse_file("Услуга;Цена;;Услуга;Цена\nМаникюр;1500;;Стрижка;1000\n")
    reasons = {c.header: c.left_out for c in found.columns if c.meaning is None}
    assert reasons == {
        "Услуга (2)": LeftOut.SECOND_TABLE,
        "Цена (2)": LeftOut.SECOND_TABLE,
    }


def test_list_of_one_column_has_its_prices() -> None:
    text = "Прайс\n\nМАНИКЮР\nКлассический — 1500 руб.\nАппаратный.....1 800 р\n"
    text += "Массаж 60 мин - 2500 руб/час\nСнятие: от 300\nДизайн — договорная\n"
    text += "Запись: +7 916 123-45-67\n"
    assert prices(text) == {
        "Классический": "fixed 1500.00 RUB",
        "Аппаратный": "fixed 1800.00 RUB",
        "Массаж 60 мин": "fixed 2500.00 RUB час",
        "Снятие": "from 300.00 RUB",
        "Дизайн": "agreement",
    }


@pytest.mark.parametrize("text", ["Стрижка 1\nСтрижка 2\n", "Маникюр\nПедикюр - 1500\nБрови\n"])
def test_list_of_titles_keeps_them_whole(text: str) -> None:
    assert [row.title for row in parse_rows(text)] == text.splitlines()


def test_total_signature_and_total_look() -> None:
    text = "Услуга;Цена\nМаникюр;1500\nTotal look;5000\nTotal;6500\nДиректор _____ Иванов;\n"
    found = parse_file(text)
    assert [row.title for row in found.rows] == ["Маникюр", "Total look"]
    assert [row.reason for row in found.skipped] == [SkipReason.TOTAL, SkipReason.NOTE]
