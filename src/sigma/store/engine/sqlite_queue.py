"""Whose turn it is to write to SQLite: one transaction at a time, first come, first served."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sigma.store.engine.interface import NESTED, Busy, Op, Unreachable
from sigma.store.engine.sqlite_writer import Answer, Done, WriterThread
from sigma.store.engine.statements import Statement

IDLE_LIMIT_S: Final = 10.0
RELAXED_COMMIT_S: Final = 0.005
CLOSED: Final = "the database is closed"


class Turn:
    """The right to write, held by one transaction from its first write to its end."""

    __slots__ = ("_turns", "cut", "last_at", "running", "task")

    def __init__(self, turns: Turns, now: float) -> None:
        self._turns = turns
        self.task = asyncio.current_task()
        self.cut = False
        """Taken away, because the holder did nothing for too long."""
        self.running = 0
        self.last_at = now

    async def statement(
        self, before: Sequence[Op], stmt: Statement, values: Mapping[str, object]
    ) -> Answer:
        """Run `before` and then `stmt`."""
        self._check()
        self.running += 1
        try:
            answer: Answer = await self._turns.writer.statement(before, stmt, values)
            return answer
        finally:
            self.running -= 1
            self.last_at = self._turns.loop.time()

    async def finish(self, ops: Sequence[Op]) -> None:
        """Run `ops`, pass the turn on, and return when everything is on disk."""
        self._check()
        await self._turns.leave(self, lambda more: self._turns.writer.finish(ops, more))

    def undo(self) -> Done | None:
        """Roll back and pass the turn on at once, so it works while cancelled.

        Whoever waits for the result knows that all it had seen is on disk.
        """
        if self.cut:
            return None
        done: Done = self._turns.leave(self, self._turns.writer.undo)
        return done

    def _check(self) -> None:
        if self.cut:
            raise Busy(f"the transaction did nothing for {self._turns.idle_limit_s:g} s")


@dataclass(slots=True)
class _Waiting:
    """In the queue: a transaction that wants its turn, or a whole one for the thread to run."""

    done: Done
    turn: Turn | None = None
    start: Callable[[bool], None] | None = None
    relaxed: bool = False


class Turns:
    """The queue in front of the writer thread."""

    def __init__(self, writer: WriterThread, idle_limit_s: float = IDLE_LIMIT_S) -> None:
        self.writer = writer
        self.loop = asyncio.get_running_loop()
        self.idle_limit_s = idle_limit_s
        self._queue: deque[_Waiting] = deque()
        self._holder: Turn | None = None
        self._promised = False  # the thread was told that another member follows
        self._scheduled = False
        self._flush: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._closed = False

    async def take(self) -> Turn:
        """Wait for the turn. RuntimeError if this very task holds it already."""
        self._check()
        turn = Turn(self, self.loop.time())
        if self._holder is not None or self._queue:
            waiting = _Waiting(self.loop.create_future(), turn=turn)
            self._queue.append(waiting)
            try:
                await waiting.done
            except asyncio.CancelledError:
                if self._holder is turn:
                    self.leave(turn, self.writer.undo)
                raise
        else:
            self._hold(turn)
        return turn

    async def whole(self, ops: Sequence[Op]) -> None:
        """Run a whole transaction without holding a turn; returns when it is on disk."""
        self._check()
        done: Done = self.loop.create_future()
        self._add(_Waiting(done, start=lambda more: self.writer.whole(ops, done, more)))
        await done

    async def relaxed(self, stmt: Statement, values: Mapping[str, object]) -> Answer:
        """Run one statement and return its answer before it is on disk."""
        self._check()
        done: Done = self.loop.create_future()

        def start(more: bool) -> None:
            self.writer.relaxed(stmt, values, done, more)

        self._add(_Waiting(done, start=start, relaxed=True))
        answer: Answer = await done
        return answer

    def leave(self, turn: Turn, end: Callable[[bool], Any]) -> Any:
        """End the member that holds the turn with `end(more)` and pass the turn on."""
        assert self._holder is turn
        self._holder = None
        self._promised = bool(self._queue)
        result = end(self._promised)
        self._advance()
        return result

    def close(self) -> None:
        """Take the turn from its holder and tell those who wait; then the thread may be stopped."""
        self._closed = True
        for waiting in self._queue:
            if not waiting.done.done():
                waiting.done.set_exception(Unreachable(CLOSED))
        self._queue.clear()
        if self._holder is not None:
            self._cut(self._holder)

    def _check(self) -> None:
        if self._closed:
            raise Unreachable(CLOSED)
        if self._holder is not None and self._holder.task is asyncio.current_task():
            raise RuntimeError(NESTED)

    def _add(self, waiting: _Waiting) -> None:
        """Queue it; what is asked in one turn of the event loop reaches the thread together."""
        self._queue.append(waiting)
        if not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self._advance)

    def _hold(self, turn: Turn) -> None:
        self._holder = turn
        self._promised = False
        turn.last_at = self.loop.time()
        if self._watch is None:
            self._watch = self.loop.call_later(self.idle_limit_s / 2, self._cut_if_idle)

    def _advance(self) -> None:
        """Give the thread every whole transaction at the head of the queue, then pass the turn."""
        self._scheduled = False
        if self._holder is not None:
            return
        while self._queue:
            waiting = self._queue.popleft()
            if waiting.done.done():
                continue
            if waiting.turn is not None:
                self._hold(waiting.turn)
                waiting.done.set_result(None)
                return
            assert waiting.start is not None
            self._promised = bool(self._queue)
            waiting.start(self._promised)
            if waiting.relaxed and self._flush is None:
                self._flush = self.loop.call_later(RELAXED_COMMIT_S, self._flush_now)
        if self._promised:  # whoever was promised was cancelled
            self._promised = False
            self.writer.flush()

    def _flush_now(self) -> None:
        self._flush = None
        if not self._closed:
            self.writer.flush()

    def _cut_if_idle(self) -> None:
        """Look at the holder now and then, for as long as there is one."""
        self._watch = None
        turn = self._holder
        if turn is None:
            return
        if not turn.running and self.loop.time() - turn.last_at >= self.idle_limit_s:
            self._cut(turn)
        if self._holder is not None and self._watch is None:
            self._watch = self.loop.call_later(self.idle_limit_s / 2, self._cut_if_idle)

    def _cut(self, turn: Turn) -> None:
        turn.cut = True
        self.leave(turn, self.writer.undo)
