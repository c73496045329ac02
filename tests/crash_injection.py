"""Crash injection: wrap the database, the acquirers, the mailer and VK of a process in a counter.

A step is the moment before or after a statement, a COMMIT, an HTTP call or a mail. After the crash
every later step of the same process raises too, so the process can do nothing more.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

from sigma.channels.email import Mailer
from sigma.channels.push.web_push import PushClient
from sigma.channels.telegram.client import TelegramClient
from sigma.channels.vk.client import VkClient, VkClients
from sigma.domain.billing.connection import Connection
from sigma.providers.base import Provider
from sigma.services.context import Context
from sigma.store.engine.interface import Database, Op, Row, Tx
from sigma.store.engine.statements import Statement


class ProcessKilledError(BaseException):
    """Stands for kill -9: a BaseException, so `except Exception` does not catch it."""


class CrashPlan:
    """Count steps and crash at step `crash_at_step`; 0 means never crash, only count.

    `last_step` describes the last step that was reached.
    """

    def __init__(self, crash_at_step: int = 0) -> None:
        self.crash_at_step = crash_at_step
        self.step_count = 0
        self.last_step = ""

    @property
    def has_crashed(self) -> bool:
        return 0 < self.crash_at_step <= self.step_count

    def count_step(self, description: str) -> None:
        """Count one step. Raises ProcessKilledError at the chosen step and at every later one."""
        if not self.has_crashed:
            self.step_count += 1
            self.last_step = description
        if self.has_crashed:
            raise ProcessKilledError(description)


class _CrashingTx:
    def __init__(self, tx: Tx, plan: CrashPlan) -> None:
        self._tx = tx
        self._plan = plan

    @property
    def dialect(self) -> str:
        return self._tx.dialect

    async def fetch_one(self, stmt: Statement, **values: object) -> Row | None:
        self._plan.count_step("before a read")
        return await self._tx.fetch_one(stmt, **values)

    async def fetch_all(self, stmt: Statement, **values: object) -> list[Row]:
        self._plan.count_step("before reads")
        return await self._tx.fetch_all(stmt, **values)

    async def execute(self, stmt: Statement, **values: object) -> int:
        self._plan.count_step("before a write")
        return await self._tx.execute(stmt, **values)

    async def write_all(self, ops: Sequence[Op], notify_channels: Collection[str] = ()) -> None:
        self._plan.count_step("before writes")
        await self._tx.write_all(ops, notify_channels)


class CrashingDatabase:
    """A database whose process may crash before each statement and around each COMMIT."""

    def __init__(self, inner: Database, plan: CrashPlan) -> None:
        self._inner = inner
        self._plan = plan

    @property
    def commit_count(self) -> int:
        return self._inner.commit_count

    @property
    def dialect(self) -> str:
        return self._inner.dialect

    def read(self) -> AbstractAsyncContextManager[Tx]:
        return self._transaction(self._inner.read(), "")

    def write(self) -> AbstractAsyncContextManager[Tx]:
        return self._transaction(self._inner.write(), "a COMMIT")

    @asynccontextmanager
    async def _transaction(
        self, inner: AbstractAsyncContextManager[Tx], commit_step: str
    ) -> AsyncIterator[Tx]:
        async with inner as tx:
            yield _CrashingTx(tx, self._plan)
            if commit_step:
                self._plan.count_step(f"before {commit_step}")
        if commit_step:
            self._plan.count_step(f"after {commit_step}")

    async def commit(self, ops: Sequence[Op], notify_channels: Collection[str] = ()) -> None:
        self._plan.count_step("before a COMMIT")
        await self._inner.commit(ops, notify_channels)
        self._plan.count_step("after a COMMIT")

    async def execute_unsynced(self, stmt: Statement, **values: object) -> Row | None:
        self._plan.count_step("before a counter")
        return await self._inner.execute_unsynced(stmt, **values)

    async def notify(self, channel: str) -> None:
        await self._inner.notify(channel)

    async def wait(self, channel: str, timeout_s: float) -> None:
        await self._inner.wait(channel, timeout_s)

    def free_bytes(self) -> int | None:
        return self._inner.free_bytes()

    async def is_only_worker(self) -> bool:
        return await self._inner.is_only_worker()

    async def close(self) -> None:
        """Do nothing: the owner of the wrapped database closes it."""


class _CrashingCalls:
    """An acquirer, a mailer or VK: the process may crash before a call or right after its reply."""

    def __init__(self, inner: Any, plan: CrashPlan) -> None:
        self._inner = inner
        self._plan = plan

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        if name not in CRASHING_CALLS:
            return attribute

        async def call(*args: Any, **more: Any) -> Any:
            self._plan.count_step(f"before {name}")
            result = await attribute(*args, **more)
            self._plan.count_step(f"after {name}")
            return result

        return call


class _CrashingVkClients:
    """VK clients: the process may crash around each API call."""

    def __init__(self, inner: VkClients, plan: CrashPlan) -> None:
        self._inner = inner
        self._plan = plan

    def for_key(self, connection: Connection, access_key: str, lang: str) -> Any:
        return _CrashingCalls(self._inner.for_key(connection, access_key, lang), self._plan)


CRASHING_CALLS = {
    method.__name__
    for method in (
        Provider.start_payment,
        Provider.fetch_payment,
        Provider.capture,
        Provider.cancel,
        Provider.start_refund,
        Provider.fetch_refund,
        Provider.list_refunds,
        Provider.list_payments,
        Mailer.send,
        PushClient.send,
        TelegramClient.send_message,
        VkClient.call,
    )
}


def with_crash_plan(ctx: Context, plan: CrashPlan) -> Context:
    """Return the context of a process that may crash. It shares no memory with other processes."""
    providers: dict[str, Provider] = {
        name: _CrashingCalls(provider, plan) for name, provider in ctx.providers.items()
    }
    push: Any = _CrashingCalls(ctx.push, plan)
    telegram: Any = _CrashingCalls(ctx.telegram, plan)
    vk: Any = _CrashingVkClients(ctx.vk, plan)  # only `for_key` of VkClients is used
    return replace(
        ctx,
        db=CrashingDatabase(ctx.db, plan),
        providers=providers,
        mailer_factory=lambda url: _CrashingCalls(ctx.mailer_factory(url), plan),
        vk=vk,
        push=push,
        telegram=telegram,
        in_flight=set(),
    )
