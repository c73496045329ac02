"""In-process signals: wake the tasks that wait for a channel."""

from __future__ import annotations

import asyncio
from collections import defaultdict


class Signals:
    """Named channels. A signal without a waiter is kept for the next `wait`."""

    def __init__(self) -> None:
        self._waiters: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._pending: set[str] = set()

    def notify(self, channel: str) -> None:
        """Wake all waiters of `channel`; if there are none, the next `wait` returns at once."""
        waiting = self._waiters.pop(channel, None)
        if not waiting:
            self._pending.add(channel)
            return
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def notify_all(self) -> None:
        """Wake the waiters of every channel: a signal may have been missed."""
        for channel in list(self._waiters):
            self.notify(channel)

    async def wait(self, channel: str, timeout_s: float) -> None:
        """Wait until `channel` is notified or for `timeout_s`.

        Returns at once when the channel was notified since the last wait.
        """
        if channel in self._pending:
            self._pending.discard(channel)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[channel].add(future)
        try:
            await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            pass
        finally:
            self._waiters[channel].discard(future)
