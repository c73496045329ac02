"""The SQLite engine: one writer thread with group commit, concurrent reads.

Guarantees and measurements: docs/sqlite-group-commit.md. Methods without a docstring are described
in `sigma.store.engine.interface`.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from sqlalchemy import MetaData

from sigma.store.engine.interface import (
    STATEMENT_CANCELLED,
    BusyError,
    Op,
    Row,
    Tx,
    UnreachableError,
)
from sigma.store.engine.read_only import ReadOnlyTx
from sigma.store.engine.signals import Signals
from sigma.store.engine.sqlite_errors import unique_key_names
from sigma.store.engine.sqlite_queue import WriteQueue, WriteSlot
from sigma.store.engine.sqlite_reads import ReadPool
from sigma.store.engine.sqlite_writer import StatementResult, WriterThread
from sigma.store.engine.statements import Statement
from sigma.store.private_files import protect_sqlite_file

BUSY_TIMEOUT_S: Final = 5.0  # for writes of another process: a backup, a CLI command
PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # an acknowledged commit survives a power loss
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",  # erased data are overwritten, not only unlinked
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16000",  # negative: in KiB, about 16 MB
    "PRAGMA journal_size_limit = 67108864",  # bytes: 64 MiB
)


def sqlite_path(url: str) -> Path:
    """Return the file of `sqlite:///relative.db` or `sqlite:////absolute.db`.

    Raises UnreachableError for any other URL and for `:memory:`.
    """
    path = url.removeprefix("sqlite:///")
    if path == url or path in ("", ":memory:"):
        raise UnreachableError(f"a SQLite address looks like sqlite:///sigma.db, not {url}")
    return Path(path)


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    con = sqlite3.connect(
        path,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=512,
    )
    con.row_factory = sqlite3.Row
    for setting in PRAGMAS:
        con.execute(setting)
    if read_only:
        con.execute("PRAGMA query_only = ON")
    return con


async def open_sqlite(url: str, metadata: MetaData, *, reader_threads: int) -> SqliteDatabase:
    """Open the file of `url`, creating it if it does not exist. Raises UnreachableError.

    Only its owner can read it, see `private_files`.
    `metadata` gives unique keys their names. `reader_threads`: number of threads for long reads.
    """
    path = sqlite_path(url)
    await asyncio.to_thread(protect_sqlite_file, path)
    names = unique_key_names(metadata)
    try:
        con = await asyncio.to_thread(_connect, path)
        reads = ReadPool(lambda: _connect(path, read_only=True), names, reader_threads)
    except sqlite3.Error as error:
        raise UnreachableError(f"cannot open the SQLite file {path}: {error}") from error
    writer = WriterThread(con, names, asyncio.get_running_loop())
    return SqliteDatabase(path, writer, reads)


class WorkerLock:
    """The lock of the only process that runs jobs on a SQLite file: `*.worker` beside it.

    The operating system releases it when the process ends, however it ends. So a process that gets
    it knows that its predecessor is dead.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.worker")
        self._file: int | None = None

    def acquire(self) -> bool:
        """Take the lock, or keep it. Returns False when another process holds it."""
        if self._file is not None:
            return True
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return False  # a full or read-only disk: leases end by themselves
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Release the lock if this process holds it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class SqliteDatabase:
    """Implement `interface.Database` on SQLite."""

    dialect = "sqlite"

    def __init__(self, path: Path, writer: WriterThread, read_pool: ReadPool) -> None:
        self._folder = path.parent
        self._worker_lock = WorkerLock(path)
        self._writer = writer
        self.write_queue = WriteQueue(writer)
        self.read_pool = read_pool
        self.signals = Signals()

    @property
    def commit_count(self) -> int:
        return self._writer.commit_count

    def read(self) -> AbstractAsyncContextManager[Tx]:
        return ReadOnlyTx(self.dialect, self.read_pool.fetch)

    def write(self) -> AbstractAsyncContextManager[Tx]:
        return SqliteTx(self)

    async def commit(self, ops: Sequence[Op], notify_channels: Collection[str] = ()) -> None:
        await self.write_queue.execute_transaction(ops)
        for channel in notify_channels:
            self.signals.notify(channel)

    async def execute_unsynced(self, stmt: Statement, **values: object) -> Row | None:
        result = await self.write_queue.execute_unsynced(stmt, values)
        return result.rows[0] if result.rows else None

    async def notify(self, channel: str) -> None:
        self.signals.notify(channel)

    async def wait(self, channel: str, timeout_s: float) -> None:
        await self.signals.wait(channel, timeout_s)

    def free_bytes(self) -> int | None:
        return shutil.disk_usage(self._folder).free

    async def is_only_worker(self) -> bool:
        return self._worker_lock.acquire()

    async def close(self) -> None:
        self._worker_lock.release()
        self.write_queue.close()
        await asyncio.to_thread(self._writer.stop)
        await asyncio.to_thread(self.read_pool.close)


class SqliteTx:
    """One transaction. Its first statement that writes or locks acquires the write slot."""

    dialect = "sqlite"

    def __init__(self, db: SqliteDatabase) -> None:
        self._db = db
        self._slot: WriteSlot | None = None
        self._pending_ops: list[Op] = []  # sent with the next statement, or at the end
        self._notify_channels: set[str] = set()
        self._error: Exception | None = None

    async def fetch_one(self, stmt: Statement, **values: object) -> Row | None:
        rows = await self.fetch_all(stmt, **values)
        return rows[0] if rows else None

    async def fetch_all(self, stmt: Statement, **values: object) -> list[Row]:
        is_plain_read = stmt.is_read_only and not stmt.compiled_for("sqlite").locks_rows
        if self._slot is None and not self._pending_ops and is_plain_read:
            return await self._db.read_pool.fetch(stmt, values)
        return (await self._run(stmt, values)).rows

    async def execute(self, stmt: Statement, **values: object) -> int:
        return (await self._run(stmt, values)).row_count

    async def write_all(self, ops: Sequence[Op], notify_channels: Collection[str] = ()) -> None:
        self._raise_if_failed()
        self._pending_ops.extend(ops)
        self._notify_channels.update(notify_channels)

    async def _run(self, stmt: Statement, values: dict[str, object]) -> StatementResult:
        self._raise_if_failed()
        if self._slot is None:
            self._slot = await self._db.write_queue.acquire()
        pending, self._pending_ops = self._pending_ops, []
        try:
            return await self._slot.execute(pending, stmt, values)
        except Exception as error:
            self._error = error
            raise
        except asyncio.CancelledError:
            self._error = BusyError(STATEMENT_CANCELLED)
            raise

    def _raise_if_failed(self) -> None:
        if self._error is not None:
            raise self._error

    async def __aenter__(self) -> SqliteTx:
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        slot, self._slot = self._slot, None
        if error is not None or self._error is not None:
            rollback = slot.rollback() if slot is not None else None
            if rollback is not None and not isinstance(error, asyncio.CancelledError):
                # Wait for the shared COMMIT: the row that caused the error may be part of it, and
                # the caller must be able to read that row.
                with suppress(UnreachableError):
                    await rollback
            if error is None:
                self._raise_if_failed()
            return
        if slot is not None:
            await slot.commit(self._pending_ops)
        elif self._pending_ops:
            await self._db.write_queue.execute_transaction(self._pending_ops)
        for channel in self._notify_channels:
            self._db.signals.notify(channel)
