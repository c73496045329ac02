"""The translator: texts and formats of one language and time zone for pages, mails and PDFs."""

import datetime as dt
import functools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from babel import Locale

from sigma.domain.errors import Problem, RefusedError
from sigma.domain.local_time import local_date
from sigma.domain.money import Money
from sigma.domain.time_units import DAY_US, SECOND_US
from sigma.texts import formats
from sigma.texts.messages import LOCALES, load_texts

_WEEK_US = 7 * DAY_US
_JUST_NOW_US = 45 * SECOND_US
# A quoted part of a text, and the quotation marks inside of others: «Студия „Лак“».
_QUOTED = {"ru": re.compile("(«[^«»]*»)"), "en": re.compile("(“[^“”]*”)")}
_INNER_QUOTES = {"ru": str.maketrans("«»", "„“"), "en": str.maketrans("“”", "‘’")}


@functools.cache
def _babel_locale(locale: str) -> Locale:
    return Locale(locale)


@dataclass(frozen=True, slots=True)
class Translator:
    """Texts in `locale` ("ru" or "en"; KeyError for another), times in `tz` (an IANA name)."""

    locale: str = "ru"
    tz: str = "Europe/Moscow"

    def __post_init__(self) -> None:
        if self.locale not in LOCALES:
            raise KeyError(self.locale)

    def has(self, key: str) -> bool:
        """Return whether the key has a text."""
        return key in load_texts(self.locale)

    def raw(self, key: str, n: int | None = None) -> str:
        """Return the text with its placeholders unfilled. Raises KeyError for a missing key."""
        text = load_texts(self.locale)[key]
        if isinstance(text, str):
            return text
        if n is None:
            raise KeyError(f"{key} has plural forms: pass n")
        return _plural_form(text, str(_babel_locale(self.locale).plural_form(abs(n))))

    def t(self, key: str, /, **params: Any) -> str:
        """Return the text for a key with `params` filled in, each by `format_value`.

        Quotation marks of a param inside quotation marks of the text become inner ones. Raises
        KeyError for a missing key or param.
        """
        n = params.get("n")
        values = {name: self.format_value(value) for name, value in params.items()}
        text = self.raw(key, n if isinstance(n, int) else None)
        inner = {
            name: value.translate(_INNER_QUOTES[self.locale])
            for name, value in values.items()
            if isinstance(value, str)
        }
        parts = _QUOTED[self.locale].split(text)  # every second one is quoted
        return "".join(
            part.format_map(values | inner if number % 2 else values)
            for number, part in enumerate(parts)
        )

    def format_value(self, value: object) -> object:
        """Format a value for use in a text: Money, dates, «через 5 минут» for a timedelta."""
        if isinstance(value, timedelta):
            return formats.time_until(value, self.locale)
        if isinstance(value, date):
            return formats.calendar_date(value, self.locale)
        return self.money(value) if isinstance(value, Money) else value

    def plural(self, n: int, key: str, /, **params: Any) -> str:
        """Return the plural form of a text for `n`: «3 счёта». `{n}` is replaced by the number."""
        return self.t(key, n=n, **params)

    def money(self, amount: Money, short: bool = False) -> str:
        """Return «1 500,00 ₽»; `short` omits «,00»."""
        return formats.money(amount, self.locale, short=short)

    def currency_name(self, currency: str) -> str:
        """Return «евро» for an ISO 4217 code; "XXX" is the conventional unit «у. е.»."""
        if currency == "XXX":
            return self.t("common.conventional_units")
        return formats.currency_name(currency, self.locale)

    def currency_names(self, currencies: Collection[str]) -> str:
        """Return «российский рубль и евро»."""
        return self.join_names([self.currency_name(code) for code in sorted(currencies)])

    def amount_in_words(self, amount: Money) -> str:
        """Return «Одна тысяча пятьсот рублей 00 копеек»; "" for an unsupported currency."""
        return formats.amount_in_words(amount, self.locale)

    def number(self, text: str) -> str:
        """Return a decimal text with the language's separators."""
        return formats.number(text, self.locale)

    def date(self, at_us: int) -> str:
        """Return «24 ноября 2026» for a time in UTC microseconds."""
        return formats.date(at_us, self.locale, self.tz)

    def datetime(self, at_us: int) -> str:
        """Return «24 ноября 2026, 14:05 (МСК)» for a time in UTC microseconds."""
        return formats.date_time(at_us, self.locale, self.tz)

    def date_range(self, first: dt.date, last: dt.date) -> str:
        """Return «22–28 ноября 2026» for the days from `first` to `last`."""
        return formats.date_range(first, last, self.locale)

    def list_time(self, at_us: int, now_us: int) -> str:
        """Return «сегодня, 14:05», «вчера, 14:05», «24 ноября, 14:05», or «24 ноября 2025».

        For lists, which are compared with statements: a relative time is of no use there.
        """
        day, today = local_date(at_us, self.tz), local_date(now_us, self.tz)
        time = formats.time_of_day(at_us, self.tz)
        if (today - day).days in (0, 1):
            return self.t("common.today_at" if day == today else "common.yesterday_at", time=time)
        text = formats.day_of_year(day, self.locale, today)
        return text if day.year != today.year else f"{text}, {time}"

    def relative_time(self, at_us: int, now_us: int) -> str:
        """Return «только что» (within 45 s), «5 минут назад», or a date when over a week away."""
        if abs(at_us - now_us) < _JUST_NOW_US:
            return self.t("common.just_now")
        if abs(at_us - now_us) > _WEEK_US:
            return self.date(at_us)
        return formats.relative_time(at_us, now_us, self.locale)

    def phone(self, e164: str) -> str:
        """Return «+7 916 123-45-67»."""
        return formats.phone(e164)

    def problem_text(self, problem: Problem) -> str:
        """Return the text for an invalid field: what is wrong and what to do."""
        params = problem.params
        if "acquirer" in params:
            params = params | {"acquirer": self.t(f"checkout.provider.{params['acquirer']}")}
        if problem.code == "shape":
            params = {"expected": self.t(f"errors.type.{params['expected']}")}
        return self.t(f"errors.problem.{problem.code}", **params)

    def refusal_text(self, error: RefusedError) -> str:
        """Return the text for a refused action: why it is refused and what to do."""
        return self.t(f"errors.refusal.{error.code}", **error.params)

    def join_names(self, names: list[str]) -> str:
        """Join names: «имя, e-mail и телефон»."""
        if len(names) < 2:
            return "".join(names)
        return f"{', '.join(names[:-1])} {self.t('common.and')} {names[-1]}"


def _plural_form(forms: Mapping[str, str], plural_class: str) -> str:
    for name in (plural_class, "many", "other"):
        if name in forms:
            return forms[name]
    raise KeyError(f"no form for {plural_class}")
