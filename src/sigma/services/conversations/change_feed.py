"""What changes in the dialogs, told to open pages as it happens: one watcher of the database for
all of them.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass

import structlog

from sigma.services.context import SECOND, Context
from sigma.store.engine.interface import StoreError
from sigma.store.messaging import conversations

CHANNEL = "inbox"
POLL_S = 5.0  # wakes are told; polling only backs them up
BEAT_S = 15.0  # silence that proxies and phones take for a dead line is longer
PAUSE_S = 0.15  # a burst of changes is told at once
OVERLAP = 5 * SECOND  # a change may be committed after a later one was told
PAGES = 20  # of one session; a further one asks again and again instead of listening
MOST = 200  # more than that at a time: everything is read anew

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Told:
    """Dialogs that changed; `everything` when they are too many to name. Resume after `cursor`."""

    cursor: int
    ids: tuple[str, ...] = ()
    unread: int = 0
    everything: bool = False


async def told(ctx: Context) -> None:
    """Says that a dialog was written. Call it after the transaction."""
    await ctx.db.notify(CHANNEL)


class Live:
    """The changes of every shop, for the pages that one process serves."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._news = asyncio.Event()
        self._readers = 0
        self._open: Counter[str] = Counter()
        self._watcher: asyncio.Task[None] | None = None
        self.closing = asyncio.Event()

    def close(self) -> None:
        """Ends every stream: the process is about to end, pages will come back to the next one."""
        self.closing.set()
        self._tell()

    @contextlib.contextmanager
    def page(self, session: str) -> Iterator[None]:
        """A page of this session listens while the block runs."""
        self._open[session] += 1
        try:
            yield
        finally:
            self._open[session] -= 1
            self._open += Counter()  # forgets who has none left

    def full(self, session: str) -> bool:
        """Whether a session has as many pages listening as anybody needs."""
        return self._open[session] >= PAGES

    def _tell(self) -> None:
        """Wakes every reader; whoever waits next waits for the next news."""
        self._news.set()
        self._news = asyncio.Event()

    async def changes(self, shop_id: str, since: int) -> AsyncGenerator[Told | None, None]:
        """What changed in a shop after a moment (UTC microseconds), until the process ends.

        None is a heartbeat. Nothing is missed; a change may be told twice.
        """
        cursor, said, spoke = since, dict[str, int](), time.monotonic()
        with self._reading():
            while not self.closing.is_set():
                news = self._news  # taken before the reading, so nothing falls in between
                found = await self._read(shop_id, cursor, said)
                if found or time.monotonic() - spoke >= BEAT_S:
                    yield found
                    spoke = time.monotonic()
                cursor = found.cursor if found else cursor
                await news.wait()  # the watcher speaks every few seconds even when nothing is new

    async def _read(self, shop_id: str, cursor: int, said: dict[str, int]) -> Told | None:
        """What is new since `cursor` and not among what was `said` (dialog → its version)."""
        try:
            async with self._ctx.db.read() as tx:
                rows = await conversations.changed(tx, shop_id, cursor - OVERLAP, MOST)
                fresh = [c for c in rows if said.get(c.id) != c.version]
                counted = await conversations.counts(tx, shop_id) if fresh else {}
        except StoreError as error:  # the next news finds the same
            log.info("live.trouble", error=type(error).__name__)
            return None
        if not fresh:
            return None
        said.clear()
        said.update({c.id: c.version for c in rows})
        everything = len(rows) == MOST
        return Told(
            cursor=max(cursor, self._ctx.now() if everything else rows[-1].changed_at),
            ids=tuple(c.id for c in fresh),
            unread=counted["unread"],
            everything=everything,
        )

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        self._readers += 1
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._readers -= 1
            if not self._readers and self._watcher is not None:
                self._watcher.cancel()
                self._watcher = None

    async def _watch(self) -> None:
        while True:
            try:
                await self._ctx.db.wait(CHANNEL, POLL_S)
            except Exception as error:  # noqa: BLE001 - pages would wait for ever
                log.info("live.trouble", error=type(error).__name__)
                await asyncio.sleep(POLL_S)
            self._tell()
            await asyncio.sleep(PAUSE_S)
