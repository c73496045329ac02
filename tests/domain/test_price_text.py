"""One price cell of a price list: kinds, amounts, currencies and units; what is no price."""

import pytest

from sigma.domain.catalogue.price_text import (
    Price,
    PriceContext,
    is_price_like,
    number_text,
    parse_price,
)
from sigma.domain.catalogue.service import PriceKind
from sigma.domain.errors import Problem
from sigma.domain.money import Money

FIXED, FROM, RANGE = PriceKind.FIXED, PriceKind.FROM, PriceKind.RANGE


def rub(amount: int | None) -> Money | None:
    return None if amount is None else Money(amount * 100)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1500",
            "1 500",
            "1\u00a0500,00",
            "1\u202f500.00",
            "1,500.00",
            "1'500",
            "1500.0",
            " 1500 ",
        ),
        *("1 500,00 ?", "1500?", "? 1500", "1500\ufffd", "1500 в‚Ѕ", "1500 â‚½"),
        *("1500 ₽", "1500₽", "1500 руб.", "1500руб", "1500р", "1500 р.", "1500 рублей", "RUB 1500"),
        *("1500 rur", "руб. 1500", "=1500", '="1500"', "'1500", "1500-00", "1500=00", "1500="),
        *("1,5 тыс. руб.", "1,5к", "1.5k", "1,5 т.р.", "1500*", "1500 руб. 00 коп."),
    ],
)
def test_exact_price_in_any_spelling(text: str) -> None:
    assert parse_price(text) == Price(FIXED, rub(1500))


@pytest.mark.parametrize(
    ("text", "kind", "low", "high"),
    [
        *((text, FROM, 1500, None) for text in ("от 1500", "ОТ 1 500 руб", "from 1500", "1500+")),
        *((text, FROM, 1500, None) for text in ("1500 и выше", "1500 и более", "мин. 1500")),
        *((text, FROM, 1500, None) for text in ("~1500", "около 1500", "от1500", "> 1500")),
        *(
            (text, RANGE, None, 3000)
            for text in ("до 3000", "до 3 000 ₽", "up to 3000", "max 3000")
        ),
        *((text, RANGE, 1500, 2000) for text in ("1500-2000", "1500–2000", "1 500 — 2 000 руб.")),
        *((text, RANGE, 1500, 2000) for text in ("1500/2000", "от 1500 до 2000", "1500р - 2000р")),
        *((text, RANGE, 1500, 2000) for text in ("1,5-2 тыс", "1500..2000", "1500…2000")),
        ("15-20", RANGE, 15, 20),
        ("1500-1500", FIXED, 1500, None),
    ],
)
def test_open_and_closed_price_ranges_are_read(
    text: str, kind: PriceKind, low: int | None, high: int | None
) -> None:
    assert parse_price(text) == Price(kind, rub(low), rub(high))


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        *(
            (f"1500 {tail}", "час")
            for tail in ("руб/час", "р/ч", "₽ в час", "за час", "руб. за 1 час")
        ),
        *(
            (f"1500 {tail}", "м²")
            for tail in ("₽ за м²", "р./м2", "руб/кв.м", "руб. за кв. м", "(м²)")
        ),
        *((f"1500 {tail}", "шт") for tail in ("₽/шт.", "руб за штуку", "шт")),
        ("1500 руб/п.м.", "пог. м"),
        ("1500 за 60 мин", "60 мин"),
        ("1500 руб. за комплект", "комплект"),
        ("1500 за набор бусин", "набор бусин"),
        ("1500 руб./чел", "чел"),
        ("1500/мес.", "месяц"),
    ],
)
def test_unit_of_a_price_is_read_in_any_spelling(text: str, unit: str) -> None:
    assert parse_price(text) == Price(FIXED, rub(1500), None, unit)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("$50", Money(5000, "USD")),
        ("50 USD", Money(5000, "USD")),
        ("€ 49,90", Money(4990, "EUR")),
        ("500 тг", Money(50000, "KZT")),
        ("50 бел. руб.", Money(5000, "BYN")),
        ("500 сум", Money(50000, "UZS")),
    ],
)
def test_currency_of_the_cell(text: str, amount: Money) -> None:
    assert parse_price(text) == Price(FIXED, amount)
    assert parse_price(text, PriceContext(header_currency="RUB")) == Price(FIXED, amount)
    assert parse_price(text, PriceContext(currency="CNY")) == Problem(
        "price", "price_currency_conflict"
    )


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "-", "—", "–", "...", "договорная", "По договорённости", "по запросу"),
        *("уточняйте", "Цена по запросу", "звоните", "индивидуально", "on request"),
        *("рассчитывается индивидуально", "уточняйте у мастера", "по смете", "после осмотра"),
    ],
)
def test_words_and_empty_cells_mean_a_price_on_request(text: str) -> None:
    assert parse_price(text) == Price(PriceKind.AGREEMENT)


