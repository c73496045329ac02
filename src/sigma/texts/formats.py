"""Numbers, money, moments and phones as Russians and as English readers write them.

The only space in figures is U+00A0.
"""

import functools
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from babel import Locale
from babel.dates import format_timedelta
from num2words import num2words  # type: ignore[import-untyped]

from sigma.domain.money import EXPONENTS, Money

NBSP = "\u00a0"
MINUS = "\u2212"
_SIGNS = {"RUB": "₽", "USD": "$", "EUR": "€", "KZT": "₸", "AMD": "֏", "CNY": "¥"}
_IN_WORDS = {
    "ru": frozenset({"RUB", "USD", "EUR", "KZT", "BYN", "UZS"}),
    "en": frozenset({"RUB", "USD", "EUR", "BYN", "UZS"}),
}


def number(text: str, locale: str) -> str:
    """A decimal text with the language's own marks: "12345.5" is «12 345,5» or "12,345.5"."""
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
    """«1 500,00 ₽» or "₽1,500.00"; `short` drops the minor part when it is zero."""
    text = amount.decimal()
    if short and amount.minor % 10 ** EXPONENTS[amount.currency] == 0:
        text = text.partition(".")[0]
    figures = number(text, locale)
    sign = _SIGNS.get(amount.currency)
    if locale == "ru":
        return f"{figures}{NBSP}{sign or amount.currency}"
    unsigned = figures.removeprefix(MINUS)
    minus = MINUS if amount.minor < 0 else ""
    return f"{minus}{sign}{unsigned}" if sign else f"{minus}{amount.currency}{NBSP}{unsigned}"


def sign(currency: str) -> str:
    """«₽»; the code of a currency that has no sign."""
    return _SIGNS.get(currency, currency)


def in_words(amount: Money, locale: str) -> str:
    """The sum in words; empty where the language has no words for the currency."""
    if amount.currency not in _IN_WORDS[locale]:
        return ""
    # An int would be read as kopecks, so Decimal always.
    words: str = num2words(
        Decimal(amount.decimal()),
        lang=locale,
        to="currency",
        currency=amount.currency,
        separator="" if locale == "ru" else " and",
        cents=False,
    )
    return words[:1].upper() + words[1:]


@functools.lru_cache(maxsize=64)
def zone(name: str) -> tzinfo:
    """The time zone of an IANA name; UTC for a name that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def local(moment: int, tz: str) -> datetime:
    """A moment (UTC microseconds) on the wall clock of a zone."""
    start = datetime(1970, 1, 1, tzinfo=UTC)
    return (start + timedelta(microseconds=moment)).astimezone(zone(tz))


@functools.cache
def _months(locale: str) -> dict[int, str]:
    return {n: str(name) for n, name in Locale(locale).months["format"]["wide"].items()}


def date(moment: int, locale: str, tz: str) -> str:
    """«24 ноября 2026», "24 November 2026"."""
    at = local(moment, tz)
    return f"{at.day} {_months(locale)[at.month]} {at.year}"


def date_time(moment: int, locale: str, tz: str) -> str:
    """«24 ноября 2026, 14:05 (МСК)»."""
    return f"{date(moment, locale, tz)}, {clock(moment, tz)} ({zone_name(moment, locale, tz)})"


def clock(moment: int, tz: str) -> str:
    """«14:05»."""
    return f"{local(moment, tz):%H:%M}"


def zone_name(moment: int, locale: str, tz: str) -> str:
    """«МСК» for Moscow, else the distance from UTC at that moment: «UTC+7»."""
    if tz == "Europe/Moscow":
        return "МСК" if locale == "ru" else "MSK"
    offset = local(moment, tz).utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else MINUS}{hours}" + (f":{rest:02}" if rest else "")


def iso(moment: int) -> str:
    """RFC 3339, for the datetime attribute of <time>."""
    return local(moment, "UTC").replace(microsecond=0, tzinfo=UTC).isoformat()


def distance(moment: int, now: int, locale: str) -> str:
    """«5 минут назад», «через 3 дня»."""
    delta = timedelta(microseconds=moment - now)
    text = format_timedelta(delta, threshold=0.99, add_direction=True, locale=locale)
    return text.replace("\u202f", NBSP)


def phone(e164: str) -> str:
    """«+7 916 123-45-67»; what is not a phone comes back as it is."""
    try:
        parsed = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return e164
    shown = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return str(shown).replace(" ", NBSP)
