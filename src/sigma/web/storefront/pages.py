"""The public page /s/{name}: the shop's services; one of them with «Написать» and «Оплатить»."""

from typing import Any

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath

from sigma.domain.errors import Refused
from sigma.services.checkout import storefront
from sigma.services.checkout.storefront import Buyer, Front
from sigma.services.context import Context
from sigma.web.cabinet.guards import same_origin
from sigma.web.checkout.responses import (
    ClientRequest,
    Ctx,
    client_page,
    fresh_secret,
    go,
    words_for,
)
from sigma.web.forms import one, read_id
from sigma.web.storefront.view_models import detailed, listed

BUYER_COOKIE = "sigma_buyer"  # the browser's own secret at one shop's page
MAX_FORM = 16 * 1024
KEPT_S = 30 * 86_400
KINDLY = ("too_many_requests", "no_connection", "service_not_payable")


@get("/s/{slug:str}")
async def services_page(request: ClientRequest, ctx: Ctx, slug: FromPath[str]) -> Response[Any]:
    """What the shop offers."""
    try:
        front = await storefront.front(ctx, slug)
    except Refused:
        return nothing(request)
    words = words_for(request, front.shop)
    return _page(request, "storefront/list.html", front, **listed(front, words))


@get("/s/{slug:str}/{service_id:str}")
async def service_page(
    request: ClientRequest, ctx: Ctx, slug: FromPath[str], service_id: FromPath[str]
) -> Response[Any]:
    """One service: what it is, what it costs, how to get it."""
    try:
        front = await storefront.front(ctx, slug)
        answer = _one(request, ctx, front, read_id(service_id, "svc"))
    except Refused:
        return nothing(request)
    if not request.cookies.get(BUYER_COOKIE):
        keep_buyer(ctx, answer, slug, fresh_secret())
    return answer


@post("/s/{slug:str}/{service_id:str}", guards=[same_origin], request_max_body_size=MAX_FORM)
async def buy(
    request: ClientRequest, ctx: Ctx, slug: FromPath[str], service_id: FromPath[str]
) -> Response[Any]:
    """Makes an invoice of the service and goes to it; the same browser gets the same one."""
    form = await request.form()
    given = {n: [v for v in form.getall(n) if isinstance(v, str)] for n in form}
    nonce = one(given, "nonce")[:64] or fresh_secret()
    # A browser without cookies is known by its form, so a double click still buys once.
    secret = request.cookies.get(BUYER_COOKIE, "")[:64] or f"form-{nonce}"
    ip = request.client.host if request.client else ""
    try:
        invoice = await storefront.buy(ctx, slug, read_id(service_id, "svc"), Buyer(secret, ip))
    except Refused as refused:
        if refused.code == "not_found":
            return nothing(request)
        if refused.code not in KINDLY:
            raise
        return await _not_now(request, ctx, slug, service_id, refused)
    return go(f"/i/{invoice.token}")


async def _not_now(
    request: ClientRequest, ctx: Context, slug: str, service_id: str, refused: Refused
) -> Response[Any]:
    """The service again, with why it cannot be bought now."""
    try:
        front = await storefront.front(ctx, slug)
        return _one(request, ctx, front, service_id, refused)
    except Refused:
        return nothing(request)


def _one(
    request: ClientRequest,
    ctx: Context,
    front: Front,
    service_id: str,
    refused: Refused | None = None,
) -> Response[Any]:
    words = words_for(request, front.shop)
    service = front.service(service_id)
    return _page(
        request,
        "storefront/service.html",
        front,
        status=refused.status if refused else 200,
        refused=refused.code if refused else "",
        nonce=fresh_secret(),
        **detailed(service, front, words, ctx.settings.base_url),
    )


def _page(request: ClientRequest, template: str, front: Front, **context: Any) -> Response[Any]:
    words = words_for(request, front.shop)
    answer = client_page(request, template, words, front.shop, **context)
    # Buying is told from a forgery by its Origin, which a hidden referrer would hide too.
    answer.headers["referrer-policy"] = "same-origin"
    return answer


def nothing(request: ClientRequest) -> Response[Any]:
    """There is no such page, or not any more."""
    return client_page(request, "storefront/nothing.html", words_for(request), None, status=404)


def keep_buyer(ctx: Context, answer: Response[Any], slug: str, secret: str) -> None:
    """A cookie that only this shop's pages get."""
    answer.set_cookie(
        Cookie(
            key=BUYER_COOKIE,
            value=secret,
            path=f"/s/{slug}",
            max_age=KEPT_S,
            httponly=True,
            samesite="lax",
            secure=ctx.settings.base_url.startswith("https://"),
        )
    )


HANDLERS = [services_page, service_page, buy]
