"""A run of the reconciliation: its period, its progress between two pages, and its result."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.local_time import local_date, time_zone
from sigma.domain.time_units import DAY_US, HOUR_US, MINUTE_US, SECOND_US

DEFAULT_DAYS = 30
FIRST_DAY, LAST_DAY = date(1971, 1, 1), date(9999, 12, 30)
MAX_FAILED_CALLS = 8  # in a row; afterwards the run ends as FAILED
MIN_RETRY_DELAY_US, MAX_RETRY_DELAY_US = 2 * SECOND_US, 2 * MINUTE_US
# A run without a page for this long was interrupted; a new one may start.
STALLED_AFTER_US = 2 * HOUR_US
# The acquirer may have created an object this much before or after our row: the clocks differ, and
# a lost call is repeated for a day.
MAX_LEAD_US, MAX_DELAY_US = HOUR_US, DAY_US + HOUR_US
# A run stores and confirms this many suspected differences. More come from a wrong account, not
# from events; they are only counted.
MAX_STORED = 2000
# Pages in a row that do not go further back in time. More come from a list that repeats itself.
MAX_STANDING_PAGES = 20


class Status(StrEnum):
    """AGREES and DIFFERS are results; FAILED: the acquirer could not be asked."""

    RUNNING = "running"
    AGREES = "agrees"
    DIFFERS = "differs"
    FAILED = "failed"


class Phase(StrEnum):
    """The lists of each account are read first, then the suspected differences are confirmed."""

    PAYMENTS = "payments"
    REFUNDS = "refunds"
    CONFIRMATION = "confirmation"


@dataclass(frozen=True, slots=True)
class Progress:
    """The position of a running run.

    `account_number` counts the shop's accounts at acquirers. `cursor` is the acquirer's, None for
    the first page; its list is read down to the creation time `reached_us` (UTC microseconds), or
    to its end (`is_list_read`). `standing_page_count`: its last pages that were empty or not older
    than the pages before. Our rows from the id `before_id` on are read. `unmatched` and `matched`
    are the state of a StreamMatcher.
    """

    account_number: int = 0
    phase: Phase = Phase.PAYMENTS
    cursor: str | None = None
    reached_us: int | None = None
    is_list_read: bool = False
    standing_page_count: int = 0
    before_id: str = ""
    unmatched: dict[str, int] = field(default_factory=dict)
    matched: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Run:
    """One comparison of [`since_us`, `until_us`) (UTC microseconds). `created_by`: see Member.

    `payment_count` and `refund_count` are the compared objects without those whose difference a
    person has closed; `closed_count` is the number of these. `suspected_count` is the number of
    stored suspicions, `difference_count` that of confirmed differences and of those above
    MAX_STORED. `expected_count` is the number of our rows in the period. `failure` is "no_answer"
    or a code of RejectedError. `resume_at_us`: when the acquirer may be called again.
    """

    id: str
    shop_id: str
    since_us: int
    until_us: int
    created_at_us: int
    created_by: str
    expected_count: int = 0
    status: Status = Status.RUNNING
    progress: Progress = Progress()
    payment_count: int = 0
    refund_count: int = 0
    suspected_count: int = 0
    difference_count: int = 0
    closed_count: int = 0
    failure: str = ""
    failed_call_count: int = 0
    resume_at_us: int = 0
    updated_at_us: int = 0
    finished_at_us: int | None = None
    version: int = 0

    @property
    def is_running(self) -> bool:
        """Whether pages are left to read."""
        return self.status is Status.RUNNING

    @property
    def total_count(self) -> int:
        """How many payments and refunds were compared."""
        return self.payment_count + self.refund_count

    @property
    def agreed_count(self) -> int:
        """How many payments and refunds are the same on both sides."""
        return self.total_count - self.difference_count

    def is_stalled(self, now_us: int) -> bool:
        """Return whether the run was interrupted, for example by the end of a command."""
        return self.is_running and now_us - self.updated_at_us > STALLED_AFTER_US


def is_comparable_day(day: date) -> bool:
    """Return whether a period can begin or end with this day; a mistyped year cannot."""
    return FIRST_DAY <= day <= LAST_DAY


def empty_period_error() -> RefusedError:
    """Return (not raise) the refusal of a period that ends before it begins."""
    return validation_error(Problem("until", "period_empty"))


def step_done(run: Run, progress: Progress, now_us: int) -> Run:
    """Return the run after one page or one batch of confirmations."""
    return replace(
        run, progress=progress, failed_call_count=0, resume_at_us=0, updated_at_us=now_us
    )


def page_read(progress: Progress, times_us: Iterable[int], cursor: str | None) -> Progress | None:
    """Return the progress after a page; None when the acquirer's list has no end.

    `times_us`: the creation times in the page (UTC microseconds), `cursor`: of the next page. A
    list that repeats itself would be read for ever: it names the same next page again, or goes
    no further back in time.
    """
    reached_us = min(times_us, default=None)
    is_further = reached_us is not None and (
        progress.reached_us is None or reached_us < progress.reached_us
    )
    standing = 0 if is_further else progress.standing_page_count + 1
    if cursor is not None and (cursor == progress.cursor or standing > MAX_STANDING_PAGES):
        return None
    return replace(
        progress,
        cursor=cursor,
        reached_us=reached_us if is_further else progress.reached_us,
        is_list_read=cursor is None,
        standing_page_count=standing,
    )


def next_list(run: Run, account_count: int) -> Progress:
    """Return the progress at the beginning of what follows the present list."""
    progress = run.progress
    if progress.phase is Phase.PAYMENTS:
        return Progress(progress.account_number, Phase.REFUNDS)
    if progress.account_number + 1 < account_count:
        return Progress(progress.account_number + 1, Phase.PAYMENTS)
    return Progress(phase=Phase.CONFIRMATION)


def finished(run: Run, now_us: int) -> Run:
    """Return the run after its last page."""
    status = Status.DIFFERS if run.difference_count else Status.AGREES
    return replace(run, status=status, progress=Progress(), finished_at_us=now_us)


def failed(run: Run, failure: str, now_us: int) -> Run:
    """Return the run that cannot go on. `failure`: "no_answer" or a code of RejectedError."""
    return replace(
        run, status=Status.FAILED, failure=failure, progress=Progress(), finished_at_us=now_us
    )


def next_night_us(now_us: int, shop_id: str, tz: str) -> int:
    """Return when the next nightly run of a shop starts: between 4 and 5 o'clock in its zone.

    The minute depends on the shop, so that an installation's shops do not start together.
    """
    day = local_date(now_us, tz)
    minute = zlib.crc32(shop_id.encode()) % 60
    while (starts_at_us := _local_moment(day, time(4, minute), tz)) <= now_us:
        day += timedelta(1)
    return starts_at_us


def _local_moment(day: date, at: time, tz: str) -> int:
    return int(datetime.combine(day, at, time_zone(tz)).timestamp()) * SECOND_US


def postponed(run: Run, wait_us: int, now_us: int) -> Run:
    """Return the run, to be continued after `wait_us`: the acquirer was not called."""
    return replace(run, resume_at_us=now_us + wait_us, updated_at_us=now_us)


def call_failed(run: Run, retry_after_us: int, now_us: int) -> Run:
    """Return the run after a call without an answer: it waits, or fails after several in a row.

    It waits for as long as the acquirer requests (`retry_after_us`), at least 2, 4, 8 … seconds.
    """
    count = run.failed_call_count + 1
    if count >= MAX_FAILED_CALLS:
        return failed(run, "no_answer", now_us)
    delay_us = min(MIN_RETRY_DELAY_US * 2 ** (count - 1), MAX_RETRY_DELAY_US)
    resume_at_us = now_us + max(delay_us, retry_after_us)
    return replace(run, failed_call_count=count, resume_at_us=resume_at_us, updated_at_us=now_us)
