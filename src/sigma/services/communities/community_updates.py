"""Change a community's row under its lock."""

from collections.abc import Callable

from sigma.domain.change import Change
from sigma.domain.messaging.community import Community
from sigma.services.context import Context
from sigma.store import changes
from sigma.store.messaging import communities


async def update_community(
    ctx: Context, community_id: str, apply_change: Callable[[Community], Community]
) -> Community:
    """Lock a community and write the state that `apply_change` returns. Returns that state."""
    async with ctx.db.write() as tx:
        community = await communities.lock(tx, community_id)
        after = apply_change(community)
        if after != community:
            await changes.write(tx, Change((after,)), ctx.now_us())
    return after
