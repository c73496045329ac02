"""`python -m bench.pool`: our PostgreSQL pool beside `asyncpg.Pool`, in interleaved rounds.

Both lend connections with the same settings; asyncpg's reset query is switched off, which is its
fastest form. An operation borrows a connection, runs one statement and gives it back.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from sigma.store.engine.postgres import CONNECT_OPTIONS
from sigma.store.engine.postgres_pool import Pool
from tests.postgres import postgres_server, run_sql, with_database

POOL_SIZE = 8
READ = "SELECT body FROM pool_bench WHERE id = $1"
WRITE = "UPDATE pool_bench SET body = body WHERE id = $1"
ROWS = 1000

Operation = Callable[[str, int], Awaitable[None]]


@dataclass
class Series:
    """Rates (operations per second) and p99 latencies (ms) of both pools, round by round."""

    name: str
    rates: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "asyncpg": []})
    p99_ms: dict[str, list[float]] = field(default_factory=lambda: {"ours": [], "asyncpg": []})

    def row(self) -> str:
        """Return the medians and the median of the rounds' ratios asyncpg / ours."""
        ratios = [b / a for a, b in zip(self.rates["ours"], self.rates["asyncpg"], strict=True)]
        medians = [statistics.median(self.rates[pool]) for pool in ("ours", "asyncpg")]
        tails = [statistics.median(self.p99_ms[pool]) for pool in ("ours", "asyncpg")]
        return (
            f"{self.name:<22}{medians[0]:>9.0f}{medians[1]:>9.0f}"
            f"{statistics.median(ratios):>8.2f}{tails[0]:>11.2f}{tails[1]:>11.2f}"
        )


async def _keep(_connection: Any) -> None:
    """Replace asyncpg's reset of a returned connection, which costs a round trip."""


async def _measure(operation: Operation, sql: str, clients: int, seconds: float) -> Any:
    latencies: list[float] = []
    deadline = time.perf_counter() + seconds

    async def client(number: int) -> None:
        row = number
        while (start := time.perf_counter()) < deadline:
            row = (row + clients) % ROWS
            await operation(sql, row)
            latencies.append(time.perf_counter() - start)

    await asyncio.gather(*(client(number) for number in range(clients)))
    return len(latencies) / seconds, statistics.quantiles(latencies, n=100)[98] * 1000


async def _compare(url: str, rounds: int, seconds: float) -> list[Series]:
    ours = Pool(lambda: asyncpg.connect(url, **CONNECT_OPTIONS), POOL_SIZE)
    theirs = await asyncpg.create_pool(
        url, min_size=POOL_SIZE, max_size=POOL_SIZE, reset=_keep, **CONNECT_OPTIONS
    )

    async def with_ours(sql: str, row: int) -> None:
        connection = await ours.acquire()
        try:
            await connection.fetch(sql, row)
        finally:
            ours.release(connection)

    async def with_asyncpg(sql: str, row: int) -> None:
        connection = await theirs.acquire(timeout=10)
        try:
            await connection.fetch(sql, row)
        finally:
            await theirs.release(connection)

    found: list[Series] = []
    for name, sql in (("read", READ), ("write", WRITE)):
        for clients in (1, POOL_SIZE, 8 * POOL_SIZE):
            series = Series(f"{name}, {clients} clients")
            for _ in range(rounds):
                for pool, operation in (("ours", with_ours), ("asyncpg", with_asyncpg)):
                    rate, p99_ms = await _measure(operation, sql, clients, seconds)
                    series.rates[pool].append(rate)
                    series.p99_ms[pool].append(p99_ms)
            found.append(series)
    await ours.close()
    await theirs.close()
    return found


def main() -> None:
    """Parse the options, measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.pool", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of every round")
    args = parser.parse_args()
    with postgres_server(fsync=True) as server:
        run_sql(server, "CREATE DATABASE bench")
        url = with_database(server, "bench")
        run_sql(url, "CREATE TABLE pool_bench (id BIGINT PRIMARY KEY, body TEXT NOT NULL)")
        run_sql(
            url,
            f"INSERT INTO pool_bench SELECT n, repeat('x', 200) FROM generate_series(0, {ROWS}) n",
        )
        rows = asyncio.run(_compare(url, args.rounds, args.seconds))
    print(f"{'operations/s, medians':<22}{'ours':>9}{'asyncpg':>9}{'ratio':>8}", end="")
    print(f"{'ours p99':>11}{'asyncpg p99':>11}")
    print("\n".join(series.row() for series in rows))


if __name__ == "__main__":
    main()
