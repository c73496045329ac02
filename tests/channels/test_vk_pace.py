"""How fast a key asks: twenty calls a second for a community, three for a person."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigma.channels.vk.errors import Later
from sigma.channels.vk.rate_limit import Pace
from tests.channels.vk_line import KEY, Time, clients, connection, listening


class Stopped(Time):
    """A clock on which everybody who sleeps sleeps at once."""

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def starts(pace: Pace, time: Time, pauses: Sequence[float]) -> list[float]:
    """When calls begin that are asked for after these pauses."""
    found = []
    for pause in pauses:
        time.now += pause
        found.append(time.now + pace.take())
    return found


@pytest.mark.parametrize(("user", "per_second"), [(False, 20), (True, 3)])
async def test_the_call_too_many_waits_for_the_next_second(user: bool, per_second: int) -> None:
    time = Time()
    async with listening() as line, clients(time) as made:
        vk = made.of(connection(line), KEY, user=user)
        for _ in range(per_second):
            await vk.call("users.get")
        assert time.slept == []
        await vk.call("users.get")
        assert time.slept == [pytest.approx(1.05)]
        assert len(line.heard) == per_second + 1


async def test_pace_belongs_to_the_key_whoever_holds_it() -> None:
    time = Time()
    async with listening() as line, clients(time) as made:
        for _ in range(3):
            await made.of(connection(line), KEY, user=True).call("users.get")
        await made.of(connection(line), "another", user=True).call("users.get")
        assert time.slept == []
        await made.of(connection(line), KEY, user=True).call("users.get")
        assert len(time.slept) == 1


async def test_calls_asked_for_together_keep_the_pace_too() -> None:
    time = Time()
    pace = Pace(20, time.clock)
    waits = [pace.take() for _ in range(50)]
    assert waits == [0.0] * 20 + [pytest.approx(1.05)] * 20 + [pytest.approx(2.1)] * 10


async def test_a_row_of_calls_too_long_is_left_for_later() -> None:
    async with listening() as line, clients(Stopped()) as made:
        vk = made.of(connection(line), KEY, user=True)
        for _ in range(3 * 20):
            await vk.call("users.get")
        with pytest.raises(Later) as later:
            await vk.call("users.get")
    assert later.value.code == 6
    assert later.value.retry_after_s > 20
    assert not later.value.lost
    assert len(line.heard) == 60


@given(st.lists(st.floats(0, 3), max_size=120), st.integers(1, 25))
def test_no_second_ever_sees_more_calls_than_allowed(pauses: list[float], per_second: int) -> None:
    time = Time()
    found = starts(Pace(per_second, time.clock), time, pauses)
    assert found == sorted(found)
    for first, later in zip(found, found[per_second:], strict=False):
        assert later - first > 1


def test_an_idle_pace_is_known() -> None:
    time = Time()
    pace = Pace(3, time.clock)
    assert pace.idle
    pace.take()
    assert not pace.idle
    time.now += 2
    assert pace.idle
