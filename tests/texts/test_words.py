"""Money, numbers, moments, phones and consents as people read them."""

from datetime import UTC, datetime

import pytest

from sigma.domain.accounts.shop import Seller, Shop
from sigma.domain.billing.question import Kind, Question
from sigma.domain.errors import Problem, Refused
from sigma.domain.money import Money
from sigma.texts import Words, consent_text

RU, EN = Words("ru"), Words("en")
NBSP = "\u00a0"
MOMENT = int(datetime(2026, 11, 24, 11, 5, tzinfo=UTC).timestamp()) * 1_000_000
MINUTE, DAY = 60_000_000, 86_400_000_000


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
def test_money_is_written_as_its_readers_write_it(
    minor: int, currency: str, russian: str, english: str
) -> None:
    assert RU.money(Money(minor, currency)) == russian.replace("_", NBSP)
    assert EN.money(Money(minor, currency)) == english.replace("_", NBSP)


def test_a_summary_drops_zero_kopecks_and_no_others() -> None:
    assert RU.money(Money(150_000), short=True) == f"1{NBSP}500{NBSP}₽"
    assert RU.money(Money(150_050), short=True) == f"1{NBSP}500,50{NBSP}₽"


def test_sums_in_words_begin_with_a_capital_and_keep_their_kopecks() -> None:
    assert RU.in_words(Money(100)) == "Один рубль 00 копеек"
    assert RU.in_words(Money(2_350_050)) == "Двадцать три тысячи пятьсот рублей 50 копеек"
    assert EN.in_words(Money(150_000)).startswith("One thousand, five hundred roubles")
    assert RU.in_words(Money(100, "CNY")) == ""


def test_moments_name_their_zone() -> None:
    assert RU.datetime(MOMENT) == "24 ноября 2026, 14:05 (МСК)"
    assert EN.datetime(MOMENT) == "24 November 2026, 14:05 (MSK)"
    assert Words("ru", "Asia/Novosibirsk").datetime(MOMENT) == "24 ноября 2026, 18:05 (UTC+7)"
    assert Words("ru", "Asia/Kolkata").datetime(MOMENT).endswith("16:35 (UTC+5:30)")
    assert Words("ru", "No/Where").datetime(MOMENT).endswith("11:05 (UTC)")


def test_near_moments_are_told_by_distance_and_far_ones_by_date() -> None:
    assert RU.ago(MOMENT - 10_000_000, MOMENT) == "только что"
    assert RU.ago(MOMENT - 5 * MINUTE, MOMENT) == "5 минут назад"
    assert RU.ago(MOMENT + 3 * DAY, MOMENT) == "через 3 дня"
    assert RU.ago(MOMENT - 30 * DAY, MOMENT) == "25 октября 2026"


@pytest.mark.parametrize(
    ("n", "words"), [(1, "1 позиция"), (2, "2 позиции"), (11, "11 позиций"), (21, "21 позиция")]
)
def test_counted_things_take_their_form(n: int, words: str) -> None:
    assert RU.plural(n, "checkout.more_items").endswith(words)


def test_phones_and_numbers_are_grouped() -> None:
    assert RU.phone("+79161234567") == f"+7{NBSP}916{NBSP}123-45-67"
    assert RU.phone("not a phone") == "not a phone"
    assert RU.number("12345.5") == f"12{NBSP}345,5"
    assert EN.number("12345.5") == "12,345.5"


def test_problems_and_refusals_speak() -> None:
    assert RU.problem(Problem("phone", "phone_short")) == (
        "Номер короче, чем нужно: в российском номере 11 цифр."
    )
    refused = Refused("refund_too_large", left=Money(50_000))
    assert f"500,00{NBSP}₽" in RU.refusal(refused)


SHOP = Shop("shp_1", "Студия", 0, Seller(full_name="Иванов {inn}", inn="1", email="a@b.ru"))
ASKED = (Question("email", Kind.EMAIL), Question("wish", Kind.TEXT, "Пожелания"))


def test_a_consent_names_who_what_and_how_to_withdraw() -> None:
    text, version = consent_text(SHOP, ASKED, RU)
    for part in ("Иванов", "ИНН 1", "e-mail и ответы", "Отозвать: a@b.ru"):
        assert part in text
    assert version == "sigma-1.1-ru"


def test_a_name_that_looks_like_a_placeholder_stays_a_name() -> None:
    assert "Иванов {inn}" in consent_text(SHOP, ASKED, RU)[0]


def test_a_shops_own_consent_is_filled_and_versioned() -> None:
    own = Shop("s", "С", 0, SHOP.seller, consent_text="{seller}: {data} {other}", consent_version=3)
    text, version = consent_text(own, ASKED, EN)
    assert text == "Иванов {inn}: email and the answers on this page {other}"
    assert version == "shop-3-en"
