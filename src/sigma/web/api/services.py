"""The catalogue at the API: read only. People change it in the cabinet."""

from litestar import Response, get

from sigma.services import catalogue, shops, storefront
from sigma.web.api import told
from sigma.web.api.door import Ctx, Who, json


@get("/services")
async def listing(ctx: Ctx, member: Who) -> Response[bytes]:
    """All services in their order, hidden ones too."""
    shop = await shops.get(ctx, member)
    found = await catalogue.listing(ctx, member)
    links = await storefront.links(ctx, shop.id, found)
    base_url = ctx.settings.base_url
    data = [told.service(one, base_url, shop.slug, links.get(one.id, "")) for one in found]
    return json(told.Services(data, None))


HANDLERS = [listing]
