"""The PostgreSQL engine: asyncpg, prepared statements, few round trips.

Methods without a docstring are described in `sigma.store.engine.interface`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg

from sigma.store.engine import postgres_batch
from sigma.store.engine.interface import (
    NESTED_TRANSACTION,
    STATEMENT_CANCELLED,
    BusyError,
    Op,
    Row,
    Tx,
    UnreachableError,
)
from sigma.store.engine.postgres_errors import translate_error
from sigma.store.engine.postgres_notify import PostgresSignals
from sigma.store.engine.postgres_pool import Pool
from sigma.store.engine.read_only import ReadOnlyTx
from sigma.store.engine.statements import Statement
from sigma.store.postgres_tls import tls_options

CONNECT_TIMEOUT_S: Final = 4.0
# A live server ends a statement itself (statement_timeout). No answer after this time means that
# the connection is silent: its host died, or a failover or a NAT forgot it.
COMMAND_TIMEOUT_S: Final = 6.0
MAX_BATCH_OPS: Final = 40  # more ops are sent as several statements of one transaction
DEADLOCK_ATTEMPTS: Final = 3
SERVER_SETTINGS: Final = {
    "application_name": "sigma",
    "statement_timeout": "5s",
    "lock_timeout": "4s",
    "idle_in_transaction_session_timeout": "10s",
    "default_transaction_isolation": "read committed",
    "jit": "off",  # compiling takes longer than our short statements
}
CONNECT_OPTIONS: Final = {
    "timeout": CONNECT_TIMEOUT_S,
    "statement_cache_size": 1024,
    "max_cached_statement_lifetime": 0,
    "max_cacheable_statement_size": 0,  # 0 is no limit: cache the long batch statements too
    "server_settings": SERVER_SETTINGS,
}


async def open_postgres(
    url: str, *, pool_size: int, command_timeout_s: float = COMMAND_TIMEOUT_S
) -> PostgresDatabase:
    """Connect to `url`. Raises UnreachableError.

    A connection that does not answer within `command_timeout_s` seconds is replaced.
    """
    options = {**CONNECT_OPTIONS, "command_timeout": command_timeout_s}

    def connect() -> Any:
        return asyncpg.connect(url, **options)

    pool = Pool(connect, pool_size)
    try:
        options.update(tls_options(url))
        pool.release(await pool.acquire())
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        parts = urlsplit(url)
        address = f"{parts.hostname or 'local socket'}:{parts.port or 5432}{parts.path}"
        reason = str(error) or "no answer"
        raise UnreachableError(f"cannot connect to PostgreSQL at {address}: {reason}") from error
    return PostgresDatabase(pool, PostgresSignals(pool, connect, keepalive_s=command_timeout_s / 2))


class PostgresDatabase:
    """Implement `interface.Database` on PostgreSQL."""

    dialect = "postgresql"

    def __init__(self, pool: Pool, signals: PostgresSignals) -> None:
        self.commit_count = 0
        self.tasks_in_transaction: set[asyncio.Task[Any] | None] = set()
        """Tasks with an open transaction."""
        self.pool = pool
        self._signals = signals

    def read(self) -> AbstractAsyncContextManager[Tx]:
        return ReadOnlyTx(self.dialect, self.fetch)

    def write(self) -> AbstractAsyncContextManager[Tx]:
        return PostgresTx(self)

    async def commit(self, ops: Sequence[Op], notify_channels: Collection[str] = ()) -> None:
        if len(ops) > MAX_BATCH_OPS:
            async with self.write() as tx:
                await tx.write_all(ops, notify_channels)
            return
        for retries in reversed(range(DEADLOCK_ATTEMPTS)):
            try:
                await self.execute_batch(ops)
                break
            except BusyError as error:
                if not retries or not isinstance(error.__cause__, asyncpg.DeadlockDetectedError):
                    raise
            await asyncio.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - not a secret
        for channel in notify_channels:
            self._signals.notify(channel)

    async def execute_batch(self, ops: Sequence[Op]) -> None:
        """Execute `ops` as one statement, which is its own transaction."""
        if not ops:
            return
        self.require_no_transaction()
        sql, arguments = postgres_batch.batch_statement(ops)
        await self.run("fetchval", sql, arguments, ops)
        self.commit_count += 1

    async def execute_unsynced(self, stmt: Statement, **values: object) -> Row | None:
        self.require_no_transaction()
        sql, arguments = (
            postgres_batch.unsynced_sql(stmt),
            stmt.compiled_for("postgresql").arguments(values),
        )
        row: Row | None = await self.run("fetchrow", sql, arguments)
        return row if stmt.returns_rows else None

    async def notify(self, channel: str) -> None:
        await self._signals.notify(channel)

    async def wait(self, channel: str, timeout_s: float) -> None:
        await self._signals.wait(channel, timeout_s)

    def notify_soon(self, channel: str) -> None:
        """Notify `channel`; do not wait until other processes are notified."""
        self._signals.notify(channel)

    def free_bytes(self) -> int | None:
        return None

    async def is_only_worker(self) -> bool:
        return False

    async def close(self) -> None:
        await self._signals.close()
        await self.pool.close()

    async def fetch(self, stmt: Statement, values: Mapping[str, object]) -> list[Row]:
        """Run one reading statement outside a transaction, on a connection of its own."""
        compiled = stmt.compiled_for("postgresql")
        rows: list[Row] = await self.run("fetch", compiled.sql, compiled.arguments(values))
        return rows

    async def run(
        self, method: str, sql: str, arguments: Sequence[object], ops: Sequence[Op] = ()
    ) -> Any:
        """Run one statement outside a transaction. Raises StoreError subclasses."""
        con = None
        try:
            con = await self.pool.acquire()
            return await getattr(con, method)(sql, *arguments)
        except Exception as error:
            store_error = translate_error(error, ops)
            if con is not None and isinstance(store_error, UnreachableError):
                self.pool.discard(con)
            if store_error is error:
                raise
            raise store_error from error
        finally:
            if con is not None:
                self.pool.release(con)

    def require_no_transaction(self) -> None:
        """Raise RuntimeError when the current task has an open transaction."""
        if self.tasks_in_transaction and asyncio.current_task() in self.tasks_in_transaction:
            raise RuntimeError(NESTED_TRANSACTION)


class PostgresTx:
    """One transaction. BEGIN is sent with the first statement that writes or locks.

    A block whose only write is one `write_all` of at most MAX_BATCH_OPS sends no BEGIN: at the end
    of the block the ops are sent as one statement, which is a transaction by itself.
    """

    dialect = "postgresql"

    def __init__(self, db: PostgresDatabase) -> None:
        self._db = db
        self._con: Any = None
        self._task = asyncio.current_task()
        self._pending_ops: Sequence[Op] = ()
        self._notify_channels: set[str] = set()
        self._error: Exception | None = None
        self._is_committed = False

    async def fetch_one(self, stmt: Statement, **values: object) -> Row | None:
        rows = await self.fetch_all(stmt, **values)
        return rows[0] if rows else None

    async def fetch_all(self, stmt: Statement, **values: object) -> list[Row]:
        compiled = stmt.compiled_for("postgresql")
        is_plain_read = stmt.is_read_only and not compiled.locks_rows
        if self._con is None and not self._pending_ops and is_plain_read:
            return await self._db.fetch(stmt, values)
        rows: list[Row] = await self._run("fetch", compiled.sql, compiled.arguments(values))
        return rows

    async def execute(self, stmt: Statement, **values: object) -> int:
        compiled = stmt.compiled_for("postgresql")
        status: str = await self._run("execute", compiled.sql, compiled.arguments(values))
        return int(status.rsplit(" ", 1)[-1])

    async def write_all(self, ops: Sequence[Op], notify_channels: Collection[str] = ()) -> None:
        self._raise_if_failed()
        self._notify_channels.update(notify_channels)
        if self._con is None and not self._pending_ops and len(ops) <= MAX_BATCH_OPS:
            self._pending_ops = ops
        else:
            await self._execute_ops(ops)

    async def _execute_ops(self, ops: Sequence[Op]) -> None:
        for start in range(0, len(ops), MAX_BATCH_OPS):
            batch = ops[start : start + MAX_BATCH_OPS]
            await self._run("fetchval", *postgres_batch.batch_statement(batch), ops=batch)

    async def _run(
        self, method: str, sql: str, arguments: list[object], ops: Sequence[Op] = ()
    ) -> Any:
        self._raise_if_failed()
        try:
            if self._con is None:
                await self._begin()
            return await getattr(self._con, method)(sql, *arguments)
        except asyncio.CancelledError:
            self._error = BusyError(STATEMENT_CANCELLED)
            raise
        except Exception as error:
            self._error = translate_error(error, ops)
            if self._con is not None and isinstance(self._error, UnreachableError):
                self._db.pool.discard(self._con)
            if self._error is error:
                raise
            raise self._error from error

    async def _begin(self) -> None:
        self._db.require_no_transaction()
        self._con = await self._db.pool.acquire()
        self._db.tasks_in_transaction.add(self._task)
        await self._con.execute("BEGIN")
        pending, self._pending_ops = self._pending_ops, ()
        if pending:
            await self._execute_ops(pending)

    def _raise_if_failed(self) -> None:
        if self._error is not None:
            raise self._error

    async def __aenter__(self) -> PostgresTx:
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._raise_if_failed()
                await self._commit()
        finally:
            if self._con is not None:
                self._db.tasks_in_transaction.discard(self._task)
                con, self._con = self._con, None
                self._db.pool.release(con, rollback=not self._is_committed)
        if error is None:
            for channel in self._notify_channels:
                self._db.notify_soon(channel)

    async def _commit(self) -> None:
        if self._con is not None:
            await self._run("execute", "COMMIT", [])
            self._is_committed = True
            self._db.commit_count += 1
        elif self._pending_ops:
            await self._db.commit(self._pending_ops)
