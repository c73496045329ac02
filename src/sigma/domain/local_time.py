"""Dates and times of day in a shop's time zone. Pure."""

import functools
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sigma.domain.time_units import SECOND_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@functools.lru_cache(maxsize=64)
def time_zone(name: str) -> tzinfo:
    """Return the time zone with an IANA name; UTC for a name unknown to this machine."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def local_time(at_us: int, tz: str) -> datetime:
    """Return a time (UTC microseconds) in a time zone (IANA name)."""
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(time_zone(tz))


def local_date(at_us: int, tz: str) -> date:
    """Return the date of a time (UTC microseconds) in a time zone (IANA name)."""
    return local_time(at_us, tz).date()


def time_of_day(day: date, hour: int, tz: str) -> int:
    """Return a full hour (0 to 23) of a date in a time zone, in UTC microseconds."""
    moment = datetime.combine(day, time(hour), time_zone(tz))
    return int(moment.timestamp()) * SECOND_US


def start_of_day(day: date, tz: str) -> int:
    """Return the first moment of a date in a time zone, in UTC microseconds.

    Where the clocks skip midnight it is the first moment after the gap, where midnight comes twice
    the earlier one.
    """
    midnight = datetime.combine(day, time(), time_zone(tz))
    return int(midnight.timestamp()) * SECOND_US
