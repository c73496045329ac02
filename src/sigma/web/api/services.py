"""The catalogue at the API: read only. People change it in the cabinet."""

from litestar import Response, get

from sigma.services.accounts import shops
from sigma.services.catalogue import services
from sigma.services.checkout import storefront
from sigma.web.api import responses
from sigma.web.api.http import Ctx, Who, json


@get("/services")
async def listing(ctx: Ctx, member: Who) -> Response[bytes]:
    """All services in their order, hidden ones too."""
    shop = await shops.get(ctx, member)
    found = await services.listing(ctx, member)
    links = await storefront.links(ctx, shop.id, found)
    base_url = ctx.settings.base_url
    data = [responses.service(one, base_url, shop.slug, links.get(one.id, "")) for one in found]
    return json(responses.Services(data, None))


HANDLERS = [listing]
