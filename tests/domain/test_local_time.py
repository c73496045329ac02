"""Days begin and end on the clock of the shop, also when that clock is changed."""

from datetime import UTC, date, datetime

import pytest

from sigma.domain.local_time import local_date, local_time, start_of_day
from sigma.domain.time_units import HOUR_US, SECOND_US


@pytest.mark.parametrize(
    ("day", "zone", "expected"),
    [
        (date(2026, 11, 28), "Europe/Moscow", "2026-11-27T21:00"),
        (date(2026, 11, 28), "Europe/Kaliningrad", "2026-11-27T22:00"),
        (date(2026, 11, 28), "Asia/Tashkent", "2026-11-27T19:00"),
        (date(2024, 2, 29), "Asia/Almaty", "2024-02-28T18:00"),  # UTC+6 until 1 March 2024
        (date(2024, 3, 2), "Asia/Almaty", "2024-03-01T19:00"),  # UTC+5 since
        (date(2026, 3, 29), "Europe/Berlin", "2026-03-28T23:00"),  # 23 hours long
        (date(2026, 3, 30), "Europe/Berlin", "2026-03-29T22:00"),
        (date(2026, 10, 25), "Europe/Berlin", "2026-10-24T22:00"),  # 25 hours long
        (date(2026, 10, 26), "Europe/Berlin", "2026-10-25T23:00"),
        (date(2026, 11, 28), "Asia/Kolkata", "2026-11-27T18:30"),
        (date(2026, 4, 24), "Africa/Cairo", "2026-04-23T22:00"),  # begins at 01:00
        (date(2026, 9, 6), "America/Santiago", "2026-09-06T04:00"),  # begins at 01:00
        (date(2026, 4, 5), "America/Santiago", "2026-04-05T04:00"),  # 23:00 before it comes twice
        (date(2026, 3, 29), "Asia/Beirut", "2026-03-28T22:00"),  # begins at 01:00
        (date(2026, 10, 4), "Australia/Lord_Howe", "2026-10-03T13:30"),  # changed by half an hour
        (date(2026, 11, 1), "America/Havana", "2026-11-01T04:00"),  # 00:00 comes twice
        (date(2026, 11, 28), "No/Such", "2026-11-28T00:00"),
    ],
)
def test_day_starts_at_the_first_midnight_of_its_zone(day: date, zone: str, expected: str) -> None:
    start_us = start_of_day(day, zone)
    assert f"{datetime.fromtimestamp(start_us // SECOND_US, UTC):%Y-%m-%dT%H:%M}" == expected
    assert local_date(start_us, zone) == day
    assert local_date(start_us - 1, zone) < day


def test_local_time_keeps_microseconds_and_the_instant() -> None:
    at_us = 1_795_000_000_123_456
    local = local_time(at_us, "Europe/Kaliningrad")
    assert local.microsecond == 123_456
    assert local.timestamp() == pytest.approx(at_us / SECOND_US)
    assert local_time(at_us + HOUR_US, "Europe/Kaliningrad") > local
