"""Moments: UTC microseconds inside, RFC 3339 on the wire, Moscow time on the pages."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MOSCOW = timezone(timedelta(hours=3), "МСК")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Clock = Callable[[], int]


def system_clock() -> int:
    """The machine's time, UTC microseconds."""
    return time.time_ns() // 1000


def as_datetime(at: int) -> datetime:
    """UTC microseconds to an aware datetime."""
    return EPOCH + timedelta(microseconds=at)


def to_wire(at: int) -> str:
    """UTC microseconds to "2026-11-24T10:53:29.072Z"."""
    return as_datetime(at).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at // 1000 % 1000:03d}Z"


def from_wire(text: str) -> int | None:
    """An RFC 3339 moment with an offset to UTC microseconds; None when it cannot be read."""
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)


def to_person(at: int) -> str:
    """For a page: "24.11.2026, 14:05:09" in Moscow time."""
    return as_datetime(at).astimezone(MOSCOW).strftime("%d.%m.%Y, %H:%M:%S")
