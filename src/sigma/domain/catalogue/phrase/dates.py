"""Days and times of an invoice phrase: «завтра в 15:00», «до 25.11», «через неделю».

A day after «до» or "by" is the deadline of the invoice. A day with a time is a visit. Any other day
can be both, and the seller is asked.
"""

import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from sigma.domain.catalogue.phrase.calendar_words import (
    DAY_PARTS,
    DEADLINE_WORDS,
    MONTHS,
    NEXT,
    PAY_WORDS,
    RELATIVE_DAYS,
    RENTED,
    SPANS,
    THIS,
    VISIT_PREPOSITIONS,
    WEEKDAY_SHORT,
    WEEKDAYS,
)
from sigma.domain.catalogue.phrase.errors import PhraseError
from sigma.domain.catalogue.phrase.numbers import norm_at, read_cardinal, read_unit
from sigma.domain.catalogue.phrase.times import (
    ClockReader,
    When,
    WhenKind,
    is_measured,
    is_money,
    whole_number,
)
from sigma.domain.catalogue.phrase.tokens import Token, TokenKind
from sigma.domain.catalogue.phrase.vocabulary import SCALES

RECENT = 60  # days: on 24 November «20.11» is the day four days ago


@dataclass(frozen=True, slots=True)
class DayReader:
    """Reads days from `tokens`. `has_sum`: another number of the phrase can be the sum.

    With it «15.30» and «2.5» are read as a time and a day; without it they stay numbers.
    """

    tokens: Sequence[Token]
    today: date
    has_sum: bool

    def read(self, index: int) -> When | None:
        """Read a day, a time or both at `index`. Raises PhraseError bad_day, past_day."""
        return self._deadline(index) or self._term(index) or self._range(index) or self._any(index)

    @property
    def _clock(self) -> ClockReader:
        return ClockReader(self.tokens, self.has_sum)

    def _norm(self, index: int) -> str:
        return norm_at(self.tokens, index)

    def _deadline(self, index: int) -> When | None:
        start = self._after_deadline_word(index)
        if start is None:
            return None
        is_until = self._norm(start - 1) not in PAY_WORDS
        if not is_until and self._norm(start) in VISIT_PREPOSITIONS:
            start += 1
        found = self._moment(start, is_after_word=True, is_deadline=is_until)
        if found is None:
            return None
        if self._norm(found.stop) == "включительно":
            found = replace(found, stop=found.stop + 1)
        if found.day is not None and found.day < self.today:
            raise PhraseError("past_day")
        return replace(found, kind=WhenKind.DEADLINE, day=found.day or self.today)

    def _after_deadline_word(self, index: int) -> int | None:
        """Return the index after «до», «не позднее», «оплатить до», "by"; None for other words."""
        norm = self._norm(index)
        if norm == "не" and self._norm(index + 1) in ("позднее", "позже"):
            return index + 2
        if norm == "в" and self._norm(index + 1) in ("течение", "течении"):
            return index + 2
        is_heading = norm in ("срок", "дедлайн", "due") and self._norm(index + 1) in DEADLINE_WORDS
        if norm in PAY_WORDS or is_heading:
            return self._after_deadline_word(index + 1) or index + 1
        return index + 1 if norm in DEADLINE_WORDS else None

    def _term(self, index: int) -> When | None:
        """Read «на 3 дня»: the time to pay, or the duration of what is rented."""
        if self._norm(index) not in ("на", "for"):
            return None
        number = read_cardinal(self.tokens, index + 1)
        is_pair = self._norm(index + 1) == "пару"
        stop = number.stop if number else index + 2
        if not (number or is_pair) or SPANS.get(self._norm(stop)) != 1:
            return None
        if any(RENTED.match(token.norm) for token in self.tokens):
            return None
        days = 2 if number is None else int(number.value)
        if not 0 < days <= 366:
            return None
        return When(WhenKind.TERM, stop + 1, self.today + timedelta(days=days))

    def _range(self, index: int) -> When | None:
        """Read «с 10 до 18», «10:00-12:00», «10-12 ноября»: a visit."""
        first = index + 1 if self._norm(index) in ("с", "from") else index
        start = self._clock.read(first, is_after_word=first > index)
        if start and self._norm(start.stop) in ("до", "-", "–", "—", "to"):
            is_sure = first > index or self.tokens[first].kind is TokenKind.TIME
            end = self._clock.read(start.stop + 1, is_after_word=True)
            if end and is_sure and self._norm(end.stop) not in MONTHS:
                note = self._typed(start.stop, end.stop)
                return replace(start, kind=WhenKind.VISIT, stop=end.stop, note=note)
        if first > index and (days := self._days(first)):
            return days
        day_number = whole_number(self.tokens, first)
        # 31: in «размер 42 до 25.11» the size begins no range of days.
        if 0 < day_number <= 31 and self._norm(first + 1) in ("-", "–", "—", "до", "по"):
            end = self._day(first + 2, is_after_word=True, is_deadline=False)
            last = self.tokens[end.stop - 1].text if end else ""
            is_dated = last.casefold() in MONTHS or re.fullmatch(r"\d{1,2}\.\d{2}", last)
            if end and end.day and end.day >= self.today and is_dated:
                day = _day_of(self.today, day_number, end.day.month, end.day.year)
                return When(WhenKind.VISIT, end.stop, day, note=self._typed(first + 1, end.stop))
        return None

    def _days(self, index: int) -> When | None:
        """Read «01.12 по 05.12» after «с»: a visit of several days."""
        start = self._day(index, is_after_word=True, is_deadline=False)
        if start is None or self._norm(start.stop) not in ("по", "до", "-", "–", "—", "to", "till"):
            return None
        end = self._day(start.stop + 1, is_after_word=True, is_deadline=False)
        if end is None:
            return None
        return replace(
            start, kind=WhenKind.VISIT, stop=end.stop, note=self._typed(start.stop, end.stop)
        )

    def _typed(self, start: int, stop: int) -> str:
        return " ".join(token.text for token in self.tokens[start:stop])

    def _any(self, index: int) -> When | None:
        norm = self._norm(index)
        is_after_word = norm in VISIT_PREPOSITIONS
        start = index + 1 if is_after_word else index
        found = self._moment(start, is_after_word=is_after_word, preposition=norm)
        if found is None or (found.day is not None and found.day < self.today):
            return None  # «занятия за 20.11»: a past day is a part of the title
        if found.clock is not None or found.kind is WhenKind.VISIT:
            return replace(found, kind=WhenKind.VISIT)
        if self._norm(found.stop) == "до":  # «сегодня до 18:00»
            clock = self._clock.read(found.stop + 1, is_after_word=True, preposition="до")
            if clock is not None:
                return replace(clock, kind=WhenKind.DEADLINE, day=found.day)
        return replace(found, kind=WhenKind.UNCLEAR)

    def _moment(
        self, index: int, *, is_after_word: bool, preposition: str = "", is_deadline: bool = False
    ) -> When | None:
        """Read a day, a time, or both in any order."""
        day = self._day(
            index, is_after_word=is_after_word, is_deadline=is_deadline, word=preposition
        )
        if day is not None:
            stop = day.stop
            if self._norm(stop) in DAY_PARTS:
                note = self.tokens[stop].text
                day = replace(day, kind=WhenKind.VISIT, stop=stop + 1, note=note)
                stop = day.stop
            hours = self._range(stop)
            if hours is not None and hours.day is None:
                return replace(hours, day=day.day)
            word = self._norm(stop)
            skipped = stop + (word in (",", "в", "во", "к", "с", "на", "at"))
            is_after = skipped > stop and word != ","
            clock = self._clock.read(skipped, is_after_word=is_after, preposition=word)
            return replace(day, stop=clock.stop, clock=clock.clock) if clock else day
        word = "до" if is_deadline else preposition
        clock = self._clock.read(index, is_after_word=is_after_word, preposition=word)
        if clock is None:
            return self._day_number(index) if is_deadline else None
        skipped = clock.stop
        while self._norm(skipped) in (",", "в", "во", "на", "on"):
            skipped += 1
        day = self._day(skipped, is_after_word=skipped > clock.stop, is_deadline=False)
        return replace(day, clock=clock.clock) if day else clock

    def _day(
        self, index: int, *, is_after_word: bool, is_deadline: bool, word: str = ""
    ) -> When | None:
        if index >= len(self.tokens):
            return None
        return (
            self._relative_day(index, is_deadline)
            or self._weekday(index, is_after_word)
            or self._numeric_day(index, is_after_word, is_deadline, word)
            or self._named_month(index)
        )

    def _relative_day(self, index: int, is_deadline: bool) -> When | None:
        norm, after = self._norm(index), self._norm(index + 1)
        if is_deadline and norm in ("вчера", "yesterday", "вчерашнего"):
            raise PhraseError("past_day")
        if norm in RELATIVE_DAYS:
            stop = index + 2 if after in ("дня", "день") and norm.endswith("него") else index + 1
            return self._found(stop, self.today + timedelta(days=RELATIVE_DAYS[norm]))
        is_within = self._norm(index - 1) in ("течение", "течении", "срок")
        if norm in ("через", "in", "спустя") or is_within:
            span = self._span(index if is_within else index + 1, is_required=norm != "in")
            if span is not None or self._norm(index - 1) != "срок":
                return span
        if is_deadline and norm in ("конца", "end", "the"):
            while self._norm(index + 1) in (
                "этого",
                "этой",
                "рабочего",
                "end",
                "of",
                "the",
                "this",
            ):
                index += 1
            return self._period_end(index + 1)
        if is_deadline and norm in ("вечера", "ночи", "обеда", "утра"):
            return self._found(index + 1, self.today + timedelta(days=norm == "утра"))
        if is_deadline and norm == "нового" and after == "года":
            return self._found(index + 2, date(self.today.year, 12, 31))
        return None

    def _span(self, index: int, *, is_required: bool) -> When | None:
        """Read «неделю», «3 дня», «пару дней» after «через»."""
        number = read_cardinal(self.tokens, index)
        if self._norm(index) in ("пару", "a", "одну", "один") and not number:
            count, stop = (2 if self._norm(index) == "пару" else 1), index + 1
        else:
            count, stop = (int(number.value), number.stop) if number else (1, index)
        unit = SPANS.get(self._norm(stop))
        if unit is None or (not number and not is_required and stop == index) or count > 1000:
            return None
        day = _add_months(self.today, count) if unit == 30 else self.today + timedelta(count * unit)
        return self._found(stop + 1, day)

    def _period_end(self, index: int) -> When | None:
        today, norm = self.today, self._norm(index)
        ends = {
            **dict.fromkeys(("дня", "day"), today),
            **dict.fromkeys(("недели", "week"), today + timedelta(days=6 - today.weekday())),
            **dict.fromkeys(
                ("месяца", "month"), today.replace(day=monthrange(today.year, today.month)[1])
            ),
            **dict.fromkeys(("года", "year"), date(today.year, 12, 31)),
        }
        if norm in MONTHS:
            month = MONTHS[norm]
            year = today.year + (month < today.month)
            return self._found(index + 1, date(year, month, monthrange(year, month)[1]))
        return self._found(index + 1, ends[norm]) if norm in ends else None

    def _weekday(self, index: int, is_after_word: bool) -> When | None:
        norm, weeks = self._norm(index), 0
        if norm in NEXT or norm in THIS:
            weeks, index = int(norm in NEXT), index + 1
            norm, is_after_word = self._norm(index), True
        number = WEEKDAYS.get(norm)
        is_before_time = index + 1 < len(self.tokens) and (
            self.tokens[index + 1].kind is TokenKind.TIME
        )
        if number is None and (is_after_word or is_before_time):
            number = WEEKDAY_SHORT.get(norm)
        if number is None:
            return None
        ahead = (number - self.today.weekday()) % 7
        if weeks and ahead < 7 - self.today.weekday():  # this week's day: take the next week's
            ahead += 7
        return self._found(index + 1, self.today + timedelta(days=ahead))

    def _numeric_day(
        self, index: int, is_after_word: bool, is_deadline: bool, word: str
    ) -> When | None:
        token = self.tokens[index]
        if token.kind is TokenKind.DATE:
            is_named = self._norm(index + 1) in ("г", "года", "год") and token.text[-4:].isdigit()
            return self._found(index + 1 + is_named, self._full_date(token.text, is_deadline))
        parts = re.fullmatch(r"(\d{1,2})\.(\d{1,2})", token.text)
        if parts is None or token.kind is not TokenKind.NUMBER or token.has_money_end:
            return None
        after = self._norm(index + 1)
        if is_money(self.tokens, index + 1) or after in SCALES:
            return None
        if read_unit(self.tokens, index + 1, token.value):  # type: ignore[arg-type]
            return None
        day, month = int(parts[1]), int(parts[2])
        is_clock = day <= 24 and len(parts[2]) == 2 and not 1 <= month <= 12
        is_clock = is_clock and month < 60 and month % 5 == 0
        if is_clock and (is_after_word or is_deadline):
            return None
        if word in ("в", "к", "с", "at") and day <= 24 and len(parts[2]) == 2:
            return None  # «в 10.10» is a time
        is_valid = 1 <= month <= 12 and 1 <= day <= 31
        if is_deadline or (is_valid and (len(parts[2]) == 2 or self.has_sum or is_after_word)):
            return self._found(index + 1, _day_of(self.today, day, month))
        return None

    def _full_date(self, text: str, is_deadline: bool) -> date:
        numbers = [int(part) for part in re.split(r"[./-]", text)]
        if len(numbers) == 2:
            return _day_of(self.today, *numbers)
        year, month, day = numbers if numbers[0] > 31 else reversed(numbers)
        found = _day_of(self.today, day, month, year + 2000 * (year < 100))
        if is_deadline and found < self.today:
            raise PhraseError("past_day")
        return found

    def _named_month(self, index: int) -> When | None:
        """Read «25 ноября 2027 года», «25-го», «25 числа», "November 25"."""
        token, after = self.tokens[index], self._norm(index + 1)
        is_ordinal = token.kind is TokenKind.ORDINAL
        digits = re.match(r"\d{1,2}(?!\d)", token.text)
        if digits and (is_ordinal or whole_number(self.tokens, index)):
            if after in MONTHS:
                return self._with_year(index + 2, int(digits.group()), MONTHS[after])
            if after in ("числа", "число"):
                return self._day_number(index, index + 2)
            if is_ordinal and re.search(r"\d-?го$", token.text.lower()):
                return self._day_number(index)
        if token.norm in MONTHS and (
            token.norm not in ("may", "март", "мар") or whole_number(self.tokens, index + 1)
        ):
            digits = re.match(r"\d{1,2}(?!\d)", self.tokens[index + 1].text) if after else None
            if digits and token.norm.isascii() and not is_money(self.tokens, index + 2):
                return self._with_year(index + 2, int(digits.group()), MONTHS[token.norm])
        return None

    def _with_year(self, stop: int, day: int, month: int) -> When:
        year = self.tokens[stop].text if stop < len(self.tokens) else ""
        if re.fullmatch(r"20\d{2}", year) and not is_money(self.tokens, stop + 1):
            found = _day_of(self.today, day, month, int(year))
            is_named = self._norm(stop + 1) in ("г", "год", "года")
            return self._found(stop + 1 + is_named, found)
        return self._found(stop, _day_of(self.today, day, month))

    def _day_number(self, index: int, stop: int | None = None) -> When | None:
        """Read the day of this month, or of the next one when it has passed."""
        digits = (
            re.match(r"\d{1,2}(?!\d)", self.tokens[index].text)
            if index < len(self.tokens)
            else None
        )
        if digits is None or not 1 <= int(digits.group()) <= 31:
            return None
        is_bare = stop is None and self.tokens[index].kind is TokenKind.NUMBER
        if is_bare and is_measured(self.tokens, index):
            return None  # «до 7 лет»
        if is_bare and (
            is_money(self.tokens, index + 1) or self.tokens[index].text != digits.group()
        ):
            return None
        number, first = int(digits.group()), self.today.replace(day=1)
        for months in range(3):
            month = _add_months(first, months)
            if number <= monthrange(month.year, month.month)[1]:
                day = month.replace(day=number)
                if day >= self.today:
                    found = self._found(stop or index + 1, day)
                    return replace(found, is_unsure=is_bare and number <= 24)
        raise PhraseError("bad_day")

    def _found(self, stop: int, day: date) -> When:
        return When(WhenKind.UNCLEAR, stop, day)


def _day_of(today: date, day: int, month: int, year: int | None = None) -> date:
    """Return a date; without a year the next such day, or the last one of RECENT days.

    Raises PhraseError("bad_day").
    """
    try:
        if year is not None:
            return date(year, month, day)
        this_year = date(today.year, month, day)
        is_meant = this_year >= today - timedelta(days=RECENT)
        return this_year if is_meant else date(today.year + 1, month, day)
    except ValueError:
        raise PhraseError("bad_day") from None


def _add_months(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
