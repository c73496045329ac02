"""Reads on SQLite: short ones at once on the event loop, long ones in a thread.

Nobody has to say which is which. A read starts on the event loop with a budget of steps of
SQLite's machine (a couple of milliseconds); if it needs more it is stopped, done again in a
thread, and its statement goes to the threads from then on.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from sigma.store.engine.interface import Row
from sigma.store.engine.sqlite_errors import translated
from sigma.store.engine.statements import Statement

TICK_STEPS: Final = 1_000
BUDGET_TICKS: Final = 20
READ_TIMEOUT_S: Final = 15.0


class Reads:
    """Connections that only read. `connect` opens one."""

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], names: Mapping[str, str], threads: int
    ) -> None:
        self._names = names
        self._idle = [connect() for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads, "sigma-reader")
        self._long: set[Statement] = set()
        self._ticks = 0
        self._here = connect()
        self._here.set_progress_handler(self._tick, TICK_STEPS)

    async def fetch(self, stmt: Statement, values: Mapping[str, object]) -> list[Row]:
        """Return all rows of `stmt` as they are committed now."""
        compiled = stmt.on("sqlite")
        arguments = compiled.arguments(values)
        if stmt not in self._long:
            self._ticks = 0
            try:
                return self._here.execute(compiled.sql, arguments).fetchall()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorname != "SQLITE_INTERRUPT":
                    raise translated(error, self._names) from error
                self._long.add(stmt)
        return await self._in_thread(compiled.sql, arguments)

    async def _in_thread(self, sql: str, arguments: list[object]) -> list[Row]:
        used: list[sqlite3.Connection] = []

        def fetch() -> list[Row]:
            con = self._idle.pop()
            used.append(con)
            try:
                return con.execute(sql, arguments).fetchall()
            finally:
                used.clear()
                self._idle.append(con)

        def too_long() -> None:
            for con in used.copy():
                con.interrupt()

        loop = asyncio.get_running_loop()
        timer = loop.call_later(READ_TIMEOUT_S, too_long)
        try:
            return await loop.run_in_executor(self._pool, fetch)
        except sqlite3.Error as error:
            raise translated(error, self._names) from error
        finally:
            timer.cancel()

    def _tick(self) -> bool:
        self._ticks += 1
        return self._ticks > BUDGET_TICKS

    def close(self) -> None:
        """Close every connection (blocks until running reads are done)."""
        self._pool.shutdown()
        for con in (self._here, *self._idle):
            con.close()
