"""Compare the services of a shop with the market items of a VK community."""

from dataclasses import dataclass, field

from sigma.channels.vk import market
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError, RetryLaterError
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.catalogue.market_pair import Pair, PairState, match_pairs
from sigma.domain.errors import RefusedError
from sigma.services.context import Context
from sigma.services.vk import community_client
from sigma.services.vk.community_client import CommunityClient
from sigma.store.catalogue import photos
from sigma.store.catalogue import services as catalogue_services
from sigma.store.messaging import communities


@dataclass(frozen=True, slots=True)
class Comparison:
    """All pairs. `access_error`: VK's error code if the key cannot read market items, or ""."""

    client: CommunityClient
    access_error: str = ""
    pairs: tuple[Pair, ...] = field(default=())

    @property
    def differing_pairs(self) -> list[Pair]:
        """The pairs that differ."""
        return [pair for pair in self.pairs if pair.state is not PairState.SAME]


async def compare(ctx: Context, member: Member, community_id: str) -> Comparison:
    """Read both sides whole and compare them. VK limits a community to 15,000 market items.

    Raises RefusedError: "not_found", "no_community", "vk_refused", "vk_silent".
    """
    member.require(Permission.CATALOGUE)
    async with ctx.db.read() as tx:
        community = await communities.get(tx, community_id)
    if community is None or community.shop_id != member.shop_id:
        raise RefusedError("not_found", what="community")
    client = await community_client.open_client(ctx, community_id)
    try:
        items = [item async for item in market.iterate_items(client.api, client.community.group_id)]
    except PermanentError as error:
        return Comparison(client, access_error=str(error.code))
    except NeedsOwnerError as broken:
        await community_client.mark_key_broken(ctx, community_id, broken)
        raise RefusedError("vk_refused") from None
    except RetryLaterError:
        raise RefusedError("vk_silent") from None
    async with ctx.db.read() as tx:
        services = await catalogue_services.list_for_shop(tx, member.shop_id)
        sizes = await photos.list_sizes(tx, member.shop_id)
    return Comparison(client, pairs=tuple(match_pairs(services, items, community_id, sizes)))
