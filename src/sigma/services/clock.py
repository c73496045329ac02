"""The clock of the process."""

import time


def clock() -> int:
    """Return the current time in UTC microseconds."""
    return time.time_ns() // 1000
