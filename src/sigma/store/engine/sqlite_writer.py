"""The one thread that writes to SQLite. Transactions that follow each other share a COMMIT.

A *member* is one transaction of the group: SAVEPOINT, its statements, RELEASE. One that fails
rolls back to its own savepoint and the others stay. A member *rides*: its future is settled by the
COMMIT that puts it on disk, or fails with it. One that failed rides too, with its error: what stood
in its way must be there to be read when it hears so.
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

from sigma.store.engine.interface import Op, Row, Stale, Unreachable
from sigma.store.engine.sqlite_errors import translated
from sigma.store.engine.statements import Statement

GROUP_MAX: Final = 128
LOST: Final = "SQLite gave the whole transaction up; nothing of it is stored"

Values = Mapping[str, object]
Done = asyncio.Future[Any]


@dataclass(slots=True)
class Answer:
    """Rows and the number of rows written by one statement."""

    rows: list[Row]
    count: int


def run(con: sqlite3.Connection, stmt: Statement, values: Values) -> Answer:
    """Run one statement to its end."""
    compiled = stmt.on("sqlite")
    cursor = con.execute(compiled.sql, compiled.arguments(values))
    if not stmt.returns:
        return Answer([], cursor.rowcount)
    rows = cursor.fetchall()
    return Answer(rows, len(rows))


class WriterThread:
    """Owns the write connection. Its methods named `*_job` run in the thread, one after another."""

    def __init__(
        self,
        con: sqlite3.Connection,
        names: Mapping[str, str],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.commits = 0
        self._con = con
        self._names = names
        self._loop = loop
        self._jobs: SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]] | None] = SimpleQueue()
        self._grouped = False  # a BEGIN was made and its COMMIT is still to come
        self._member = False  # a SAVEPOINT is open
        self._dirty = False  # a member succeeded since the last COMMIT
        self._riders: list[tuple[Done, Exception | None]] = []
        self._thread = threading.Thread(target=self._loop_forever, name="sigma-writer", daemon=True)
        self._thread.start()

    # ---- called from the event loop -------------------------------------------------------

    def statement(self, before: Sequence[Op], stmt: Statement, values: Values) -> Done:
        """Run `before` and one statement in the open member (opening one if need be)."""
        return self._ask(self._statement_job, before, stmt, values)

    def whole(self, ops: Sequence[Op], done: Done, more: bool) -> None:
        """Run `ops` as one member that rides. `more`: another member follows at once."""
        self._jobs.put((self._whole_job, (ops, done, more)))

    def relaxed(self, stmt: Statement, values: Values, done: Done, more: bool) -> None:
        """Run one statement as a member and settle `done` without waiting for the COMMIT."""
        self._jobs.put((self._relaxed_job, (stmt, values, done, more)))

    def finish(self, ops: Sequence[Op], more: bool) -> Done:
        """Run `ops` in the open member, then let it ride."""
        done: Done = self._loop.create_future()
        self._jobs.put((self._whole_job, (ops, done, more)))
        return done

    def undo(self, more: bool) -> Done:
        """Roll the open member back, if there is one. It rides: what it has seen is then on disk.

        Nobody must wait for it.
        """
        done: Done = self._loop.create_future()
        done.add_done_callback(lambda it: it.cancelled() or it.exception())  # often nobody waits
        self._jobs.put((self._undo_job, (done, more)))
        return done

    def flush(self) -> None:
        """COMMIT what is done, unless a member is open: then its end will."""
        self._jobs.put((self._flush_job, ()))

    def stop(self) -> None:
        """COMMIT what is done, close the connection and end the thread (blocks until then)."""
        self._jobs.put(None)
        self._thread.join()

    # ---- in the thread --------------------------------------------------------------------

    def _loop_forever(self) -> None:
        while (job := self._jobs.get()) is not None:
            call, arguments = job
            call(*arguments)
        if self._member:
            self._back()
        self._commit()
        self._con.close()

    def _statement_job(
        self, before: Sequence[Op], stmt: Statement, values: Values, done: Done
    ) -> None:
        if done.cancelled():
            return
        try:
            self._open()
            self._run_all(before)
            answer = run(self._con, stmt, values)
        except Exception as error:  # noqa: BLE001 - handed to the one who waits
            self._settle(done, None, self._said(error))
        else:
            self._settle(done, answer, None)

    def _whole_job(self, ops: Sequence[Op], done: Done, more: bool) -> None:
        try:
            self._open()
            self._run_all(ops)
            self._con.execute("RELEASE member")
            self._member = False
            self._riders.append((done, None))
            self._dirty = True
        except Exception as error:  # noqa: BLE001 - handed to the one who waits
            self._back()
            self._riders.append((done, self._said(error)))
        self._member_ended(more)

    def _relaxed_job(self, stmt: Statement, values: Values, done: Done, more: bool) -> None:
        try:
            self._open()
            answer = run(self._con, stmt, values)
            self._con.execute("RELEASE member")
            self._member = False
            self._dirty = True
            self._settle(done, answer, None)
        except Exception as error:  # noqa: BLE001 - handed to the one who waits
            self._back()
            self._settle(done, None, self._said(error))
        if self._riders:
            self._member_ended(more)

    def _undo_job(self, done: Done, more: bool) -> None:
        self._back()
        self._riders.append((done, None))
        self._member_ended(more)

    def _flush_job(self) -> None:
        if not self._member:
            self._commit()

    def _member_ended(self, more: bool) -> None:
        """COMMIT now, or leave it to the next member if one is certain to come."""
        waiting = more or not self._jobs.empty()
        if not waiting or len(self._riders) >= GROUP_MAX:
            self._commit()

    def _open(self) -> None:
        if self._grouped and not self._con.in_transaction:  # the disk is full, for instance
            if self._member:
                raise Unreachable(LOST)
            self._commit()  # which tells those who were in it; the next one may have more luck
        if not self._grouped:
            self._con.execute("BEGIN IMMEDIATE")
            self._grouped = True
        if not self._member:
            self._con.execute("SAVEPOINT member")
            self._member = True

    def _run_all(self, ops: Sequence[Op]) -> None:
        for op in ops:
            count = run(self._con, op.stmt, op.values).count
            if op.expect is not None and count != op.expect:
                raise Stale(f"{count} rows instead of {op.expect}: {op.stmt!r}")

    def _back(self) -> None:
        """Undo the open member. Never raises: the group must go on."""
        if self._member and self._con.in_transaction:
            try:
                self._con.execute("ROLLBACK TO member")
                self._con.execute("RELEASE member")
            except sqlite3.Error:  # the group is lost, which COMMIT will find
                with suppress(sqlite3.Error):
                    self._con.rollback()
        self._member = False

    def _commit(self) -> None:
        riders, self._riders = self._riders, []
        error: Exception | None = None
        if self._grouped and not self._con.in_transaction:
            error = Unreachable(LOST)
        elif self._grouped:
            try:
                self._con.execute("COMMIT")
                self.commits += self._dirty
            except sqlite3.Error as failed:
                error = self._said(failed)
                with suppress(sqlite3.Error):
                    self._con.rollback()
        self._grouped = self._dirty = False
        if riders:
            self._call(settle_all, riders, error)

    def _said(self, error: Exception) -> Exception:
        return translated(error, self._names) if isinstance(error, sqlite3.Error) else error

    def _ask(self, job: Callable[..., None], *arguments: Any) -> Done:
        done: Done = self._loop.create_future()
        self._jobs.put((job, (*arguments, done)))
        return done

    def _settle(self, done: Done, result: object, error: Exception | None) -> None:
        self._call(settle, done, result, error)

    def _call(self, callback: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the event loop is closed: nobody is left to tell
            self._loop.call_soon_threadsafe(callback, *arguments)


def settle_all(riders: Sequence[tuple[Done, Exception | None]], error: Exception | None) -> None:
    """Tell every rider how it went; `error` is the one that hit them all."""
    for future, own in riders:
        settle(future, None, error or own)


def settle(future: Done, result: object, error: Exception | None) -> None:
    """Give a future its result or its error."""
    if future.done():
        return  # its task was cancelled meanwhile
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
