"""The line to a community of VKontakte: its key opened, and what to do when VK says that the key
is no good.
"""

from dataclasses import dataclass

from sigma.channels.vk.client import Vk
from sigma.channels.vk.errors import NeedsPerson
from sigma.domain.accounts.member import Member
from sigma.domain.billing.connection import Connection, Status
from sigma.domain.change import Change, Happening
from sigma.domain.errors import Refused
from sigma.domain.messaging.community import Community, troubled
from sigma.services.context import Context
from sigma.store import changes
from sigma.store.billing import connections
from sigma.store.messaging import communities


@dataclass(frozen=True, slots=True)
class Line:
    """A community and the way to speak for it."""

    community: Community
    connection: Connection
    vk: Vk


async def line(ctx: Context, community_id: str) -> Line:
    """The line of a community. Raises Refused("no_community") when it is not connected."""
    async with ctx.db.read() as tx:
        community = await communities.get(tx, community_id)
        connection = await connections.get(tx, community_id)
    if community is None or connection is None or connection.status is not Status.ACTIVE:
        raise Refused("no_community")
    return Line(community, connection, open_line(ctx, connection))


def open_line(ctx: Context, connection: Connection) -> Vk:
    """Speaks with the key that a connection keeps."""
    return ctx.vk.of(connection, str(ctx.sealer.open(connection.secret_sealed)))


async def lines_of(ctx: Context, member: Member) -> list[Line]:
    """The shop's connected communities, the oldest first."""
    async with ctx.db.read() as tx:
        found = await communities.of_shop(tx, member.shop_id)
        known = {c.id: await connections.get(tx, c.id) for c in found}
    return [
        Line(c, connection, open_line(ctx, connection))
        for c in found
        if (connection := known[c.id]) is not None
    ]


async def broken(ctx: Context, community_id: str, error: NeedsPerson) -> None:
    """VK says that a person must mend something: the cabinet shows it until it is mended.

    Work that needs the key waits; nothing is lost.
    """
    async with ctx.db.write() as tx:
        community = await communities.lock(tx, community_id)
        now = ctx.now()
        after = troubled(community, str(error.code), now)
        if after is community:
            return
        told = Happening(
            ctx.new_id("evt", community.shop_id),
            community.shop_id,
            community.id,
            "community.trouble",
            now,
            detail={"code": error.code},
        )
        await changes.write(tx, Change((after, told)), now)
