"""SQLite engine: one writer, shared COMMITs, reads inline or in a thread."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from sigma.store.engine.interface import BusyError, ConflictError, Op, StaleError, UnreachableError
from sigma.store.engine.sqlite import SqliteDatabase
from sigma.store.engine.sqlite_queue import WriteQueue
from sigma.store.engine.statements import text_statement
from tests.store.engine_tables import (
    ADD_TO_BALANCE,
    COMPARE_AND_SET_BALANCE,
    COUNT_SHOPS,
    INCREMENT_BALANCE,
    INSERT_SHOP,
    LOCK_SHOP,
    count_shops,
    create_sqlite_tables,
    get_balance,
    open_engine,
)


@pytest.fixture
async def db(sqlite_engine_url: str) -> AsyncIterator[SqliteDatabase]:
    async with open_engine(sqlite_engine_url) as db:
        assert isinstance(db, SqliteDatabase)
        yield db


def count_in_new_connection(url: str) -> int:
    con = sqlite3.connect(url.removeprefix("sqlite:///"))
    try:
        return int(con.execute("SELECT count(*) FROM shops").fetchone()[0])
    finally:
        con.close()


async def test_concurrent_writers_share_commits_and_all_rows_are_on_disk(
    db: SqliteDatabase, sqlite_engine_url: str
) -> None:
    async def write(number: int) -> None:
        async with db.write() as tx:
            await tx.execute(INSERT_SHOP, id=f"a{number}", balance=0)
            await tx.execute(ADD_TO_BALANCE, id_=f"a{number}", by=number)

    await asyncio.gather(*(write(number) for number in range(200)))
    assert count_in_new_connection(sqlite_engine_url) == 200
    assert 0 < db.commit_count < 20

    before = db.commit_count
    commits = (
        db.commit([Op(INSERT_SHOP, {"id": f"b{number}", "balance": 0})]) for number in range(200)
    )
    await asyncio.gather(*commits)
    assert count_in_new_connection(sqlite_engine_url) == 400
    assert 0 < db.commit_count - before < 20


async def test_failed_transaction_does_not_affect_others_in_the_shared_commit(
    db: SqliteDatabase,
) -> None:
    await db.commit([Op(INSERT_SHOP, {"id": "a", "balance": 0})])
    before = db.commit_count

    async def write(number: int) -> None:
        async with db.write() as tx:
            await tx.execute(INSERT_SHOP, id=f"w{number}", balance=0)
            if number % 5 == 1:
                await tx.execute(INSERT_SHOP, id="a", balance=0)
            if number % 5 == 2:
                raise ZeroDivisionError
            if number % 5 == 3:
                await tx.write_all([Op(COMPARE_AND_SET_BALANCE, {"id_": "a", "was": 9, "will": 9})])

    async def commit(number: int) -> None:
        name = "a" if number % 2 else f"c{number}"
        await db.commit([Op(INSERT_SHOP, {"id": name, "balance": 0})])

    results = await asyncio.gather(
        *(write(number) for number in range(50)),
        *(commit(number) for number in range(50)),
        return_exceptions=True,
    )
    result_types = [type(result) for result in results]
    assert result_types.count(ConflictError) == 10 + 25
    assert result_types.count(ZeroDivisionError) == 10
    assert result_types.count(StaleError) == 10
    assert result_types.count(type(None)) == 20 + 25
    assert await count_shops(db) == 1 + 20 + 25
    assert db.commit_count - before < 20


async def test_write_is_readable_as_soon_as_it_is_acknowledged(db: SqliteDatabase) -> None:
    async def write(number: int) -> None:
        async with db.write() as tx:
            await tx.execute(INSERT_SHOP, id=f"w{number}", balance=number)
        assert await get_balance(db, f"w{number}") == number

    await asyncio.gather(*(write(number) for number in range(100)))


async def test_idle_transaction_loses_its_write_slot(db: SqliteDatabase) -> None:
    db.write_queue = WriteQueue(db.write_queue.writer, idle_limit_s=0.1)
    await db.commit([Op(INSERT_SHOP, {"id": "a", "balance": 0})])
    has_begun = asyncio.Event()

    async def idle_writer() -> None:
        async with db.write() as tx:
            await tx.execute(ADD_TO_BALANCE, id_="a", by=1)
            has_begun.set()
            await asyncio.sleep(1)

    idle_task = asyncio.create_task(idle_writer())
    await has_begun.wait()
    await asyncio.wait_for(db.commit([Op(ADD_TO_BALANCE, {"id_": "a", "by": 10})]), 0.5)
    with pytest.raises(BusyError, match="did nothing"):
        await idle_task
    assert await get_balance(db, "a") == 10


async def test_unsynced_write_does_not_wait_for_disk_and_keeps_its_order(
    db: SqliteDatabase,
) -> None:
    await db.commit([Op(INSERT_SHOP, {"id": "a", "balance": 0})])
    before = db.commit_count
    for _ in range(20):
        await db.execute_unsynced(INCREMENT_BALANCE, id_="a")
    assert db.commit_count - before < 20
    await db.commit([Op(INSERT_SHOP, {"id": "b", "balance": 0})])
    assert await get_balance(db, "a") == 20


async def test_slow_read_runs_in_thread_and_does_not_block_event_loop(db: SqliteDatabase) -> None:
    count_up = text_statement(
        "WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < :top)"
        " SELECT count(*) AS n FROM up",
        "top",
    )
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    ticking = asyncio.create_task(tick())
    async with db.read() as tx:
        for _ in range(2):
            await asyncio.sleep(0)
            row = await tx.fetch_one(count_up, top=2_000_000)
            assert row is not None
            assert row["n"] == 10_000_000
        row = await tx.fetch_one(COUNT_SHOPS)
        assert row is not None
        assert row["n"] == 0
    await asyncio.sleep(0)
    ticking.cancel()
    await asyncio.gather(ticking, return_exceptions=True)
    assert ticks > 100  # a blocked event loop would tick only a few times


async def test_full_disk_fails_all_transactions_of_the_shared_commit_and_recovers(
    db: SqliteDatabase,
) -> None:
    await db.commit([Op(INSERT_SHOP, {"id": "a", "balance": 0})])
    await asyncio.sleep(0.05)
    db._writer._con.execute("PRAGMA max_page_count = 1")  # no page can be added

    async def write(number: int) -> None:
        size = 100_000 if number % 10 == 5 else 1
        async with db.write() as tx:
            await tx.execute(INSERT_SHOP, id=f"{number} " * size, balance=0)

    results = await asyncio.gather(*(write(number) for number in range(30)), return_exceptions=True)
    failed = [result for result in results if result is not None]
    assert len(failed) > 3  # includes small ones that only waited for the COMMIT
    assert all(isinstance(result, UnreachableError) for result in failed)
    assert await count_shops(db) == 1 + len(results) - len(failed)
    db._writer._con.execute("PRAGMA max_page_count = 1000000")
    await db.commit([Op(INSERT_SHOP, {"id": "b", "balance": 0})])
    assert await get_balance(db, "b") == 0


async def test_write_waits_for_lock_of_another_process_and_reads_do_not(
    db: SqliteDatabase, sqlite_engine_url: str
) -> None:
    other = sqlite3.connect(sqlite_engine_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO shops VALUES ('other', 0)")
    own_commit = asyncio.create_task(db.commit([Op(INSERT_SHOP, {"id": "mine", "balance": 0})]))
    await asyncio.sleep(0.1)
    assert not own_commit.done()
    assert await count_shops(db) == 0  # a read does not wait
    other.execute("COMMIT")
    other.close()
    await asyncio.wait_for(own_commit, 5)
    assert await count_shops(db) == 2


async def test_transaction_cancelled_when_granted_its_slot_passes_the_slot_on(
    db: SqliteDatabase,
) -> None:
    await db.commit([Op(INSERT_SHOP, {"id": "a", "balance": 0})])

    async def write() -> None:
        async with db.write() as tx:
            await tx.execute(ADD_TO_BALANCE, id_="a", by=10)

    async with asyncio.timeout(2), db.write() as tx:
        await tx.execute(ADD_TO_BALANCE, id_="a", by=1)
        cancelled = asyncio.create_task(write())
        await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_soon(cancelled.cancel)
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    await asyncio.wait_for(write(), 1)
    assert await get_balance(db, "a") == 11


async def test_write_slots_are_granted_in_request_order(db: SqliteDatabase) -> None:
    await db.commit([Op(INSERT_SHOP, {"id": "a", "balance": 0})])
    order: list[int] = []

    async def write(number: int) -> None:
        async with db.write() as tx:
            await tx.fetch_one(LOCK_SHOP, id="a")
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(write(number) for number in range(20)))
    assert order == list(range(20))


async def test_acknowledged_write_survives_process_crash(tmp_path: Path) -> None:
    """Copy the files as they are when `commit` returns, without closing the database."""
    url = create_sqlite_tables(tmp_path / "live.db")
    async with open_engine(url) as db:
        await db.commit([Op(INSERT_SHOP, {"id": "a", "balance": 0})])
        for end in ("", "-wal"):
            shutil.copy(tmp_path / f"live.db{end}", tmp_path / f"dead.db{end}")
    assert count_in_new_connection(f"sqlite:///{tmp_path}/dead.db") == 1


async def test_conflicting_row_is_readable_when_conflict_is_raised(db: SqliteDatabase) -> None:
    async def commit_once(name: str) -> None:
        try:
            await db.commit([Op(INSERT_SHOP, {"id": name, "balance": 0})])
        except ConflictError:
            assert await get_balance(db, name) == 0

    async def insert_once(name: str) -> None:
        with suppress(LookupError):
            async with db.write() as tx:
                if await tx.fetch_one(LOCK_SHOP, id=name):
                    raise LookupError
                await tx.execute(INSERT_SHOP, id=name, balance=0)
        assert await get_balance(db, name) == 0

    for number in range(20):
        await asyncio.gather(*(commit_once(f"whole-{number}") for _ in range(8)))
        await asyncio.gather(*(insert_once(f"locked-{number}") for _ in range(8)))
