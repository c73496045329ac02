"""Waking whoever waits for a channel inside this process."""

from __future__ import annotations

import asyncio
from collections import defaultdict


class Wakes:
    """Channels to wait on. A wake nobody waited for is kept for the next one who does."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._missed: set[str] = set()

    def wake(self, channel: str) -> None:
        """Wake everyone who waits for `channel`, or the next one to come."""
        waiting = self._waiting.pop(channel, None)
        if not waiting:
            self._missed.add(channel)
            return
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def wake_all(self) -> None:
        """Wake every channel anyone waits for: something may have been missed."""
        for channel in list(self._waiting):
            self.wake(channel)

    async def wait(self, channel: str, timeout_s: float) -> None:
        """Return at the next wake of `channel`, at one missed before, or after `timeout_s`."""
        if channel in self._missed:
            self._missed.discard(channel)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[channel].add(future)
        try:
            await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            pass
        finally:
            self._waiting[channel].discard(future)
