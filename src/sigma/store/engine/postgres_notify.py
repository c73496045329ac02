"""NOTIFY and LISTEN: waking waiters in every process that shares a PostgreSQL database.

NOTIFY is sent after the COMMIT and not inside the transaction: PostgreSQL lets only one notifying
transaction commit at a time, which would undo the sharing of disk writes. Should the process die
in between, the waiters' own clock finds the work.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]

from sigma.store.engine.interface import StoreError
from sigma.store.engine.postgres_batch import RELAX
from sigma.store.engine.postgres_pool import Connect, Pool
from sigma.store.engine.signals import Wakes

NOTIFY: Final = f"SELECT {RELAX}, pg_notify($1, $2)"
ALIVE_EVERY_S: Final = 60.0
RETRY_S: Final = (0.1, 1.0, 5.0, 15.0)


class PostgresWakes:
    """Wakes this process at once, and others by NOTIFY; hears theirs on a connection of its own."""

    def __init__(self, pool: Pool, connect: Connect) -> None:
        self._pool = pool
        self._connect = connect
        self._here = Wakes()
        self._origin = secrets.token_hex(8)  # to know our own notifications
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._channels: set[str] = set()
        self._news = asyncio.Event()  # a channel was added, or the connection was lost
        self._listening = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    def wake(self, channel: str) -> asyncio.Task[None]:
        """Wake waiters here now; the task returned is done when other processes are told.

        While one NOTIFY is on its way any number of further ones become a single one.
        """
        self._here.wake(channel)
        task = self._sending.get(channel)
        if task is not None:
            self._again.add(channel)
            return task
        task = self._sending[channel] = asyncio.create_task(self._send(channel))
        return task

    async def _send(self, channel: str) -> None:
        try:
            while True:
                self._again.discard(channel)
                with suppress(OSError, StoreError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    con = await self._pool.acquire()
                    try:
                        await con.execute(NOTIFY, channel, self._origin)
                    finally:
                        self._pool.release(con)
                if channel not in self._again:
                    return
        finally:
            del self._sending[channel]

    async def wait(self, channel: str, timeout_s: float) -> None:
        """Return at the next wake of `channel`, at one missed before, or after `timeout_s`."""
        if channel not in self._channels:
            self._channels.add(channel)
            self._listening.clear()
            self._news.set()
            if self._listener is None:
                self._listener = asyncio.create_task(self._listen())
        if not self._listening.is_set():
            started_at = asyncio.get_running_loop().time()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._listening.wait(), timeout_s)
            timeout_s -= asyncio.get_running_loop().time() - started_at
        await self._here.wait(channel, max(timeout_s, 0))

    async def _listen(self) -> None:
        tries = 0
        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                con = await self._connect()
                tries = 0
                try:
                    await self._hear(con)
                finally:
                    con.terminate()
            await asyncio.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
            tries += 1

    async def _hear(self, con: Any) -> None:
        """Listen to every channel until the connection is lost."""
        con.add_termination_listener(lambda _: self._news.set())
        heard: set[str] = set()
        while not con.is_closed():
            self._news.clear()
            for channel in self._channels - heard:
                await con.add_listener(channel, self._heard)
                heard.add(channel)
            self._listening.set()
            self._here.wake_all()  # something may have been said before we listened
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), ALIVE_EVERY_S)
                continue
            await con.execute("SELECT 1", timeout=ALIVE_EVERY_S)

    def _heard(self, _con: object, _pid: int, channel: str, origin: str) -> None:
        if origin != self._origin:
            self._here.wake(channel)

    async def close(self) -> None:
        """Send what is on its way and stop listening."""
        await asyncio.gather(*self._sending.values(), return_exceptions=True)
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
