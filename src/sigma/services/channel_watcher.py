"""One watcher per process and database channel wakes all event streams that wait for it."""

import asyncio
import contextlib
from collections.abc import Iterator

from sigma.services.context import Context

POLL_S = 5.0  # fallback when a database notification is lost
COALESCE_S = 0.15  # notifications within this interval wake the readers together


class ChannelWatcher:
    """Turns the notifications of a channel into an event that any number of readers wait for.

    A reader takes `signal` before it reads, and waits for it afterwards: so it misses no change.
    """

    def __init__(self, ctx: Context, channel: str) -> None:
        self._ctx = ctx
        self._channel = channel
        self._reader_count = 0
        self._task: asyncio.Task[None] | None = None
        self.signal = asyncio.Event()
        """Set at the next notification, and at least every POLL_S seconds while there is a reader.

        A new event replaces it then.
        """

    def wake(self) -> None:
        """Wake all waiting readers and start a new event for the next wait."""
        self.signal.set()
        self.signal = asyncio.Event()

    @contextlib.contextmanager
    def active_reader(self) -> Iterator[None]:
        """Keep watching the channel while at least one reader is active."""
        self._reader_count += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._reader_count -= 1
            if not self._reader_count and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _watch(self) -> None:
        while True:
            try:
                await self._ctx.db.wait(self._channel, POLL_S)
            except Exception as error:  # noqa: BLE001 - open pages would wait forever
                self._ctx.outage.report(error)
                await asyncio.sleep(POLL_S)
            self.wake()
            await asyncio.sleep(COALESCE_S)
