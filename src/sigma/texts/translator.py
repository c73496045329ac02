"""Words: one language and one time zone bound together, handed to pages, mails and documents."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from babel import Locale

from sigma.domain.errors import Problem, Refused
from sigma.domain.money import Money
from sigma.texts import formats
from sigma.texts.messages import LOCALES, catalogue

_WEEK = 7 * 24 * 3600 * 1_000_000
_SOON = 45 * 1_000_000


@functools.cache
def _babel(locale: str) -> Locale:
    return Locale(locale)


@dataclass(frozen=True, slots=True)
class Words:
    """Speaks `locale` ("ru" or "en"); moments are shown on the clock of `tz` (an IANA name)."""

    locale: str = "ru"
    tz: str = "Europe/Moscow"

    def __post_init__(self) -> None:
        if self.locale not in LOCALES:
            raise KeyError(self.locale)

    def has(self, key: str) -> bool:
        """Whether there is such a sentence."""
        return key in catalogue(self.locale)

    def raw(self, key: str, n: int | None = None) -> str:
        """The sentence with its placeholders unfilled. Raises KeyError when there is none."""
        sentence = catalogue(self.locale)[key]
        if isinstance(sentence, str):
            return sentence
        if n is None:
            raise KeyError(f"{key} is counted: give n")
        return _form(sentence, str(_babel(self.locale).plural_form(abs(n))))

    def t(self, key: str, /, **params: Any) -> str:
        """The sentence for a key; Money among `params` is written as money.

        Raises KeyError for a missing key or param.
        """
        n = params.get("n")
        shown = {name: self.show(value) for name, value in params.items()}
        return self.raw(key, n if isinstance(n, int) else None).format_map(shown)

    def show(self, value: object) -> object:
        """A param as it is written inside a sentence: money as money, everything else as it is."""
        return self.money(value) if isinstance(value, Money) else value

    def plural(self, n: int, key: str, /, **params: Any) -> str:
        """A counted sentence: «3 счёта». `{n}` in it is the number."""
        return self.t(key, n=n, **params)

    def money(self, amount: Money, short: bool = False) -> str:
        """«1 500,00 ₽»; `short` drops «,00»."""
        return formats.money(amount, self.locale, short=short)

    def in_words(self, amount: Money) -> str:
        """«Одна тысяча пятьсот рублей 00 копеек»; empty where there are no words for it."""
        return formats.in_words(amount, self.locale)

    def number(self, text: str) -> str:
        """A decimal text with the language's own comma or point."""
        return formats.number(text, self.locale)

    def date(self, moment: int) -> str:
        """«24 ноября 2026» (moment: UTC microseconds)."""
        return formats.date(moment, self.locale, self.tz)

    def datetime(self, moment: int) -> str:
        """«24 ноября 2026, 14:05 (МСК)»."""
        return formats.date_time(moment, self.locale, self.tz)

    def ago(self, moment: int, now: int) -> str:
        """«5 минут назад»; a date when it is more than a week away."""
        if abs(moment - now) < _SOON:
            return self.t("common.just_now")
        if abs(moment - now) > _WEEK:
            return self.date(moment)
        return formats.distance(moment, now, self.locale)

    def phone(self, e164: str) -> str:
        """«+7 916 123-45-67»."""
        return formats.phone(e164)

    def problem(self, problem: Problem) -> str:
        """What is wrong with a field and what to do, in one sentence."""
        return self.t(f"errors.problem.{problem.code}", **problem.params)

    def refusal(self, refused: Refused) -> str:
        """Why a wish cannot be granted and what to do, in one sentence."""
        return self.t(f"errors.refusal.{refused.code}", **refused.params)

    def listing(self, names: list[str]) -> str:
        """«имя, e-mail и телефон»."""
        if len(names) < 2:
            return "".join(names)
        return f"{', '.join(names[:-1])} {self.t('common.and')} {names[-1]}"


def _form(forms: Mapping[str, str], plural: str) -> str:
    for name in (plural, "many", "other"):
        if name in forms:
            return forms[name]
    raise KeyError(f"no form for {plural}")
