"""Saved views of lists: their number is bounded, also when many are saved at once."""

import asyncio

import pytest

from sigma.domain.errors import RefusedError
from sigma.domain.lists.filters import PaymentFilter
from sigma.domain.lists.saved_view import MAX_VIEWS, ListKind
from sigma.services.lists import saved_views
from tests.world import World

WANTED = PaymentFilter(status="captured")


async def save(world: World, name: str) -> bool:
    """Save an own view; return whether there was room for it."""
    try:
        await saved_views.save(
            world.ctx, world.member, ListKind.PAYMENTS, name, WANTED, is_shared=False
        )
    except RefusedError as refused:
        return refused.code != "validation"
    return True


@pytest.mark.both_databases
async def test_views_that_are_saved_at_once_count_together(world: World) -> None:
    for number in range(MAX_VIEWS - 1):
        assert await save(world, f"№ {number}")
    saved = await asyncio.gather(*(save(world, f"ещё {number}") for number in range(6)))
    assert sum(saved) == 1
    views = await saved_views.list_views(world.ctx, world.member, ListKind.PAYMENTS)
    assert len(views) == MAX_VIEWS
