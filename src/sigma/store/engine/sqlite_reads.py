"""Reads on SQLite: short ones on the event loop, long ones in a thread.

A read starts on the event loop with a budget of SQLite virtual machine steps (about two
milliseconds). If it needs more, it is interrupted and run again in a thread; from then on its
statement always runs in a thread.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from sigma.store.engine.interface import Row
from sigma.store.engine.sqlite_errors import translate_error
from sigma.store.engine.statements import Statement

TICK_STEPS: Final = 1_000  # virtual machine steps between two calls of the progress handler
BUDGET_TICKS: Final = 20  # calls before a read on the event loop is interrupted
READ_TIMEOUT_S: Final = 15.0


class ReadPool:
    """Read-only connections: one on the event loop and one per reader thread.

    `connect` opens one; `key_names` is the result of `unique_key_names`.
    """

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], key_names: Mapping[str, str], threads: int
    ) -> None:
        self._key_names = key_names
        self._idle_connections = [connect() for _ in range(threads)]
        self._executor = ThreadPoolExecutor(threads, "sigma-reader")
        self._slow_statements: set[Statement] = set()
        self._ticks = 0
        self._loop_connection = connect()
        self._loop_connection.set_progress_handler(self._is_over_budget, TICK_STEPS)

    async def fetch(self, stmt: Statement, values: Mapping[str, object]) -> list[Row]:
        """Return all committed rows of `stmt`.

        Raises BusyError when the read in a thread takes longer than READ_TIMEOUT_S.
        """
        compiled = stmt.compiled_for("sqlite")
        arguments = compiled.arguments(values)
        if stmt not in self._slow_statements:
            self._ticks = 0
            try:
                return self._loop_connection.execute(compiled.sql, arguments).fetchall()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_INTERRUPT":
                    raise translate_error(error, self._key_names) from error
                self._slow_statements.add(stmt)
        return await self._fetch_in_thread(compiled.sql, arguments)

    async def _fetch_in_thread(self, sql: str, arguments: list[object]) -> list[Row]:
        running: list[sqlite3.Connection] = []

        def fetch() -> list[Row]:
            con = self._idle_connections.pop()
            running.append(con)
            try:
                return con.execute(sql, arguments).fetchall()
            finally:
                running.clear()
                self._idle_connections.append(con)

        def interrupt() -> None:
            for con in running.copy():
                con.interrupt()

        loop = asyncio.get_running_loop()
        timer = loop.call_later(READ_TIMEOUT_S, interrupt)
        try:
            return await loop.run_in_executor(self._executor, fetch)
        except sqlite3.Error as error:
            raise translate_error(error, self._key_names) from error
        finally:
            timer.cancel()

    def _is_over_budget(self) -> bool:
        self._ticks += 1
        return self._ticks > BUDGET_TICKS

    def close(self) -> None:
        """Close every connection. Blocks until running reads end."""
        self._executor.shutdown()
        for con in (self._loop_connection, *self._idle_connections):
            con.close()
