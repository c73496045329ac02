"""What only PostgreSQL has: round trips, lost connections, notifications between processes."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from sigma.store.database import Busy, Database, Op, Statement, Unreachable, text_statement
from sigma.store.engine.postgres_pool import Pool
from tests.postgres import run_sql
from tests.store.engine import (
    ADD_SHOP,
    CHANGE,
    GET_SHOP,
    LOCK_SHOP,
    NEXT,
    RAISE,
    balance,
    count,
    opened,
)

CUT_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'sigma' AND datname = current_database()"
)


@pytest.fixture
async def db(pg_url: str) -> AsyncIterator[Database]:
    async with opened(pg_url) as db:
        yield db


def add(shop: str, balance: int = 0) -> Op:
    return Op(ADD_SHOP, {"id": shop, "balance": balance})


async def test_a_block_with_one_write_all_opens_no_transaction(db: Database) -> None:
    """Its rows carry one transaction number although the block also read before writing."""
    number = text_statement("SELECT COUNT(DISTINCT xmin::text) AS n FROM shops")
    open_now = text_statement(
        "SELECT COUNT(*) AS n FROM pg_stat_activity"
        " WHERE state = 'idle in transaction' AND datname = current_database()"
    )
    async with db.write() as tx:
        await tx.fetch_one(GET_SHOP, id="a")
        await tx.write_all([add("a"), add("b"), add("c")])
        row = None
        async with db.read() as outside:
            row = await outside.fetch_one(open_now)
        assert row is not None
        assert row["n"] == 0
    async with db.read() as tx:
        row = await tx.fetch_one(number)
    assert row is not None
    assert row["n"] == 1


async def test_a_connection_lost_in_a_transaction_fails_it_and_the_next_one_works(
    db: Database, pg_url: str
) -> None:
    await db.commit([add("a")])
    with pytest.raises(Unreachable, match="lost"):  # noqa: PT012 - leaving raises
        async with db.write() as tx:
            await tx.execute(RAISE, id_="a", by=1)
            await asyncio.to_thread(run_sql, pg_url, CUT_ALL)
            await tx.execute(RAISE, id_="a", by=1)
    assert await balance(db, "a") == 0
    async with db.write() as tx:
        await tx.execute(RAISE, id_="a", by=5)
    assert await balance(db, "a") == 5


async def test_a_waiter_hears_another_process_also_after_a_lost_connection(
    db: Database, pg_url: str
) -> None:
    async with opened(pg_url) as other:
        for number in range(2):
            waiter = asyncio.create_task(db.wait("jobs", 20))
            await asyncio.sleep(0.3)
            if number:
                await asyncio.to_thread(run_sql, pg_url, CUT_ALL)
                await asyncio.wait_for(waiter, 5)  # woken for what it may have missed
                waiter = asyncio.create_task(db.wait("jobs", 20))
                await asyncio.sleep(0.1)
            assert not waiter.done()
            await other.commit([add(f"s{number}")], wake="jobs")
            await asyncio.wait_for(waiter, 5)


async def test_many_wakes_become_few_notifications(db: Database, pg_url: str) -> None:
    async with opened(pg_url) as other:
        heard = 0

        async def listen() -> None:
            nonlocal heard
            while True:
                await other.wait("jobs", 10)
                heard += 1

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0.3)
        before = heard
        await asyncio.gather(*(db.commit([add(f"s{n}")], wake="jobs") for n in range(100)))
        await db.notify("jobs")
        await asyncio.sleep(0.2)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert 0 < heard - before < 60


async def test_more_transactions_than_connections_wait_for_one(pg_url: str) -> None:
    async with opened(pg_url, pool_size=2) as db:
        await db.commit([add("a")])

        async def deposit() -> None:
            async with db.write() as tx:
                row = await tx.fetch_one(LOCK_SHOP, id="a")
                assert row is not None
                new = {"id_": "a", "was": row["balance"], "will": row["balance"] + 1}
                await tx.write_all([Op(CHANGE, new)])

        await asyncio.gather(*(deposit() for _ in range(100)))
        assert await balance(db, "a") == 100


async def test_a_deadlock_of_a_whole_decision_is_tried_again(db: Database) -> None:
    await db.commit([add("a"), add("b")])
    both = [Op(RAISE, {"id_": name, "by": 10}) for name in ("b", "a")]
    async with db.write() as tx:
        await tx.execute(RAISE, id_="a", by=1)
        crossing = asyncio.create_task(db.commit(both))  # has b and waits for a
        await asyncio.sleep(0.1)
        await tx.execute(RAISE, id_="b", by=1)  # waits for b until PostgreSQL ends the other
    await crossing
    assert (await balance(db, "a"), await balance(db, "b")) == (11, 11)


async def test_a_connection_that_could_not_be_opened_is_tried_again(pg_url: str) -> None:
    attempts = 0

    async def connect() -> object:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise OSError
        return await asyncpg.connect(pg_url)

    pool = Pool(connect, 1)
    for _ in range(2):
        with pytest.raises(OSError):  # noqa: PT011 - the very one
            await pool.acquire()
    con = await asyncio.wait_for(pool.acquire(), 5)
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    con.terminate()
    pool.release(con)  # a lost one is replaced for who waits
    again = await asyncio.wait_for(waiting, 5)
    assert await again.fetchval("SELECT 1") == 1
    pool.release(again)
    await pool.close()


async def test_a_lock_that_is_never_freed_is_given_up(db: Database, pg_url: str) -> None:
    await db.commit([add("a")])
    patience = text_statement("SELECT set_config('lock_timeout', '100ms', true) AS x")
    async with db.write() as holder:
        await holder.fetch_one(LOCK_SHOP, id="a")

        async def wait() -> None:
            async with db.write() as tx:
                await tx.execute(ADD_SHOP, id="b", balance=0)
                await tx.fetch_one(patience)
                await tx.fetch_one(LOCK_SHOP, id="a")

        with pytest.raises(Busy):
            await asyncio.create_task(wait())
    assert await count(db) == 1


async def test_a_relaxed_write_does_not_wait_for_the_disk_but_the_next_one_does(
    pg_url: str,
) -> None:
    await asyncio.to_thread(run_sql, pg_url, "ALTER DATABASE engine SET synchronous_commit = on")
    behind = text_statement(
        "SELECT CAST(pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn() AS BIGINT) AS x"
    )
    async with opened(pg_url, pool_size=1) as db:
        await db.commit([add("a")])
        ahead = []
        for _ in range(20):
            await db.relaxed(NEXT, id_="a")
            ahead.append(await _first(db, behind))
        assert any(ahead)  # the server writes by its own clock, too
        await db.commit([add("b")])
        assert await _first(db, behind) == 0
        assert await balance(db, "a") == 20


async def test_no_connection_is_lost_by_cancelling(pg_url: str) -> None:
    async with opened(pg_url, pool_size=2) as db:
        await db.commit([add("a")])

        async def deposit() -> None:
            async with db.write() as tx:
                await tx.fetch_one(LOCK_SHOP, id="a")
                await tx.execute(RAISE, id_="a", by=1)

        for number in range(60):
            tasks = [asyncio.create_task(deposit()) for _ in range(6)]
            await asyncio.sleep(number % 10 / 2000)
            for task in tasks[number % 2 :: 2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        before = await balance(db, "a")
        assert before is not None
        await asyncio.wait_for(asyncio.gather(*(deposit() for _ in range(20))), 5)
        assert await balance(db, "a") == before + 20
        used = text_statement(
            "SELECT COUNT(*) AS x FROM pg_stat_activity"
            " WHERE application_name = 'sigma' AND datname = current_database()"
        )
        assert await _first(db, used) == 2


async def _first(db: Database, stmt: Statement) -> object:
    async with db.read() as tx:
        row = await tx.fetch_one(stmt)
    assert row is not None
    return row["x"]
