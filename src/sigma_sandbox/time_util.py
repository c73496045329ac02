"""Time: int UTC microseconds inside, RFC 3339 in the API, Moscow time on pages."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
MOSCOW = timezone(timedelta(hours=3), "МСК")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Clock = Callable[[], int]


def system_clock() -> int:
    """Return the system time in UTC microseconds."""
    return time.time_ns() // 1000


def as_datetime(time_us: int) -> datetime:
    """Convert UTC microseconds to a datetime in UTC."""
    return EPOCH + timedelta(microseconds=time_us)


def to_wire(time_us: int) -> str:
    """Format UTC microseconds as in the API: "2026-11-24T10:53:29.072Z"."""
    return as_datetime(time_us).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time_us // 1000 % 1000:03d}Z"


def from_wire(text: str) -> int | None:
    """Parse an RFC 3339 time to UTC microseconds, or None. A time without offset counts as UTC."""
    try:
        # In a query string "+" decodes to a space: restore the offset sign.
        parsed = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return (parsed - EPOCH) // timedelta(microseconds=1)


def format_moscow(time_us: int) -> str:
    """Format UTC microseconds for a page: "24.11.2026, 14:05:09" in Moscow time."""
    return as_datetime(time_us).astimezone(MOSCOW).strftime("%d.%m.%Y, %H:%M:%S")
