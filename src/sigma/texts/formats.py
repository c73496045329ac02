"""Format numbers, money, times and phones for Russian and English readers.

Spaces inside a formatted number are U+00A0. Times are UTC microseconds.
"""

import datetime as dt
import functools
import re
from datetime import UTC, timedelta
from decimal import Decimal

import phonenumbers
from babel import Locale
from babel.dates import format_timedelta
from babel.numbers import get_currency_name
from num2words import num2words  # type: ignore[import-untyped]

from sigma.domain.local_time import local_time
from sigma.domain.money import CURRENCY_EXPONENTS, Money

NBSP = "\u00a0"
MINUS = "\u2212"
_CURRENCY_SIGNS = {"RUB": "₽", "USD": "$", "EUR": "€", "KZT": "₸", "AMD": "֏", "CNY": "¥"}
_CURRENCIES_IN_WORDS = {
    "ru": frozenset({"RUB", "USD", "EUR", "KZT", "BYN", "UZS"}),
    "en": frozenset({"RUB", "USD", "EUR", "BYN", "UZS"}),
}


def number(text: str, locale: str) -> str:
    """Format a decimal text: "12345.5" becomes «12 345,5» or "12,345.5".

    A text that is not a decimal number is returned unchanged.
    """
    whole, dot, fraction = text.partition(".")
    sign = MINUS if whole.startswith("-") else ""
    digits = whole.removeprefix("-")
    if not (digits + fraction).isdigit():
        return text
    grouped = f"{int(digits):,}"
    if locale == "ru":
        grouped = grouped.replace(",", NBSP)
        dot = "," if dot else ""
    return f"{sign}{grouped}{dot}{fraction}"


def money(amount: Money, locale: str, *, short: bool = False) -> str:
    """Return «1 500,00 ₽» or "₽1,500.00"; `short` omits a zero fraction."""
    text = amount.to_decimal_text()
    if short and amount.minor % 10 ** CURRENCY_EXPONENTS[amount.currency] == 0:
        text = text.partition(".")[0]
    figures = number(text, locale)
    sign = _CURRENCY_SIGNS.get(amount.currency)
    if locale == "ru":
        return f"{figures}{NBSP}{sign or amount.currency}"
    unsigned = figures.removeprefix(MINUS)
    minus = MINUS if amount.minor < 0 else ""
    return f"{minus}{sign}{unsigned}" if sign else f"{minus}{amount.currency}{NBSP}{unsigned}"


def currency_sign(currency: str) -> str:
    """Return «₽», or the ISO code of a currency without a sign."""
    return _CURRENCY_SIGNS.get(currency, currency)


def currency_name(currency: str, locale: str) -> str:
    """Return «евро» for an ISO 4217 code; the code itself for one without a name."""
    return str(get_currency_name(currency, locale=locale))


def initials(name: str) -> str:
    """Return one or two capital initials of a person or a shop, shown in place of a picture.

    "" for a name without letters and digits.
    """
    return "".join(word[0] for word in re.findall(r"\w+", name)[:2]).upper()


def amount_in_words(amount: Money, locale: str) -> str:
    """Return the amount in words; "" for a currency the language does not support."""
    if amount.currency not in _CURRENCIES_IN_WORDS[locale]:
        return ""
    # num2words takes an int for minor units, so always pass a Decimal.
    words: str = num2words(
        Decimal(amount.to_decimal_text()),
        lang=locale,
        to="currency",
        currency=amount.currency,
        separator="" if locale == "ru" else " and",
        cents=False,
    )
    return words[:1].upper() + words[1:]


@functools.cache
def _months(locale: str) -> dict[int, str]:
    return {n: str(name) for n, name in Locale(locale).months["format"]["wide"].items()}


def date(at_us: int, locale: str, tz: str) -> str:
    """Return «24 ноября 2026» or "24 November 2026"."""
    return calendar_date(local_time(at_us, tz).date(), locale)


def calendar_date(day: dt.date, locale: str) -> str:
    """Return «24 ноября 2026» or "24 November 2026" for a date without a time zone."""
    return f"{day.day} {_months(locale)[day.month]} {day.year}"


def day_of_year(day: dt.date, locale: str, today: dt.date) -> str:
    """Return «24 ноября», with the year when it is not that of `today`."""
    whole = calendar_date(day, locale)
    return whole if day.year != today.year else whole.removesuffix(f" {day.year}")


def date_range(first: dt.date, last: dt.date, locale: str) -> str:
    """Return «22–28 ноября 2026» or «28 декабря 2025 – 3 января 2026»; one date for one day."""
    end = calendar_date(last, locale)
    if first == last:
        return end
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{end}"
    return f"{day_of_year(first, locale, last)} – {end}"


def date_time(at_us: int, locale: str, tz: str) -> str:
    """Return «24 ноября 2026, 14:05 (МСК)»."""
    return (
        f"{date(at_us, locale, tz)}, {time_of_day(at_us, tz)} ({time_zone_name(at_us, locale, tz)})"
    )


def time_of_day(at_us: int, tz: str) -> str:
    """Return «14:05»."""
    return f"{local_time(at_us, tz):%H:%M}"


def time_zone_name(at_us: int, locale: str, tz: str) -> str:
    """Return «МСК» for Moscow, else the offset from UTC at that time: «UTC+7»."""
    if tz == "Europe/Moscow":
        return "МСК" if locale == "ru" else "MSK"
    offset = local_time(at_us, tz).utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else MINUS}{hours}" + (f":{rest:02}" if rest else "")


def rfc3339(at_us: int) -> str:
    """Return RFC 3339 in UTC, without fractions, for the datetime attribute of <time>."""
    return local_time(at_us, "UTC").replace(microsecond=0, tzinfo=UTC).isoformat()


def relative_time(at_us: int, now_us: int, locale: str) -> str:
    """Return «5 минут назад» or «через 3 дня»."""
    delta = timedelta(microseconds=at_us - now_us)
    text = format_timedelta(delta, threshold=0.99, add_direction=True, locale=locale)
    return text.replace("\u202f", NBSP)


def time_until(span: timedelta, locale: str) -> str:
    """Return «через 15 минут» for a span of whole seconds, minutes or hours."""
    text = format_timedelta(span, threshold=1.99, add_direction=True, locale=locale)
    return text.replace("\u202f", NBSP)


def phone(e164: str) -> str:
    """Return «+7 916 123-45-67»; a text that is not a phone is returned unchanged."""
    try:
        parsed = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return e164
    formatted = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return str(formatted).replace(" ", NBSP)
