"""Whether this process can do its work now."""

from sigma.services.context import MINUTE, Context
from sigma.store import jobs
from sigma.store.engine.interface import StoreError

LATE = 5 * MINUTE


async def ready(ctx: Context) -> dict[str, str]:
    """What is looked at and what was found: "ok", or one word of what is wrong."""
    try:
        async with ctx.db.read() as tx:
            due = await jobs.next_due(tx)
    except StoreError:
        return {"database": "unreachable", "worker": "unknown"}
    late = due is not None and ctx.now() - due > LATE
    return {"database": "ok", "worker": "late" if late else "ok"}


async def job_counts(ctx: Context) -> dict[str, int]:
    """How many jobs are in each state."""
    async with ctx.db.read() as tx:
        return await jobs.counts(tx)
