"""Lanes: which slots a shop gets beside the others, whatever it has waiting."""

import pytest

from sigma import worker
from sigma.domain.job_lanes import LANES, SLOTS, Lane, capacity


def test_every_kind_of_job_has_a_lane_and_a_handler() -> None:
    assert set(LANES) == set(worker.HANDLERS)
    assert set(SLOTS) == set(Lane)


def run_flooded(slots: int, shop_count: int) -> dict[str, int]:
    """Claim for shops with endless due jobs until nothing more may be claimed."""
    running: dict[str, int] = {}
    shops = [f"shp_{number}" for number in range(shop_count)]
    while (room := capacity(slots, running)).limit:
        eligible = [shop for shop in shops if shop not in room.full_shops]
        if not eligible:
            break
        # The worst order: all that may be claimed goes to the first shop.
        claims = (
            [(shop, 1) for shop in eligible[: room.limit]]
            if room.full_shops
            else [(eligible[0], room.limit)]
        )
        for shop, count in claims:
            running[shop] = running.get(shop, 0) + count
    return running


@pytest.mark.parametrize("slots", [1, 3, 4, 8])
@pytest.mark.parametrize("shop_count", [1, 2, 3, 7, 20])
def test_flooded_shops_never_exceed_the_slots_and_share_them(slots: int, shop_count: int) -> None:
    running = run_flooded(slots, shop_count)
    assert sum(running.values()) <= slots
    assert len(running) >= min(shop_count, slots // 2 + 1)
    assert max(running.values()) <= max(slots // 2, 1)


def test_single_shop_gets_half_of_the_slots_and_a_newcomer_starts_at_once() -> None:
    assert run_flooded(8, 1) == {"shp_0": 4}
    room = capacity(8, {"shp_0": 4})
    assert (room.limit, room.full_shops) == (4, ("shp_0",))
    assert capacity(8, {"shp_0": 3}).limit == 1
    assert capacity(8, {f"shp_{n}": 1 for n in range(8)}).limit == 0
