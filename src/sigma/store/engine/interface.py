"""What both databases promise: transactions, rows, and the ways a write can fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sigma.store.engine.statements import Statement

NESTED: Final = "a transaction inside a transaction of the same task would wait for itself"
HALF_WAY: Final = "a statement of this transaction was cancelled half-way"


class Row(Protocol):
    """One row; `row["column"]` is its value."""

    def __getitem__(self, key: str, /) -> Any: ...


class StoreError(Exception):
    """The database did not do what it was asked; nothing of the transaction remains."""


class Conflict(StoreError):  # noqa: N818 - a word of ours
    """A row with the same unique key exists.

    `constraint` is the key's name as the tables give it, the same on both databases.
    """

    def __init__(self, constraint: str | None) -> None:
        super().__init__(f"already exists: {constraint or 'a unique key'}")
        self.constraint = constraint


class Refused(StoreError):  # noqa: N818 - a word of ours
    """A foreign key, NOT NULL or CHECK forbids the row."""


class Stale(StoreError):  # noqa: N818 - a word of ours
    """A write met another number of rows than it expected: someone was there first."""


class Busy(StoreError):  # noqa: N818 - a word of ours
    """The database gave up waiting (lock, deadlock, timeout); the same may work in a moment."""


class Unreachable(StoreError):  # noqa: N818 - a word of ours
    """The database cannot be reached, or was lost on the way. The message is one clear line.

    If it was lost during a COMMIT, the work may or may not be there.
    """


@dataclass(frozen=True, slots=True)
class Op:
    """One write and how many rows it must meet (None: any number)."""

    stmt: Statement
    values: Mapping[str, object]
    expect: int | None = 1


class Tx(Protocol):
    """Statements of one transaction (`Database.write`), or reads outside any (`Database.read`).

    A statement that fails ends the transaction: further ones are refused and leaving the block
    raises the same error, even if it was caught inside. Catch errors outside the block.
    """

    @property
    def dialect(self) -> str:
        """ "postgresql" or "sqlite"."""

    async def fetch_one(self, stmt: Statement, **values: object) -> Row | None:
        """Run `stmt` and return its first row."""

    async def fetch_all(self, stmt: Statement, **values: object) -> list[Row]:
        """Run `stmt` and return its rows."""

    async def execute(self, stmt: Statement, **values: object) -> int:
        """Run `stmt` and return how many rows it wrote."""

    async def write_all(self, ops: Sequence[Op], wake: str | None = None) -> None:
        """Do all of `ops`, in one round trip; Stale if one met another number of rows.

        It may be sent only at the end of the block, together with the COMMIT, and then its errors
        come from there. On PostgreSQL all ops see the data as it was
        before the first of them, in no promised order: no op may depend on another's rows, and no
        row may be written twice. Foreign keys between them are fine if parents come first.
        `wake` names a channel to notify after the COMMIT.
        """


class Database(Protocol):
    """PostgreSQL or SQLite. Belongs to the event loop that opened it."""

    @property
    def commits(self) -> int:
        """COMMITs made so far; on SQLite fewer than transactions, for they share."""

    @property
    def dialect(self) -> str:
        """ "postgresql" or "sqlite"."""

    def read(self) -> AbstractAsyncContextManager[Tx]:
        """Reads outside any transaction: each sees everything committed before it."""

    def write(self) -> AbstractAsyncContextManager[Tx]:
        """One transaction: committed and on disk when the block ends, or not done at all.

        It begins with its first write or FOR UPDATE; plain reads before that take no lock and see
        what is committed, on both databases. If the task is cancelled while the COMMIT runs, the
        work may be there.
        """

    async def commit(self, ops: Sequence[Op], wake: str | None = None) -> None:
        """Do all of `ops` as one whole transaction in one round trip; see `Tx.write_all`."""

    async def relaxed(self, stmt: Statement, **values: object) -> Row | None:
        """Run a tiny write on its own without waiting for the disk, and return its first row.

        It is on disk no later than any write committed after it. Meant for counters.
        """

    async def notify(self, channel: str) -> None:
        """Wake whoever waits for `channel`, in every process that shares the database."""

    async def wait(self, channel: str, timeout_s: float) -> None:
        """Return when `channel` is notified (also if it was since the last wait) or time is up."""

    async def close(self) -> None:
        """Finish what is running and let go of every connection."""
