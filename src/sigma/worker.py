"""The worker: every kind of job in one table, and the loop that does them."""

import asyncio
from collections.abc import Mapping

import structlog

from sigma.domain.billing.payment import Attention
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.services.billing import acquirer_notices, invoices, mails, payments, refunds
from sigma.services.communities import event_intake, event_subscription, long_poll
from sigma.services.context import HOUR, MINUTE, SECOND, Context
from sigma.services.conversations import history_sync, inbox, outbox, profiles
from sigma.services.invoice_cards import auto_reply, cards, vk_orders
from sigma.services.platform import housekeeping, jobs
from sigma.services.platform.jobs import Handler

log = structlog.get_logger()

SLOTS = 8  # jobs at a time; they mostly wait for somebody else's server
POLL_S = 5.0  # wakes are told; polling only backs them up
STOP_S = 10.0  # what is running when the worker is stopped may take so long to finish


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
    await acquirer_notices.handle(ctx, notice_id)
    return None


async def _expire(ctx: Context, invoice_id: str) -> int | None:
    await invoices.expire(ctx, invoice_id)
    return None


HANDLERS: Mapping[str, Handler] = {
    "payment.advance": _payment,
    "refund.advance": _refund,
    "notice.handle": _notice,
    "invoice.expire": _expire,
    "mail.send": mails.send,
    "message.send": outbox.send,
    "dialog.take": event_intake.handle,
    "dialog.catch_up": history_sync.fill,
    "community.catch_up": history_sync.catch_up,
    "person.read": profiles.read,
    "card.refresh": cards.refresh,
    "dialog.read": inbox.tell_read,
    "auto.answer": auto_reply.answer,
    "community.watch": event_subscription.watch,
    "orders.read": vk_orders.read,
}
# Money is asked about, and what was told in dialogs acted upon, however long they are silent.
FOR_EVER = (
    "payment.advance",
    "refund.advance",
    "notice.handle",
    "card.refresh",
    "community.watch",
    "orders.read",
    "dialog.take",
    "dialog.catch_up",
    "community.catch_up",
    "person.read",
)


async def run(ctx: Context, stop: asyncio.Event) -> None:
    """Works until `stop` is set, then lets what is running finish."""
    running: set[asyncio.Task[None]] = set()
    stopping = asyncio.create_task(stop.wait())
    listening = asyncio.create_task(long_poll.run(ctx, stop))
    tidied = 0
    while not stop.is_set():
        try:
            if ctx.now() - tidied > HOUR:
                await housekeeping.tidy(ctx)
                tidied = ctx.now()
            free = SLOTS - len(running)
            claimed = await jobs.claim(ctx, free) if free else []
            running |= {asyncio.create_task(_attempt(ctx, job)) for job in claimed}
            if not claimed:
                await _wait(ctx, stopping, running, full=not free)
        except Exception as error:  # noqa: BLE001
            # The database is away, most likely; the worker must be there when it is back.
            log.warning("worker.trouble", error=type(error).__name__)
            await asyncio.wait({stopping}, timeout=1)
        running = {task for task in running if not task.done()}
    stopping.cancel()
    await asyncio.wait({listening, *running}, timeout=STOP_S)


async def _wait(
    ctx: Context, stopping: asyncio.Task[bool], running: set[asyncio.Task[None]], *, full: bool
) -> None:
    """Until there may be something to do: a job is promised or due, a slot is free, or it is time
    to stop.
    """
    if full:
        await asyncio.wait({stopping, *running}, return_when=asyncio.FIRST_COMPLETED)
        return
    resting = asyncio.create_task(jobs.rest(ctx, POLL_S))
    await asyncio.wait({stopping, resting}, return_when=asyncio.FIRST_COMPLETED)
    if not resting.done():
        resting.cancel()
    await asyncio.gather(resting, return_exceptions=True)


async def _attempt(ctx: Context, job: jobs.Claimed) -> None:
    try:
        await jobs.attempt(ctx, job, HANDLERS, FOR_EVER)
    except Exception as error:  # noqa: BLE001 - the lease ends by itself and another try comes
        log.warning("worker.trouble", kind=job.kind, error=type(error).__name__)


async def drain(ctx: Context, limit: int = 1000) -> int:
    """Does every job that is due now, one after another; returns how many. Raises StoreError."""
    count = 0
    while count < limit and (claimed := await jobs.claim(ctx, 1)):
        await jobs.attempt(ctx, claimed[0], HANDLERS, FOR_EVER)
        count += 1
    return count
