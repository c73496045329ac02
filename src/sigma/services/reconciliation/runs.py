"""Runs of the reconciliation: start, advance step by step, read.

A run is advanced by the job reconciliation.advance, in slices that fit the time limit of jobs, or
by the command `sigma reconcile`. Its position is stored after each step, so
it continues there after a crash.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sigma.domain.accounts.member import Member, Permission, Role
from sigma.domain.change import Change, Job
from sigma.domain.errors import RefusedError
from sigma.domain.local_time import local_date, start_of_day
from sigma.domain.reconciliation import run as domain
from sigma.domain.reconciliation.difference import Difference, State
from sigma.domain.reconciliation.run import Run
from sigma.domain.reports.statement import Comparison
from sigma.domain.time_units import DAY_US, SECOND_US
from sigma.providers.base import RejectedError, UnknownOutcomeError
from sigma.services.circuit_breakers import CircuitOpenError
from sigma.services.context import Context
from sigma.services.ids import min_id
from sigma.services.reconciliation import scan
from sigma.services.reconciliation.accounts import open_accounts
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.reconciliation import differences, rows, runs
from sigma.store.reconciliation.rows import IdRange

SLICE_US = 45 * SECOND_US  # how long one job advances a run
MAX_LISTED_RUNS = 10
MAX_LISTED_DIFFERENCES = 200
MAX_COMPARISONS = 62  # nightly runs of two months: together they cover a month


@dataclass(frozen=True, slots=True)
class RunDetails:
    """A run with its open differences (at most MAX_LISTED_DIFFERENCES) and the stored counts."""

    run: Run
    open_differences: Sequence[Difference]
    open_count: int
    repaired_count: int
    closed_count: int


async def start(
    ctx: Context,
    member: Member,
    since_us: int | None = None,
    until_us: int | None = None,
    *,
    in_background: bool = True,
) -> Run:
    """Start a run over [since_us, until_us) (UTC microseconds).

    Default: the last 30 days, from the beginning of a day in the shop's zone, until now.
    `in_background`: the worker advances it; a run that it already advances is returned instead.
    Raises RefusedError: "no_connection" without an acquirer, "validation" for an empty period.
    """
    member.require(Permission.RECONCILE)
    if in_background and (running := await _find_running(ctx, member.shop_id)):
        return running
    async with ctx.db.read() as tx:
        shop = await shops.get(tx, member.shop_id)
    assert shop is not None, "the shop of a member is never deleted"
    if not await open_accounts(ctx, shop.id):
        raise RefusedError("no_connection")
    now_us = ctx.now_us()
    until_us = now_us if until_us is None else min(until_us, now_us)
    if since_us is None:
        first_day = local_date(until_us - domain.DEFAULT_DAYS * DAY_US, shop.tz)
        since_us = start_of_day(first_day, shop.tz)
    if since_us >= until_us:
        raise domain.empty_period_error()
    created = Run(
        id=ctx.new_id("rec", shop.id),
        shop_id=shop.id,
        since_us=since_us,
        until_us=until_us,
        created_at_us=now_us,
        created_by=member.actor,
        expected_count=await _count_rows(ctx, shop.id, since_us, until_us),
        updated_at_us=now_us,
    )
    job = Job("reconciliation.advance", created.id, shop.id)
    await changes.commit(ctx.db, Change((created,), jobs=(job,) if in_background else ()), now_us)
    return replace(created, version=1)


async def _find_running(ctx: Context, shop_id: str) -> Run | None:
    async with ctx.db.read() as tx:
        latest = await runs.list_for_shop(tx, shop_id, limit=1)
    is_alive = bool(latest) and latest[0].is_running and not latest[0].is_stalled(ctx.now_us())
    return latest[0] if is_alive else None


async def _count_rows(ctx: Context, shop_id: str, since_us: int, until_us: int) -> int:
    payment_ids, refund_ids = (
        IdRange(shop_id, min_id(prefix, since_us), min_id(prefix, until_us))
        for prefix in ("pay", "ref")
    )
    async with ctx.db.read() as tx:
        return await rows.count_payments(tx, payment_ids) + await rows.count_refunds(tx, refund_ids)


async def step(ctx: Context, run: Run) -> Run:
    """Do the next step of a running run and store its result. Returns the run as stored.

    A call without an answer delays the next step until `resume_at_us`; the caller waits. Raises
    StaleError when another process advances the same run.
    """
    found: Sequence[Difference] = ()
    try:
        updated, found = await scan.step(ctx, run, await open_accounts(ctx, run.shop_id))
    except CircuitOpenError as refused_call:
        updated = domain.postponed(run, refused_call.wait_us, ctx.now_us())
    except UnknownOutcomeError as unknown:
        retry_after_us = int((unknown.retry_after_s or 0) * SECOND_US)
        updated = domain.call_failed(run, retry_after_us, ctx.now_us())
    except RejectedError as rejection:
        updated = domain.failed(run, rejection.code, ctx.now_us())
    await changes.commit(ctx.db, Change((updated, *found)), ctx.now_us())
    return replace(updated, version=run.version + 1)


async def advance(ctx: Context, run_id: str) -> int | None:
    """Job reconciliation.advance: advance a run for SLICE_US; return when to continue."""
    async with ctx.db.read() as tx:
        run = await runs.get(tx, run_id)
    slice_end_us = ctx.now_us() + SLICE_US
    while run is not None and run.is_running:
        now_us = ctx.now_us()
        if run.resume_at_us > now_us:
            return run.resume_at_us
        if now_us >= slice_end_us:
            return now_us
        run = await step(ctx, run)
    return None


async def schedule_nightly(ctx: Context) -> None:
    """Enqueue the nightly run of every shop with an acquirer that has none. Raises StoreError.

    The worker calls it once an hour; afterwards the job enqueues itself.
    """
    now_us = ctx.now_us()
    async with ctx.db.read() as tx:
        unscheduled = await runs.list_unscheduled(tx)
    for shop_id, tz in unscheduled:
        due_at_us = domain.next_night_us(now_us, shop_id, tz)
        job = Job("reconciliation.start", shop_id, shop_id, due_at_us)
        await changes.commit(ctx.db, Change(jobs=(job,)), now_us)


async def start_nightly(ctx: Context, shop_id: str) -> int | None:
    """Job reconciliation.start: start a shop's nightly run; return when the next one is due."""
    async with ctx.db.read() as tx:
        shop = await shops.get(tx, shop_id)
    assert shop is not None, "a shop is never deleted"
    with contextlib.suppress(RefusedError):  # no acquirer is connected
        await start(ctx, Member("system", shop_id, Role.OWNER))
    return domain.next_night_us(ctx.now_us(), shop_id, shop.tz)


