"""Periods of whole days in a shop's time zone."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.local_time import local_date, local_time, start_of_day
from sigma.domain.time_units import MINUTE_US

QUARTER_US = 15 * MINUTE_US  # time zones change their offset at these moments only
MAX_DAYS = 366
# Before it time zones had offsets that are no quarters of an hour; nobody has payments from then.
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2199, 12, 30)


class PeriodName(StrEnum):
    """The periods that are offered; OWN is any other."""

    TODAY = "today"
    WEEK = "7"
    MONTH = "30"
    OWN = "own"


_LENGTHS_DAYS = {PeriodName.TODAY: 1, PeriodName.WEEK: 7, PeriodName.MONTH: 30}


@dataclass(frozen=True, slots=True)
class Period:
    """The days from `first_day` to `last_day`, both included, in the time zone `tz` (IANA name)."""

    first_day: date
    last_day: date
    tz: str

    @property
    def since_us(self) -> int:
        """The first moment, in UTC microseconds."""
        return start_of_day(self.first_day, self.tz)

    @property
    def until_us(self) -> int:
        """The first moment after the period, in UTC microseconds."""
        return start_of_day(self.last_day + timedelta(1), self.tz)

    @property
    def day_count(self) -> int:
        """The number of days."""
        return (self.last_day - self.first_day).days + 1

    def days(self) -> Iterator[date]:
        """Yield all days in order."""
        return (self.first_day + timedelta(n) for n in range(self.day_count))

    def before(self) -> "Period":
        """Return the period of as many days that ends when this one begins."""
        return Period(
            self.first_day - timedelta(self.day_count), self.first_day - timedelta(1), self.tz
        )


def recent_period(name: PeriodName, now_us: int, tz: str) -> Period:
    """Return today, or the last 7 or 30 days with today. `name` must not be OWN."""
    today = local_date(now_us, tz)
    return Period(today - timedelta(_LENGTHS_DAYS[name] - 1), today, tz)


def own_period(first_day: date, last_day: date, tz: str) -> Period:
    """Return a period of at most MAX_DAYS. Raises RefusedError("validation")."""
    if first_day > last_day:
        raise validation_error(Problem("until", "period_empty"))
    if not (first_day >= FIRST_DAY and last_day <= LAST_DAY):
        raise validation_error(Problem("since", "date"))
    if (last_day - first_day).days >= MAX_DAYS:
        raise validation_error(Problem("until", "period_too_long", {"max": MAX_DAYS}))
    return Period(first_day, last_day, tz)


def month_period(year: int, month: int, tz: str) -> Period:
    """Return a calendar month. Raises RefusedError("not_found") for an impossible one."""
    if not (FIRST_DAY.year <= year < LAST_DAY.year and 1 <= month <= 12):
        raise RefusedError("not_found", what="statement")
    first_day = date(year, month, 1)
    next_month = date(year + month // 12, month % 12 + 1, 1)
    return Period(first_day, next_month - timedelta(1), tz)


def constant_offsets(period: Period) -> list[tuple[int, int, int]]:
    """Divide a period where its clocks change: (since, until, local time less UTC).

    All in microseconds. One part, or one more for each change of the clocks.
    """
    parts: list[tuple[int, int, int]] = []
    starts = [start_of_day(day, period.tz) for day in period.days()] + [period.until_us]
    begin_us, offset_us = starts[0], _offset_us(starts[0], period.tz)
    for start_us, end_us in itertools.pairwise(starts):
        at_edges = (_offset_us(start_us, period.tz), _offset_us(end_us - QUARTER_US, period.tz))
        if at_edges == (offset_us, offset_us):
            continue  # no clock changes twice in a day
        for at_us in range(start_us, end_us, QUARTER_US):
            changed_us = _offset_us(at_us, period.tz)
            if changed_us != offset_us:
                parts.append((begin_us, at_us, offset_us))
                begin_us, offset_us = at_us, changed_us
    return [*parts, (begin_us, period.until_us, offset_us)]


def _offset_us(at_us: int, tz: str) -> int:
    offset = local_time(at_us, tz).utcoffset()
    assert offset is not None, "the time has a zone"
    return int(offset / timedelta(microseconds=1))
