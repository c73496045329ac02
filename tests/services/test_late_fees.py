"""A fee that the acquirer reports after the capture reaches the payment, the totals, the statement.

The bank does not name the fee at first (`no_income`). Then Sigma finds it in each of the ways in
which it reads a captured payment: a look-up, a notice, the client's return, the reconciliation.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sigma.domain.billing.payment import Payment
from sigma.domain.figures import Figures
from sigma.domain.local_time import local_date
from sigma.domain.reports.periods import Period, month_period
from sigma.services.billing import payments, refunds
from sigma.services.reconciliation import runs
from sigma.services.reports import totals_check
from sigma.services.reports.figures import get_report
from sigma.services.reports.statement import get_statement
from tests.services.actions import check_reconciled, deliver_notice, make_payment_notice
from tests.world import World

FEE = 5_250  # 3.5 % of 1500.00


async def pay_without_a_fee(world: World) -> Payment:
    """Return a captured payment; from now on the bank reports its fee."""
    await world.inject_faults(no_income=True)
    paid = await world.complete_payment()
    world.clock.advance(minutes=1)
    await world.run_jobs()  # no job is left that would look the payment up by itself
    await world.inject_faults(no_income=None)
    assert paid.income is None
    return paid


def month_of(world: World) -> Period:
    today = local_date(world.ctx.now_us(), "Europe/Moscow")
    return month_period(today.year, today.month, "Europe/Moscow")


async def count_figures(world: World) -> Figures:
    """Return the figures of this month: those of the statement, which must be those at home."""
    statement = await get_statement(world.ctx, world.member, month_of(world))
    report = await get_report(world.ctx, world.member, month_of(world))
    figures, at_home = statement.currencies[0].total, report.currencies[0].total
    for name in ("gross_minor", "fee_minor", "unknown_fee_count", "unknown_fee_gross_minor"):
        assert getattr(figures, name) == getattr(at_home, name), name
    return figures


async def look_up(world: World, paid: Payment) -> None:
    await payments.refresh(world.ctx, world.member, paid.id)


async def get_notice(world: World, paid: Payment) -> None:
    assert paid.provider_id is not None
    await deliver_notice(world, await make_payment_notice(world, paid.provider_id))
    await world.run_jobs()


async def return_to_the_page(world: World, paid: Payment) -> None:
    await payments.advance(world.ctx, paid.id)


async def reconcile(world: World, _: Payment) -> None:
    period = month_of(world)
    await runs.start(world.ctx, world.member, period.since_us, period.until_us)
    await world.run_jobs()


WAYS = [look_up, get_notice, return_to_the_page, reconcile]


@pytest.mark.both_databases
@pytest.mark.parametrize("find", WAYS, ids=[way.__name__ for way in WAYS])
async def test_late_fee_reaches_the_payment_the_totals_and_the_statement(
    world: World, find: Callable[[World, Payment], Awaitable[None]]
) -> None:
    world.clock.stop()
    paid = await pay_without_a_fee(world)
    before = await count_figures(world)
    assert (before.fee_minor, before.unknown_fee_count) == (0, 1)
    assert before.unknown_fee_gross_minor == 150_000

    for _ in range(2):
        world.clock.advance(minutes=1)
        await find(world, paid)

    stored = await payments.get(world.ctx, world.member, paid.id)
    assert stored.income is not None
    assert stored.amount.minor - stored.income.minor == FEE
    after = await count_figures(world)
    assert (after.fee_minor, after.unknown_fee_count) == (FEE, 0)
    assert (after.unknown_fee_gross_minor, after.gross_minor) == (0, 150_000)
    await check_reconciled(world)


@pytest.mark.both_databases
async def test_late_fee_is_booked_once_by_look_ups_at_once(world: World) -> None:
    paid = await pay_without_a_fee(world)
    await asyncio.gather(*(payments.advance(world.ctx, paid.id) for _ in range(5)))
    await check_reconciled(world)
    assert (await count_figures(world)).fee_minor == FEE


async def test_late_fee_of_a_refunded_payment_is_counted(world: World) -> None:
    paid = await pay_without_a_fee(world)
    await refunds.request(world.ctx, world.member, paid.id, paid.amount, "")
    await world.run_jobs()
    await look_up(world, paid)
    await check_reconciled(world)
    assert (await count_figures(world)).fee_minor == FEE


async def test_totals_are_right_before_and_after_a_late_fee(world: World) -> None:
    paid = await pay_without_a_fee(world)
    for _ in range(2):
        days = [day async for day in totals_check.check(world.ctx, world.shop.id)]
        assert [day.wrong_count for day in days] == [0]
        await look_up(world, paid)
