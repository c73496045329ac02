"""A batch of imported invoices: it is created row by row in the background, and can be undone."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sigma.domain.change import Change, Job
from sigma.domain.errors import RefusedError


class Status(StrEnum):
    """The states of a batch."""

    CREATING = "creating"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"


class RowStatus(StrEnum):
    """The states of a row."""

    QUEUED = "queued"
    CREATED = "created"
    REFUSED = "refused"  # no invoice: `problem` says why
    VOIDED = "voided"
    NOT_VOIDED = "not_voided"  # for example it is paid: `problem` says why


@dataclass(frozen=True, slots=True)
class Batch:
    """An import. Times are UTC microseconds. Counts are of rows by status.

    An invoice has the questions that the service `service_id` has when the invoice is created.
    """

    id: str
    shop_id: str
    file_name: str
    service_id: str | None
    created_by: str
    created_at_us: int
    total: int
    status: Status = Status.CREATING
    created_count: int = 0
    refused_count: int = 0
    voided_count: int = 0
    not_voided_count: int = 0
    finished_at_us: int | None = None
    version: int = 0

    @property
    def is_running(self) -> bool:
        """Whether a job works on it."""
        return self.status in (Status.CREATING, Status.UNDOING)

    @property
    def done_count(self) -> int:
        """The number of rows that the running job has finished."""
        if self.status is Status.CREATING:
            return self.created_count + self.refused_count
        return self.voided_count + self.not_voided_count


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A row of a batch. The rows are in the order of their ids.

    `content_encrypted`: its RowContent, until the invoice is created or refused. `number`: as the
    spreadsheet program counts it. `problem`: a code of a refusal or of a field's problem.
    """

    id: str
    batch_id: str
    number: int
    content_encrypted: str
    status: RowStatus = RowStatus.QUEUED
    invoice_id: str = ""
    problem: str = ""
    version: int = 0


def job(batch: Batch) -> Job:
    """Return the job that works on the batch."""
    return Job("invoice_import.advance", batch.id, batch.shop_id)


def start(batch: Batch, rows: Iterable[BatchRow]) -> Change:
    """Return the change that stores a new batch, and its job."""
    return Change((batch, *rows), jobs=(job(batch),))


def undo(batch: Batch) -> Batch:
    """Return the batch to undo. Raises RefusedError("import_running") before it is created."""
    if batch.status is Status.CREATING:
        raise RefusedError("import_running")
    return replace(batch, status=Status.UNDOING, finished_at_us=None)


def refuse_waiting(batch: Batch, rows: Sequence[BatchRow], code: str) -> Change:
    """Refuse rows that wait for their invoices, and delete what they hold. `code`: why."""
    refused = [
        replace(row, status=RowStatus.REFUSED, problem=f":{code}", content_encrypted="")
        for row in rows
    ]
    return Change((replace(batch, refused_count=batch.refused_count + len(refused)), *refused))


def advanced(batch: Batch, statuses: Iterable[RowStatus], *, is_last: bool, now_us: int) -> Batch:
    """Return the batch after rows got these states."""
    counts = Counter(statuses)
    updated = replace(
        batch,
        created_count=batch.created_count + counts[RowStatus.CREATED],
        refused_count=batch.refused_count + counts[RowStatus.REFUSED],
        voided_count=batch.voided_count + counts[RowStatus.VOIDED],
        not_voided_count=batch.not_voided_count + counts[RowStatus.NOT_VOIDED],
    )
    if not is_last:
        return updated
    ended = Status.DONE if batch.status is Status.CREATING else Status.UNDONE
    return replace(updated, status=ended, finished_at_us=now_us)
