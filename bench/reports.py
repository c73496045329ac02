"""`python -m bench.reports`: figures of a shop with many payments, and a month's statement.

Three tables, each on SQLite and PostgreSQL: how long the figures of a period take (the payments
are spread over a year, services, members and sources), what the totals cost a capture, and how
long a statement of 30,000 operations takes to be read and drawn.
"""

import argparse
import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from collections import defaultdict
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import asyncpg

from bench.stage import Harness, open_harness
from sigma.documents.statement_pdf import statement_pdf
from sigma.documents.statement_xlsx import statement_xlsx
from sigma.domain.billing import invoice as invoices
from sigma.domain.change import Change
from sigma.domain.figures import (
    FIGURE_NAMES,
    Figures,
    Source,
    Tally,
    capture_figures,
    refund_figures,
)
from sigma.domain.local_time import local_date
from sigma.domain.money import Money
from sigma.domain.reports.periods import (
    Period,
    PeriodName,
    month_period,
    own_period,
    recent_period,
)
from sigma.domain.reports.statement import (
    Agreement,
    AgreementStatus,
    Operation,
    OperationKind,
    build_statement,
)
from sigma.domain.time_units import DAY_US
from sigma.services.accounts import shops
from sigma.services.reports.figures import get_report
from sigma.store import changes
from sigma.store.reports import totals
from sigma.store.schema.migrate import upgrade
from sigma.texts import Translator
from sigma.texts.statement_view import build_statement_view
from tests.postgres import postgres_server, run_sql, with_database

TZ = "Europe/Moscow"
SERVICES, MEMBERS = 300, 8
CLIENTS, CAPTURES = 16, 2000


def _totals(shop_id: str, count: int, until_us: int) -> list[tuple[object, ...]]:
    """Return the rows of totals of `count` payments in the year before `until_us`.

    Every twentieth is partly refunded. Sums are proportional to counts: adding a million `Tally`
    objects would take minutes.
    """
    rng = random.Random(11)
    counts: dict[tuple[str, int, int, str], int] = defaultdict(int)
    sources = [str(source) for source in Source]
    for _ in range(count):
        at_us = until_us - int(rng.random() * 365 * DAY_US)
        keys = (
            ("all", ""),
            ("service", f"svc_{int(rng.paretovariate(1.1)) % SERVICES}"),
            ("issuer", f"usr_{int(rng.random() * MEMBERS)}"),
            ("source", sources[int(rng.random() * len(sources))]),
        )
        for dimension, key in keys:
            for span_us in totals.SPANS_US:
                counts[dimension, span_us, at_us - at_us % span_us, key] += 1
    one = capture_figures(150_000, 144_750)
    back = refund_figures(50_000, is_chargeback=False)
    rows: list[tuple[object, ...]] = []
    for (dimension, span_us, starts_at_us, key), number in counts.items():
        figures = [
            number * getattr(one, name) + number // 20 * getattr(back, name)
            for name in FIGURE_NAMES
        ]
        rows.append((shop_id, dimension, span_us, starts_at_us, key, "RUB", *figures))
    return rows


async def _fill(harness: Harness, url: str, count: int) -> int:
    """Write the totals past Sigma: only reading them is measured. Return the number of rows."""
    rows = await asyncio.to_thread(_totals, harness.member.shop_id, count, harness.ctx.now_us())
    if url.startswith("sqlite"):
        placeholders = ", ".join("?" * len(rows[0]))
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as con, con:
            con.executemany(f"INSERT INTO figure_totals VALUES ({placeholders})", rows)
        return len(rows)
    connection = await asyncpg.connect(url)
    await connection.copy_records_to_table("figure_totals", records=rows)
    await connection.execute("VACUUM ANALYZE figure_totals")
    await connection.close()
    return len(rows)


async def _measure_figures(
    harness: Harness, database: str, url: str, count: int, rounds: int
) -> None:
    row_count = await _fill(harness, url, count)
    now_us = harness.ctx.now_us()
    today = local_date(now_us, TZ)
    periods: dict[str, Period] = {
        name: recent_period(name, now_us, TZ)
        for name in (PeriodName.TODAY, PeriodName.WEEK, PeriodName.MONTH)
    }
    periods["366"] = own_period(today - timedelta(365), today, TZ)
    for name, period in periods.items():
        report = await get_report(harness.ctx, harness.member, period)
        counted = report.currencies[0].total.payment_count
        times_ms = []
        for _ in range(rounds):
            start_s = time.perf_counter()
            await get_report(harness.ctx, harness.member, period)
            times_ms.append((time.perf_counter() - start_s) * 1000)
        p99 = sorted(times_ms)[int(len(times_ms) * 0.99)]
        print(
            f"{database:<12}{count:>10}{row_count:>10}{name:>7} days{counted:>10}"
            f"{statistics.median(times_ms):>9.1f}{p99:>9.1f}"
        )


