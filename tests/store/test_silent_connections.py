"""Connections to PostgreSQL that go silent without closing: every wait ends, all are replaced."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sigma.store.engine.interface import Op, UnreachableError
from sigma.store.engine.postgres import PostgresDatabase, open_postgres
from tests.network_proxy import NetworkProxy, proxied
from tests.store.engine_tables import ADD_TO_BALANCE, INSERT_SHOP, LOCK_SHOP, count_shops

POOL_SIZE = 4


@pytest.fixture
async def proxy_and_db(
    postgres_engine_url: str,
) -> AsyncIterator[tuple[NetworkProxy, PostgresDatabase]]:
    async with proxied(postgres_engine_url) as (proxy, url):
        db = await open_postgres(url, pool_size=POOL_SIZE, command_timeout_s=0.3)
        await asyncio.gather(*(count_shops(db) for _ in range(POOL_SIZE * 2)))
        try:
            yield proxy, db
        finally:
            await asyncio.wait_for(db.close(), 20)


async def test_one_lost_read_replaces_all_silent_connections(
    proxy_and_db: tuple[NetworkProxy, PostgresDatabase],
) -> None:
    proxy, db = proxy_and_db
    proxy.silence()
    with pytest.raises(UnreachableError, match="no answer"):
        await count_shops(db)
    # Each of these would find a silent connection if only the first had been replaced.
    results = await asyncio.gather(*(count_shops(db) for _ in range(POOL_SIZE)))
    assert results == [0] * POOL_SIZE


async def test_one_lost_notification_replaces_all_silent_connections(
    proxy_and_db: tuple[NetworkProxy, PostgresDatabase],
) -> None:
    proxy, db = proxy_and_db
    proxy.silence()
    await db.notify("jobs")
    results = await asyncio.gather(*(count_shops(db) for _ in range(POOL_SIZE)))
    assert results == [0] * POOL_SIZE


async def test_all_connections_silent_in_use_are_given_up_and_replaced(
    proxy_and_db: tuple[NetworkProxy, PostgresDatabase],
) -> None:
    proxy, db = proxy_and_db
    await db.commit([Op(INSERT_SHOP, {"id": "a", "balance": 0})])
    entered = asyncio.Barrier(POOL_SIZE + 1)

    async def transact(shop: str) -> None:
        async with db.write() as tx:
            await tx.execute(INSERT_SHOP, id=shop, balance=0)
            await entered.wait()
            await tx.execute(ADD_TO_BALANCE, id_=shop, by=1)

    stuck = [asyncio.create_task(transact(f"s{number}")) for number in range(POOL_SIZE)]
    waiting = asyncio.create_task(count_shops(db))  # finds no free connection
    async with asyncio.timeout(20):
        await entered.wait()
        proxy.silence()
        results = await asyncio.gather(*stuck, return_exceptions=True)
        assert [type(result) for result in results] == [UnreachableError] * POOL_SIZE
        assert await waiting == 1
        async with db.write() as tx:
            await tx.fetch_one(LOCK_SHOP, id="a")
            await tx.execute(ADD_TO_BALANCE, id_="a", by=1)


async def test_healthy_connections_survive_one_lost_connection_of_an_earlier_generation(
    proxy_and_db: tuple[NetworkProxy, PostgresDatabase],
) -> None:
    proxy, db = proxy_and_db
    first, second = await db.pool.acquire(), await db.pool.acquire()
    db.pool.discard(first)
    db.pool.release(first)
    before = proxy.connection_count
    await asyncio.gather(*(count_shops(db) for _ in range(POOL_SIZE - 1)))
    db.pool.discard(second)
    db.pool.release(second)
    await asyncio.gather(*(count_shops(db) for _ in range(POOL_SIZE - 1)))
    assert proxy.connection_count - before == POOL_SIZE - 1


async def test_silent_listener_is_replaced_and_hears_other_processes(
    proxy_and_db: tuple[NetworkProxy, PostgresDatabase], postgres_engine_url: str
) -> None:
    proxy, db = proxy_and_db
    first_wait = asyncio.create_task(db.wait("jobs", 30))
    other = await open_postgres(postgres_engine_url, pool_size=1)
    try:
        async with asyncio.timeout(30):
            while not first_wait.done():  # until LISTEN works
                await other.notify("jobs")
            proxy.silence()
            await db.wait("jobs", 30)  # the reconnect wakes it: a signal may have been missed
            waiter = asyncio.create_task(db.wait("jobs", 30))
            while not waiter.done():
                await other.notify("jobs")
    finally:
        await other.close()


async def test_close_ends_while_every_connection_is_silent(postgres_engine_url: str) -> None:
    async with proxied(postgres_engine_url) as (proxy, url):
        db = await open_postgres(url, pool_size=POOL_SIZE, command_timeout_s=1)
        await asyncio.gather(*(count_shops(db) for _ in range(POOL_SIZE * 2)))
        waiter = asyncio.create_task(db.wait("jobs", 60))
        stuck = asyncio.create_task(count_shops(db))
        proxy.silence()
        db.notify_soon("jobs")
        async with asyncio.timeout(10):
            await db.close()
        waiter.cancel()
        await asyncio.gather(waiter, stuck, return_exceptions=True)
