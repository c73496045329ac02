"""`make bench`: measure invoice creation by API, the payment page, settlement and the inbox.

The first three run in rounds that alternate with the limit of the bare database.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import create, inbox, limits, settle
from bench.stage import open_harness
from sigma.logs import configure
from sigma.store.schema.migrate import upgrade
from tests.postgres import postgres_server, run_sql, with_database

PORT = 8190
PAGE_RATE_PER_S = 200.0


@dataclass
class RateRow:
    """Rates per second of one operation on one database and of its limit, one value per round."""

    name: str
    sigma_rates: list[float] = field(default_factory=list)
    limit_rates: list[float] = field(default_factory=list)

    def format_row(self) -> str:
        """Format the medians and the median of the rounds' ratios."""
        ratios = [a / b for a, b in zip(self.sigma_rates, self.limit_rates, strict=True)]
        return (
            f"{self.name:<28}{statistics.median(self.sigma_rates):>10.0f}"
            f"{statistics.median(self.limit_rates):>12.0f}{statistics.median(ratios):>9.2f}"
        )


@dataclass
class LatencyRow:
    """Latencies of the payment page in milliseconds, one value per round."""

    name: str
    p50_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)

    def format_row(self) -> str:
        """Format the medians of the rounds."""
        p50, p99 = statistics.median(self.p50_ms), statistics.median(self.p99_ms)
        return f"{self.name:<28}{p50:>10.2f}{p99:>12.2f}"


async def _run_rounds(
    row: RateRow,
    rounds: int,
    measure_sigma: Callable[[int], Awaitable[float]],
    measure_limit: Callable[[int], Awaitable[float]],
) -> RateRow:
    for number in range(rounds):
        row.sigma_rates.append(await measure_sigma(number))
        row.limit_rates.append(await measure_limit(number))
    return row


async def _measure_creation(
    name: str, url: str, args: argparse.Namespace, folder: Path
) -> tuple[RateRow, RateRow, LatencyRow]:
    """Measure creation by API and the payment page through `sigma serve`."""
    row, latency = RateRow(f"create by API, {name}"), LatencyRow(f"payment page, {name}")
    opened = RateRow(f"open page, {name}")
    async with open_harness(url, pool_size=1) as harness:
        script = await create.postgres_script(harness) if name == "PostgreSQL" else ""
        tokens = [(await harness.create_invoice()).token for _ in range(200)]
        reads = await create.page_script(harness, tokens[0]) if script else ""

        async def measure_sigma(number: int) -> float:
            async with create.running_server(url, PORT):
                await create.measure_creation(PORT, harness.api_key, 1, f"warm-{number}")
                measured = await create.measure_creation(
                    PORT, harness.api_key, args.seconds, f"r{number}"
                )
                await create.measure_page(
                    PORT, tokens, PAGE_RATE_PER_S, 1
                )  # warm up: compile the templates
                page = await create.measure_page(PORT, tokens, PAGE_RATE_PER_S, args.seconds)
                latency.p50_ms.append(page.p50_ms)
                latency.p99_ms.append(page.p99_ms)
                opened.sigma_rates.append(await create.page_rate(PORT, tokens, args.seconds))
            return measured.rate_per_s

        async def measure_limit(number: int) -> float:
            path = Path(url[10:])
            if not script:
                opened.limit_rates.append(await create.page_limit(path, tokens, 5 * args.count))
                return await create.sqlite_limit(harness, path, args.count)
            opened.limit_rates.append(await _pgbench(url, reads, folder, args, number))
            return await _pgbench(url, script, folder, args, number)

        await _run_rounds(row, args.rounds, measure_sigma, measure_limit)
    return row, opened, latency


async def _measure_settlement(
    name: str, url: str, args: argparse.Namespace, folder: Path
) -> RateRow:
    script = ""
    if name == "PostgreSQL":
        async with open_harness(url, pool_size=1) as one_connection:
            script = await settle.postgres_script(one_connection, url, args.copies)
    async with open_harness(url) as harness:

        async def measure_limit(number: int) -> float:
            if not script:
                return await settle.sqlite_limit(harness, Path(url[10:]), args.count)
            return await _pgbench(url, script, folder, args, number)

        row = RateRow(f"settle, {name}")
        return await _run_rounds(
            row, args.rounds, lambda _: settle.settlement_rate(harness, args.count), measure_limit
        )


async def _measure_inbox(name: str, url: str, args: argparse.Namespace) -> list[inbox.PageTimes]:
    """Measure the inbox pages with very many conversations."""
    async with open_harness(url) as harness:
        ids = await inbox.create_conversations(harness, args.conversations, args.messages)
        pages = await inbox.measure(harness, ids, args.opened)
    return [inbox.PageTimes(f"{one.name}, {name}", one.times_ms) for one in pages]


async def _pgbench(
    url: str, script: str, folder: Path, args: argparse.Namespace, number: int
) -> float:
    return await asyncio.to_thread(
        limits.pgbench,
        url,
        script,
        folder,
        clients=create.CLIENTS,
        seconds=args.seconds,
        first=number * (args.copies // args.rounds),
    )


async def _run_all(args: argparse.Namespace) -> None:
    rows: list[RateRow] = []
    pages: list[LatencyRow] = []
    inbox_pages: list[inbox.PageTimes] = []
    with tempfile.TemporaryDirectory() as temporary, postgres_server(fsync=True) as server:
        folder = Path(temporary)
        run_sql(server, "CREATE DATABASE bench")
        urls = {
            "PostgreSQL": with_database(server, "bench"),
            "SQLite": f"sqlite:///{folder / 'bench.db'}",
        }
        for name, url in urls.items():
            await asyncio.to_thread(upgrade, url)
            row, opened, latency = await _measure_creation(name, url, args, folder)
            rows += [row, opened, await _measure_settlement(name, url, args, folder)]
            pages.append(latency)
            inbox_pages += await _measure_inbox(name, url, args)
    print(f"{'per second, medians':<28}{'Sigma':>10}{'limit':>12}{'ratio':>9}")
    print("\n".join(row.format_row() for row in rows))
    print(f"\n{f'at {PAGE_RATE_PER_S:.0f} requests/s, ms':<28}{'p50':>10}{'p99':>12}")
    print("\n".join(latency.format_row() for latency in pages))
    title = f"{args.conversations} conversations, {args.conversations * args.messages} messages, ms"
    print(f"\n{title:<54}{'p50':>10}{'p99':>12}")
    print("\n".join(latency.format_row() for latency in inbox_pages))


def main() -> None:
    """Parse the options and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="duration of a round of load")
    parser.add_argument("--count", type=int, default=2000, help="operations in a counted round")
    parser.add_argument("--copies", type=int, default=20_000, help="prepared rows per client")
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--messages", type=int, default=50, help="messages per conversation")
    parser.add_argument("--opened", type=int, default=200, help="requests of each inbox page")
    configure("warning")
    start_s = time.perf_counter()
    asyncio.run(_run_all(parser.parse_args()))
    print(f"\nmeasured in {time.perf_counter() - start_s:.0f} s")


if __name__ == "__main__":
    main()
