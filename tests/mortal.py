"""A process that dies at a chosen step: a database, an acquirer and a mail server behind a counter.

A step is the moment before or after a statement, a COMMIT, a call, a letter. Once dead, a process
does nothing more: every later step of it dies too.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

from sigma.channels.vk.client import Clients
from sigma.domain.billing.connection import Connection
from sigma.providers.base import Provider
from sigma.services.context import Context
from sigma.store.engine.interface import Database, Op, Row, Tx
from sigma.store.engine.statements import Statement


class Death(BaseException):
    """kill -9: nothing catches it, nothing is tidied up."""


class Life:
    """Counts steps and ends at one of them; with `dies_at` 0 it only counts."""

    def __init__(self, dies_at: int = 0) -> None:
        self.dies_at = dies_at
        self.steps = 0
        self.last = ""

    @property
    def over(self) -> bool:
        return 0 < self.dies_at <= self.steps

    def step(self, where: str) -> None:
        if not self.over:
            self.steps += 1
            self.last = where
        if self.over:
            raise Death(where)


class _MortalTx:
    def __init__(self, tx: Tx, life: Life) -> None:
        self._tx = tx
        self._life = life

    @property
    def dialect(self) -> str:
        return self._tx.dialect

    async def fetch_one(self, stmt: Statement, **values: object) -> Row | None:
        self._life.step("before a read")
        return await self._tx.fetch_one(stmt, **values)

    async def fetch_all(self, stmt: Statement, **values: object) -> list[Row]:
        self._life.step("before reads")
        return await self._tx.fetch_all(stmt, **values)

    async def execute(self, stmt: Statement, **values: object) -> int:
        self._life.step("before a write")
        return await self._tx.execute(stmt, **values)

    async def write_all(self, ops: Sequence[Op], wake: str | None = None) -> None:
        self._life.step("before writes")
        await self._tx.write_all(ops, wake)


class MortalDatabase:
    """A database as a process sees it that may die around every statement and COMMIT."""

    def __init__(self, inner: Database, life: Life) -> None:
        self._inner = inner
        self._life = life

    @property
    def commits(self) -> int:
        return self._inner.commits

    @property
    def dialect(self) -> str:
        return self._inner.dialect

    def read(self) -> AbstractAsyncContextManager[Tx]:
        return self._block(self._inner.read(), "")

    def write(self) -> AbstractAsyncContextManager[Tx]:
        return self._block(self._inner.write(), "a COMMIT")

    @asynccontextmanager
    async def _block(self, inner: AbstractAsyncContextManager[Tx], end: str) -> AsyncIterator[Tx]:
        async with inner as tx:
            yield _MortalTx(tx, self._life)
            if end:
                self._life.step(f"before {end}")
        if end:
            self._life.step(f"after {end}")

    async def commit(self, ops: Sequence[Op], wake: str | None = None) -> None:
        self._life.step("before a COMMIT")
        await self._inner.commit(ops, wake)
        self._life.step("after a COMMIT")

    async def relaxed(self, stmt: Statement, **values: object) -> Row | None:
        self._life.step("before a counter")
        return await self._inner.relaxed(stmt, **values)

    async def notify(self, channel: str) -> None:
        await self._inner.notify(channel)

    async def wait(self, channel: str, timeout_s: float) -> None:
        await self._inner.wait(channel, timeout_s)

    async def close(self) -> None:
        """The one who opened it closes it."""


class _MortalCalls:
    """An acquirer or a mail server: may die before a call, or when the answer is just there."""

    def __init__(self, inner: Any, life: Life) -> None:
        self._inner = inner
        self._life = life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in CALLS:
            return found

        async def call(*args: Any, **more: Any) -> Any:
            self._life.step(f"before {name}")
            answer = await found(*args, **more)
            self._life.step(f"after {name}")
            return answer

        return call


class _MortalLines:
    """The lines to VK: a process may die around every call of the API."""

    def __init__(self, inner: Clients, life: Life) -> None:
        self._inner = inner
        self._life = life

    def of(self, connection: Connection, key: str, **more: Any) -> Any:
        return _MortalCalls(self._inner.of(connection, key, **more), self._life)


CALLS = ("start_payment", "fetch_payment", "capture", "cancel", "start_refund", "fetch_refund")
CALLS += ("list_refunds", "list_payments", "send", "call")


def mortal(ctx: Context, life: Life) -> Context:
    """A process of Sigma that may die; it shares nothing in memory with another."""
    providers: dict[str, Provider] = {
        name: _MortalCalls(provider, life)  # type: ignore[dict-item]
        for name, provider in ctx.providers.items()
    }
    return replace(
        ctx,
        db=MortalDatabase(ctx.db, life),
        providers=providers,
        mailers=lambda url: _MortalCalls(ctx.mailers(url), life),  # type: ignore[arg-type]
        vk=_MortalLines(ctx.vk, life),  # type: ignore[arg-type]
        in_flight=set(),
        asked={},
        tries={},
    )
