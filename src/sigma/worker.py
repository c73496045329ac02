"""The worker: the table of job handlers and the loop that runs due jobs."""

import asyncio
from collections.abc import Mapping

import structlog

from sigma.domain.billing import payment_actions
from sigma.domain.billing import refund as refund_domain
from sigma.domain.change import ClaimedJob
from sigma.domain.time_units import HOUR_US
from sigma.services.billing import acquirer_notices, invoices, mails, payments, refunds
from sigma.services.communities import event_intake, event_subscription, long_poll
from sigma.services.context import Context
from sigma.services.conversations import (
    delivery,
    history_sync,
    inbox,
    message_completion,
    profiles,
)
from sigma.services.invoice_cards import auto_reply, cards, vk_orders
from sigma.services.platform import housekeeping, jobs, key_rotation
from sigma.services.platform.jobs import Handler
from sigma.services.reconciliation import runs as reconciliation_runs

log = structlog.get_logger()

MAX_CONCURRENT_JOBS = 8  # per process; jobs mostly wait for other servers
POLL_INTERVAL_S = 5.0  # new jobs are signalled; polling is the fallback
SHUTDOWN_TIMEOUT_S = 10.0  # time for running jobs to finish after a stop


async def _advance_payment(ctx: Context, payment_id: str) -> int | None:
    """Advance a payment and reschedule it until it is final or needs a person."""
    payment = await payments.advance_by_job(ctx, payment_id)
    return payment_actions.next_poll_at_us(payment, ctx.now_us())


async def _advance_refund(ctx: Context, refund_id: str) -> int | None:
    """Advance a refund until it is final: acquirers send no notice about failed ones."""
    refund = await refunds.advance(ctx, refund_id)
    return refund_domain.next_poll_at_us(refund, ctx.now_us())


async def _process_notice(ctx: Context, notice_id: str) -> int | None:
    await acquirer_notices.process(ctx, notice_id)
    return None


async def _expire_invoice(ctx: Context, invoice_id: str) -> int | None:
    await invoices.expire(ctx, invoice_id)
    return None


HANDLERS: Mapping[str, Handler] = {
    "payment.advance": _advance_payment,
    "refund.advance": _advance_refund,
    "acquirer_notice.process": _process_notice,
    "invoice.expire": _expire_invoice,
    "mail.send": mails.send,
    "message.send": delivery.send,
    "message.complete": message_completion.complete,
    "vk_event.process": event_intake.process_conversation,
    "conversation.catch_up": history_sync.fill_gap,
    "community.catch_up": history_sync.catch_up_community,
    "profile.fetch": profiles.fetch_profile,
    "card.refresh": cards.refresh,
    "conversation.mark_read": inbox.mark_read_in_vk,
    "auto_reply.send": auto_reply.send,
    "community.check_events": event_subscription.check_events,
    "vk_orders.fetch": vk_orders.fetch,
    "vk_order.fetch_items": vk_orders.fetch_items,
    "reconciliation.start": reconciliation_runs.start_nightly,
    "reconciliation.advance": reconciliation_runs.advance,
    "encryption.rotate": key_rotation.run_job,
}
# These jobs are retried without limit while an acquirer or VK does not respond: the state of money
# must become known, and stored VK events must be processed.
RETRIED_FOREVER = (
    "payment.advance",
    "refund.advance",
    "acquirer_notice.process",
    "card.refresh",
    "community.check_events",
    "vk_orders.fetch",
    "vk_event.process",
    "conversation.catch_up",
    "community.catch_up",
    "profile.fetch",
    "message.complete",
    "reconciliation.start",
    "reconciliation.advance",
    "encryption.rotate",
)


async def run(ctx: Context, stop: asyncio.Event) -> None:
    """Run due jobs and the long poll until `stop` is set, then wait for running jobs to finish."""
    running: set[asyncio.Task[None]] = set()
    stopping = asyncio.create_task(stop.wait())
    listening = asyncio.create_task(long_poll.run(ctx, stop))
    cleaned_at_us = 0
    while not stop.is_set():
        try:
            if ctx.now_us() - cleaned_at_us > HOUR_US:
                await housekeeping.clean_up(ctx)
                await reconciliation_runs.schedule_nightly(ctx)
                cleaned_at_us = ctx.now_us()
            free = MAX_CONCURRENT_JOBS - len(running)
            claimed = await jobs.claim(ctx, free) if free else []
            running |= {asyncio.create_task(_run_job(ctx, job)) for job in claimed}
            if not claimed:
                await _wait_for_work(ctx, stopping, running, is_full=not free)
        except Exception as error:  # noqa: BLE001
            # Most likely the database is unreachable; the worker must survive until it is back.
            log.warning("worker.error", error=type(error).__name__)
            await asyncio.wait({stopping}, timeout=1)
        running = {task for task in running if not task.done()}
    stopping.cancel()
    await asyncio.wait({listening, *running}, timeout=SHUTDOWN_TIMEOUT_S)


async def _wait_for_work(
    ctx: Context, stopping: asyncio.Task[bool], running: set[asyncio.Task[None]], *, is_full: bool
) -> None:
    """Wait until a job is enqueued or due, a slot becomes free, or the worker must stop."""
    if is_full:
        await asyncio.wait({stopping, *running}, return_when=asyncio.FIRST_COMPLETED)
        return
    wake_up = asyncio.create_task(jobs.wait_for_work(ctx, POLL_INTERVAL_S))
    await asyncio.wait({stopping, wake_up}, return_when=asyncio.FIRST_COMPLETED)
    if not wake_up.done():
        wake_up.cancel()
    await asyncio.gather(wake_up, return_exceptions=True)


async def _run_job(ctx: Context, job: ClaimedJob) -> None:
    try:
        await jobs.run_job(ctx, job, HANDLERS, RETRIED_FOREVER)
    except Exception as error:  # noqa: BLE001 - the lease expires and the job is retried
        log.warning("worker.error", kind=job.kind, error=type(error).__name__)


async def run_due_jobs(ctx: Context, limit: int = 1000) -> int:
    """Run every due job, one after another; return how many. Raises StoreError."""
    count = 0
    while count < limit and (claimed := await jobs.claim(ctx, 1)):
        await jobs.run_job(ctx, claimed[0], HANDLERS, RETRIED_FOREVER)
        count += 1
    return count
