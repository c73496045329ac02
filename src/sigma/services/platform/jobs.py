"""How promised work is tried: claimed by a lease, done, put off, or laid before a person who may
repeat it.
"""

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable, Mapping

import structlog

from sigma.channels.vk.errors import Later, VkError
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.errors import Refused
from sigma.providers.base import Unknown
from sigma.services.context import MINUTE, SECOND, Context
from sigma.store import jobs
from sigma.store.engine.interface import Busy, Conflict, Stale, StoreError
from sigma.store.jobs import Claimed

__all__ = ["Claimed", "Handler", "attempt", "claim", "dead", "dismiss", "rest", "retry"]

log = structlog.get_logger()

LEASE = 2 * MINUTE
HANDLER_S = 110.0  # less than the lease: no job runs twice at once
PATIENCE = 12  # tries before a person is asked

# Does one job of a kind; returns when to look again (UTC microseconds), None when it is done.
Handler = Callable[[Context, str], Awaitable[int | None]]


async def claim(ctx: Context, limit: int) -> list[Claimed]:
    """Takes up to `limit` due jobs for this worker alone. Raises StoreError."""
    now = ctx.now()
    return await jobs.claim(ctx.db, now=now, until=now + LEASE, limit=limit)


async def rest(ctx: Context, longest_s: float) -> None:
    """Returns when a job is promised, one becomes due, or the time is up."""
    async with ctx.db.read() as tx:
        due = await jobs.next_due(tx)
    seconds = longest_s if due is None else min(max((due - ctx.now()) / SECOND, 0.01), longest_s)
    await ctx.db.wait(jobs.CHANNEL, seconds)


async def attempt(
    ctx: Context, job: Claimed, handlers: Mapping[str, Handler], for_ever: tuple[str, ...]
) -> None:
    """One try at one job: it is done, put off, or dead.

    Kinds in `for_ever` outlive a silent acquirer.

    Raises StoreError only when the database itself fails; the lease then ends by itself.
    """
    try:
        async with asyncio.timeout(HANDLER_S):
            again = await handlers[job.kind](ctx, job.subject)
    except (Stale, Conflict, Busy) as error:
        return await _put_off(ctx, job, type(error).__name__, SECOND, mortal=False)
    except StoreError:
        raise
    except Unknown as unknown:
        pause = max(int((unknown.retry_after_s or 0) * SECOND), _backoff(job.attempts))
        mortal = job.kind not in for_ever
        return await _put_off(ctx, job, f"unknown: {unknown}", pause, mortal=mortal)
    except Later as later:
        pause = max(int(later.retry_after_s * SECOND), _backoff(job.attempts))
        mortal = job.kind not in for_ever
        return await _put_off(ctx, job, f"later: {later}", pause, mortal=mortal)
    except VkError as no:
        return await _put_off(ctx, job, f"refused: {no}", _backoff(job.attempts), mortal=True)
    except Refused as refused:
        told = f"refused: {refused.code}"
        return await _put_off(ctx, job, told, _backoff(job.attempts), mortal=True)
    except Exception as error:  # noqa: BLE001 - a job must never take the worker with it
        # Only the kind of error and its place are kept: its words may hold somebody's data.
        place = traceback.extract_tb(error.__traceback__)[-1]
        told = f"{type(error).__name__} at {place.name}:{place.lineno}"
        log.error("job.error", kind=job.kind, subject=job.subject, error=told)
        return await _put_off(ctx, job, told, _backoff(job.attempts), mortal=True)
    if again is None:
        await jobs.done(ctx.db, job)
    else:
        await jobs.later(ctx.db, job, again, "", dead=False)
    return None


async def _put_off(ctx: Context, job: Claimed, error: str, pause: int, *, mortal: bool) -> None:
    dead = mortal and job.attempts >= PATIENCE
    log.info("job.dead" if dead else "job.later", kind=job.kind, subject=job.subject, error=error)
    await jobs.later(ctx.db, job, ctx.now() + pause, error, dead=dead)


def _backoff(attempts: int) -> int:
    """5 s, 10 s, 20 s … a quarter of an hour at most, spread so that a crowd does not come back at
    once.
    """
    base = min(5 * 2 ** min(attempts - 1, 8), 900)
    return int(base * SECOND * random.uniform(0.8, 1.2))  # noqa: S311 - no secret


async def dead(ctx: Context, member: Member) -> list[Claimed]:
    """The shop's dead jobs, the latest first."""
    member.must(Permission.JOBS)
    async with ctx.db.read() as tx:
        return await jobs.dead(tx, member.shop_id)


async def retry(ctx: Context, member: Member, job_id: str) -> None:
    """Brings a dead job back to life. Raises Refused("not_found")."""
    member.must(Permission.JOBS)
    kind, _, subject = job_id.partition(":")
    async with ctx.db.write() as tx:
        if not await jobs.retry(tx, member.shop_id, kind, subject, ctx.now()):
            raise Refused("not_found", what="job")
    await ctx.db.notify(jobs.CHANNEL)


async def dismiss(ctx: Context, member: Member, job_id: str) -> None:
    """Removes a dead job that nobody needs. Raises Refused("not_found")."""
    member.must(Permission.JOBS)
    kind, _, subject = job_id.partition(":")
    async with ctx.db.write() as tx:
        if not await jobs.dismiss(tx, member.shop_id, kind, subject):
            raise Refused("not_found", what="job")