@pytest.mark.parametrize("text", ["бесплатно", "Бесплатная", "free", "в подарок", "БЕСПЛАТНО*"])
def test_words_for_free_mean_a_free_price(text: str) -> None:
    assert parse_price(text) == Price(PriceKind.FREE)


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        *(("12.05.2026", "price_date"), ("12.май", "price_date"), ("май.25", "price_date")),
        *(("01-Dec", "price_date"), ("2026-05-12", "price_date"), ("10:30", "price_date")),
        *(("=A1*2", "price_formula"), ("=СУММ(A1:A3)", "price_formula")),
        *(("1500 ₴", "money_currency"), ("100 у.е.", "money_currency")),
        *(("1500 ₽ / 20 $", "price_several"), ("1000/1500/2000", "price_several")),
        *(
            ("10%", "price_text"),
            ("1500 + материалы", "price_text"),
            ("от 1 до 2 до 3", "price_text"),
        ),
        *(("сто рублей", "price_words"), ("#ЗНАЧ!", "price_words")),
        *(("1.500", "money_ambiguous"), ("1.500-2.000", "money_ambiguous")),
        *(("-5", "money_positive"), ("0", "money_positive"), (0.0, "money_positive")),
        *((-1.0, "money_positive"), (1500.555, "money_fraction"), (1e13, "money_too_large")),
        ("9" * 300, "money_format"),
    ],
)
def test_what_is_no_price_is_a_problem_and_never_on_request(cell: str | float, code: str) -> None:
    problem = parse_price(cell)
    assert isinstance(problem, Problem)
    assert problem.code == code


@pytest.mark.parametrize(
    ("number", "kopecks"),
    [(1500.0, 150_000), (1499.9999999998, 150_000), (0.1 + 0.2, 30), (1500.5, 150_050)],
)
def test_number_of_a_spreadsheet_has_no_binary_noise(number: float, kopecks: int) -> None:
    assert parse_price(number) == Price(FIXED, Money(kopecks))


def test_header_and_other_cells_complete_a_number() -> None:
    context = PriceContext("", "USD", "час", FROM)
    assert parse_price(50.0, context) == Price(FROM, Money(5000, "USD"), None, "час")
    assert parse_price("50/день", context) == Price(FROM, Money(5000, "USD"), None, "день")
    assert parse_price("2,000", PriceContext(thousands=",")) == Price(FIXED, rub(2000))
    assert parse_price(5.0, PriceContext(kind=RANGE)) == Price(RANGE, None, rub(5))


@pytest.mark.parametrize("cell", ["1500", "от 5", "договорная", 5.0])
def test_price_like_cells_recognise_a_column(cell: str | float) -> None:
    assert is_price_like(cell)


@pytest.mark.parametrize("cell", ["Маникюр", "", "—", -1.0, "12.05.2026"])
def test_other_cells_are_not_price_like(cell: str | float) -> None:
    assert not is_price_like(cell)


def test_number_is_written_as_plain_decimal_text() -> None:
    assert [number_text(n) for n in (12.0, 1.5, 1e9)] == ["12", "1.5", "1000000000"]
