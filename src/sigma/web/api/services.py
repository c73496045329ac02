"""API endpoint of services; read-only, they are edited in the cabinet."""

from litestar import Response, get

from sigma.domain.accounts.member import Scope
from sigma.services.accounts import shops
from sigma.services.catalogue import services
from sigma.services.checkout import storefront
from sigma.web.api import responses
from sigma.web.api.http import (
    ApiRequest,
    Ctx,
    CurrentMember,
    json_response,
    parse_list_query,
)


@get("/services", scope=Scope.SERVICES_READ)
async def list_services(request: ApiRequest, ctx: Ctx, member: CurrentMember) -> Response[bytes]:
    """List the services in the order of the seller, including hidden ones."""
    query = parse_list_query(request, "svc", ())
    shop = await shops.get(ctx, member)
    page = await services.list_page(ctx, member, limit=query.limit, cursor=query.cursor)
    links = await storefront.conversation_urls(ctx, shop.id, page.data)
    base_url = ctx.settings.base_url
    data = [
        responses.service_response(service, base_url, shop.slug, links.get(service.id, ""))
        for service in page.data
    ]
    return json_response(responses.Services(data, page.next_cursor))


HANDLERS = [list_services]
