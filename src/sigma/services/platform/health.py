"""Readiness of this process, for /readyz, the home page, `sigma doctor` and metrics."""

from sigma.domain.time_units import MINUTE_US, SECOND_US
from sigma.services.context import Context
from sigma.store import job_claims, jobs, key_rotations
from sigma.store.database import write_probe
from sigma.store.engine.interface import BusyError, NotWritableError, StoreError

MAX_JOB_DELAY_US = 5 * MINUTE_US
PROBE_INTERVAL_US = 5 * SECOND_US  # /readyz is public: it must not cause a write per request
LOW_DISK_BYTES = 200 * 1024 * 1024


async def check_readiness(ctx: Context) -> dict[str, str]:
    """Return part → state.

    "database" is ok, unreachable or not_writable (the disk is full or read-only), by a real write
    at most five seconds ago. "worker" is ok, late (the oldest due job has waited for more than five
    minutes) or unknown. "encryption" is ok, unknown or key_missing: this process has met a value,
    or a table begins or ends with one, that needs a key which SIGMA_SECRET_KEY does not contain.
    """
    database = await check_database(ctx)
    try:
        async with ctx.db.read() as tx:
            due = await job_claims.next_due(tx, ctx.now_us())
            needed_key_ids = await key_rotations.list_edge_key_ids(tx)
    except StoreError:
        return {"database": "unreachable", "worker": "unknown", "encryption": "unknown"}
    first_due_at_us = min(due.values(), default=ctx.now_us())
    is_late = ctx.now_us() - first_due_at_us > MAX_JOB_DELAY_US
    is_key_missing = ctx.cipher.missing_key_ids | (needed_key_ids - set(ctx.cipher.key_ids))
    return {
        "database": database,
        "worker": "late" if is_late else "ok",
        "encryption": "key_missing" if is_key_missing else "ok",
    }


async def check_database(ctx: Context) -> str:
    """Return whether a write reaches the disk: "ok", "unreachable" or "not_writable"."""
    now_us = ctx.now_us()
    if now_us - ctx.outage.probed_at_us > PROBE_INTERVAL_US:
        ctx.outage.probe_result = await _write(ctx, now_us)
        ctx.outage.probed_at_us = now_us
    return ctx.outage.probe_result


async def _write(ctx: Context, now_us: int) -> str:
    try:
        await write_probe(ctx.db, now_us)
    except NotWritableError:
        return "not_writable"
    except BusyError:
        return "ok"  # a long transaction holds the lock: the database works
    except StoreError:
        return "unreachable"
    ctx.outage.end(has_written=True)
    return "ok"


def is_disk_almost_full(ctx: Context) -> bool:
    """Whether the disk of a SQLite file has little room left. False on PostgreSQL."""
    free_bytes = ctx.db.free_bytes()
    return free_bytes is not None and free_bytes < LOW_DISK_BYTES


async def count_jobs(ctx: Context) -> dict[str, int]:
    """Return the number of jobs by state. Raises StoreError."""
    async with ctx.db.read() as tx:
        return await jobs.count_by_state(tx)
