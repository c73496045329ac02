"""Change feed for open pages: the event streams of the inbox and of the lists in one process."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass

from sigma.domain.time_units import SECOND_US
from sigma.services.channel_watcher import ChannelWatcher
from sigma.services.context import Context
from sigma.store.changes import LISTS_CHANNEL
from sigma.store.engine.interface import StoreError
from sigma.store.messaging import conversations

CHANNEL = "conversations"
HEARTBEAT_S = 15.0  # shorter than the idle timeout of common proxies and mobile networks
# A transaction may commit after one with a later change time has already been sent.
OVERLAP_US = 5 * SECOND_US
MAX_STREAMS = 20  # open streams of one session; further pages fall back to polling
MAX_CHANGES = 200  # changes in one update; with more, the page reloads the whole list


@dataclass(frozen=True, slots=True)
class ConversationChange:
    """Conversations that changed since the previous update.

    `cursor_us` (UTC microseconds) is where the next read resumes. `unread_count` counts unread
    conversations of the shop. `is_truncated`: there are more changes than `conversation_ids`
    lists, so the page must reload.
    """

    cursor_us: int
    conversation_ids: tuple[str, ...] = ()
    unread_count: int = 0
    is_truncated: bool = False


async def notify_changed(ctx: Context) -> None:
    """Wake the change feeds of all processes. Call it after the transaction has committed."""
    await ctx.db.notify(CHANNEL)


class ChangeFeed:
    """Conversation changes of all shops for the event streams that one process serves.

    `lists` wakes the streams of lists of invoices and payments, which read changes themselves.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._conversations = ChannelWatcher(ctx, CHANNEL)
        self._stream_counts: Counter[str] = Counter()
        self.lists = ChannelWatcher(ctx, LISTS_CHANNEL)
        self.closing = asyncio.Event()

    def close(self) -> None:
        """End all streams before the process stops. Pages reconnect to the next process."""
        self.closing.set()
        self._conversations.wake()
        self.lists.wake()

    @contextlib.contextmanager
    def stream(self, session_id: str) -> Iterator[None]:
        """Count one open stream of this cabinet session while the block runs."""
        self._stream_counts[session_id] += 1
        try:
            yield
        finally:
            self._stream_counts[session_id] -= 1
            self._stream_counts += Counter()  # drop zero counts so that the counter does not grow

    def is_full(self, session_id: str) -> bool:
        """Return whether the session has reached the limit of open streams."""
        return self._stream_counts[session_id] >= MAX_STREAMS

    async def changes(
        self, shop_id: str, since_us: int
    ) -> AsyncGenerator[ConversationChange | None, None]:
        """Yield changes of a shop after `since_us` (UTC microseconds) until the feed closes.

        None is a heartbeat. Every change is delivered at least once; one may be delivered twice.
        """
        cursor, sent_versions, sent_at_s = since_us, dict[str, int](), time.monotonic()
        with self._conversations.active_reader():
            while not self.closing.is_set():
                # Taken before the read, so that no change is missed in between.
                signal = self._conversations.signal
                change = await self._read_changes(shop_id, cursor, sent_versions)
                if change or time.monotonic() - sent_at_s >= HEARTBEAT_S:
                    yield change
                    sent_at_s = time.monotonic()
                cursor = change.cursor_us if change else cursor
                await signal.wait()  # set by the watcher at least every POLL_S seconds

    async def _read_changes(
        self, shop_id: str, cursor_us: int, sent_versions: dict[str, int]
    ) -> ConversationChange | None:
        """Return changes since `cursor_us` (UTC microseconds), or None when there are none.

        `sent_versions` maps conversation id to the version already sent; it is updated in place.
        """
        try:
            async with self._ctx.db.read() as tx:
                rows = await conversations.list_changed(
                    tx, shop_id, cursor_us - OVERLAP_US, MAX_CHANGES
                )
                unsent = [c for c in rows if sent_versions.get(c.id) != c.version]
                counts = await conversations.inbox_counts(tx, shop_id) if unsent else {}
        except StoreError as error:  # the next wake-up reads the same changes again
            self._ctx.outage.report(error)
            return None
        if not unsent:
            return None
        sent_versions.clear()
        sent_versions.update({c.id: c.version for c in rows})
        is_truncated = len(rows) == MAX_CHANGES
        return ConversationChange(
            cursor_us=max(
                cursor_us, self._ctx.now_us() if is_truncated else rows[-1].changed_at_us
            ),
            conversation_ids=tuple(c.id for c in unsent),
            unread_count=counts["unread"],
            is_truncated=is_truncated,
        )
