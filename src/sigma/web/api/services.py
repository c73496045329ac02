"""API endpoint of services; read-only, they are edited in the cabinet."""

from litestar import Response, get

from sigma.services.accounts import shops
from sigma.services.catalogue import services
from sigma.services.checkout import storefront
from sigma.web.api import responses
from sigma.web.api.http import Ctx, CurrentMember, json_response


@get("/services")
async def list_services(ctx: Ctx, member: CurrentMember) -> Response[bytes]:
    """List all services in the order of the seller, including hidden ones."""
    shop = await shops.get(ctx, member)
    listed = await services.list_for_shop(ctx, member)
    links = await storefront.conversation_urls(ctx, shop.id, listed)
    base_url = ctx.settings.base_url
    data = [
        responses.service_response(service, base_url, shop.slug, links.get(service.id, ""))
        for service in listed
    ]
    return json_response(responses.Services(data, None))


HANDLERS = [list_services]
