"""API clients for connected VK communities, and the reaction to a rejected access key."""

from dataclasses import dataclass

from sigma.channels.vk.client import VkClient
from sigma.channels.vk.errors import NeedsOwnerError
from sigma.domain.accounts.member import Member
from sigma.domain.billing.connection import Connection, Status
from sigma.domain.change import Change, TimelineEvent
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.community import Community, with_error
from sigma.services.connection_secrets import decrypt_secret
from sigma.services.context import Context
from sigma.store import changes
from sigma.store.accounts import shops
from sigma.store.billing import connections
from sigma.store.engine.interface import Tx
from sigma.store.messaging import communities


@dataclass(frozen=True, slots=True)
class CommunityClient:
    """A connected community with the VK API client that uses its access key."""

    community: Community
    connection: Connection
    api: VkClient


async def open_client(ctx: Context, community_id: str) -> CommunityClient:
    """Return the client of a community.

    Raises RefusedError("no_community") when the community is not connected, and DecryptionError
    when no encryption key decrypts its access key.
    """
    async with ctx.db.read() as tx:
        community = await communities.get(tx, community_id)
        connection = await connections.get(tx, community_id)
        if community is None or connection is None or connection.status is not Status.ACTIVE:
            raise RefusedError("no_community")
        lang = await shop_language(tx, community.shop_id)
    return CommunityClient(community, connection, open_api(ctx, connection, lang))


def open_api(ctx: Context, connection: Connection, lang: str) -> VkClient:
    """Return a VK API client with the access key stored in the connection.

    `lang`: see `shop_language`. Raises DecryptionError.
    """
    return ctx.vk.for_key(connection, decrypt_secret(ctx.cipher, connection), lang)


async def shop_language(tx: Tx, shop_id: str) -> str:
    """Return the language in which VK must write names and texts: the shop's locale."""
    shop = await shops.get(tx, shop_id)
    assert shop is not None, "a community has a shop"
    return shop.locale


async def list_connected(ctx: Context, member: Member) -> list[tuple[Community, Connection]]:
    """Return the shop's connected communities, the oldest first. No access key is decrypted."""
    async with ctx.db.read() as tx:
        connected = await communities.list_for_shop(tx, member.shop_id)
        connection_by_id = await connections.find_by_ids(tx, (c.id for c in connected))
    return [
        (community, connection)
        for community in connected
        if (connection := connection_by_id.get(community.id)) is not None
    ]


async def mark_key_broken(ctx: Context, community_id: str, error: NeedsOwnerError) -> None:
    """Record that the owner must fix the community's access, and show it in the cabinet.

    Jobs that need the access key wait until it is replaced; none is dropped. Does nothing when the
    same code is already recorded.
    """
    async with ctx.db.write() as tx:
        community = await communities.lock(tx, community_id)
        now_us = ctx.now_us()
        updated = with_error(community, str(error.code), now_us)
        if updated is community:
            return
        event = TimelineEvent(
            ctx.new_id("evt", community.shop_id),
            community.shop_id,
            community.id,
            "community.key_broken",
            now_us,
            detail={"code": error.code},
        )
        await changes.write(tx, Change((updated, event)), now_us)