async def _captures_per_s(harness: Harness, *, has_tallies: bool) -> float:
    """Commit one row from CLIENTS tasks at once, with or without a tally of the same shop."""
    ctx, shop_id = harness.ctx, harness.member.shop_id
    invoice = await harness.create_invoice()
    numbers = iter(range(CAPTURES))

    async def run() -> None:
        for _ in numbers:
            new_id = ctx.id_factory(shop_id)
            event = invoices.timeline_event(invoice, "issued", ctx.now_us(), new_id)
            tally = Tally(
                shop_id,
                ctx.now_us(),
                "RUB",
                invoice.attribution,
                Figures(**dict.fromkeys(FIGURE_NAMES, 1)),
            )
            tallies = (tally,) if has_tallies else ()
            await changes.commit(ctx.db, Change((event,), tallies=tallies), ctx.now_us())

    start_s = time.perf_counter()
    await asyncio.gather(*(run() for _ in range(CLIENTS)))
    return CAPTURES / (time.perf_counter() - start_s)


async def _measure_statement(harness: Harness, count: int) -> None:
    """Draw a statement of `count` operations in both formats."""
    period = month_period(2027, 3, TZ)
    distance_us = (period.until_us - period.since_us) // count
    operations = [
        Operation(
            OperationKind.PAYMENT,
            period.since_us + number * distance_us,
            f"pay_{number:08}",
            f"pay_{number:08}",
            "333afbee-000f-5000-8000-a57e2f37d05f",
            number,
            "Маникюр с покрытием",
            Money(150_000 + number),
            Money(144_750 + number),
            client="c***@example.net",
        )
        for number in range(count)
    ]
    shop = await shops.get(harness.ctx, harness.member)
    translator = Translator("ru", TZ)
    start_s = time.perf_counter()
    agreed = Agreement(AgreementStatus.UNCHECKED)
    statement = build_statement(period, period.until_us, operations, {}, agreed)
    view = build_statement_view(statement, shop, translator, period.until_us)
    view_s = time.perf_counter()
    xlsx = statement_xlsx(view, translator)
    xlsx_s = time.perf_counter()
    pdf = statement_pdf(view, translator)
    pdf_s = time.perf_counter()
    print(
        f"{count:>12}{view_s - start_s:>10.2f}{xlsx_s - view_s:>10.2f}{len(xlsx) // 1024:>10}"
        f"{pdf_s - xlsx_s:>10.2f}{len(pdf) // 1024:>10}"
    )


async def _measure(database: str, url: str, count: int, rounds: int) -> None:
    await asyncio.to_thread(upgrade, url)
    async with open_harness(url) as harness:
        await _measure_figures(harness, database, url, count, rounds)
        without = await _captures_per_s(harness, has_tallies=False)
        with_tallies = await _captures_per_s(harness, has_tallies=True)
        print(f"{database:<12}changes/s without tallies {without:.0f}, with {with_tallies:.0f}")


async def _run_all(count: int, rounds: int, operations: list[int]) -> None:
    columns = f"{'totals':>10}{'period':>12}{'counted':>10}{'p50':>9}{'p99 ms':>9}"
    print(f"{'':<12}{'payments':>10}{columns}")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'bench.db'}"
        await _measure("SQLite", url, count, rounds)
        with postgres_server(fsync=True) as server:
            run_sql(server, "CREATE DATABASE reports")
            await _measure("PostgreSQL", with_database(server, "reports"), count, rounds)
        columns = f"{'texts, s':>10}{'XLSX, s':>10}{'KiB':>10}{'PDF, s':>10}{'KiB':>10}"
        print(f"{'operations':>12}{columns}")
        async with open_harness(url) as harness:
            for number in operations:
                await _measure_statement(harness, number)


def main() -> None:
    """Parse the options and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.reports", description=__doc__)
    parser.add_argument("--payments", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--operations", type=int, nargs="*", default=[100, 1_000, 30_000])
    options = parser.parse_args()
    asyncio.run(_run_all(options.payments, options.rounds, options.operations))


if __name__ == "__main__":
    main()
