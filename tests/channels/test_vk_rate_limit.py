"""VK rate limit: 20 calls per second for a community access key."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.channels.vk.errors import RetryLaterError
from sigma.channels.vk.rate_limit import COMMUNITY_CALLS_PER_S, RateLimiter
from tests.channels.vk_server import (
    ACCESS_KEY,
    FakeTime,
    open_clients,
    run_vk_server,
    vk_connection,
)


class FrozenClock(FakeTime):
    """A clock that never advances: all waiting calls sleep at the same time."""

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)


def start_times(
    limiter: RateLimiter, fake_clock: FakeTime, pauses_s: Sequence[float]
) -> list[float]:
    """Return the start times (s) of calls that are requested after these pauses (s)."""
    started_at_s = []
    for pause_s in pauses_s:
        fake_clock.now_s += pause_s
        started_at_s.append(fake_clock.now_s + limiter.reserve())
    return started_at_s


async def test_call_over_the_limit_waits_for_the_next_second() -> None:
    fake_clock = FakeTime()
    async with run_vk_server() as vk_server, open_clients(fake_clock) as opened:
        vk = opened.for_key(vk_connection(vk_server), ACCESS_KEY)
        for _ in range(COMMUNITY_CALLS_PER_S):
            await vk.call("users.get")
        assert fake_clock.sleeps == []
        await vk.call("users.get")
        assert fake_clock.sleeps == [pytest.approx(1.05)]
        assert len(vk_server.requests) == COMMUNITY_CALLS_PER_S + 1


async def test_rate_limit_is_shared_by_clients_with_the_same_key() -> None:
    fake_clock = FakeTime()
    async with run_vk_server() as vk_server, open_clients(fake_clock) as opened:
        for _ in range(COMMUNITY_CALLS_PER_S):
            await opened.for_key(vk_connection(vk_server), ACCESS_KEY).call("users.get")
        await opened.for_key(vk_connection(vk_server), "another").call("users.get")
        assert fake_clock.sleeps == []
        await opened.for_key(vk_connection(vk_server), ACCESS_KEY).call("users.get")
        assert len(fake_clock.sleeps) == 1


async def test_simultaneous_calls_are_spread_over_seconds() -> None:
    fake_clock = FakeTime()
    limiter = RateLimiter(20, fake_clock.clock)
    waits = [limiter.reserve() for _ in range(50)]
    assert waits == [0.0] * 20 + [pytest.approx(1.05)] * 20 + [pytest.approx(2.1)] * 10


async def test_too_long_queue_of_calls_raises_retry_later() -> None:
    async with run_vk_server() as vk_server, open_clients(FrozenClock()) as opened:
        vk = opened.for_key(vk_connection(vk_server), ACCESS_KEY)
        for _ in range(20 * COMMUNITY_CALLS_PER_S):
            await vk.call("users.get")
        with pytest.raises(RetryLaterError) as caught:
            await vk.call("users.get")
    assert caught.value.code == 6
    assert caught.value.retry_after_s > 20
    assert not caught.value.is_outcome_unknown
    assert len(vk_server.requests) == 20 * COMMUNITY_CALLS_PER_S


@given(st.lists(st.floats(0, 3), max_size=120), st.integers(1, 25))
def test_no_second_has_more_calls_than_allowed(pauses_s: list[float], per_second: int) -> None:
    fake_clock = FakeTime()
    started_at_s = start_times(RateLimiter(per_second, fake_clock.clock), fake_clock, pauses_s)
    assert started_at_s == sorted(started_at_s)
    for first, later_s in zip(started_at_s, started_at_s[per_second:], strict=False):
        assert later_s - first > 1


def test_limiter_is_idle_when_its_window_is_empty() -> None:
    fake_clock = FakeTime()
    limiter = RateLimiter(3, fake_clock.clock)
    idle_states = [limiter.is_idle]
    limiter.reserve()
    idle_states.append(limiter.is_idle)
    fake_clock.now_s += 2
    idle_states.append(limiter.is_idle)
    assert idle_states == [True, False, True]
