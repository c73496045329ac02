"""Times of day in an invoice phrase: «15:00», «в 15.30», «9 утра», "3pm"."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from enum import StrEnum

from sigma.domain.catalogue.phrase.calendar_words import DAY_PARTS, HOURS, MONTHS
from sigma.domain.catalogue.phrase.numbers import norm_at, read_unit
from sigma.domain.catalogue.phrase.tokens import Token, TokenKind
from sigma.domain.catalogue.phrase.vocabulary import COUNTED, SCALES, currency_of


class WhenKind(StrEnum):
    """What a day means.

    UNCLEAR: a visit or the deadline. TERM: «на 3 дня», a duration or the deadline.
    """

    DEADLINE = "deadline"
    VISIT = "visit"
    UNCLEAR = "unclear"
    TERM = "term"


@dataclass(frozen=True, slots=True)
class When:
    """A day or time at tokens before `stop`.

    `is_unsure`: «до 18» may be an hour or a day. `note`: what else was typed about the time, such
    as «утром» or «до 12:00».
    """

    kind: WhenKind
    stop: int
    day: date | None = None
    clock: time | None = None
    is_unsure: bool = False
    note: str = ""


def is_money(tokens: Sequence[Token], index: int) -> bool:
    """Return whether the word at `index` makes the number before it a sum."""
    norm = norm_at(tokens, index)
    return currency_of(norm) is not None or (norm in SCALES and norm not in ("к", "т"))


def whole_number(tokens: Sequence[Token], index: int) -> int:
    """Return a whole number of one or two digits at `index`, else 0."""
    if index >= len(tokens) or not re.fullmatch(r"\d{1,2}", tokens[index].text):
        return 0
    return int(tokens[index].text)


@dataclass(frozen=True, slots=True)
class ClockReader:
    """Reads times of day. `has_sum`: another number can be the sum, so «15.30» can be a time."""

    tokens: Sequence[Token]
    has_sum: bool

    def read(self, index: int, *, is_after_word: bool, preposition: str = "") -> When | None:
        """Read a time at `index`. `is_after_word`: after «в», «на», «до», "at"."""
        if index >= len(self.tokens):
            return None
        token = self.tokens[index]
        if token.kind is TokenKind.TIME:
            hour, minute = map(int, token.text.split(":")[:2])
            return self._clock(index + 1, hour, minute)
        if token.norm in HOURS and is_after_word:
            return self._clock(index + 1, HOURS[token.norm], 0)
        parts = re.fullmatch(r"(\d{1,2})[.](\d{2})", token.text)
        if parts and self._is_dotted_clock(index, int(parts[2]), is_after_word):
            return self._clock(index + 1, int(parts[1]), int(parts[2]))
        return self._hour(index, is_after_word=is_after_word, preposition=preposition)

    def _is_dotted_clock(self, index: int, minute: int, is_after_word: bool) -> bool:
        """Whether «15.30» is a time: after a preposition, or beside a sum if it is no date."""
        is_beside_sum = self.has_sum and (minute == 0 or 12 < minute < 60)
        is_clock = minute % 5 == 0 and (is_after_word or is_beside_sum)
        return is_clock and not is_money(self.tokens, index + 1)

    def _hour(self, index: int, *, is_after_word: bool, preposition: str) -> When | None:
        """Read «9 утра», "3pm", and after a preposition «15», «15 часов», «15-30»."""
        hour, after = whole_number(self.tokens, index), norm_at(self.tokens, index + 1)
        if not hour and self.tokens[index].text not in ("0", "00"):
            return None
        is_days = after in ("дня", "ночи") and preposition not in ("в", "к", "с")
        if (after in DAY_PARTS and not is_days) or after in ("am", "pm"):
            is_late = after in ("дня", "вечера", "pm") and hour < 12
            return self._clock(index + 2, hour + 12 * is_late, 0)
        if not is_after_word or is_money(self.tokens, index + 1):
            return None
        if after in ("час", "часа", "часов", "ч") and preposition != "на":
            return self._clock(index + 2, hour, 0)
        minute = whole_number(self.tokens, index + 2)
        if after in ("-", "ч") and minute and not self.tokens[index + 1].is_spaced:
            return self._clock(index + 3, hour, minute)
        if preposition == "до" or (preposition == "на" and not self.has_sum):
            return None  # «до 18» is read as a day of the month, «на 15» as a sum
        return self._clock(index + 1, hour, 0) if self._is_free(index, hour) else None

    def _is_free(self, index: int, hour: int) -> bool:
        """Whether a bare number is an hour: nothing is counted, as in «в 4 руки»."""
        after = norm_at(self.tokens, index + 1)
        is_word = index + 1 < len(self.tokens) and self.tokens[index + 1].kind is TokenKind.WORD
        is_other = after in ("х", "x", "*", "×", "%", "числа") or after in MONTHS
        if after in ("до", "-", "–") and is_measured(self.tokens, index + 2):
            return False  # «с 7 до 12 лет»
        return (hour >= 7 or not is_word) and not is_other and not is_measured(self.tokens, index)

    @staticmethod
    def _clock(stop: int, hour: int, minute: int) -> When | None:
        if hour > 24 or minute > 59:
            return None
        clock = time(23, 59) if hour == 24 else time(hour, minute)
        return When(WhenKind.VISIT, stop, clock=clock)


def is_measured(tokens: Sequence[Token], index: int) -> bool:
    """Return whether the number at `index` has a unit or counts something."""
    value = tokens[index].value or Decimal(0)
    unit = read_unit(tokens, index + 1, value)
    return unit is not None or COUNTED.fullmatch(norm_at(tokens, index + 1)) is not None
