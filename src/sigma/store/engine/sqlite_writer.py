"""The writer thread of SQLite: group commit, several transactions share one COMMIT.

Each transaction of a group runs under its own savepoint: SAVEPOINT, its statements, RELEASE. A
failed transaction rolls back to its savepoint; the others of the group stay.

Each transaction's future resolves when the shared COMMIT finishes, or fails with it. A failed
transaction also waits for that COMMIT before its error is raised, so that the row it conflicted
with is already visible to the caller.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final

from sigma.store.engine.interface import Op, Row, StaleError, UnreachableError
from sigma.store.engine.sqlite_errors import translate_error
from sigma.store.engine.statements import Statement

MAX_GROUP_SIZE: Final = 128
TRANSACTION_LOST: Final = "SQLite rolled the whole transaction back; nothing of it is stored"

Values = Mapping[str, object]
ResultFuture = asyncio.Future[Any]


@dataclass(slots=True)
class StatementResult:
    """The result of one statement.

    `row_count` is the number of rows returned, or written if the statement returns none.
    """

    rows: list[Row]
    row_count: int


def run_statement(con: sqlite3.Connection, stmt: Statement, values: Values) -> StatementResult:
    """Run one statement and fetch all its rows."""
    compiled = stmt.compiled_for("sqlite")
    cursor = con.execute(compiled.sql, compiled.arguments(values))
    if not stmt.returns_rows:
        return StatementResult([], cursor.rowcount)
    rows = cursor.fetchall()
    return StatementResult(rows, len(rows))


class WriterThread:
    """Owns the write connection. Methods named `*_in_thread` run in the thread."""

    def __init__(
        self,
        con: sqlite3.Connection,
        key_names: Mapping[str, str],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.commit_count = 0
        self._con = con
        self._key_names = key_names
        self._loop = loop
        self._calls: SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]] | None] = SimpleQueue()
        self._has_group = False  # BEGIN has run and its COMMIT has not
        self._has_savepoint = False  # the savepoint of a transaction is open
        self._has_changes = False  # a transaction succeeded since the last COMMIT
        self._commit_waiters: list[tuple[ResultFuture, Exception | None]] = []
        self._thread = threading.Thread(target=self._run_calls, name="sigma-writer", daemon=True)
        self._thread.start()

    # ---- called from the event loop -------------------------------------------------------

    def execute(self, pending_ops: Sequence[Op], stmt: Statement, values: Values) -> ResultFuture:
        """Run `pending_ops` and one statement in the open transaction; open one if needed."""
        return self._submit(self._execute_in_thread, pending_ops, stmt, values)

    def execute_transaction(
        self, ops: Sequence[Op], future: ResultFuture, more_follows: bool
    ) -> None:
        """Run `ops` as one transaction and resolve `future` after the shared COMMIT.

        `more_follows`: another transaction follows at once, so the COMMIT can wait for it.
        """
        self._calls.put((self._transaction_in_thread, (ops, future, more_follows)))

    def execute_unsynced(
        self, stmt: Statement, values: Values, future: ResultFuture, more_follows: bool
    ) -> None:
        """Run one statement as a transaction and resolve `future` before the COMMIT."""
        self._calls.put((self._unsynced_in_thread, (stmt, values, future, more_follows)))

    def commit(self, ops: Sequence[Op], more_follows: bool) -> ResultFuture:
        """Run `ops`, end the open transaction, and return the future of the shared COMMIT."""
        future: ResultFuture = self._loop.create_future()
        self._calls.put((self._transaction_in_thread, (ops, future, more_follows)))
        return future

    def rollback(self, more_follows: bool) -> ResultFuture:
        """Roll the open transaction back, if there is one.

        The returned future resolves after the shared COMMIT, when all data that the transaction
        has read is on disk. Awaiting it is optional.
        """
        future: ResultFuture = self._loop.create_future()
        # Retrieve the exception, or asyncio logs it when the future is never awaited.
        future.add_done_callback(lambda it: it.cancelled() or it.exception())
        self._calls.put((self._rollback_in_thread, (future, more_follows)))
        return future

    def flush(self) -> None:
        """COMMIT the group, unless a transaction is open: its end commits the group."""
        self._calls.put((self._flush_in_thread, ()))

    def stop(self) -> None:
        """COMMIT the group, close the connection and end the thread. Blocks until it has ended."""
        self._calls.put(None)
        self._thread.join()

    # ---- in the thread --------------------------------------------------------------------

    def _run_calls(self) -> None:
        while (job := self._calls.get()) is not None:
            call, arguments = job
            call(*arguments)
        if self._has_savepoint:
            self._roll_back()
        self._commit()
        self._con.close()

    def _execute_in_thread(
        self, pending_ops: Sequence[Op], stmt: Statement, values: Values, future: ResultFuture
    ) -> None:
        if future.cancelled():
            return
        try:
            self._open_savepoint()
            self._run_ops(pending_ops)
            result = run_statement(self._con, stmt, values)
        except Exception as error:  # noqa: BLE001 - raised to the caller by the future
            self._resolve(future, None, self._translate(error))
        else:
            self._resolve(future, result, None)

    def _transaction_in_thread(
        self, ops: Sequence[Op], future: ResultFuture, more_follows: bool
    ) -> None:
        try:
            self._open_savepoint()
            self._run_ops(ops)
            self._con.execute("RELEASE write")
            self._has_savepoint = False
            self._commit_waiters.append((future, None))
            self._has_changes = True
        except Exception as error:  # noqa: BLE001 - raised to the caller by the future
            self._roll_back()
            self._commit_waiters.append((future, self._translate(error)))
        self._commit_or_defer(more_follows)

    def _unsynced_in_thread(
        self, stmt: Statement, values: Values, future: ResultFuture, more_follows: bool
    ) -> None:
        try:
            self._open_savepoint()
            result = run_statement(self._con, stmt, values)
            self._con.execute("RELEASE write")
            self._has_savepoint = False
            self._has_changes = True
            self._resolve(future, result, None)
        except Exception as error:  # noqa: BLE001 - raised to the caller by the future
            self._roll_back()
            self._resolve(future, None, self._translate(error))
        if self._commit_waiters:
            self._commit_or_defer(more_follows)

    def _rollback_in_thread(self, future: ResultFuture, more_follows: bool) -> None:
        self._roll_back()
        self._commit_waiters.append((future, None))
        self._commit_or_defer(more_follows)

    def _flush_in_thread(self) -> None:
        if not self._has_savepoint:
            self._commit()

    def _commit_or_defer(self, more_follows: bool) -> None:
        """COMMIT now, or leave it to the next transaction when one is certain to follow."""
        follows = more_follows or not self._calls.empty()
        if not follows or len(self._commit_waiters) >= MAX_GROUP_SIZE:
            self._commit()

    def _open_savepoint(self) -> None:
        # SQLite rolls the whole group back by itself after some errors, such as a full disk.
        if self._has_group and not self._con.in_transaction:
            if self._has_savepoint:
                raise UnreachableError(TRANSACTION_LOST)
            self._commit()  # fails the futures of the lost group; a new group may succeed
        if not self._has_group:
            self._con.execute("BEGIN IMMEDIATE")
            self._has_group = True
        if not self._has_savepoint:
            self._con.execute("SAVEPOINT write")
            self._has_savepoint = True

    def _run_ops(self, ops: Sequence[Op]) -> None:
        for op in ops:
            count = run_statement(self._con, op.stmt, op.values).row_count
            if op.expected_rows is not None and count != op.expected_rows:
                raise StaleError(f"{count} rows instead of {op.expected_rows}: {op.stmt!r}")

    def _roll_back(self) -> None:
        """Roll the open transaction back. Never raises: the group must continue."""
        if self._has_savepoint and self._con.in_transaction:
            try:
                self._con.execute("ROLLBACK TO write")
                self._con.execute("RELEASE write")
            except sqlite3.Error:  # the whole group is lost; _commit reports it
                with suppress(sqlite3.Error):
                    self._con.rollback()
        self._has_savepoint = False

    def _commit(self) -> None:
        riders, self._commit_waiters = self._commit_waiters, []
        error: Exception | None = None
        if self._has_group and not self._con.in_transaction:
            error = UnreachableError(TRANSACTION_LOST)
        elif self._has_group:
            try:
                self._con.execute("COMMIT")
                self.commit_count += self._has_changes
            except sqlite3.Error as failed:
                error = self._translate(failed)
                with suppress(sqlite3.Error):
                    self._con.rollback()
        self._has_group = self._has_changes = False
        if riders:
            self._call_in_loop(resolve_all, riders, error)

    def _translate(self, error: Exception) -> Exception:
        return (
            translate_error(error, self._key_names) if isinstance(error, sqlite3.Error) else error
        )

    def _submit(self, call: Callable[..., None], *arguments: Any) -> ResultFuture:
        future: ResultFuture = self._loop.create_future()
        self._calls.put((call, (*arguments, future)))
        return future

    def _resolve(self, future: ResultFuture, result: object, error: Exception | None) -> None:
        self._call_in_loop(resolve, future, result, error)

    def _call_in_loop(self, callback: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the event loop is closed: no task waits any more
            self._loop.call_soon_threadsafe(callback, *arguments)


def resolve_all(
    waiters: Sequence[tuple[ResultFuture, Exception | None]], error: Exception | None
) -> None:
    """Resolve the futures of a group; `error` is the error of the COMMIT and fails all of them."""
    for future, own_error in waiters:
        resolve(future, None, error or own_error)


def resolve(future: ResultFuture, result: object, error: Exception | None) -> None:
    """Set the result or the error of a future, unless it is done."""
    if future.done():
        return  # its task was cancelled
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
