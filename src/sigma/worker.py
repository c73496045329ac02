"""The worker: every kind of job in one table. A claim is a lease, a failure is put off, a hopeless one waits for a person."""

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable, Mapping

import structlog

from sigma.domain.errors import Refused
from sigma.domain.payment import Attention
from sigma.domain.refund import Status as RefundStatus
from sigma.providers.base import Unknown
from sigma.services import housekeeping, invoices, mails, notices, payments, refunds
from sigma.services.context import HOUR, MINUTE, SECOND, Context
from sigma.store import jobs
from sigma.store.contract import Busy, Conflict, Stale, StoreError
from sigma.store.jobs import Claimed

log = structlog.get_logger()

LEASE = 2 * MINUTE
HANDLER_S = 110.0  # less than the lease: no job runs twice at once
SLOTS = 8  # jobs at a time; they mostly wait for somebody else's server
POLL_S = 5.0  # wakes are told; polling only backs them up
PATIENCE = 12  # tries before a person is asked; money is asked about for ever

Handler = Callable[[Context, str], Awaitable[int | None]]


async def _payment(ctx: Context, payment_id: str) -> int | None:
    """Follows a payment until it is over. A contradiction is a person's, not the clock's."""
    payment = await payments.advance(ctx, payment_id)
    if payment.final or payment.attention in (Attention.MISMATCH, Attention.CONTRADICTION):
        return None
    return ctx.now() + _pause(ctx.now() - payment.created_at)


async def _refund(ctx: Context, refund_id: str) -> int | None:
    """Follows a refund until it is over: acquirers do not tell of failed ones."""
    refund = await refunds.advance(ctx, refund_id)
    if refund.status is not RefundStatus.PENDING:
        return None
    return ctx.now() + _pause(ctx.now() - refund.created_at)


def _pause(age: int) -> int:
    """How long to leave something of this age alone (microseconds): it grows with the age."""
    return min(max(age // 2, 10 * SECOND), 10 * MINUTE)


async def _notice(ctx: Context, notice_id: str) -> int | None:
    await notices.handle(ctx, notice_id)
    return None


async def _expire(ctx: Context, invoice_id: str) -> int | None:
    await invoices.expire(ctx, invoice_id)
    return None


async def _mail(ctx: Context, mail_id: str) -> int | None:
    return await mails.send(ctx, mail_id)


HANDLERS: Mapping[str, Handler] = {
    "payment.advance": _payment,
    "refund.advance": _refund,
    "notice.handle": _notice,
    "invoice.expire": _expire,
    "mail.send": _mail,
}
FOR_EVER = ("payment.advance", "refund.advance", "notice.handle")


async def run(ctx: Context, stop: asyncio.Event) -> None:
    """Works until `stop` is set, then lets what is running finish."""
    running: set[asyncio.Task[None]] = set()
    tidied = 0
    while not stop.is_set():
        try:
            if ctx.now() - tidied > HOUR:
                await housekeeping.tidy(ctx)
                tidied = ctx.now()
            free = SLOTS - len(running)
            claimed = await _claim(ctx, free) if free else []
            running |= {asyncio.create_task(_work(ctx, job)) for job in claimed}
            if free and not claimed:
                await _rest(ctx, stop, running)
            elif running:
                done, _ = await asyncio.wait(
                    running, timeout=0.05, return_when=asyncio.FIRST_COMPLETED
                )
        except StoreError as error:
            log.warning("worker.database", error=type(error).__name__)
            await asyncio.sleep(1)
        running = {task for task in running if not task.done()}
    if running:
        await asyncio.wait(running, timeout=10)


async def _claim(ctx: Context, limit: int) -> list[Claimed]:
    now = ctx.now()
    return await jobs.claim(ctx.db, now=now, until=now + LEASE, limit=limit)


async def _rest(ctx: Context, stop: asyncio.Event, running: set[asyncio.Task[None]]) -> None:
    """Sleeps until a job is promised, one becomes due, or it is time to look anyway."""
    async with ctx.db.read() as tx:
        due = await jobs.next_due(tx)
    seconds = POLL_S if due is None else min(max((due - ctx.now()) / SECOND, 0.01), POLL_S)
    waits = {
        asyncio.create_task(ctx.db.wait(jobs.CHANNEL, seconds)),
        asyncio.create_task(stop.wait()),
    }
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in waits:
        task.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


async def drain(ctx: Context, limit: int = 1000) -> int:
    """Does every job that is due now, one after another; returns how many. For tests and `sigma reconcile`."""
    count = 0
    while count < limit and (claimed := await _claim(ctx, 1)):
        await _work(ctx, claimed[0])
        count += 1
    return count


async def _work(ctx: Context, job: Claimed) -> None:
    """One try at one job. Nothing is thrown: the job is done, put off, or dead."""
    try:
        async with asyncio.timeout(HANDLER_S):
            again = await HANDLERS[job.kind](ctx, job.subject)
        if again is None:
            await jobs.done(ctx.db, job)
        else:
            await jobs.later(ctx.db, job, again, "", dead=False)
    except (Stale, Conflict, Busy) as error:
        await _put_off(ctx, job, type(error).__name__, SECOND)
    except Unknown as unknown:
        after = int((unknown.retry_after_s or 0) * SECOND)
        await _put_off(ctx, job, f"unknown: {unknown}", max(after, _backoff(job.attempts)))
    except Refused as refused:
        await _put_off(ctx, job, f"refused: {refused.code}", _backoff(job.attempts), mortal=True)
    except StoreError:
        raise
    except Exception as error:
        # Only the kind of error and its place are kept: its words may hold somebody's data.
        place = traceback.extract_tb(error.__traceback__)[-1]
        told = f"{type(error).__name__} at {place.name}:{place.lineno}"
        log.error("job.error", kind=job.kind, subject=job.subject, error=told)
        await _put_off(ctx, job, told, _backoff(job.attempts), mortal=True)


async def _put_off(
    ctx: Context, job: Claimed, error: str, pause: int, *, mortal: bool = False
) -> None:
    dead = job.attempts >= PATIENCE and (mortal or job.kind not in FOR_EVER)
    log.info("job.dead" if dead else "job.later", kind=job.kind, subject=job.subject, error=error)
    try:
        await jobs.later(ctx.db, job, ctx.now() + pause, error, dead=dead)
    except StoreError:
        pass  # the lease ends by itself and another try comes


def _backoff(attempts: int) -> int:
    """5 s, 10 s, 20 s … a quarter of an hour at most, spread so that a crowd does not come back at once."""
    base = min(5 * 2 ** min(attempts - 1, 8), 900)
    return int(base * SECOND * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
