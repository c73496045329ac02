"""`python -m bench.audit`: how many deeds one shop can record, and how fast a log is verified.

Prints for both databases: deeds per second of one shop with 1 and 16 at once, the same for 16
shops, and entries per second of a verification.
"""

import asyncio
import secrets
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from sigma.domain.audit.deed import Deed
from sigma.domain.origin import NO_ORIGIN
from sigma.services.clock import clock
from sigma.services.context import Context
from sigma.services.ids import IdGenerator
from sigma.services.platform import audit_log, audit_verification
from sigma.store.database import open_database
from sigma.store.encryption import Cipher
from sigma.store.engine.interface import Database
from sigma.store.schema.migrate import upgrade
from tests.postgres import postgres_server, run_sql, with_database
from tests.world import TestSettings

SECONDS = 3.0


@dataclass(frozen=True)
class Case:
    """So many tasks record deeds at once, in so many chains."""

    tasks: int
    chains: int


CASES = (Case(1, 1), Case(16, 1), Case(16, 16))


def context(db: Database) -> Context:
    """Return a context with what the audit log needs."""
    return Context(
        db=db,
        settings=TestSettings(),
        cipher=Cipher([secrets.token_hex(16)]),
        ids=IdGenerator(clock),
        providers={},
        mailer_factory=lambda _: None,
        vk=None,  # type: ignore[arg-type]
    )


async def measure(ctx: Context, case: Case) -> float:
    """Return deeds per second."""
    count, until = 0, time.monotonic() + SECONDS

    async def record(task: int) -> None:
        nonlocal count
        chain = f"shp_{case.tasks}_{case.chains}_{task % case.chains}"
        while time.monotonic() < until:
            async with ctx.db.write() as tx:
                await audit_log.record_for_chain(
                    ctx, tx, chain, "usr_bench", NO_ORIGIN, Deed.REFUND_REQUESTED, "ref_x", n=count
                )
            count += 1

    started = time.monotonic()
    await asyncio.gather(*(record(task) for task in range(case.tasks)))
    return count / (time.monotonic() - started)


async def run(name: str, url: str) -> None:
    """Measure one database."""
    db = await open_database(url)
    ctx = context(db)
    for case in CASES:
        rate = await measure(ctx, case)
        print(f"{name:<11} {case.tasks:>3} at once, {case.chains:>3} shops: {rate:8.0f} deeds/s")
    started = time.monotonic()
    results = await audit_verification.verify(ctx)
    total = sum(result.entry_count for result in results)
    assert not any(result.fault_count for result in results)
    rate = total / (time.monotonic() - started)
    print(f"{name:<11} verify {total} entries: {rate:8.0f} entries/s")
    await db.close()


def main() -> None:
    """Measure both databases."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'sigma.db'}"
        upgrade(url)
        asyncio.run(run("SQLite", url))
    with postgres_server() as server:
        run_sql(server, "CREATE DATABASE bench_audit")
        url = with_database(server, "bench_audit")
        upgrade(url)
        asyncio.run(run("PostgreSQL", url))


if __name__ == "__main__":
    main()
