"""Units of time as microseconds, and the clock."""

import time

SECOND_US = 1_000_000
MINUTE_US, HOUR_US, DAY_US = 60 * SECOND_US, 3600 * SECOND_US, 86400 * SECOND_US


def clock() -> int:
    """Return the current time in UTC microseconds."""
    return time.time_ns() // 1000
