"""Counters of rate limits in the database: windows, races, two processes, cleanup, addresses."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from sigma.domain.errors import RefusedError
from sigma.domain.limits import GrowingDelay, Limit
from sigma.domain.time_units import SECOND_US
from sigma.services.limits import RateLimiter, client_network
from sigma.services.platform import housekeeping
from sigma.store.accounts import sessions
from sigma.store.database import open_database
from sigma.store.engine.interface import UnreachableError
from tests.leaks import dump_tables
from tests.world import World

THREE_A_MINUTE = Limit("three", 3, 60, "subject", "test")
# Longer delays than of sign-in: on a slow machine a second passes between two attempts.
DELAY = GrowingDelay("delay", 2, 100, 90_000, 360_000, "subject", "test")


async def dump_counters(world: World) -> str:
    """Return all counters as text, with all that is written so far."""
    async with world.ctx.db.write() as tx:  # committed together with all unsynced writes
        await sessions.delete_expired(tx, 0, 1)
    return (await dump_tables(world.ctx.db))["rate_counters"]


async def outcomes(limiter: RateLimiter, count: int, subject: str = "a") -> Counter[bool]:
    """Make concurrent attempts; return how many were allowed (True) and refused."""
    allowed = await asyncio.gather(
        *(limiter.is_allowed(THREE_A_MINUTE, subject) for _ in range(count))
    )
    return Counter(allowed)


@pytest.mark.both_databases
async def test_concurrent_attempts_never_exceed_the_limit(world: World) -> None:
    limiter = world.ctx.limiter
    assert await outcomes(limiter, 40) == {True: 3, False: 37}
    assert await outcomes(limiter, 5, "b") == {True: 3, False: 2}
    world.clock.advance(seconds=59)
    assert await outcomes(limiter, 5) == {False: 5}
    world.clock.advance(seconds=2)
    assert await outcomes(limiter, 5) == {True: 3, False: 2}


@pytest.mark.both_databases
async def test_usage_says_what_is_left_and_when_the_window_ends(world: World) -> None:
    limiter = world.ctx.limiter
    assert (await limiter.count(THREE_A_MINUTE, "a")).remaining == 2
    world.clock.advance(seconds=20)
    second = await limiter.count(THREE_A_MINUTE, "a")
    assert second.remaining == 1
    assert 39 * SECOND_US < second.wait_us <= 40 * SECOND_US
    assert await limiter.wait_us(THREE_A_MINUTE, "a") == 0
    await limiter.count(THREE_A_MINUTE, "a")
    full = await limiter.count(THREE_A_MINUTE, "a")
    assert (full.remaining, full.is_exceeded) == (0, True)
    assert 0 < full.wait_us <= 40 * SECOND_US
    assert 0 < await limiter.wait_us(THREE_A_MINUTE, "a") <= 40 * SECOND_US


@pytest.mark.both_databases
async def test_refused_attempt_writes_nothing(world: World) -> None:
    await outcomes(world.ctx.limiter, 5)
    before = await dump_counters(world)
    assert "count=3" in before
    world.clock.advance(seconds=5)
    await outcomes(world.ctx.limiter, 20)
    assert await dump_counters(world) == before


@pytest.mark.both_databases
async def test_undone_attempt_is_free_again(world: World) -> None:
    limiter = world.ctx.limiter
    await outcomes(limiter, 3)
    await limiter.undo(THREE_A_MINUTE, "a")
    assert await outcomes(limiter, 2) == {True: 1, False: 1}
    for _ in range(9):
        await limiter.undo(THREE_A_MINUTE, "a")
    assert await outcomes(limiter, 5) == {True: 3, False: 2}
    await limiter.clear(THREE_A_MINUTE, "a")
    assert await outcomes(limiter, 5) == {True: 3, False: 2}


@pytest.mark.both_databases
async def test_two_processes_share_the_counters(world: World, database_url: str) -> None:
    other_database = await open_database(database_url)
    try:
        other = replace(world.ctx, db=other_database)
        both = await asyncio.gather(outcomes(world.ctx.limiter, 20), outcomes(other.limiter, 20))
        assert sum(both, Counter()) == {True: 3, False: 37}
        await world.ctx.limiter.require_after_delay(DELAY, "a")
        await other.limiter.require_after_delay(DELAY, "a")
        for limiter in (world.ctx.limiter, other.limiter):
            with pytest.raises(RefusedError, match="too_many_requests"):
                await limiter.require_after_delay(DELAY, "a")
    finally:
        await other_database.close()


@pytest.mark.both_databases
async def test_delay_grows_with_each_failure_and_is_forgotten(world: World) -> None:
    limiter = world.ctx.limiter
    for wait_s in (0, 0, 100, 200, 400, 800):
        if wait_s:
            with pytest.raises(RefusedError) as caught:
                await limiter.require_after_delay(DELAY, "a")
            assert 0 < caught.value.params["wait"].total_seconds() <= wait_s + 60, "rounded up"
            world.clock.advance(seconds=wait_s)
        await limiter.require_after_delay(DELAY, "a")
    world.clock.advance(hours=101)
    await limiter.require_after_delay(DELAY, "a")
    await limiter.require_after_delay(DELAY, "a")


@pytest.mark.both_databases
async def test_concurrent_attempts_get_no_more_free_ones(world: World) -> None:
    results = await asyncio.gather(
        *(world.ctx.limiter.require_after_delay(DELAY, "a") for _ in range(30)),
        return_exceptions=True,
    )
    assert results.count(None) == DELAY.free


async def test_expired_counters_are_deleted_and_others_stay(world: World) -> None:
    async def count() -> int:
        return (await dump_counters(world)).count("key=")

    await housekeeping.clean_up(world.ctx)
    before = await count()
    await outcomes(world.ctx.limiter, 1)
    await world.ctx.limiter.require_after_delay(DELAY, "a")
    await housekeeping.clean_up(world.ctx)
    assert await count() == before + 2
    world.clock.advance(minutes=2)
    await housekeeping.clean_up(world.ctx)
    assert await count() == before + 1
    world.clock.advance(hours=100)
    await housekeeping.clean_up(world.ctx)
    assert await count() == before


async def test_counters_contain_no_plain_addresses(world: World) -> None:
    await world.ctx.limiter.count(THREE_A_MINUTE, "203.0.113.7 owner@example.org")
    stored = await dump_counters(world)
    assert stored
    assert "203.0" not in stored
    assert "owner" not in stored


async def test_lost_database_is_reported_as_such(world: World, database_url: str) -> None:
    """Not as a refusal, and not as an error of another kind."""
    lost = await open_database(database_url)
    limiter = replace(world.ctx, db=lost).limiter
    await lost.close()
    with pytest.raises(UnreachableError):
        await limiter.count(THREE_A_MINUTE, "a")


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:DB8:1:2::", "2001:db8:1:2::"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2002:cb00:7107:1::5", "203.0.113.7"),
        ("64:ff9b::203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::"),
        ("", "unknown"),
        ("testclient", "unknown"),
        ("203.0.113.7, 198.51.100.1", "unknown"),
        ("x" * 10_000, "unknown"),
    ],
)
def test_client_counts_as_ipv4_address_or_ipv6_network(ip: str, network: str) -> None:
    assert client_network(ip) == network
