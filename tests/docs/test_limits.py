"""docs/security.md shows every limit of sigma.domain.limits with its number and reason."""

import re

from sigma.domain import limits
from sigma.domain.billing import payment_starts
from sigma.domain.limits import ALL_LIMITS, GrowingDelay, Limit
from sigma.domain.time_units import DAY_US, MINUTE_US
from sigma.services import passwords
from tests.docs.markdown import read, tables

UNITS = ((86_400, "day"), (60, "minute"), (1, "second"))


def duration(seconds: int) -> str:
    """Return "10 minutes" for 600 seconds."""
    for unit_s, name in UNITS:
        if seconds % unit_s == 0:
            count = seconds // unit_s
            return f"a {name}" if count == 1 else f"{count} {name}s"
    raise AssertionError(seconds)


def numbers(limit: Limit | GrowingDelay) -> str:
    """Return the numbers of a limit as the page shows them."""
    if isinstance(limit, Limit):
        return f"{limit.amount} in {duration(limit.window_s)}"
    return (
        f"{limit.free} failures, then {duration(limit.first_s)}, doubled up to"
        f" {duration(limit.longest_s)}; forgotten {duration(limit.forget_s)} after the last failure"
    )


def test_every_limit_is_documented_with_its_numbers_and_reason() -> None:
    header = ["Counted per", "Limit", "Why"]
    (page_table,) = [table for table in tables(read("docs/security.md")) if table[0] == header]
    expected = [
        [limit.per, numbers(limit), re.sub(r"(SIGMA_\w+)", r"`\1`", limit.reason)]
        for limit in ALL_LIMITS
    ]
    assert page_table[1:] == expected


def test_bounds_that_are_not_counted_are_documented() -> None:
    page = read("docs/security.md")
    for text in (
        f"{limits.MAX_NOTICE_BYTES // 1024} KiB",
        f"{limits.NOTICE_TTL_US // DAY_US} days after",
        f"{limits.UNMATCHED_NOTICE_TTL_US // DAY_US} days after",
        f"{limits.HEADERS_TIMEOUT_S} seconds",
        f"{limits.BODY_TIMEOUT_S} seconds",
        f"{limits.BODY_MIN_BYTES_PER_S // 1024} KiB",
        f"{limits.SEND_TIMEOUT_S} seconds is left",
        f"at most {limits.MAX_CONNECTIONS} connections",
        f"headers have at most {limits.MAX_HEAD_BYTES // 1024} KiB",
        f"{limits.MAX_BODIES_BYTES // 1024**2} MiB together",
        f"up to {limits.SMALL_BODY_BYTES // 1024} KiB",
        f"{payment_starts.UNFINISHED_WINDOW_US // MINUTE_US} minutes",
        f"{1 + payment_starts.EXTRA_UNFINISHED} unfinished payments",
        f"at most {payment_starts.MAX_UNFINISHED}",
        f"{passwords.MAX_WAITING} may wait",
        f"{passwords.RESERVED_FOR_KNOWN} of these places",
    ):
        assert text in page, text
