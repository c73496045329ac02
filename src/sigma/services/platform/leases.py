"""Leases of this worker: kept by a heartbeat, taken over from a dead predecessor, left at the end.

A lease names its worker. Without a heartbeat for eight seconds all leases of a worker are void.
"""

import asyncio
import contextlib
from collections.abc import Sequence

from sigma.domain.change import ClaimedJob
from sigma.services.context import Context
from sigma.store import jobs, workers
from sigma.store.engine.interface import StoreError

LEAVE_TIMEOUT_S = 1.0  # for a stop while the database does not answer


async def keep_alive(ctx: Context) -> None:
    """Write this worker's heartbeat when it is due. Raises StoreError."""
    now_us = ctx.now_us()
    if ctx.worker.needs_beat(now_us):
        await workers.beat(ctx.db, ctx.worker, now_us)
        ctx.outage.end(has_written=True)


async def take_over(ctx: Context) -> None:
    """Void the leases of a dead predecessor at once, if no other worker can be running.

    Otherwise, and while the database does not answer, they end by themselves.
    """
    with contextlib.suppress(StoreError):
        if await ctx.db.is_only_worker():
            await workers.remove_others(ctx.db, ctx.worker)


async def leave(ctx: Context, unfinished: Sequence[ClaimedJob]) -> None:
    """Give back `unfinished` jobs and void this worker's leases at its end.

    While the database does not answer, the leases end by themselves.
    """
    with contextlib.suppress(StoreError, TimeoutError):
        async with asyncio.timeout(LEAVE_TIMEOUT_S):
            for job in unfinished:
                await jobs.give_back(ctx.db, job)
            await workers.remove(ctx.db, ctx.worker)
