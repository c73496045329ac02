"""Totals of reports equal a plain sum of their tallies, in any zone and period."""

import random
from collections import defaultdict
from datetime import date, timedelta

import pytest

from sigma.domain.change import Change
from sigma.domain.figures import Attribution, Figures, Source, Tally, sum_figures
from sigma.domain.local_time import local_date
from sigma.domain.reports.periods import Period, constant_offsets
from sigma.domain.time_units import DAY_US
from sigma.store import changes
from sigma.store.engine.interface import Database
from sigma.store.reports import totals
from sigma.store.reports.totals import Dimension
from tests.store.factories import NOW_US, SHOP

ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe")
EPOCH = date(1970, 1, 1)


def random_tallies(rng: random.Random, count: int) -> list[Tally]:
    return [
        Tally(
            SHOP.id,
            NOW_US - rng.randrange(400 * DAY_US),
            rng.choice(["RUB", "RUB", "USD"]),
            Attribution(rng.choice(["", "svc_1", "svc_2"]), "usr_1", rng.choice(list(Source))),
            Figures(*(rng.randrange(-5, 100) for _ in range(10))),
        )
        for _ in range(count)
    ]


@pytest.mark.both_databases
async def test_totals_of_any_period_equal_the_sum_of_their_tallies(
    db_with_shop: Database,
) -> None:
    rng = random.Random(5)
    tallies = random_tallies(rng, 300)
    other = Tally("shp_other", NOW_US, "RUB", Attribution(), Figures(gross_minor=7))
    for start in range(0, len(tallies), 10):  # several of a change share totals
        change = Change(tallies=(*tallies[start : start + 10], other))
        await changes.commit(db_with_shop, change, NOW_US)
    async with db_with_shop.read() as tx:
        for _ in range(25):
            last = local_date(NOW_US, "UTC") - timedelta(rng.randrange(200))
            period = Period(last - timedelta(rng.randrange(190)), last, rng.choice(ZONES))
            since_us, until_us = period.since_us, period.until_us
            inside = [tally for tally in tallies if since_us <= tally.at_us < until_us]
            by_service: dict[tuple[str, str], Figures] = defaultdict(Figures)
            by_day: dict[tuple[date, str], Figures] = defaultdict(Figures)
            for tally in inside:
                by_service[tally.attribution.service_id, tally.currency] += tally.figures
                by_day[local_date(tally.at_us, period.tz), tally.currency] += tally.figures
            found = await totals.sum_by_key(tx, SHOP.id, Dimension.SERVICE, since_us, until_us)
            assert found == by_service, period
            days: dict[tuple[date, str], Figures] = defaultdict(Figures)
            for part in constant_offsets(period):
                for (number, currency), figures in (
                    await totals.sum_by_day(tx, SHOP.id, *part)
                ).items():
                    days[EPOCH + timedelta(number), currency] += figures
            assert days == by_day, period
            whole = await totals.sum_by_key(tx, SHOP.id, Dimension.ALL, since_us, until_us)
            assert sum_figures(list(whole.values())) == sum_figures([t.figures for t in inside])


async def test_change_of_tallies_only_is_written(db_with_shop: Database) -> None:
    tally = Tally(SHOP.id, NOW_US, "RUB", Attribution(), Figures(opened_count=1))
    assert Change(tallies=(tally,))
    both = Change(tallies=(tally,)) + Change(tallies=(tally,))
    await changes.commit(db_with_shop, both, NOW_US)
    async with db_with_shop.read() as tx:
        day_us = NOW_US // DAY_US * DAY_US
        found = await totals.sum_by_key(tx, SHOP.id, Dimension.SOURCE, day_us, day_us + DAY_US)
    assert found == {("cabinet", "RUB"): Figures(opened_count=2)}
