"""The public pages /s/{slug} and /s/{slug}/{service_id}: services, «Написать» and «Оплатить»."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from sigma.domain.errors import RefusedError
from sigma.services.checkout import storefront
from sigma.services.checkout.storefront import Buyer, Storefront
from sigma.services.context import Context
from sigma.web.checkout.responses import (
    ClientRequest,
    Ctx,
    client_page,
    new_secret,
    redirect,
    translator_for,
)
from sigma.web.cookies import read_page_cookie, set_page_cookie
from sigma.web.forms import first_value, parse_offset
from sigma.web.ids import parse_id
from sigma.web.request_identity import remote_ip
from sigma.web.retry_after import retry_after_headers
from sigma.web.same_origin import require_same_origin
from sigma.web.storefront.view_models import list_context, service_context
from sigma.web.submitted_form import field_values

BUYER_COOKIE = "sigma_buyer"  # random secret of this browser, one per shop
MAX_FORM_BYTES = 16 * 1024
COOKIE_MAX_AGE_S = 30 * 86_400
EXPECTED_REFUSALS = (
    *("too_many_requests", "no_connection", "secret_unreadable", "service_not_payable"),
    "quota_invoices",
)


@get("/s/{slug:str}")
async def services_page(request: ClientRequest, ctx: Ctx, slug: FromPath[str]) -> Response[Any]:
    """Show the visible services of a shop."""
    try:
        front = await storefront.get(ctx, slug)
    except RefusedError:
        return storefront_not_found_page(request)
    translator = translator_for(request, front.shop)
    offset = parse_offset(first_value(request.query_params.dict(), "from"))
    context = list_context(front, translator, offset)
    return _render(request, "storefront/list.html", front, **context)


@get("/s/{slug:str}/{service_id:str}")
async def service_page(
    request: ClientRequest, ctx: Ctx, slug: FromPath[str], service_id: FromPath[str]
) -> Response[Any]:
    """Show one service with its price and the links to pay and to write."""
    try:
        front = await storefront.get(ctx, slug)
        response = _render_service(request, ctx, front, parse_id(service_id, "svc"))
    except RefusedError:
        return storefront_not_found_page(request)
    if not read_page_cookie(request, BUYER_COOKIE, slug):
        set_buyer_cookie(request, response, slug, new_secret())
    return response


@post(
    "/s/{slug:str}/{service_id:str}",
    guards=[require_same_origin],
    request_max_body_size=MAX_FORM_BYTES,
)
async def buy(
    request: ClientRequest, ctx: Ctx, slug: FromPath[str], service_id: FromPath[str]
) -> Response[Any]:
    """Issue an invoice for the service and redirect to it.

    A repeated request of the same browser gets the same unpaid invoice.
    """
    form_values = field_values(await request.form())
    nonce = first_value(form_values, "nonce")[:64] or new_secret()
    # Without cookies the nonce of the form identifies the browser, so a double click still issues
    # one invoice.
    secret = read_page_cookie(request, BUYER_COOKIE, slug)[:64] or f"form-{nonce}"
    ip = remote_ip(request)
    try:
        invoice = await storefront.buy(ctx, slug, parse_id(service_id, "svc"), Buyer(secret, ip))
    except RefusedError as error:
        if error.code == "not_found":
            return storefront_not_found_page(request)
        if error.code not in EXPECTED_REFUSALS:
            raise
        response = await _refusal_page(request, ctx, slug, service_id, error)
        response.headers.update(retry_after_headers(error))
        return response
    return redirect(f"/i/{invoice.token}")


async def _refusal_page(
    request: ClientRequest, ctx: Context, slug: str, service_id: str, error: RefusedError
) -> Response[Any]:
    """Show the service again, with the reason why it cannot be bought now."""
    try:
        front = await storefront.get(ctx, slug)
        return _render_service(request, ctx, front, service_id, error)
    except RefusedError:
        return storefront_not_found_page(request)


def _render_service(
    request: ClientRequest,
    ctx: Context,
    front: Storefront,
    service_id: str,
    error: RefusedError | None = None,
) -> Response[Any]:
    translator = translator_for(request, front.shop)
    service = front.service(service_id)
    return _render(
        request,
        "storefront/service.html",
        front,
        status=error.http_status if error else 200,
        refusal_code=error.code if error else "",
        refusal_params=error.params if error else {},
        nonce=new_secret(),
        **service_context(service, front, translator, ctx.settings.base_url),
    )


def _render(
    request: ClientRequest, template: str, front: Storefront, **context: Any
) -> Response[Any]:
    translator = translator_for(request, front.shop)
    response = client_page(request, template, translator, front.shop, **context)
    # The same-origin check of buy() needs the Origin header: "no-referrer" would make it "null".
    response.headers["referrer-policy"] = "same-origin"
    return response


def storefront_not_found_page(request: ClientRequest) -> Response[Any]:
    """Show a 404 page: no public page or no visible service."""
    return client_page(
        request, "storefront/nothing.html", translator_for(request), None, status=404
    )


def set_buyer_cookie(
    request: ClientRequest, response: Response[Any], slug: str, secret: str
) -> None:
    """Set the cookie by which the public pages of this shop know the browser."""
    set_page_cookie(request, response, BUYER_COOKIE, slug, secret, max_age_s=COOKIE_MAX_AGE_S)


HANDLERS = [services_page, service_page, buy]
