"""What only SQLite has: one writer, shared COMMITs, reads at once or in a thread."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from sigma.store.database import Busy, Conflict, Op, Stale, Unreachable, text_statement
from sigma.store.engine.sqlite import SqliteDatabase
from sigma.store.engine.sqlite_queue import Turns
from tests.store.engine import (
    ADD_SHOP,
    CHANGE,
    COUNT_SHOPS,
    LOCK_SHOP,
    NEXT,
    RAISE,
    balance,
    count,
    make_sqlite,
    opened,
)


@pytest.fixture
async def db(sqlite_url: str) -> AsyncIterator[SqliteDatabase]:
    async with opened(sqlite_url) as db:
        assert isinstance(db, SqliteDatabase)
        yield db


def seen_by_another_process(url: str) -> int:
    con = sqlite3.connect(url.removeprefix("sqlite:///"))
    try:
        return int(con.execute("SELECT count(*) FROM shops").fetchone()[0])
    finally:
        con.close()


async def test_two_hundred_writers_share_commits_and_all_are_on_disk(
    db: SqliteDatabase, sqlite_url: str
) -> None:
    async def write(number: int) -> None:
        async with db.write() as tx:
            await tx.execute(ADD_SHOP, id=f"a{number}", balance=0)
            await tx.execute(RAISE, id_=f"a{number}", by=number)

    await asyncio.gather(*(write(number) for number in range(200)))
    assert seen_by_another_process(sqlite_url) == 200
    assert 0 < db.commits < 20

    before = db.commits
    whole = (db.commit([Op(ADD_SHOP, {"id": f"b{number}", "balance": 0})]) for number in range(200))
    await asyncio.gather(*whole)
    assert seen_by_another_process(sqlite_url) == 400
    assert 0 < db.commits - before < 20


async def test_one_that_fails_leaves_the_others_of_its_commit(db: SqliteDatabase) -> None:
    await db.commit([Op(ADD_SHOP, {"id": "a", "balance": 0})])
    before = db.commits

    async def write(number: int) -> None:
        async with db.write() as tx:
            await tx.execute(ADD_SHOP, id=f"w{number}", balance=0)
            if number % 5 == 1:
                await tx.execute(ADD_SHOP, id="a", balance=0)
            if number % 5 == 2:
                raise ZeroDivisionError
            if number % 5 == 3:
                await tx.write_all([Op(CHANGE, {"id_": "a", "was": 9, "will": 9})])

    async def commit(number: int) -> None:
        name = "a" if number % 2 else f"c{number}"
        await db.commit([Op(ADD_SHOP, {"id": name, "balance": 0})])

    ended = await asyncio.gather(
        *(write(number) for number in range(50)),
        *(commit(number) for number in range(50)),
        return_exceptions=True,
    )
    kinds = [type(one) for one in ended]
    assert kinds.count(Conflict) == 10 + 25
    assert kinds.count(ZeroDivisionError) == 10
    assert kinds.count(Stale) == 10
    assert kinds.count(type(None)) == 20 + 25
    assert await count(db) == 1 + 20 + 25
    assert db.commits - before < 20


async def test_nothing_is_acknowledged_before_it_can_be_seen(db: SqliteDatabase) -> None:
    async def write(number: int) -> None:
        async with db.write() as tx:
            await tx.execute(ADD_SHOP, id=f"w{number}", balance=number)
        assert await balance(db, f"w{number}") == number

    await asyncio.gather(*(write(number) for number in range(100)))


async def test_a_transaction_that_does_nothing_loses_its_turn(db: SqliteDatabase) -> None:
    db.turns = Turns(db.turns.writer, idle_limit_s=0.1)
    await db.commit([Op(ADD_SHOP, {"id": "a", "balance": 0})])
    inside = asyncio.Event()

    async def forget() -> None:
        async with db.write() as tx:
            await tx.execute(RAISE, id_="a", by=1)
            inside.set()
            await asyncio.sleep(1)

    forgotten = asyncio.create_task(forget())
    await inside.wait()
    await asyncio.wait_for(db.commit([Op(RAISE, {"id_": "a", "by": 10})]), 0.5)
    with pytest.raises(Busy, match="did nothing"):
        await forgotten
    assert await balance(db, "a") == 10


async def test_a_counter_does_not_wait_for_the_disk_but_keeps_its_order(db: SqliteDatabase) -> None:
    await db.commit([Op(ADD_SHOP, {"id": "a", "balance": 0})])
    before = db.commits
    for _ in range(20):
        await db.relaxed(NEXT, id_="a")
    assert db.commits - before < 20
    await db.commit([Op(ADD_SHOP, {"id": "b", "balance": 0})])
    assert await balance(db, "a") == 20


async def test_a_long_read_moves_to_a_thread_and_the_loop_goes_on(db: SqliteDatabase) -> None:
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
            row = await tx.fetch_one(count_up, top=10_000_000)
            assert row is not None
            assert row["n"] == 10_000_000
        row = await tx.fetch_one(COUNT_SHOPS)
        assert row is not None
        assert row["n"] == 0
    await asyncio.sleep(0)
    ticking.cancel()
    await asyncio.gather(ticking, return_exceptions=True)
    assert ticks > 100  # a loop that stood still for the reads would have turned a few times


async def test_a_full_disk_fails_every_one_who_shared_the_commit_and_then_heals(
    db: SqliteDatabase,
) -> None:
    await db.commit([Op(ADD_SHOP, {"id": "a", "balance": 0})])
    await asyncio.sleep(0.05)
    db._writer._con.execute("PRAGMA max_page_count = 1")  # the size it has already is the limit

    async def write(number: int) -> None:
        size = 100_000 if number % 10 == 5 else 1
        async with db.write() as tx:
            await tx.execute(ADD_SHOP, id=f"{number} " * size, balance=0)

    ended = await asyncio.gather(*(write(number) for number in range(30)), return_exceptions=True)
    failed = [one for one in ended if one is not None]
    assert len(failed) > 3  # also small ones that were done and waited for the COMMIT
    assert all(isinstance(one, Unreachable) for one in failed)
    assert await count(db) == 1 + len(ended) - len(failed)
    db._writer._con.execute("PRAGMA max_page_count = 1000000")
    await db.commit([Op(ADD_SHOP, {"id": "b", "balance": 0})])
    assert await balance(db, "b") == 0


async def test_another_process_that_writes_is_waited_for(
    db: SqliteDatabase, sqlite_url: str
) -> None:
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO shops VALUES ('other', 0)")
    mine = asyncio.create_task(db.commit([Op(ADD_SHOP, {"id": "mine", "balance": 0})]))
    await asyncio.sleep(0.1)
    assert not mine.done()
    assert await count(db) == 0  # and reading does not wait
    other.execute("COMMIT")
    other.close()
    await asyncio.wait_for(mine, 5)
    assert await count(db) == 2


async def test_one_cancelled_at_the_moment_its_turn_comes_passes_it_on(db: SqliteDatabase) -> None:
    await db.commit([Op(ADD_SHOP, {"id": "a", "balance": 0})])

    async def write() -> None:
        async with db.write() as tx:
            await tx.execute(RAISE, id_="a", by=10)

    async with asyncio.timeout(2), db.write() as tx:
        await tx.execute(RAISE, id_="a", by=1)
        unlucky = asyncio.create_task(write())
        await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_soon(unlucky.cancel)
    with pytest.raises(asyncio.CancelledError):
        await unlucky
    await asyncio.wait_for(write(), 1)
    assert await balance(db, "a") == 11


async def test_waiting_for_a_turn_is_first_come_first_served(db: SqliteDatabase) -> None:
    await db.commit([Op(ADD_SHOP, {"id": "a", "balance": 0})])
    order: list[int] = []

    async def write(number: int) -> None:
        async with db.write() as tx:
            await tx.fetch_one(LOCK_SHOP, id="a")
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(write(number) for number in range(20)))
    assert order == list(range(20))


async def test_what_was_acknowledged_is_there_after_the_process_dies(tmp_path: Path) -> None:
    """The file is copied as it is at the moment of the answer, without closing anything."""
    url = make_sqlite(tmp_path / "live.db")
    async with opened(url) as db:
        await db.commit([Op(ADD_SHOP, {"id": "a", "balance": 0})])
        for end in ("", "-wal"):
            shutil.copy(tmp_path / f"live.db{end}", tmp_path / f"dead.db{end}")
    assert seen_by_another_process(f"sqlite:///{tmp_path}/dead.db") == 1


async def test_what_stood_in_the_way_can_be_read_when_one_hears_of_it(db: SqliteDatabase) -> None:
    async def whole(name: str) -> None:
        try:
            await db.commit([Op(ADD_SHOP, {"id": name, "balance": 0})])
        except Conflict:
            assert await balance(db, name) == 0

    async def locked(name: str) -> None:
        with suppress(LookupError):
            async with db.write() as tx:
                if await tx.fetch_one(LOCK_SHOP, id=name):
                    raise LookupError
                await tx.execute(ADD_SHOP, id=name, balance=0)
        assert await balance(db, name) == 0

    for number in range(20):
        await asyncio.gather(*(whole(f"whole-{number}") for _ in range(8)))
        await asyncio.gather(*(locked(f"locked-{number}") for _ in range(8)))
