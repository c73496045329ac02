"""Translator: money, numbers, times, phones, plurals and consent texts in both languages."""

from datetime import UTC, date, datetime

import pytest

from sigma.domain.accounts.shop import Seller, Shop
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.errors import Problem, RefusedError
from sigma.domain.money import Money
from sigma.texts import Translator, consent_text

RU, EN = Translator("ru"), Translator("en")
NBSP = "\u00a0"
AT_US = int(datetime(2026, 11, 24, 11, 5, tzinfo=UTC).timestamp()) * 1_000_000
MINUTE_US, DAY_US = 60_000_000, 86_400_000_000


@pytest.mark.parametrize(
    ("minor", "currency", "russian", "english"),
    [
        (150_000, "RUB", "1_500,00_₽", "₽1,500.00"),
        (5, "RUB", "0,05_₽", "₽0.05"),
        (0, "RUB", "0,00_₽", "₽0.00"),
        (-50_000, "RUB", "−500,00_₽", "−₽500.00"),
        (100_000_001, "RUB", "1_000_000,01_₽", "₽1,000,000.01"),
        (1_999, "USD", "19,99_$", "$19.99"),
        (1_999, "BYN", "19,99_BYN", "BYN_19.99"),
    ],
)
def test_money_is_formatted_by_locale(
    minor: int, currency: str, russian: str, english: str
) -> None:
    assert RU.money(Money(minor, currency)) == russian.replace("_", NBSP)
    assert EN.money(Money(minor, currency)) == english.replace("_", NBSP)


def test_short_money_drops_only_zero_kopecks() -> None:
    assert RU.money(Money(150_000), short=True) == f"1{NBSP}500{NBSP}₽"
    assert RU.money(Money(150_050), short=True) == f"1{NBSP}500,50{NBSP}₽"


def test_amount_in_words_begins_with_capital_and_keeps_kopecks() -> None:
    assert RU.amount_in_words(Money(100)) == "Один рубль 00 копеек"
    assert RU.amount_in_words(Money(2_350_050)) == "Двадцать три тысячи пятьсот рублей 50 копеек"
    assert EN.amount_in_words(Money(150_000)).startswith("One thousand, five hundred roubles")
    assert RU.amount_in_words(Money(100, "CNY")) == ""


def test_date_time_names_its_time_zone() -> None:
    assert RU.datetime(AT_US) == "24 ноября 2026, 14:05 (МСК)"
    assert EN.datetime(AT_US) == "24 November 2026, 14:05 (MSK)"
    assert Translator("ru", "Asia/Novosibirsk").datetime(AT_US) == "24 ноября 2026, 18:05 (UTC+7)"
    assert Translator("ru", "Asia/Kolkata").datetime(AT_US).endswith("16:35 (UTC+5:30)")
    assert Translator("ru", "No/Where").datetime(AT_US).endswith("11:05 (UTC)")


def test_near_times_are_relative_and_far_ones_are_dates() -> None:
    assert RU.relative_time(AT_US - 10_000_000, AT_US) == "только что"
    assert RU.relative_time(AT_US - 5 * MINUTE_US, AT_US) == "5 минут назад"
    assert RU.relative_time(AT_US + 3 * DAY_US, AT_US) == "через 3 дня"
    assert RU.relative_time(AT_US - 30 * DAY_US, AT_US) == "25 октября 2026"


def test_times_in_lists_are_exact_with_the_day_in_the_zone_of_the_shop() -> None:
    """11:05 UTC; an hour and more earlier it is another day in Vladivostok (UTC+10) or not."""
    assert RU.list_time(AT_US, AT_US) == "сегодня, 14:05"
    assert RU.list_time(AT_US - DAY_US, AT_US) == "вчера, 14:05"
    assert RU.list_time(AT_US - 2 * DAY_US, AT_US) == "22 ноября, 14:05"
    assert RU.list_time(AT_US - 365 * DAY_US, AT_US) == "24 ноября 2025"
    assert RU.list_time(AT_US + DAY_US, AT_US) == "25 ноября, 14:05"
    assert EN.list_time(AT_US - 2 * DAY_US, AT_US) == "22 November, 14:05"
    assert EN.list_time(AT_US - DAY_US, AT_US) == "yesterday, 14:05"
    far_east = Translator("ru", "Asia/Vladivostok")
    evening = AT_US + 2 * 60 * MINUTE_US + 56 * MINUTE_US  # 00:01 of the next day there
    assert far_east.list_time(AT_US, evening) == "вчера, 21:05"


