"""Numbers in docs/security.md and docs/architecture.md are those of the code."""

import re

from sigma import main, weak_secrets
from sigma.channels import email
from sigma.channels.vk import client
from sigma.cli import servers
from sigma.domain import limits
from sigma.domain.billing import payment_starts
from sigma.domain.limits import ALL_LIMITS, GrowingDelay, Limit
from sigma.domain.time_units import DAY_US, MINUTE_US, SECOND_US
from sigma.outbound import policy
from sigma.providers.base import DEFAULT_TIMEOUT_S
from sigma.providers.yookassa import adapter
from sigma.services import passwords
from sigma.services.catalogue import image_processing, price_list_files
from sigma.services.platform import key_rotation
from sigma.store import key_rotations, workers
from sigma.store.engine import postgres, postgres_pool
from sigma.web import bounded_request
from sigma.web.api import body
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
    header = ["Counted", "Limit", "Why"]
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
        f"at most {bounded_request.MAX_FORM_FIELDS} fields",
        f"{bounded_request.MAX_FIELD_CHARS} characters",
        f"a query {bounded_request.MAX_QUERY_FIELDS} fields",
        f"{body.MAX_VALUES} values",
        f"fewer than {weak_secrets.MIN_DIFFERENT_CHARS} different",
    ):
        assert text in page, text


def test_bounds_of_untrusted_files_and_outgoing_connections_are_documented() -> None:
    page = read("docs/security.md")
    photo, spreadsheet = image_processing.LIMITS, price_list_files.LIMITS
    ports = ", ".join(map(str, sorted(policy.SMTP_PORTS)))
    for text in (
        f"{image_processing.MAX_BYTES // 1024**2} MB and",
        f"{image_processing.MAX_PIXELS // 10**6} megapixels",
        f"at a smaller scale, {image_processing.MAX_JPEG_PIXELS // 10**6})",
        f"{photo.memory_bytes // 1024**2} MB of address space",
        f"{photo.cpu_s} s of processor time",
        f"at most {spreadsheet.memory_bytes // 1024**3} GB",
        f"{DEFAULT_TIMEOUT_S:.0f} s acquirers, {client.TIMEOUT_S:.0f} s VK",
        f"{email.TOTAL_TIMEOUT_S} s mail",
        f"{adapter.MAX_RESPONSE_BYTES // 10**6} MB of response",
        f"(VK {client.MAX_RESPONSE_BYTES // 10**6} MB)",
        f"{policy.HTTPS_PORT} and {policy.FIRST_FREE_PORT} or higher; mail {ports}",
        f"batches of {key_rotations.BATCH_SIZE} rows",
    ):
        assert text in page, text


def test_ends_of_waits_are_documented() -> None:
    page = read("docs/architecture.md")
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    for seconds, text in (
        (workers.HEARTBEAT_US / SECOND_US, "writes a heartbeat every {} seconds"),
        (workers.ALIVE_US / SECOND_US, "{} seconds without one"),
        (workers.ALIVE_US / SECOND_US, "void {} seconds after the last heartbeat"),
        (postgres.COMMAND_TIMEOUT_S, "does not answer within {} seconds"),
        (postgres_pool.ACQUIRE_TIMEOUT_S, "a free connection ends after {} seconds"),
        (main.CLOSE_TIMEOUT_S, "closing the pool after {}"),
        (servers.STOP_S, "ends the process after {} seconds"),
        (key_rotation.JOB_SLICE_US / SECOND_US, "`SIGMA_SECRET_KEY`, {} seconds at a time"),
    ):
        assert text.format(words[int(seconds)]) in page, text
