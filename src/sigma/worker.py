"""The worker: the table of job handlers and the loop that runs due jobs."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

from sigma.domain.billing import payment_actions
from sigma.domain.billing import refund as refund_domain
from sigma.domain.change import ClaimedJob
from sigma.domain.job_lanes import Lane, LaneState
from sigma.domain.time_units import SECOND_US
from sigma.services.authentication import password_resets
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
from sigma.services.exports import exports
from sigma.services.invoice_cards import auto_reply, cards, reminders, vk_orders
from sigma.services.invoice_imports import imports
from sigma.services.notifications import announcements, telegram_bots
from sigma.services.notifications import delivery as notification_delivery
from sigma.services.personal_data import retention
from sigma.services.platform import housekeeping, jobs, key_rotation, leases
from sigma.services.platform.jobs import Handler
from sigma.services.reconciliation import runs as reconciliation_runs

POLL_INTERVAL_S = 5.0  # new jobs are signalled; polling is the fallback
# A shop with a full share has due jobs: another shop's job may become due without a signal.
SLOT_INTERVAL_S = 1.0
HEARTBEAT_INTERVAL_S = 1.0
RETRY_INTERVAL_S = 1.0  # pause after an error, most likely of the database
TIDY_INTERVAL_S = 3600.0
SHUTDOWN_TIMEOUT_S = 5.0  # time for running jobs to finish after a stop
CANCEL_TIMEOUT_S = 1.0  # time for cancelled jobs to end


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


async def _start_password_reset(ctx: Context, reset_id: str) -> int | None:
    await password_resets.start(ctx, reset_id)
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
    "invoice.remind": reminders.remind,
    "profile.fetch": profiles.fetch_profile,
    "card.refresh": cards.refresh,
    "conversation.mark_read": inbox.mark_read_in_vk,
    "auto_reply.send": auto_reply.send,
    "community.check_events": event_subscription.check_events,
    "vk_orders.fetch": vk_orders.fetch,
    "vk_order.fetch_items": vk_orders.fetch_items,
    "personal_data.shred": retention.shred,
    "reconciliation.start": reconciliation_runs.start_nightly,
    "reconciliation.advance": reconciliation_runs.advance,
    "encryption.rotate": key_rotation.run_job,
    "password_reset.start": _start_password_reset,
    "notification.announce": announcements.announce,
    "notification.send": notification_delivery.send,
    "telegram_bot.poll": telegram_bots.poll,
    "export.make": exports.make,
    "invoice_import.advance": imports.advance,
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


async def run(
    ctx: Context,
    stop: asyncio.Event,
    handlers: Mapping[str, Handler] = HANDLERS,
    *,
    shutdown_timeout_s: float = SHUTDOWN_TIMEOUT_S,
) -> None:
    """Run due jobs and the long poll until `stop` is set, then wait for running jobs to finish.

    Jobs that do not finish within `shutdown_timeout_s` are cancelled and given back.
    """
    runner = JobRunner(ctx, stop, handlers, shutdown_timeout_s)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(long_poll.run(ctx, stop))
        tasks.create_task(runner.keep_leases())
        tasks.create_task(runner.tidy_up_hourly())
        tasks.create_task(runner.dispatch())


class JobRunner:
    """Runs the due jobs of this process, by lane, and keeps the leases that it holds."""

    def __init__(
        self,
        ctx: Context,
        stop: asyncio.Event,
        handlers: Mapping[str, Handler],
        shutdown_timeout_s: float,
    ) -> None:
        self._ctx = ctx
        self._handlers = handlers
        self._shutdown_timeout_s = shutdown_timeout_s
        self._stop = stop
        self._lanes = {lane: LaneState() for lane in Lane}
        self._tasks: dict[asyncio.Task[None], ClaimedJob] = {}
        # Jobs that ended with the database: to be given back when it answers again.
        self._unreturned: list[ClaimedJob] = []
        self._slot_free = asyncio.Event()
        self._is_finished = asyncio.Event()

    async def dispatch(self) -> None:
        """Claim and start due jobs until the stop, then finish or give back those that run."""
        try:
            await leases.take_over(self._ctx)
            while not self._stop.is_set():
                try:
                    await self._until_stop(self._start_due_jobs())
                except Exception as error:  # noqa: BLE001 - the worker must outlive an outage
                    self._ctx.outage.report(error)
                    await self._until_stop(asyncio.sleep(RETRY_INTERVAL_S))
            await self._finish()
        finally:
            self._is_finished.set()

    async def _start_due_jobs(self) -> None:
        """Start what is due and has a slot; without such a job wait for one."""
        now_us, wait_s, is_started = self._ctx.now_us(), POLL_INTERVAL_S, False
        self._slot_free.clear()
        needs_slot = False
        for lane, due_at_us in (await jobs.next_due(self._ctx)).items():
            if due_at_us > now_us:
                wait_s = min(wait_s, max((due_at_us - now_us) / SECOND_US, 0.01))
                continue
            claimed = await jobs.claim_fairly(self._ctx, lane, self._lanes[lane])
            for job in claimed:
                task = asyncio.create_task(self._run_job(lane, job))
                self._tasks[task] = job
                task.add_done_callback(self._tasks.pop)
            is_started = is_started or bool(claimed)
            needs_slot = needs_slot or not claimed
        if needs_slot:
            await _wait_for_first(
                self._slot_free.wait(), jobs.wait_for_work(self._ctx, SLOT_INTERVAL_S)
            )
        elif not is_started:
            await jobs.wait_for_work(self._ctx, wait_s)

    async def _run_job(self, lane: Lane, job: ClaimedJob) -> None:
        try:
            await jobs.run_job(self._ctx, job, self._handlers, RETRIED_FOREVER)
        except asyncio.CancelledError:
            self._unreturned.append(job)
        except Exception as error:  # noqa: BLE001 - the job is given back and run again
            self._ctx.outage.report(error)
            self._unreturned.append(job)
        finally:
            self._lanes[lane].remove(job.shop_id)
            self._slot_free.set()

    async def keep_leases(self) -> None:
        """Write heartbeats and give back jobs until the last job has ended.

        Without the database the leases become void: then the running jobs are cancelled, because
        another process may run them.
        """
        while not self._is_finished.is_set():
            try:
                await leases.keep_alive(self._ctx)
                await self._return_jobs()
            except Exception as error:  # noqa: BLE001 - the worker must outlive an outage
                self._ctx.outage.report(error)
            if self._tasks and not self._ctx.worker.is_alive(self._ctx.now_us()):
                for task in self._tasks:
                    task.cancel()
            await _wait_for_first(self._is_finished.wait(), asyncio.sleep(HEARTBEAT_INTERVAL_S))
        await leases.leave(self._ctx, self._unreturned)

    async def _return_jobs(self) -> None:
        while self._unreturned:
            await jobs.give_back(self._ctx, self._unreturned[0])
            del self._unreturned[0]

    async def tidy_up_hourly(self) -> None:
        """Delete what is out of date and plan the nightly reconciliation, every hour."""
        while not self._stop.is_set():
            pause_s = TIDY_INTERVAL_S
            try:
                await self._until_stop(housekeeping.clean_up(self._ctx))
                await self._until_stop(reconciliation_runs.schedule_nightly(self._ctx))
                await self._until_stop(retention.schedule(self._ctx))
            except Exception as error:  # noqa: BLE001 - the worker must outlive an outage
                self._ctx.outage.report(error)
                pause_s = RETRY_INTERVAL_S
            await self._until_stop(asyncio.sleep(pause_s))

    async def _finish(self) -> None:
        """Wait for the running jobs, then cancel those that go on."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=self._shutdown_timeout_s)
        unfinished = set(self._tasks)
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished, timeout=CANCEL_TIMEOUT_S)

    async def _until_stop(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do the work, but leave it when the worker must stop. Raises what the work raises."""
        await _wait_for_first(work, self._stop.wait())


async def _wait_for_first(*waits: Coroutine[Any, Any, Any]) -> None:
    """Wait until one of `waits` ends and cancel the others. Raises what those that ended raise."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    for task in done:
        task.result()


async def run_due_jobs(ctx: Context, limit: int = 1000) -> int:
    """Run every due job, one after another; return how many. Raises StoreError."""
    count = 0
    while count < limit:
        due = await jobs.next_due(ctx)
        lanes = sorted(due, key=lambda lane: due[lane])
        for lane in lanes:
            if claimed := await jobs.claim(ctx, lane, 1):
                await jobs.run_job(ctx, claimed[0], HANDLERS, RETRIED_FOREVER)
                count += 1
                break
        else:
            break
    return count
