"""An export: a filtered list as a file, made in the background and deleted after a day."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from sigma.domain.change import Change, Job
from sigma.domain.time_units import DAY_US, MINUTE_US

MAX_RUNNING = 2  # exports of one shop at once
FILE_TTL_US = DAY_US  # after it is ready
LINK_TTL_US = 15 * MINUTE_US  # of a link that works without a session or an API key
MAX_ANSWER_COLUMNS = 200  # a shop that asks for more things than this has the rest in one column


class Kind(StrEnum):
    """Which list is exported."""

    PAYMENTS = "payments"
    INVOICES = "invoices"


class FileFormat(StrEnum):
    """The format of the file."""

    CSV = "csv"
    XLSX = "xlsx"


class Status(StrEnum):
    """COUNTING: all rows are looked through once, for their number and the answers they have."""

    COUNTING = "counting"
    WRITING = "writing"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"  # the file is deleted


class Failure(StrEnum):
    """Why an export ended without a file."""

    TOO_MANY_ROWS = "too_many_rows"  # more than a worksheet can hold
    ERASED = "erased"  # the data of a client were erased meanwhile


RUNNING = (Status.COUNTING, Status.WRITING)


@dataclass(frozen=True, slots=True)
class AnswerColumn:
    """A column of answers: key, kind and label of the question, as it was last found."""

    key: str
    kind: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """The position of a running export.

    `cursor`: the id of the last row that was read in this status. `part_count`: stored parts of
    the file; `size_bytes` and `crc` (CRC-32) are of the data in them, `compressed_bytes` what the
    parts have. `answer_columns` are found while counting.
    """

    cursor: str | None = None
    part_count: int = 0
    size_bytes: int = 0
    compressed_bytes: int = 0
    crc: int = 0
    answer_columns: tuple[AnswerColumn, ...] = ()


@dataclass(frozen=True, slots=True)
class Export:
    """One export. Times are UTC microseconds.

    `filter_encrypted`: the parameters of the filter, encrypted, because a search may name a person.
    `columns`: names of the chosen columns. `has_answers`: whether it may show personal data; its
    maker had the right to. `total`: number of rows, known after counting; `done_count`: of those
    that are looked through or written. Change it only by the functions below.
    """

    id: str
    shop_id: str
    kind: Kind
    file_format: FileFormat
    filter_encrypted: str
    columns: tuple[str, ...]
    has_answers: bool
    locale: str
    created_by: str
    created_at_us: int
    status: Status = Status.COUNTING
    progress: Progress = field(default_factory=Progress)
    total: int = 0
    done_count: int = 0
    size_bytes: int = 0
    failure: str = ""
    finished_at_us: int | None = None
    expires_at_us: int | None = None
    version: int = 0

    @property
    def is_running(self) -> bool:
        """Whether the file is still being made."""
        return self.status in RUNNING

    def is_ready(self, now_us: int) -> bool:
        """Return whether the file can be downloaded."""
        is_stored = self.status is Status.DONE and self.expires_at_us is not None
        return is_stored and now_us < (self.expires_at_us or 0)

    @property
    def file_name(self) -> str:
        """The name of the downloaded file: ASCII, without personal data."""
        return f"{self.kind}-{self.id[-8:]}.{self.file_format}"

    def link_expiry_us(self, now_us: int) -> int:
        """Return when a link that is made now ends: never after the file itself."""
        return min(now_us + LINK_TTL_US, self.expires_at_us or now_us)


def job(export: Export) -> Job:
    """Return the job that makes the file."""
    return Job("export.make", export.id, export.shop_id)


def request(export: Export) -> Change:
    """Return the change that stores a new export and starts its job."""
    return Change((export,), jobs=(job(export),))


def counted(
    export: Export, count: int, found: tuple[AnswerColumn, ...], cursor: str | None
) -> Export:
    """Return the export after `count` further rows. Without a `cursor` all rows are counted."""
    progress = replace(export.progress, cursor=cursor, answer_columns=found)
    done_count = export.done_count + count
    if cursor is not None:
        return replace(export, progress=progress, done_count=done_count)
    return replace(export, status=Status.WRITING, progress=progress, total=done_count, done_count=0)


def written(export: Export, count: int, progress: Progress) -> Export:
    """Return the export after a part with `count` rows is stored."""
    return replace(export, done_count=export.done_count + count, progress=progress)


def finished(export: Export, size_bytes: int, now_us: int) -> Export:
    """Return the export whose file is complete. `size_bytes`: of the file."""
    return replace(
        export,
        status=Status.DONE,
        total=export.done_count,
        size_bytes=size_bytes,
        finished_at_us=now_us,
        expires_at_us=now_us + FILE_TTL_US,
    )


def failed(export: Export, failure: Failure, now_us: int) -> Export:
    """Return an export that ended without a file. Its filter is no longer needed."""
    return replace(
        export, status=Status.FAILED, failure=failure, finished_at_us=now_us, filter_encrypted=""
    )


def expired(export: Export) -> Export:
    """Return an export whose file is deleted, and with it what it was filtered by."""
    return replace(export, status=Status.EXPIRED, filter_encrypted="")


@dataclass(frozen=True, slots=True)
class FilePart:
    """A part of the file, compressed and encrypted. The parts are in the order of their ids."""

    id: str
    export_id: str
    body_encrypted: str
    version: int = 0