async def list_runs(ctx: Context, member: Member) -> list[Run]:
    """Return the shop's latest runs, the newest first."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        return await runs.list_for_shop(tx, member.shop_id, limit=MAX_LISTED_RUNS)


async def list_comparisons(ctx: Context, shop_id: str, since_us: int) -> list[Comparison]:
    """Return finished runs that may cover a period from `since_us` on, with open differences.

    The runs made in the two months after its beginning, and the latest ones.
    """
    async with ctx.db.read() as tx:
        found = await runs.list_since(tx, shop_id, min_id("rec", since_us), MAX_COMPARISONS)
        latest = await runs.list_for_shop(tx, shop_id, limit=MAX_COMPARISONS)
        by_id = {run.id: run for run in (*found, *latest)}
        return [
            Comparison(
                run.since_us,
                run.until_us,
                run.finished_at_us or run.created_at_us,
                await differences.list_for_run(tx, run.id, State.OPEN, MAX_LISTED_DIFFERENCES)
                if run.status is domain.Status.DIFFERS
                else (),
            )
            for run in by_id.values()
            if run.status in (domain.Status.AGREES, domain.Status.DIFFERS)
            and run.until_us > since_us
        ]


async def get_details(
    ctx: Context, member: Member, run_id: str, limit: int = MAX_LISTED_DIFFERENCES
) -> RunDetails:
    """Return a run with at most `limit` open differences. Raises RefusedError("not_found")."""
    member.require(Permission.READ)
    async with ctx.db.read() as tx:
        run = await runs.get(tx, run_id)
        if run is None or run.shop_id != member.shop_id:
            raise RefusedError("not_found", what="reconciliation")
        counts = await differences.count_by_state(tx, run_id)
        listed = await differences.list_for_run(tx, run_id, State.OPEN, limit)
    return RunDetails(
        run,
        listed,
        counts.get(State.OPEN, 0),
        counts.get(State.REPAIRED, 0),
        counts.get(State.CLOSED, 0),
    )


async def find_latest(ctx: Context, member: Member) -> RunDetails | None:
    """Return the newest finished run without its differences, None when there is none."""
    for run in await list_runs(ctx, member):
        if not run.is_running:
            return await get_details(ctx, member, run.id, limit=1)
    return None
