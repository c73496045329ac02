"""PostgreSQL engine: round trips, lost connections, notifications between processes."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from sigma.store.engine.interface import BusyError, Database, Op, UnreachableError
from sigma.store.engine.postgres_notify import RESEND_AFTER_S
from sigma.store.engine.postgres_pool import Pool
from sigma.store.engine.statements import Statement, text_statement
from tests.postgres import run_sql
from tests.store.engine_tables import (
    ADD_TO_BALANCE,
    COMPARE_AND_SET_BALANCE,
    GET_SHOP,
    INCREMENT_BALANCE,
    INSERT_SHOP,
    LOCK_SHOP,
    count_shops,
    get_balance,
    open_engine,
)

TERMINATE_CONNECTIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'sigma' AND datname = current_database()"
)


@pytest.fixture
async def db(postgres_engine_url: str) -> AsyncIterator[Database]:
    async with open_engine(postgres_engine_url) as db:
        yield db


def add(shop: str, balance: int = 0) -> Op:
    return Op(INSERT_SHOP, {"id": shop, "balance": balance})


async def test_transaction_with_one_write_all_is_one_statement_batch(db: Database) -> None:
    """All rows have one transaction id, and no transaction is open while the block runs."""
    count_row_transactions = text_statement("SELECT COUNT(DISTINCT xmin::text) AS n FROM shops")
    count_open_transactions = text_statement(
        "SELECT COUNT(*) AS n FROM pg_stat_activity"
        " WHERE state = 'idle in transaction' AND datname = current_database()"
    )
    async with db.write() as tx:
        await tx.fetch_one(GET_SHOP, id="a")
        await tx.write_all([add("a"), add("b"), add("c")])
        row = None
        async with db.read() as reader:
            row = await reader.fetch_one(count_open_transactions)
        assert row is not None
        assert row["n"] == 0
    async with db.read() as tx:
        row = await tx.fetch_one(count_row_transactions)
    assert row is not None
    assert row["n"] == 1


async def test_lost_connection_fails_its_transaction_and_next_one_works(
    db: Database, postgres_engine_url: str
) -> None:
    await db.commit([add("a")])
    with pytest.raises(UnreachableError, match="lost"):  # noqa: PT012 - leaving the block raises
        async with db.write() as tx:
            await tx.execute(ADD_TO_BALANCE, id_="a", by=1)
            await asyncio.to_thread(run_sql, postgres_engine_url, TERMINATE_CONNECTIONS)
            await tx.execute(ADD_TO_BALANCE, id_="a", by=1)
    assert await get_balance(db, "a") == 0
    async with db.write() as tx:
        await tx.execute(ADD_TO_BALANCE, id_="a", by=5)
    assert await get_balance(db, "a") == 5


async def test_waiter_is_woken_by_another_process_even_after_lost_connection(
    db: Database, postgres_engine_url: str
) -> None:
    async with open_engine(postgres_engine_url) as other:
        for attempt in range(2):
            waiter = asyncio.create_task(db.wait("jobs", 20))
            await asyncio.sleep(0.3)
            if attempt:
                await asyncio.to_thread(run_sql, postgres_engine_url, TERMINATE_CONNECTIONS)
                # A reconnect wakes the waiter: it may have missed a signal.
                await asyncio.wait_for(waiter, 5)
                waiter = asyncio.create_task(db.wait("jobs", 20))
                await asyncio.sleep(0.1)
            assert not waiter.done()
            await other.commit([add(f"s{attempt}")], notify_channels=["jobs"])
            await asyncio.wait_for(waiter, 5)


async def test_many_commits_are_merged_into_few_notifications(
    db: Database, postgres_engine_url: str
) -> None:
    async with open_engine(postgres_engine_url) as other:
        wake_count = 0

        async def listen() -> None:
            nonlocal wake_count
            while True:
                await other.wait("jobs", 10)
                wake_count += 1

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0.3)
        before = wake_count
        await asyncio.gather(
            *(db.commit([add(f"s{n}")], notify_channels=["jobs"]) for n in range(100))
        )
        await db.notify("jobs")
        await asyncio.sleep(0.2)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert 0 < wake_count - before < 60


async def test_channel_of_lists_is_paced_and_its_last_change_is_notified(
    db: Database, postgres_engine_url: str
) -> None:
    async with open_engine(postgres_engine_url) as other:
        await other.wait("lists", 0.3)  # subscribes
        started_s = asyncio.get_running_loop().time()
        wake_count, woken = 0, asyncio.Event()

        async def listen() -> None:
            nonlocal wake_count
            while True:
                await other.wait("lists", 10)
                wake_count += 1
                woken.set()

        listening = asyncio.create_task(listen())
        for n in range(150):
            await db.commit([add(f"s{n}")], notify_channels=["lists"])
        count, elapsed_s = wake_count, asyncio.get_running_loop().time() - started_s
        woken.clear()
        await db.notify("lists")
        await asyncio.wait_for(woken.wait(), 5)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert count <= elapsed_s / RESEND_AFTER_S["lists"] + 3


async def test_transactions_over_pool_size_wait_for_a_connection(postgres_engine_url: str) -> None:
    async with open_engine(postgres_engine_url, pool_size=2) as db:
        await db.commit([add("a")])

        async def deposit() -> None:
            async with db.write() as tx:
                row = await tx.fetch_one(LOCK_SHOP, id="a")
                assert row is not None
                new = {"id_": "a", "was": row["balance"], "will": row["balance"] + 1}
                await tx.write_all([Op(COMPARE_AND_SET_BALANCE, new)])

        await asyncio.gather(*(deposit() for _ in range(100)))
        assert await get_balance(db, "a") == 100


async def test_commit_that_deadlocks_is_retried(db: Database) -> None:
    await db.commit([add("a"), add("b")])
    both = [Op(ADD_TO_BALANCE, {"id_": name, "by": 10}) for name in ("b", "a")]
    async with db.write() as tx:
        await tx.execute(ADD_TO_BALANCE, id_="a", by=1)
        deadlocked = asyncio.create_task(db.commit(both))  # holds b and waits for a
        await asyncio.sleep(0.1)
        # Waits for b until PostgreSQL aborts the other transaction.
        await tx.execute(ADD_TO_BALANCE, id_="b", by=1)
    await deadlocked
    assert (await get_balance(db, "a"), await get_balance(db, "b")) == (11, 11)


async def test_pool_retries_failed_connect_and_replaces_lost_connection(
    postgres_engine_url: str,
) -> None:
    attempts = 0

    async def connect() -> object:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise OSError
        return await asyncpg.connect(postgres_engine_url)

    pool = Pool(connect, 1)
    for _ in range(2):
        with pytest.raises(OSError):  # noqa: PT011 - raised by connect above
            await pool.acquire()
    con = await asyncio.wait_for(pool.acquire(), 5)
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    con.terminate()
    pool.release(con)  # the pool replaces a lost connection for the waiter
    replacement = await asyncio.wait_for(waiting, 5)
    assert await replacement.fetchval("SELECT 1") == 1
    pool.release(replacement)
    await pool.close()


async def test_lock_timeout_raises_busy(db: Database, postgres_engine_url: str) -> None:
    await db.commit([add("a")])
    set_lock_timeout = text_statement("SELECT set_config('lock_timeout', '100ms', true) AS x")
    async with db.write() as holder:
        await holder.fetch_one(LOCK_SHOP, id="a")

        async def wait() -> None:
            async with db.write() as tx:
                await tx.execute(INSERT_SHOP, id="b", balance=0)
                await tx.fetch_one(set_lock_timeout)
                await tx.fetch_one(LOCK_SHOP, id="a")

        with pytest.raises(BusyError):
            await asyncio.create_task(wait())
    assert await count_shops(db) == 1


async def test_unsynced_write_does_not_wait_for_disk_but_next_commit_does(
    postgres_engine_url: str,
) -> None:
    await asyncio.to_thread(
        run_sql, postgres_engine_url, "ALTER DATABASE engine SET synchronous_commit = on"
    )
    unflushed_bytes = text_statement(
        "SELECT CAST(pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn() AS BIGINT) AS x"
    )
    async with open_engine(postgres_engine_url, pool_size=1) as db:
        await db.commit([add("a")])
        unflushed = []
        for _ in range(20):
            await db.execute_unsynced(INCREMENT_BALANCE, id_="a")
            unflushed.append(await read_single(db, unflushed_bytes))
        assert any(unflushed)  # at least once: the server also flushes on its own timer
        await db.commit([add("b")])
        assert await read_single(db, unflushed_bytes) == 0
        assert await get_balance(db, "a") == 20


async def test_cancellation_never_leaks_a_connection(postgres_engine_url: str) -> None:
    async with open_engine(postgres_engine_url, pool_size=2) as db:
        await db.commit([add("a")])

        async def deposit() -> None:
            async with db.write() as tx:
                await tx.fetch_one(LOCK_SHOP, id="a")
                await tx.execute(ADD_TO_BALANCE, id_="a", by=1)

        for attempt in range(60):
            tasks = [asyncio.create_task(deposit()) for _ in range(6)]
            await asyncio.sleep(attempt % 10 / 2000)
            for task in tasks[attempt % 2 :: 2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        before = await get_balance(db, "a")
        assert before is not None
        await asyncio.wait_for(asyncio.gather(*(deposit() for _ in range(20))), 5)
        assert await get_balance(db, "a") == before + 20
        count_connections = text_statement(
            "SELECT COUNT(*) AS x FROM pg_stat_activity"
            " WHERE application_name = 'sigma' AND datname = current_database()"
        )
        assert await read_single(db, count_connections) == 2


async def read_single(db: Database, stmt: Statement) -> object:
    async with db.read() as tx:
        row = await tx.fetch_one(stmt)
    assert row is not None
    return row["x"]
