"""`python -m bench.seed URL`: a shop with a million payments and 300,000 clients.

URL is that of a migrated, empty database: sqlite:///FILE or postgresql://…; the shop's owner signs
in as owner@example.org. Rows are made as the services make them, with encrypted answers and the
search index, and inserted in bulk: without the indexes, which are built afterwards.
"""

import argparse
import asyncio
import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import click
from sqlalchemy import Index, Table
from sqlalchemy.schema import CreateIndex

from bench.seed_rows import Rows, SeededShop
from bench.stage import SECRET, open_harness
from sigma.logs import configure
from sigma.services.billing import connections
from sigma.store.engine.statements import DIALECTS
from sigma.store.schema.all_tables import ALL_TABLES
from sigma.store.schema.migrate import upgrade

TOKENS = "seed_tokens"  # a table without indexes, sorted into list_tokens at the end
BATCH = 5000  # payments whose rows are inserted together
TABLES = (
    "customers",
    "customer_identities",
    "customer_tokens",
    "invoices",
    "payments",
    "answers",
    "refunds",
    "refunded_payments",
    "list_tokens",
)


@dataclass
class Loader:
    """Inserts rows into one database. Indexes of TABLES exist before `open` and after `close`."""

    insert: Callable[[str, Sequence[tuple[Any, ...]]], Any]
    execute: Callable[[str], Any]
    dialect: str

    async def run(self, sql: str) -> None:
        """Execute a statement."""
        result = self.execute(sql)
        if asyncio.iscoroutine(result):
            await result

    async def add(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, in the order of the table's columns."""
        result = self.insert(table, rows)
        if asyncio.iscoroutine(result):
            await result


def _indexes() -> Iterator[Index]:
    for name in TABLES:
        yield from sorted(ALL_TABLES.tables[name].indexes, key=lambda index: str(index.name))


def _table(name: str) -> Table:
    return ALL_TABLES.tables["list_tokens" if name == TOKENS else name]


def _columns(table: Table) -> list[str]:
    return [column.name for column in table.columns]


async def _open_postgres(url: str) -> tuple[Loader, Callable[[], Any]]:
    con = await asyncpg.connect(url)
    await con.execute("SET session_replication_role = replica")  # no foreign keys
    await con.execute("SET maintenance_work_mem = '1GB'")
    await con.execute("SET synchronous_commit = off")

    async def insert(table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        columns = _columns(_table(table))
        await con.copy_records_to_table(table, records=rows, columns=columns)

    return Loader(insert, con.execute, "postgresql"), con.close


def _open_sqlite(url: str) -> tuple[Loader, Callable[[], Any]]:
    con = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    for pragma in ("foreign_keys = OFF", "synchronous = OFF", "cache_size = -1000000"):
        con.execute(f"PRAGMA {pragma}")
    con.execute("BEGIN")

    def insert(table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        values = ", ".join("?" * len(_table(table).columns))
        con.executemany(f'INSERT INTO "{table}" VALUES ({values})', rows)

    def close() -> None:
        con.execute("COMMIT")
        con.close()

    return Loader(insert, con.execute, "sqlite"), close


async def seed(url: str, payments: int, clients: int) -> SeededShop:
    """Fill a migrated database. Returns what was seeded."""
    async with open_harness(url, pool_size=2) as harness:
        shop = SeededShop(harness, payments, clients, random.Random(11))
        (connection,) = await connections.list_for_shop(harness.ctx, harness.member)
        shop.known["connection"] = connection.id
        is_sqlite = url.startswith("sqlite")
        loader, close = _open_sqlite(url) if is_sqlite else await _open_postgres(url)
        await loader.run(f"CREATE TEMP TABLE {TOKENS} AS SELECT * FROM list_tokens")
        for index in _indexes():
            await loader.run(f'DROP INDEX "{index.name}"')
        with click.progressbar(length=payments + clients, label="Rows") as bar:
            for rows, count in shop.batches(BATCH):
                await _add_batch(loader, rows)
                bar.update(count)
        # In the order of the primary key: the B-tree grows at its end.
        order = "ORDER BY token_hash, created_at_us, subject_id"
        steps = [f"INSERT INTO list_tokens SELECT * FROM {TOKENS} {order}"]
        dialect = DIALECTS[loader.dialect]
        steps += [str(CreateIndex(index).compile(dialect=dialect)) for index in _indexes()]
        with click.progressbar(steps, label="Indexes") as bar:
            for sql in bar:
                await loader.run(sql)
        if not is_sqlite:
            await loader.run("VACUUM ANALYZE")
        closing = close()
        if asyncio.iscoroutine(closing):
            await closing
    return shop


async def _add_batch(loader: Loader, rows: Rows) -> None:
    for table, found in rows.items():
        if found:
            await loader.add(table, found)


def main() -> None:
    """Parse the options and seed."""
    parser = argparse.ArgumentParser(prog="python -m bench.seed", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--payments", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=300_000)
    args = parser.parse_args()
    configure("warning")
    start_s = time.perf_counter()
    upgrade(args.url)
    shop = asyncio.run(seed(args.url, args.payments, args.clients))
    print(f"Owner: owner@example.org, password {SECRET}; {shop.payment_count} payments")
    print(f"Seeded in {time.perf_counter() - start_s:.0f} s")


if __name__ == "__main__":
    main()
