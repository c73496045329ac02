"""The interface of both databases: transactions, rows and errors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sigma.store.engine.statements import Statement

NESTED_TRANSACTION: Final = "a transaction inside a transaction of the same task would deadlock"
STATEMENT_CANCELLED: Final = "a statement of this transaction was cancelled before it finished"


class Row(Protocol):
    """One row; `row["column"]` is its value."""

    def __getitem__(self, key: str, /) -> Any: ...


class StoreError(Exception):
    """A database operation failed, and its transaction is rolled back.

    Only if the connection is lost during COMMIT, the result is unknown: see `UnreachableError`.
    """


class ConflictError(StoreError):
    """A row with the same unique key exists.

    `constraint` is the name of the key in `sigma.store.schema`, the same on both databases.
    """

    def __init__(self, constraint: str | None) -> None:
        super().__init__(f"already exists: {constraint or 'a unique key'}")
        self.constraint = constraint


class IntegrityError(StoreError):
    """A foreign key, NOT NULL or CHECK constraint is violated."""


class StaleError(StoreError):
    """A write changed an unexpected number of rows, so another transaction changed them first."""


class BusyError(StoreError):
    """A lock wait, deadlock or timeout ended the operation; a retry may succeed."""


class UnreachableError(StoreError):
    """The database cannot be reached, or the connection was lost. The message is one line.

    After a loss during COMMIT the work may or may not be stored.
    """


class NotWritableError(UnreachableError):
    """The database can be read, but not written: its disk is full, or it is read-only."""


@dataclass(frozen=True, slots=True)
class Op:
    """One write and the number of rows it must change (None: any number)."""

    stmt: Statement
    values: Mapping[str, object]
    expected_rows: int | None = 1


class Tx(Protocol):
    """Statements of one transaction (`Database.write`), or reads outside any (`Database.read`).

    After a failed statement every further one raises the same error, and so does leaving the
    block, even if the error was caught inside. Catch errors outside the block.
    """

    @property
    def dialect(self) -> str:
        """The kind of the database: "postgresql" or "sqlite"."""

    async def fetch_one(self, stmt: Statement, **values: object) -> Row | None:
        """Run `stmt` and return its first row, or None."""

    async def fetch_all(self, stmt: Statement, **values: object) -> list[Row]:
        """Run `stmt` and return all rows."""

    async def execute(self, stmt: Statement, **values: object) -> int:
        """Run `stmt` and return the number of rows written."""

    async def write_all(self, ops: Sequence[Op], notify_channels: Collection[str] = ()) -> None:
        """Execute all of `ops` in one round trip; notify `notify_channels` after the COMMIT.

        Raises StaleError when an op changes another number of rows than it expects. The ops may be
        sent only at the end of the block, together with the COMMIT; then the error is raised there.

        On PostgreSQL all ops see the data as it was before the first of them and run in no
        guaranteed order: no op may depend on rows of another, and no row may be written twice.
        Foreign keys between ops work if parents come first.
        """


class Database(Protocol):
    """PostgreSQL or SQLite. Use it only in the event loop that opened it."""

    @property
    def commit_count(self) -> int:
        """Number of COMMITs so far; on SQLite several transactions share one."""

    @property
    def dialect(self) -> str:
        """The kind of the database: "postgresql" or "sqlite"."""

    def read(self) -> AbstractAsyncContextManager[Tx]:
        """Read outside any transaction: each statement sees everything committed before it."""

    def write(self) -> AbstractAsyncContextManager[Tx]:
        """Run one transaction: committed and on disk when the block ends, or rolled back.

        It begins with its first write or FOR UPDATE; plain reads before that take no lock and see
        committed data, on both databases. If the task is cancelled while the COMMIT runs, the work
        may be stored.
        """

    async def commit(self, ops: Sequence[Op], notify_channels: Collection[str] = ()) -> None:
        """Execute all of `ops` as one transaction in one round trip; see `Tx.write_all`."""

    async def execute_unsynced(self, stmt: Statement, **values: object) -> Row | None:
        """Run one small write without waiting for the disk, and return its first row or None.

        It reaches the disk no later than any write committed after it. Meant for counters. A SELECT
        is allowed: unlike `read` it sees all unsynced writes before it.
        """

    async def notify(self, channel: str) -> None:
        """Wake all waiters of `channel`, in every process that shares the database."""

    async def wait(self, channel: str, timeout_s: float) -> None:
        """Wait until `channel` is notified or for `timeout_s`.

        Returns at once when the channel was notified since the last wait.
        """

    def free_bytes(self) -> int | None:
        """Return the free space of the disk with the SQLite file; None on PostgreSQL."""

    async def is_only_worker(self) -> bool:
        """Whether no other process that uses this database can be running jobs.

        SQLite: True for the first process that asks, until it ends. PostgreSQL: always False.
        """

    async def close(self) -> None:
        """Finish running statements and close every connection."""
