"""The period of a list: a preset such as "month", or own bounds, in the shop's time zone."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from sigma.domain.local_time import local_date, start_of_day
from sigma.domain.time_units import SECOND_US

# A date bound is a day of the shop, an int bound a moment in UTC microseconds.
Bound = date | int

_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_LOCAL_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_RFC_3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_FIRST_YEAR, _LAST_YEAR = 1971, 2199


class Preset(StrEnum):
    """A period relative to today in the shop's time zone."""

    TODAY = "today"
    YESTERDAY = "yesterday"
    WEEK = "week"  # the last seven days, today included
    MONTH = "month"  # the current calendar month
    LAST_MONTH = "last_month"  # the calendar month before


@dataclass(frozen=True, slots=True)
class Period:
    """A preset, or own bounds: `start` inclusive; a `end` day inclusive, an `end` moment exclusive.

    Without any of them it is all time.
    """

    preset: Preset | None = None
    start: Bound | None = None
    end: Bound | None = None

    def __bool__(self) -> bool:
        return self.preset is not None or self.start is not None or self.end is not None

    def days(self, today: date) -> tuple[Bound | None, Bound | None]:
        """Return first and last day (both inclusive) of a preset, else the own bounds."""
        first_of_month = today.replace(day=1)
        match self.preset:
            case Preset.TODAY:
                return today, today
            case Preset.YESTERDAY:
                yesterday = today - timedelta(days=1)
                return yesterday, yesterday
            case Preset.WEEK:
                return today - timedelta(days=6), today
            case Preset.MONTH:
                return first_of_month, today
            case Preset.LAST_MONTH:
                last = first_of_month - timedelta(days=1)
                return last.replace(day=1), last
        return self.start, self.end

    def bounds_us(self, now_us: int, tz: str) -> tuple[int | None, int | None]:
        """Return [start, end) in UTC microseconds; None where the period is open.

        A day ends where the next one starts, so days of 23 and 25 hours are whole.
        """
        start, end = self.days(local_date(now_us, tz))
        start_us = start_of_day(start, tz) if isinstance(start, date) else start
        end_us = start_of_day(end + timedelta(days=1), tz) if isinstance(end, date) else end
        return start_us, end_us


def parse_bound(text: str) -> Bound | None:
    """Return the day of «2026-11-24» or «24.11.2026», the moment of an RFC 3339 time, or None."""
    try:
        if match := _ISO_DATE.fullmatch(text):
            return _in_range(date(int(match[1]), int(match[2]), int(match[3])))
        if match := _LOCAL_DATE.fullmatch(text):
            return _in_range(date(int(match[3]), int(match[2]), int(match[1])))
        if _RFC_3339.fullmatch(text):
            moment = datetime.fromisoformat(text.upper().replace(" ", "T")).astimezone(UTC)
            if _in_range(moment.date()) is None:
                return None
            whole_s = int(moment.replace(microsecond=0).timestamp())
            return whole_s * SECOND_US + moment.microsecond
    except (ValueError, OverflowError):
        return None
    return None


def _in_range(day: date) -> date | None:
    return day if _FIRST_YEAR <= day.year <= _LAST_YEAR else None


def bound_text(bound: Bound | None) -> str:
    """Return the text that `parse_bound` reads as this bound; "" for None."""
    if bound is None:
        return ""
    if isinstance(bound, date):
        return bound.isoformat()
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=bound)
    return moment.isoformat().replace("+00:00", "Z")
