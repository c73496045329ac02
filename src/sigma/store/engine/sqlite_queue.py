"""The write queue of SQLite: one transaction writes at a time, in the order of arrival."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sigma.store.engine.interface import NESTED_TRANSACTION, BusyError, Op, UnreachableError
from sigma.store.engine.sqlite_writer import ResultFuture, StatementResult, WriterThread
from sigma.store.engine.statements import Statement

IDLE_LIMIT_S: Final = 10.0  # a slot without a statement for this time is revoked
UNSYNCED_COMMIT_DELAY_S: Final = 0.005  # an unsynced write is committed after this time
DATABASE_CLOSED: Final = "the database is closed"


class WriteSlot:
    """The exclusive right to write, held by a transaction from its first write to its end."""

    __slots__ = ("_queue", "is_revoked", "last_used_s", "running_count", "task")

    def __init__(self, queue: WriteQueue, now_s: float) -> None:
        self._queue = queue
        self.task = asyncio.current_task()
        self.is_revoked = False
        """The holder was idle longer than the limit, or the queue was closed."""
        self.running_count = 0
        self.last_used_s = now_s

    async def execute(
        self, pending_ops: Sequence[Op], stmt: Statement, values: Mapping[str, object]
    ) -> StatementResult:
        """Run `pending_ops` and then `stmt`."""
        self._raise_if_revoked()
        self.running_count += 1
        try:
            result: StatementResult = await self._queue.writer.execute(pending_ops, stmt, values)
            return result
        finally:
            self.running_count -= 1
            self.last_used_s = self._queue.loop.time()

    async def commit(self, ops: Sequence[Op]) -> None:
        """Run `ops`, release the slot, and return when the transaction is on disk."""
        self._raise_if_revoked()
        await self._queue.release(self, lambda more: self._queue.writer.commit(ops, more))

    def rollback(self) -> ResultFuture | None:
        """Roll back and release the slot without waiting, so that it works in a cancelled task.

        The returned future (None when the slot was revoked) resolves when all data that the
        transaction has read is on disk.
        """
        if self.is_revoked:
            return None
        future: ResultFuture = self._queue.release(self, self._queue.writer.rollback)
        return future

    def _raise_if_revoked(self) -> None:
        if self.is_revoked:
            if self._queue.is_closed:
                raise UnreachableError(DATABASE_CLOSED)
            raise BusyError(f"the transaction did nothing for {self._queue.idle_limit_s:g} s")


@dataclass(slots=True)
class _QueueEntry:
    """A queue entry: a request for the write slot, or a complete transaction (`start` runs it)."""

    future: ResultFuture
    slot: WriteSlot | None = None
    start: Callable[[bool], None] | None = None
    is_unsynced: bool = False


class WriteQueue:
    """The queue in front of the writer thread."""

    def __init__(self, writer: WriterThread, idle_limit_s: float = IDLE_LIMIT_S) -> None:
        self.writer = writer
        self.loop = asyncio.get_running_loop()
        self.idle_limit_s = idle_limit_s
        self._entries: deque[_QueueEntry] = deque()
        self._holder: WriteSlot | None = None
        self._is_follower_announced = (
            False  # the thread expects another transaction and delays its COMMIT
        )
        self._is_advance_scheduled = False
        self._flush_timer: asyncio.TimerHandle | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self.is_closed = False

    async def acquire(self) -> WriteSlot:
        """Wait for the write slot. Raises RuntimeError when the current task holds it already."""
        self._require_writable()
        slot = WriteSlot(self, self.loop.time())
        if self._holder is not None or self._entries:
            entry = _QueueEntry(self.loop.create_future(), slot=slot)
            self._entries.append(entry)
            try:
                await entry.future
            except asyncio.CancelledError:
                if self._holder is slot:
                    self.release(slot, self.writer.rollback)
                raise
        else:
            self._grant(slot)
        return slot

    async def execute_transaction(self, ops: Sequence[Op]) -> None:
        """Run a complete transaction in one queue entry; return when it is on disk."""
        self._require_writable()
        future: ResultFuture = self.loop.create_future()
        self._enqueue(
            _QueueEntry(
                future, start=lambda more: self.writer.execute_transaction(ops, future, more)
            )
        )
        await future

    async def execute_unsynced(
        self, stmt: Statement, values: Mapping[str, object]
    ) -> StatementResult:
        """Run one statement and return its result before it is on disk."""
        self._require_writable()
        future: ResultFuture = self.loop.create_future()

        def start(more: bool) -> None:
            self.writer.execute_unsynced(stmt, values, future, more)

        self._enqueue(_QueueEntry(future, start=start, is_unsynced=True))
        result: StatementResult = await future
        return result

    def release(self, slot: WriteSlot, end: Callable[[bool], Any]) -> Any:
        """End the transaction of the slot with `end(more)` and grant the slot to the next entry.

        `more` is true when another queue entry follows, which can share the COMMIT.
        """
        assert self._holder is slot
        self._holder = None
        self._is_follower_announced = bool(self._entries)
        result = end(self._is_follower_announced)
        self._advance()
        return result

    def close(self) -> None:
        """Revoke the slot and fail every waiter; afterwards the thread can be stopped."""
        self.is_closed = True
        for entry in self._entries:
            if not entry.future.done():
                entry.future.set_exception(UnreachableError(DATABASE_CLOSED))
        self._entries.clear()
        if self._holder is not None:
            self._revoke(self._holder)

    def _require_writable(self) -> None:
        if self.is_closed:
            raise UnreachableError(DATABASE_CLOSED)
        if self._holder is not None and self._holder.task is asyncio.current_task():
            raise RuntimeError(NESTED_TRANSACTION)

    def _enqueue(self, entry: _QueueEntry) -> None:
        """Append an entry; all entries of one event loop iteration reach the thread together."""
        self._entries.append(entry)
        if not self._is_advance_scheduled:
            self._is_advance_scheduled = True
            self.loop.call_soon(self._advance)

    def _grant(self, slot: WriteSlot) -> None:
        self._holder = slot
        self._is_follower_announced = False
        slot.last_used_s = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.idle_limit_s / 2, self._revoke_if_idle)

    def _advance(self) -> None:
        """Start the complete transactions at the head of the queue, then grant the slot."""
        self._is_advance_scheduled = False
        if self._holder is not None:
            return
        while self._entries:
            entry = self._entries.popleft()
            if entry.future.done():
                continue
            if entry.slot is not None:
                self._grant(entry.slot)
                entry.future.set_result(None)
                return
            assert entry.start is not None
            self._is_follower_announced = bool(self._entries)
            entry.start(self._is_follower_announced)
            if entry.is_unsynced and self._flush_timer is None:
                self._flush_timer = self.loop.call_later(UNSYNCED_COMMIT_DELAY_S, self._flush_now)
        if self._is_follower_announced:  # the expected transaction was cancelled
            self._is_follower_announced = False
            self.writer.flush()

    def _flush_now(self) -> None:
        self._flush_timer = None
        if not self.is_closed:
            self.writer.flush()

    def _revoke_if_idle(self) -> None:
        """Revoke an idle slot; check again later while a holder exists."""
        self._idle_timer = None
        slot = self._holder
        if slot is None:
            return
        if not slot.running_count and self.loop.time() - slot.last_used_s >= self.idle_limit_s:
            self._revoke(slot)
        if self._holder is not None and self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.idle_limit_s / 2, self._revoke_if_idle)

    def _revoke(self, slot: WriteSlot) -> None:
        slot.is_revoked = True
        self.release(slot, self.writer.rollback)
