"""`make bench`: creates by API, opens the payment page, settles, each beside its limit in
interleaved rounds; then opens the dialogs.
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
from bench.stage import stage
from sigma.logs import configure
from sigma.store.schema.migrate import upgrade
from tests.postgres import postgres_server, run_sql, with_database

PORT = 8190
PAGE_RATE = 200.0


@dataclass
class Row:
    """Rates of one thing on one database, round by round, and its limit's in the same rounds."""

    name: str
    ours: list[float] = field(default_factory=list)
    limit: list[float] = field(default_factory=list)

    def line(self) -> str:
        """Medians and the median of the rounds' ratios."""
        ratios = [a / b for a, b in zip(self.ours, self.limit, strict=True)]
        return (
            f"{self.name:<28}{statistics.median(self.ours):>10.0f}"
            f"{statistics.median(self.limit):>12.0f}{statistics.median(ratios):>9.2f}"
        )


@dataclass
class Page:
    """Latencies of the payment page, round by round (ms)."""

    name: str
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)

    def line(self) -> str:
        """Medians of the rounds."""
        p50, p99 = statistics.median(self.p50), statistics.median(self.p99)
        return f"{self.name:<28}{p50:>10.2f}{p99:>12.2f}"


async def _rounds(
    row: Row,
    rounds: int,
    ours: Callable[[int], Awaitable[float]],
    limit: Callable[[int], Awaitable[float]],
) -> Row:
    for number in range(rounds):
        row.ours.append(await ours(number))
        row.limit.append(await limit(number))
    return row


async def _create(
    name: str, url: str, args: argparse.Namespace, folder: Path
) -> tuple[Row, Row, Page]:
    """Creation by API and the payment page, through `sigma serve`."""
    row, seen = Row(f"create by API, {name}"), Page(f"payment page, {name}")
    opened = Row(f"open page, {name}")
    async with stage(url, pool_size=1) as ready:
        script = await create.postgres_script(ready) if name == "PostgreSQL" else ""
        tokens = [(await ready.invoice()).token for _ in range(200)]
        reads = await create.page_script(ready, tokens[0]) if script else ""

        async def ours(number: int) -> float:
            async with create.server(url, PORT):
                await create.ours(PORT, ready.api_key, 1, f"warm-{number}")
                measured = await create.ours(PORT, ready.api_key, args.seconds, f"r{number}")
                await create.page(PORT, tokens, PAGE_RATE, 1)  # templates are compiled once
                page = await create.page(PORT, tokens, PAGE_RATE, args.seconds)
                seen.p50.append(page.p50)
                seen.p99.append(page.p99)
                opened.ours.append(await create.opened(PORT, tokens, args.seconds))
            return measured.rate

        async def limit(number: int) -> float:
            path = Path(url[10:])
            if not script:
                opened.limit.append(await create.page_limit(path, tokens, 5 * args.count))
                return await create.sqlite_limit(ready, path, args.count)
            opened.limit.append(await _pgbench(url, reads, folder, args, number))
            return await _pgbench(url, script, folder, args, number)

        await _rounds(row, args.rounds, ours, limit)
    return row, opened, seen


async def _settle(name: str, url: str, args: argparse.Namespace, folder: Path) -> Row:
    script = ""
    if name == "PostgreSQL":
        async with stage(url, pool_size=1) as single:
            script = await settle.postgres_script(single, url, args.copies)
    async with stage(url) as ready:

        async def limit(number: int) -> float:
            if not script:
                return await settle.sqlite_limit(ready, Path(url[10:]), args.count)
            return await _pgbench(url, script, folder, args, number)

        row = Row(f"settle, {name}")
        return await _rounds(row, args.rounds, lambda _: settle.ours(ready, args.count), limit)


async def _dialogs(name: str, url: str, args: argparse.Namespace) -> list[inbox.Seen]:
    """The pages of the dialogs when there are very many."""
    async with stage(url) as ready:
        ids = await inbox.fill(ready, args.dialogs, args.messages)
        seen = await inbox.measure(ready, ids, args.opened)
    return [inbox.Seen(f"{one.name}, {name}", one.times) for one in seen]


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


async def _all(args: argparse.Namespace) -> None:
    rows: list[Row] = []
    pages: list[Page] = []
    dialogs: list[inbox.Seen] = []
    with tempfile.TemporaryDirectory() as temporary, postgres_server(fsync=True) as server:
        folder = Path(temporary)
        run_sql(server, "CREATE DATABASE bench")
        urls = {
            "PostgreSQL": with_database(server, "bench"),
            "SQLite": f"sqlite:///{folder / 'bench.db'}",
        }
        for name, url in urls.items():
            await asyncio.to_thread(upgrade, url)
            row, opened, seen = await _create(name, url, args, folder)
            rows += [row, opened, await _settle(name, url, args, folder)]
            pages.append(seen)
            dialogs += await _dialogs(name, url, args)
    print(f"{'per second, medians':<28}{'Sigma':>10}{'limit':>12}{'ratio':>9}")
    print("\n".join(row.line() for row in rows))
    print(f"\n{f'at {PAGE_RATE:.0f} requests/s, ms':<28}{'p50':>10}{'p99':>12}")
    print("\n".join(seen.line() for seen in pages))
    many = f"{args.dialogs} dialogs, {args.dialogs * args.messages} messages, ms"
    print(f"\n{many:<54}{'p50':>10}{'p99':>12}")
    print("\n".join(seen.line() for seen in dialogs))


def main() -> None:
    """Reads the options and measures."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of every round of load")
    parser.add_argument("--count", type=int, default=2000, help="decisions in a counted round")
    parser.add_argument("--copies", type=int, default=20_000, help="prepared rows for a client")
    parser.add_argument("--dialogs", type=int, default=10_000)
    parser.add_argument("--messages", type=int, default=50, help="in each dialog")
    parser.add_argument("--opened", type=int, default=200, help="times each of their pages")
    configure("warning")
    began = time.perf_counter()
    asyncio.run(_all(parser.parse_args()))
    print(f"\nmeasured in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
