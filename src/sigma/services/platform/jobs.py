"""Job execution: claim under a lease, run the handler, then delete, reschedule or mark as dead.

Members can retry or dismiss dead jobs in the cabinet.
"""

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import structlog

from sigma.channels.vk.errors import RetryLaterError, VkError
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.audit.deed import Deed
from sigma.domain.change import ClaimedJob
from sigma.domain.errors import RefusedError
from sigma.domain.job_lanes import SLOTS, Lane, LaneState, capacity, divide
from sigma.domain.time_units import MINUTE_US, SECOND_US
from sigma.providers.base import UnknownOutcomeError
from sigma.services.circuit_breakers import CircuitOpenError
from sigma.services.context import Context
from sigma.services.paging import MAX_LIMIT, Page, make_page
from sigma.services.platform import audit_log, leases
from sigma.store import job_claims, jobs
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import BusyError, ConflictError, StaleError, StoreError

log = structlog.get_logger()

# The longest run of a job. A lease ends earlier when its worker is dead.
LEASE_US = 2 * MINUTE_US
HANDLER_TIMEOUT_S = 110.0  # shorter than the lease: a job never runs twice at the same time
PUT_OFF_LIMIT = 500  # rows of one transaction: on SQLite every other write waits for it
MAX_ATTEMPTS = 12  # attempts before a job is dead

# Runs one job by its subject. Returns when to run again (UTC microseconds), None when done.
Handler = Callable[[Context, str], Awaitable[int | None]]


async def claim(ctx: Context, lane: Lane, limit: int) -> list[ClaimedJob]:
    """Lease up to `limit` due jobs of a lane, the oldest first. Raises StoreError."""
    await leases.keep_alive(ctx)
    now_us = ctx.now_us()
    return await job_claims.claim(
        ctx.db,
        lane,
        now_us=now_us,
        lease_until_us=now_us + LEASE_US,
        limit=limit,
        worker_id=ctx.worker.id,
    )


async def claim_fairly(ctx: Context, lane: Lane, state: LaneState) -> list[ClaimedJob]:
    """Lease what the lane may run beside its running jobs, and add it to `state`.

    The shops with due jobs get their shares in turns. Raises StoreError.
    """
    room = capacity(SLOTS[lane], state.running)
    if not room.limit:
        return []
    # Read outside the transaction: looking for shops must not take the writer lock.
    async with ctx.db.read() as tx:
        due_shops = await job_claims.list_due_shops(
            tx,
            lane,
            ctx.now_us(),
            last_shop_id=state.last_shop_id,
            full_shops=room.full_shops,
            limit=room.limit,
        )
    if not due_shops:
        return []
    await leases.keep_alive(ctx)
    now_us = ctx.now_us()
    claimed = await job_claims.claim_of_shops(
        ctx.db,
        lane,
        divide(SLOTS[lane], state.running, due_shops),
        now_us=now_us,
        lease_until_us=now_us + LEASE_US,
        worker_id=ctx.worker.id,
    )
    state.add([job.shop_id for job in claimed])
    return claimed


async def next_due(ctx: Context) -> dict[Lane, int]:
    """Return when the next job of each lane can be claimed. Raises StoreError."""
    async with ctx.db.read() as tx:
        due = await job_claims.next_due(tx, ctx.now_us())
    ctx.outage.end()
    return due


async def wait_for_work(ctx: Context, wait_s: float) -> None:
    """Wait until a job is enqueued or the time is up."""
    await ctx.db.wait(jobs.CHANNEL, wait_s)


async def give_back(ctx: Context, job: ClaimedJob) -> None:
    """Release a job whose run ended by a failure of the database. Raises StoreError."""
    await jobs.give_back(ctx.db, job)
    await ctx.db.notify(jobs.CHANNEL)


async def run_job(
    ctx: Context, job: ClaimedJob, handlers: Mapping[str, Handler], endless_kinds: tuple[str, ...]
) -> None:
    """Run one job once; then it is deleted, rescheduled or dead.

    Jobs of `endless_kinds` are retried without limit while an acquirer or VK does not respond.
    Raises StoreError only when the database fails: the caller gives the job back then.
    """
    try:
        async with asyncio.timeout(HANDLER_TIMEOUT_S):
            run_at_us = await handlers[job.kind](replace(ctx, job=job), job.subject_id)
    except (StaleError, ConflictError, BusyError, CircuitOpenError) as error:
        return await _put_off(ctx, job, error)
    except StoreError:
        raise
    except UnknownOutcomeError as unknown:
        pause_us = max(int((unknown.retry_after_s or 0) * SECOND_US), _backoff_us(job.attempts))
        can_die = job.kind not in endless_kinds
        return await _reschedule(ctx, job, f"unknown: {unknown}", pause_us, can_die=can_die)
    except RetryLaterError as later:
        pause_us = max(int(later.retry_after_s * SECOND_US), _backoff_us(job.attempts))
        can_die = job.kind not in endless_kinds
        return await _reschedule(ctx, job, f"retry_later: {later}", pause_us, can_die=can_die)
    except VkError as vk_error:
        return await _reschedule(
            ctx, job, f"refused: {vk_error}", _backoff_us(job.attempts), can_die=True
        )
    except DecryptionError as unreadable:
        # The job waits until the administrator puts the key back: nothing is lost meanwhile.
        message = f"unreadable: {unreadable}"
        return await _reschedule(ctx, job, message, _backoff_us(job.attempts), can_die=False)
    except RefusedError as refused:
        message = f"refused: {refused.code}"
        return await _reschedule(ctx, job, message, _backoff_us(job.attempts), can_die=True)
    except Exception as error:  # noqa: BLE001 - no job may stop the worker
        # Store the error type and location only: the message may contain personal data.
        frame = traceback.extract_tb(error.__traceback__)[-1]
        message = f"{type(error).__name__} at {frame.name}:{frame.lineno}"
        log.error("job.failed", kind=job.kind, subject=job.subject_id, error=message)
        return await _reschedule(ctx, job, message, _backoff_us(job.attempts), can_die=True)
    if run_at_us is None:
        await jobs.complete(ctx.db, job)
    else:
        await jobs.reschedule(ctx.db, job, run_at_us, "", is_dead=False)
    return None


