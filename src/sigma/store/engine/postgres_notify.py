"""LISTEN and NOTIFY: signals between the processes that share a PostgreSQL database.

NOTIFY is sent after the COMMIT and not inside the transaction: PostgreSQL serializes the COMMITs of
transactions that notify, which would prevent group commit. If the process dies between COMMIT and
NOTIFY, waiters find the work at their next poll (the timeout of `wait`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import asyncpg

from sigma.store.engine.interface import StoreError
from sigma.store.engine.postgres_batch import DISABLE_SYNC
from sigma.store.engine.postgres_pool import Connect, Pool
from sigma.store.engine.signals import Signals

NOTIFY_SQL: Final = f"SELECT {DISABLE_SYNC}, pg_notify($1, $2)"
CLOSE_TIMEOUT_S: Final = 2.0
# Channels whose waiters need no more than one wake-up in so many seconds: a NOTIFY for each of many
# payments would take a connection from them.
RESEND_AFTER_S: Final[Mapping[str, float]] = {"lists": 0.25}
RECONNECT_DELAYS_S: Final = (0.1, 1.0, 5.0, 15.0)


class PostgresSignals:
    """Wakes local waiters at once and those of other processes by NOTIFY.

    LISTEN uses a dedicated connection, opened at the first `wait`. `keepalive_s`: it is queried
    after so many seconds without a notification and replaced when it does not answer in as many.
    """

    def __init__(self, pool: Pool, connect: Connect, *, keepalive_s: float) -> None:
        self._pool = pool
        self._connect = connect
        self._keepalive_s = keepalive_s
        self._local_signals = Signals()
        self._origin = secrets.token_hex(8)  # identifies our own notifications
        self._send_tasks: dict[str, asyncio.Task[None]] = {}
        self._resend_channels: set[str] = set()
        self._channels: set[str] = set()
        # Set when a channel is added or the connection is lost.
        self._change_event = asyncio.Event()
        self._listening_event = asyncio.Event()
        self._listen_task: asyncio.Task[None] | None = None

    def notify(self, channel: str) -> asyncio.Task[None]:
        """Wake local waiters now; the returned task ends when other processes are notified.

        Calls made while a NOTIFY is being sent are combined into one further NOTIFY.
        """
        self._local_signals.notify(channel)
        task = self._send_tasks.get(channel)
        if task is not None:
            self._resend_channels.add(channel)
            return task
        task = self._send_tasks[channel] = asyncio.create_task(self._send(channel))
        return task

    async def _send(self, channel: str) -> None:
        try:
            while True:
                self._resend_channels.discard(channel)
                with suppress(OSError, StoreError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    con = await self._pool.acquire()
                    try:
                        await con.execute(NOTIFY_SQL, channel, self._origin)
                    except OSError:  # also TimeoutError: the connection is lost or silent
                        self._pool.discard(con)
                        raise
                    finally:
                        self._pool.release(con)
                if channel not in self._resend_channels:
                    return
                await asyncio.sleep(RESEND_AFTER_S.get(channel, 0))
        finally:
            del self._send_tasks[channel]

    async def wait(self, channel: str, timeout_s: float) -> None:
        """Wait until `channel` is notified or for `timeout_s`.

        Returns at once when the channel was notified since the last wait.
        """
        if channel not in self._channels:
            self._channels.add(channel)
            self._listening_event.clear()
            self._change_event.set()
            if self._listen_task is None:
                self._listen_task = asyncio.create_task(self._listen())
        if not self._listening_event.is_set():
            started_s = asyncio.get_running_loop().time()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._listening_event.wait(), timeout_s)
            timeout_s -= asyncio.get_running_loop().time() - started_s
        await self._local_signals.wait(channel, max(timeout_s, 0))

    async def _listen(self) -> None:
        failures = 0
        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                con = await self._connect()
                failures = 0
                try:
                    await self._receive(con)
                finally:
                    con.terminate()
            await asyncio.sleep(RECONNECT_DELAYS_S[min(failures, len(RECONNECT_DELAYS_S) - 1)])
            failures += 1

    async def _receive(self, con: Any) -> None:
        """Subscribe to every channel and receive notifications until the connection is lost."""
        con.add_termination_listener(lambda _: self._change_event.set())
        subscribed: set[str] = set()
        while not con.is_closed():
            self._change_event.clear()
            for channel in self._channels - subscribed:
                await con.add_listener(channel, self._on_notification)
                subscribed.add(channel)
            self._listening_event.set()
            self._local_signals.notify_all()  # a NOTIFY may have been sent before we subscribed
            with suppress(TimeoutError):
                await asyncio.wait_for(self._change_event.wait(), self._keepalive_s)
                continue
            await con.execute("SELECT 1", timeout=self._keepalive_s)

    def _on_notification(self, _con: object, _pid: int, channel: str, origin: str) -> None:
        if origin != self._origin:
            self._local_signals.notify(channel)

    async def close(self) -> None:
        """Send pending notifications, for at most CLOSE_TIMEOUT_S, and stop listening."""
        if sending := set(self._send_tasks.values()):
            _, unsent = await asyncio.wait(sending, timeout=CLOSE_TIMEOUT_S)
            for task in unsent:
                task.cancel()
        if self._listen_task is not None:
            self._listen_task.cancel()
            await asyncio.gather(self._listen_task, return_exceptions=True)
