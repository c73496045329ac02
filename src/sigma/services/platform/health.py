"""Readiness of this process, for /readyz and metrics."""

from sigma.domain.time_units import MINUTE_US
from sigma.services.context import Context
from sigma.store import jobs, key_rotations
from sigma.store.engine.interface import StoreError

MAX_JOB_DELAY_US = 5 * MINUTE_US


async def check_readiness(ctx: Context) -> dict[str, str]:
    """Return part → state: "database" ok or unreachable, "worker" ok, late or unknown,
    "encryption" ok, key_missing or unknown.

    The worker is late when the oldest due job has waited for more than five minutes. A key is
    missing when this process has met a value, or a table begins or ends with one, that needs a key
    which SIGMA_SECRET_KEY does not contain.
    """
    try:
        async with ctx.db.read() as tx:
            due_at_us = await jobs.next_due_at_us(tx, ctx.now_us())
            needed_key_ids = await key_rotations.list_edge_key_ids(tx)
    except StoreError:
        return {"database": "unreachable", "worker": "unknown", "encryption": "unknown"}
    is_late = due_at_us is not None and ctx.now_us() - due_at_us > MAX_JOB_DELAY_US
    is_key_missing = ctx.cipher.missing_key_ids | (needed_key_ids - set(ctx.cipher.key_ids))
    return {
        "database": "ok",
        "worker": "late" if is_late else "ok",
        "encryption": "key_missing" if is_key_missing else "ok",
    }


async def count_jobs(ctx: Context) -> dict[str, int]:
    """Return the number of jobs by state. Raises StoreError."""
    async with ctx.db.read() as tx:
        return await jobs.count_by_state(tx)