async def _put_off(ctx: Context, job: ClaimedJob, error: Exception) -> None:
    """Reschedule a job that could not do its work now, without counting the attempt.

    When its server does not respond, the shop's other due jobs for that server are put off too: a
    thousand of them cost one run, not a thousand.
    """
    pause_us, message = SECOND_US, type(error).__name__
    if isinstance(error, CircuitOpenError):
        pause_us, message = error.wait_us, str(error)
    now_us = ctx.now_us()
    due_at_us = now_us + pause_us
    await jobs.reschedule(ctx.db, job, due_at_us, message, is_dead=False, is_counted=False)
    if isinstance(error, CircuitOpenError) and error.is_silent:
        await job_claims.put_off_alike(
            ctx.db, job, now_us=now_us, due_at_us=due_at_us, limit=PUT_OFF_LIMIT
        )


async def _reschedule(
    ctx: Context, job: ClaimedJob, error: str, pause_us: int, *, can_die: bool
) -> None:
    is_dead = can_die and job.attempts >= MAX_ATTEMPTS
    log.info(
        "job.dead" if is_dead else "job.rescheduled",
        kind=job.kind,
        subject=job.subject_id,
        error=error,
    )
    await jobs.reschedule(ctx.db, job, ctx.now_us() + pause_us, error, is_dead=is_dead)


def _backoff_us(attempts: int) -> int:
    """Return the pause before the next attempt in microseconds: 5 s, 10 s, 20 s … at most 15 min.

    ±20 % jitter, so that jobs that failed together do not run together again.
    """
    base_s = min(5 * 2 ** min(attempts - 1, 8), 900)
    return int(base_s * SECOND_US * random.uniform(0.8, 1.2))  # noqa: S311 - no secret


async def list_dead(
    ctx: Context, member: Member, *, cursor: str | None = None, limit: int = MAX_LIMIT
) -> Page[ClaimedJob]:
    """Return a page of the shop's dead jobs, latest first."""
    member.require(Permission.JOBS)
    async with ctx.db.read() as tx:
        dead = await jobs.list_dead(
            tx, member.shop_id, before=_parse_cursor(cursor), limit=limit + 1
        )
    return make_page(dead, limit, _cursor)


def _cursor(job: ClaimedJob) -> str:
    """Return the cursor of a job. A subject may contain ":", which a cursor may not."""
    return f"{job.due_at_us}-{job.kind}-{job.subject_id.replace(':', '~')}"


def _parse_cursor(cursor: str | None) -> tuple[int, str, str] | None:
    due_at_us, _, job = (cursor or "").partition("-")
    kind, _, subject_id = job.partition("-")
    is_number = due_at_us.isdecimal() and len(due_at_us) < 18
    return (int(due_at_us), kind, subject_id.replace("~", ":")) if is_number else None


async def retry(ctx: Context, member: Member, job_id: str) -> None:
    """Requeue a dead job (`job_id` is "kind:subject"). Raises RefusedError("not_found")."""
    member.require(Permission.JOBS)
    kind, _, subject = job_id.partition(":")
    async with ctx.db.write() as tx:
        if not await jobs.retry(tx, member.shop_id, kind, subject, ctx.now_us()):
            raise RefusedError("not_found", what="job")
        await audit_log.record(ctx, tx, member, Deed.JOB_RETRIED, subject, kind=kind)
    await ctx.db.notify(jobs.CHANNEL)


async def dismiss(ctx: Context, member: Member, job_id: str) -> None:
    """Delete a dead job (`job_id` is "kind:subject"). Raises RefusedError("not_found")."""
    member.require(Permission.JOBS)
    kind, _, subject = job_id.partition(":")
    async with ctx.db.write() as tx:
        if not await jobs.dismiss(tx, member.shop_id, kind, subject):
            raise RefusedError("not_found", what="job")
        await audit_log.record(ctx, tx, member, Deed.JOB_DISMISSED, subject, kind=kind)
