"""Readiness of this process, for /readyz and metrics."""

from sigma.domain.time_units import MINUTE_US
from sigma.services.context import Context
from sigma.store import jobs
from sigma.store.engine.interface import StoreError

MAX_JOB_DELAY_US = 5 * MINUTE_US


async def check_readiness(ctx: Context) -> dict[str, str]:
    """Return part → state: "database" ok or unreachable, "worker" ok, late or unknown.

    The worker is late when the oldest due job has waited for more than five minutes.
    """
    try:
        async with ctx.db.read() as tx:
            due_at_us = await jobs.next_due_at_us(tx, ctx.now_us())
    except StoreError:
        return {"database": "unreachable", "worker": "unknown"}
    is_late = due_at_us is not None and ctx.now_us() - due_at_us > MAX_JOB_DELAY_US
    return {"database": "ok", "worker": "late" if is_late else "ok"}


async def count_jobs(ctx: Context) -> dict[str, int]:
    """Return the number of jobs by state. Raises StoreError."""
    async with ctx.db.read() as tx:
        return await jobs.count_by_state(tx)
