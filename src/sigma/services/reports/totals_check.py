"""Compare the totals of reports with a count of their rows, a day at a time, and repair them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from sigma.domain.time_units import DAY_US
from sigma.services.context import Context
from sigma.store.reports import recount


@dataclass(frozen=True, slots=True)
class CheckedDay:
    """One day of UTC: `since_us` is its begin, `wrong_count` how many of its totals are wrong."""

    since_us: int
    day_count: int
    wrong_count: int


async def check(ctx: Context, shop_id: str, *, repairs: bool = False) -> AsyncIterator[CheckedDay]:
    """Yield every day of a shop that has figures; `repairs`: write the totals of wrong days anew.

    A day that is being written to is read again under the lock before it counts as wrong.
    """
    async with ctx.db.read() as tx:
        days = await recount.find_days(tx, shop_id)
    if days is None:
        return
    day_count = (days[1] - days[0]) // DAY_US
    for since_us in range(*days, DAY_US):
        async with ctx.db.read() as tx:
            wrong_count = await recount.count_wrong(tx, shop_id, since_us, since_us + DAY_US)
        if wrong_count:
            async with ctx.db.write() as tx:
                await recount.lock(tx)
                wrong_count = await recount.count_wrong(tx, shop_id, since_us, since_us + DAY_US)
                if wrong_count and repairs:
                    await recount.repair(tx, shop_id, since_us, since_us + DAY_US)
        yield CheckedDay(since_us, day_count, wrong_count)
