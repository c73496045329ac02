"""Lanes: which slots a shop gets beside the others, whatever it has waiting."""

import itertools
from collections import Counter

import pytest

from sigma import worker
from sigma.domain.job_lanes import LANES, SLOTS, Lane, LaneState, capacity, divide


def test_every_kind_of_job_has_a_lane_and_a_handler() -> None:
    assert set(LANES) == set(worker.HANDLERS)
    assert set(SLOTS) == set(Lane)


def claim(state: LaneState, slots: int, shops: list[str]) -> list[str]:
    """Claim once for shops with endless due jobs, as the store does; return the shops in order."""
    room = capacity(slots, state.running)
    turns = [s for s in shops if s > state.last_shop_id] + [
        s for s in shops if s <= state.last_shop_id
    ]
    due = [shop for shop in turns if shop not in room.full_shops][: room.limit]
    claimed = [shop for shop, n in divide(slots, state.running, due).items() for _ in range(n)]
    state.add(claimed)
    return claimed


@pytest.mark.parametrize("slots", [1, 3, 4, 8])
@pytest.mark.parametrize("shop_count", [1, 2, 3, 7, 20])
def test_flooded_shops_never_exceed_the_slots_and_share_them(slots: int, shop_count: int) -> None:
    state, shops = LaneState(), [f"shp_{number:02}" for number in range(shop_count)]
    while claim(state, slots, shops):
        pass
    running = state.running
    assert running.total() <= slots
    assert len(running) >= min(shop_count, slots // 2 + 1)
    assert max(running.values()) <= max(slots // 2, 1)


def test_single_shop_gets_half_of_the_slots_and_a_newcomer_starts_at_once() -> None:
    state = LaneState()
    assert claim(state, 8, ["shp_1"]) == ["shp_1"] * 4
    assert claim(state, 8, ["shp_1"]) == []
    assert claim(state, 8, ["shp_1", "shp_2"]) == ["shp_2"] * 2
    assert capacity(8, {f"shp_{n}": 1 for n in range(8)}).limit == 0


@pytest.mark.parametrize("slots", SLOTS.values())
@pytest.mark.parametrize("shop_count", [1, 3, 40, 500])
def test_new_shop_waits_for_one_turn_of_each_other_shop(slots: int, shop_count: int) -> None:
    """Jobs that end at once, as those of a dead server do: the newcomer is never last for long."""
    shops = [f"shp_{number:03}" for number in range(shop_count)]
    for newcomer in ("shp_000x", f"shp_{shop_count // 2:03}x", "shp_999x"):
        state = LaneState()
        for _ in range(3):
            for shop in claim(state, slots, shops):
                state.remove(shop)
        waited: list[str] = []
        while newcomer not in (claimed := claim(state, slots, sorted([*shops, newcomer]))):
            waited += claimed
            for shop in claimed:
                state.remove(shop)
        assert len(waited) <= max(shop_count, slots)
        assert set(Counter(waited).values()) <= {1} or shop_count < slots


@pytest.mark.parametrize("slots", [1, 2, 8])
def test_free_slot_is_given_to_one_of_the_due_shops(slots: int) -> None:
    for busy in itertools.product(range(slots + 1), repeat=3):
        running = {f"shp_{n}": count for n, count in enumerate(busy) if count}
        room = capacity(slots, running)
        due = [s for s in ("shp_0", "shp_1", "shp_8", "shp_9") if s not in room.full_shops]
        shares = divide(slots, running, due)
        assert sum(shares.values()) <= room.limit
        assert bool(shares) == bool(room.limit and due)
