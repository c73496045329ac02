"""SQLite behind the interface of `contract`: one writer thread, shared COMMITs, reads beside it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from sqlalchemy import MetaData

from sigma.store.engine.interface import HALF_WAY, Busy, Op, Row, Tx, Unreachable
from sigma.store.engine.signals import Wakes
from sigma.store.engine.sqlite_errors import unique_names
from sigma.store.engine.sqlite_queue import Turn, Turns
from sigma.store.engine.sqlite_reads import Reads
from sigma.store.engine.sqlite_writer import Answer, WriterThread
from sigma.store.engine.statements import Statement

BUSY_TIMEOUT_S: Final = 5.0  # another process writes: a backup, a command
SETTINGS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # what was acknowledged survives the loss of power
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16000",  # 16 MB
    "PRAGMA journal_size_limit = 67108864",
)


def sqlite_path(url: str) -> Path:
    """Return the file of `sqlite:///relative.db` or `sqlite:////absolute.db`."""
    path = url.removeprefix("sqlite:///")
    if path == url or path in ("", ":memory:"):
        raise Unreachable(f"a SQLite address looks like sqlite:///sigma.db, not {url}")
    return Path(path)


def _connect(path: Path, *, reads_only: bool = False) -> sqlite3.Connection:
    con = sqlite3.connect(
        path,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=512,
    )
    con.row_factory = sqlite3.Row
    for setting in SETTINGS:
        con.execute(setting)
    if reads_only:
        con.execute("PRAGMA query_only = ON")
    return con


async def open_sqlite(url: str, metadata: MetaData, *, readers: int) -> SqliteDatabase:
    """Open the file of `url`, creating it if need be. Raises Unreachable."""
    path = sqlite_path(url)
    names = unique_names(metadata)
    try:
        con = await asyncio.to_thread(_connect, path)
        reads = Reads(lambda: _connect(path, reads_only=True), names, readers)
    except sqlite3.Error as error:
        raise Unreachable(f"cannot open the SQLite file {path}: {error}") from error
    writer = WriterThread(con, names, asyncio.get_running_loop())
    return SqliteDatabase(writer, reads)


class SqliteDatabase:
    """See `contract.Database`."""

    dialect = "sqlite"

    def __init__(self, writer: WriterThread, reads: Reads) -> None:
        self._writer = writer
        self.turns = Turns(writer)
        self.reads = reads
        self.wakes = Wakes()

    @property
    def commits(self) -> int:
        return self._writer.commits

    def read(self) -> AbstractAsyncContextManager[Tx]:
        return SqliteRead(self)

    def write(self) -> AbstractAsyncContextManager[Tx]:
        return SqliteTx(self)

    async def commit(self, ops: Sequence[Op], wake: str | None = None) -> None:
        await self.turns.whole(ops)
        if wake is not None:
            self.wakes.wake(wake)

    async def relaxed(self, stmt: Statement, **values: object) -> Row | None:
        answer = await self.turns.relaxed(stmt, values)
        return answer.rows[0] if answer.rows else None

    async def notify(self, channel: str) -> None:
        self.wakes.wake(channel)

    async def wait(self, channel: str, timeout_s: float) -> None:
        await self.wakes.wait(channel, timeout_s)

    async def close(self) -> None:
        self.turns.close()
        await asyncio.to_thread(self._writer.stop)
        await asyncio.to_thread(self.reads.close)


class SqliteRead:
    """Reads outside any transaction."""

    dialect = "sqlite"

    def __init__(self, db: SqliteDatabase) -> None:
        self._db = db

    async def __aenter__(self) -> SqliteRead:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def fetch_one(self, stmt: Statement, **values: object) -> Row | None:
        rows = await self.fetch_all(stmt, **values)
        return rows[0] if rows else None

    async def fetch_all(self, stmt: Statement, **values: object) -> list[Row]:
        if not stmt.reads:
            raise RuntimeError(f"read() only reads: {stmt!r}")
        return await self._db.reads.fetch(stmt, values)

    async def execute(self, stmt: Statement, **values: object) -> int:
        raise RuntimeError(f"read() only reads: {stmt!r}")

    async def write_all(self, ops: Sequence[Op], wake: str | None = None) -> None:
        raise RuntimeError("read() only reads")


class SqliteTx:
    """One transaction. It takes its turn with the first statement that writes or locks."""

    dialect = "sqlite"

    def __init__(self, db: SqliteDatabase) -> None:
        self._db = db
        self._turn: Turn | None = None
        self._held: list[Op] = []  # written with the next statement, or at the end
        self._wakes: set[str] = set()
        self._failed: Exception | None = None

    async def fetch_one(self, stmt: Statement, **values: object) -> Row | None:
        rows = await self.fetch_all(stmt, **values)
        return rows[0] if rows else None

    async def fetch_all(self, stmt: Statement, **values: object) -> list[Row]:
        if self._turn is None and not self._held and stmt.reads and not stmt.locks:
            return await self._db.reads.fetch(stmt, values)
        return (await self._run(stmt, values)).rows

    async def execute(self, stmt: Statement, **values: object) -> int:
        return (await self._run(stmt, values)).count

    async def write_all(self, ops: Sequence[Op], wake: str | None = None) -> None:
        self._check()
        self._held.extend(ops)
        if wake is not None:
            self._wakes.add(wake)

    async def _run(self, stmt: Statement, values: dict[str, object]) -> Answer:
        self._check()
        if self._turn is None:
            self._turn = await self._db.turns.take()
        before, self._held = self._held, []
        try:
            return await self._turn.statement(before, stmt, values)
        except Exception as error:
            self._failed = error
            raise
        except asyncio.CancelledError:
            self._failed = Busy(HALF_WAY)
            raise

    def _check(self) -> None:
        if self._failed is not None:
            raise self._failed

    async def __aenter__(self) -> SqliteTx:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        turn, self._turn = self._turn, None
        if error is not None or self._failed is not None:
            undone = turn.undo() if turn is not None else None
            if undone is not None and not isinstance(error, asyncio.CancelledError):
                # It may have failed over what shares its COMMIT: that must be there to be read.
                with suppress(Unreachable):
                    await undone
            if error is None:
                self._check()
            return
        if turn is not None:
            await turn.finish(self._held)
        elif self._held:
            await self._db.turns.whole(self._held)
        for channel in self._wakes:
            self._db.wakes.wake(channel)
