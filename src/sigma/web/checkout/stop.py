"""The page /stop/… of a client who wants no more reminders and letters with invoices."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from sigma.domain.accounts.shop import Shop
from sigma.domain.errors import RefusedError
from sigma.services.reminders import stops
from sigma.web.checkout.responses import (
    ClientRequest,
    Ctx,
    client_page,
    invoice_not_found_page,
    translator_for,
)

PATH = "/stop/{shop_id:str}/{client_hash:str}/{signature:str}"


@get(PATH)
async def stop_page(
    request: ClientRequest,
    ctx: Ctx,
    shop_id: FromPath[str],
    client_hash: FromPath[str],
    signature: FromPath[str],
) -> Response[Any]:
    """Ask whether to stop. A mail program that only loads the link changes nothing."""
    try:
        shop = await stops.access_link(ctx, shop_id, client_hash, signature)
    except RefusedError:
        return invoice_not_found_page(request)
    return _page(request, shop, is_stopped=await stops.is_stopped(ctx, client_hash))


@post(PATH, request_max_body_size=1024, status_code=200)
async def stop(
    request: ClientRequest,
    ctx: Ctx,
    shop_id: FromPath[str],
    client_hash: FromPath[str],
    signature: FromPath[str],
) -> Response[Any]:
    """Stop at once, or resume.

    Mail programs post here by themselves (RFC 8058), without cookies and from other origins. The
    signature of the link is the proof; the deed changes nothing but letters to its own reader.
    """
    form = await request.form()
    is_stopped = form.get("do") != "resume"
    try:
        shop = await stops.stop(ctx, shop_id, client_hash, signature, is_stopped=is_stopped)
    except RefusedError:
        return invoice_not_found_page(request)
    return _page(request, shop, is_stopped=is_stopped)


def _page(request: ClientRequest, shop: Shop, *, is_stopped: bool) -> Response[Any]:
    translator = translator_for(request, shop)
    return client_page(request, "checkout/stop.html", translator, shop, is_stopped=is_stopped)


HANDLERS = [stop_page, stop]