@pytest.mark.parametrize(
    ("first", "last", "russian", "english"),
    [
        ("2026-11-24", "2026-11-24", "24 ноября 2026", "24 November 2026"),
        ("2026-11-22", "2026-11-28", "22–28 ноября 2026", "22–28 November 2026"),
        ("2026-10-30", "2026-11-05", "30 октября – 5 ноября 2026", "30 October – 5 November 2026"),
        (
            "2025-12-28",
            "2026-01-03",
            "28 декабря 2025 – 3 января 2026",
            "28 December 2025 – 3 January 2026",
        ),
        (
            "2025-11-01",
            "2026-11-30",
            "1 ноября 2025 – 30 ноября 2026",
            "1 November 2025 – 30 November 2026",
        ),
    ],
)
def test_range_of_days_says_nothing_twice(
    first: str, last: str, russian: str, english: str
) -> None:
    days = (date.fromisoformat(first), date.fromisoformat(last))
    assert RU.date_range(*days) == russian
    assert EN.date_range(*days) == english


@pytest.mark.parametrize(
    ("n", "expected"), [(1, "1 позиция"), (2, "2 позиции"), (11, "11 позиций"), (21, "21 позиция")]
)
def test_russian_plural_form_follows_number(n: int, expected: str) -> None:
    assert RU.plural(n, "checkout.more_items").endswith(expected)


def test_phones_and_numbers_are_grouped() -> None:
    assert RU.phone("+79161234567") == f"+7{NBSP}916{NBSP}123-45-67"
    assert RU.phone("not a phone") == "not a phone"
    assert RU.number("12345.5") == f"12{NBSP}345,5"
    assert EN.number("12345.5") == "12,345.5"


def test_problems_and_refusals_have_texts() -> None:
    assert RU.problem_text(Problem("phone", "phone_short")) == (
        "Номер короче, чем нужно: в российском номере 11 цифр."
    )
    error = RefusedError("refund_too_large", left=Money(50_000))
    assert f"500,00{NBSP}₽" in RU.refusal_text(error)


SHOP = Shop("shp_1", "Студия", 0, Seller(full_name="Иванов {inn}", inn="1", email="a@b.ru"))
QUESTIONS = (
    Question("email", QuestionKind.EMAIL),
    Question("wish", QuestionKind.TEXT, "Пожелания"),
)


def test_consent_names_seller_data_and_how_to_withdraw() -> None:
    text, version = consent_text(SHOP, QUESTIONS, RU)
    for part in ("Иванов", "ИНН 1", "e-mail и ответы", "Отозвать: a@b.ru"):
        assert part in text
    assert version == "sigma-2.1-ru"


def test_placeholder_in_seller_name_is_not_filled() -> None:
    assert "Иванов {inn}" in consent_text(SHOP, QUESTIONS, RU)[0]


def test_custom_consent_text_is_filled_and_versioned() -> None:
    shop_with_text = Shop(
        "s", "С", 0, SHOP.seller, consent_text="{seller}: {data} {other}", consent_version=3
    )
    text, version = consent_text(shop_with_text, QUESTIONS, EN)
    assert text == "Иванов {inn}: email and the answers on this page {other}"
    assert version == "shop-3-en"


@pytest.mark.parametrize(
    ("translator", "key", "shop", "text"),
    [
        (RU, "team.switch_do", "Студия «Лак»", "Открыть «Студия „Лак“»"),
        (EN, "team.switch_do", "The “Lacquer” studio", "Open “The ‘Lacquer’ studio”"),
        (EN, "team.switch_do", "Студия «Лак»", "Open “Студия «Лак»”"),
    ],
)
def test_name_with_quotation_marks_gets_inner_ones_inside_quotation_marks(
    translator: Translator, key: str, shop: str, text: str
) -> None:
    assert translator.t(key, shop=shop) == text


def test_name_with_quotation_marks_is_unchanged_outside_of_them() -> None:
    text = RU.t("mail.security.subject.new_device", shop="Студия «Лак»")
    assert text == "Вход с нового устройства: Студия «Лак»"
