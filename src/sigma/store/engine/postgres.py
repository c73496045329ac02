"""PostgreSQL behind the interface of `contract`: asyncpg, prepared statements, few round trips."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]

from sigma.store.engine import postgres_batch
from sigma.store.engine.interface import HALF_WAY, NESTED, Busy, Op, Row, Tx, Unreachable
from sigma.store.engine.postgres_errors import translated
from sigma.store.engine.postgres_notify import PostgresWakes
from sigma.store.engine.postgres_pool import Pool
from sigma.store.engine.statements import Statement

CONNECT_TIMEOUT_S: Final = 10.0
OPS_MAX: Final = 40  # more writes than this are sent as several statements in a transaction
DEADLOCK_TRIES: Final = 3
SETTINGS: Final = {
    "application_name": "sigma",
    "statement_timeout": "15s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "10s",
    "default_transaction_isolation": "read committed",
    "jit": "off",  # compiling costs more than any statement of ours
}
CONNECTION: Final = {
    "timeout": CONNECT_TIMEOUT_S,
    "statement_cache_size": 1024,
    "max_cached_statement_lifetime": 0,
    "max_cacheable_statement_size": 0,  # asyncpg would not keep the long ones of one_statement
    "server_settings": SETTINGS,
}


async def open_postgres(url: str, *, pool_size: int) -> PostgresDatabase:
    """Connect to `url`. Raises Unreachable."""

    def connect() -> Any:
        return asyncpg.connect(url, **CONNECTION)

    pool = Pool(connect, pool_size)
    try:
        pool.release(await pool.acquire())
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        place = urlsplit(url)
        where = f"{place.hostname or 'local socket'}:{place.port or 5432}{place.path}"
        reason = str(error) or "no answer"
        raise Unreachable(f"cannot connect to PostgreSQL at {where}: {reason}") from error
    return PostgresDatabase(pool, PostgresWakes(pool, connect))


class PostgresDatabase:
    """See `contract.Database`."""

    dialect = "postgresql"

    def __init__(self, pool: Pool, wakes: PostgresWakes) -> None:
        self.commits = 0
        self.inside: set[asyncio.Task[Any] | None] = set()
        """Tasks with an open transaction."""
        self.pool = pool
        self._wakes = wakes

    def read(self) -> AbstractAsyncContextManager[Tx]:
        return PostgresRead(self)

    def write(self) -> AbstractAsyncContextManager[Tx]:
        return PostgresTx(self)

    async def commit(self, ops: Sequence[Op], wake: str | None = None) -> None:
        if len(ops) > OPS_MAX:
            async with self.write() as tx:
                await tx.write_all(ops, wake)
            return
        for left in reversed(range(DEADLOCK_TRIES)):
            try:
                await self.once(ops)
                break
            except Busy as error:
                if not left or not isinstance(error.__cause__, asyncpg.DeadlockDetectedError):
                    raise
            await asyncio.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - not a secret
        if wake is not None:
            self._wakes.wake(wake)

    async def once(self, ops: Sequence[Op]) -> None:
        """Do `ops` as one statement that is its own transaction."""
        if not ops:
            return
        self.check_not_inside()
        sql, arguments = postgres_batch.one_statement(ops)
        await self.run("fetchval", sql, arguments, ops)
        self.commits += 1

    async def relaxed(self, stmt: Statement, **values: object) -> Row | None:
        self.check_not_inside()
        sql, arguments = postgres_batch.relaxed(stmt), stmt.on("postgresql").arguments(values)
        row: Row | None = await self.run("fetchrow", sql, arguments)
        return row if stmt.returns else None

    async def notify(self, channel: str) -> None:
        await self._wakes.wake(channel)

    async def wait(self, channel: str, timeout_s: float) -> None:
        await self._wakes.wait(channel, timeout_s)

    def wake(self, channel: str) -> None:
        """Notify without waiting for it."""
        self._wakes.wake(channel)

    async def close(self) -> None:
        await self._wakes.close()
        await self.pool.close()

    async def run(
        self, method: str, sql: str, arguments: Sequence[object], ops: Sequence[Op] = ()
    ) -> Any:
        """Run one statement on its own; errors come in the words of `contract`."""
        con = None
        try:
            con = await self.pool.acquire()
            return await getattr(con, method)(sql, *arguments)
        except Exception as error:
            said = translated(error, ops)
            if con is not None and isinstance(said, Unreachable):
                con.terminate()
            if said is error:
                raise
            raise said from error
        finally:
            if con is not None:
                self.pool.release(con)

    def check_not_inside(self) -> None:
        """RuntimeError if this very task has a transaction open."""
        if self.inside and asyncio.current_task() in self.inside:
            raise RuntimeError(NESTED)


class PostgresRead:
    """Reads outside any transaction; each borrows a connection only while it runs."""

    dialect = "postgresql"

    def __init__(self, db: PostgresDatabase) -> None:
        self._db = db

    async def __aenter__(self) -> PostgresRead:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def fetch_one(self, stmt: Statement, **values: object) -> Row | None:
        rows = await self.fetch_all(stmt, **values)
        return rows[0] if rows else None

    async def fetch_all(self, stmt: Statement, **values: object) -> list[Row]:
        if not stmt.reads:
            raise RuntimeError(f"read() only reads: {stmt!r}")
        compiled = stmt.on("postgresql")
        rows: list[Row] = await self._db.run("fetch", compiled.sql, compiled.arguments(values))
        return rows

    async def execute(self, stmt: Statement, **values: object) -> int:
        raise RuntimeError(f"read() only reads: {stmt!r}")

    async def write_all(self, ops: Sequence[Op], wake: str | None = None) -> None:
        raise RuntimeError("read() only reads")


class PostgresTx:
    """One transaction. BEGIN is sent with the first statement that writes or locks.

    A block whose only write is one `write_all` needs no BEGIN at all: it is sent as one statement
    at the end, which is a transaction by itself.
    """

    dialect = "postgresql"

    def __init__(self, db: PostgresDatabase) -> None:
        self._db = db
        self._con: Any = None
        self._task = asyncio.current_task()
        self._held: Sequence[Op] = ()
        self._wakes: set[str] = set()
        self._failed: Exception | None = None
        self._committed = False

    async def fetch_one(self, stmt: Statement, **values: object) -> Row | None:
        rows = await self.fetch_all(stmt, **values)
        return rows[0] if rows else None

    async def fetch_all(self, stmt: Statement, **values: object) -> list[Row]:
        if self._con is None and not self._held and stmt.reads and not stmt.locks:
            return await PostgresRead(self._db).fetch_all(stmt, **values)
        compiled = stmt.on("postgresql")
        rows: list[Row] = await self._run("fetch", compiled.sql, compiled.arguments(values))
        return rows

    async def execute(self, stmt: Statement, **values: object) -> int:
        compiled = stmt.on("postgresql")
        status: str = await self._run("execute", compiled.sql, compiled.arguments(values))
        return int(status.rsplit(" ", 1)[-1])

    async def write_all(self, ops: Sequence[Op], wake: str | None = None) -> None:
        self._check()
        if wake is not None:
            self._wakes.add(wake)
        if self._con is None and not self._held and len(ops) <= OPS_MAX:
            self._held = ops
        else:
            await self._send(ops)

    async def _send(self, ops: Sequence[Op]) -> None:
        for start in range(0, len(ops), OPS_MAX):
            some = ops[start : start + OPS_MAX]
            await self._run("fetchval", *postgres_batch.one_statement(some), ops=some)

    async def _run(
        self, method: str, sql: str, arguments: list[object], ops: Sequence[Op] = ()
    ) -> Any:
        self._check()
        try:
            if self._con is None:
                await self._begin()
            return await getattr(self._con, method)(sql, *arguments)
        except asyncio.CancelledError:
            self._failed = Busy(HALF_WAY)
            raise
        except Exception as error:
            self._failed = translated(error, ops)
            if self._con is not None and isinstance(self._failed, Unreachable):
                self._con.terminate()
            if self._failed is error:
                raise
            raise self._failed from error

    async def _begin(self) -> None:
        self._db.check_not_inside()
        self._con = await self._db.pool.acquire()
        self._db.inside.add(self._task)
        await self._con.execute("BEGIN")
        held, self._held = self._held, ()
        if held:
            await self._send(held)

    def _check(self) -> None:
        if self._failed is not None:
            raise self._failed

    async def __aenter__(self) -> PostgresTx:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._check()
                await self._commit()
        finally:
            if self._con is not None:
                self._db.inside.discard(self._task)
                con, self._con = self._con, None
                self._db.pool.release(con, undo=not self._committed)
        if error is None:
            for channel in self._wakes:
                self._db.wake(channel)

    async def _commit(self) -> None:
        if self._con is not None:
            await self._run("execute", "COMMIT", [])
            self._committed = True
            self._db.commits += 1
        elif self._held:
            await self._db.commit(self._held)
