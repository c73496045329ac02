"""The person's shops: list, search, and switching the session to another one."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.errors import RefusedError
from sigma.services.accounts import own_shops
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.paging import DEFAULT_LIMIT
from sigma.web.cabinet.guards import WebRequest, safe_redirect_path
from sigma.web.cabinet.responses import read_form_values, redirect, render_cabinet_page
from sigma.web.cabinet.team.form_of_other_shop import FORM_SHOP_FIELD, FORM_URL_FIELD
from sigma.web.cabinet.urls import next_page_url, query_values
from sigma.web.forms import MAX_QUERY_LENGTH, first_value, parse_cursor
from sigma.web.ids import is_id, parse_id

PAGE = "/shops"


@get(PAGE)
async def shops_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the person's shops; `?q=` searches their names."""
    values = query_values(request)
    query = first_value(values, "q")[:MAX_QUERY_LENGTH]
    page = await own_shops.list_page(
        ctx,
        session.user.id,
        limit=DEFAULT_LIMIT,
        cursor=parse_cursor(first_value(values, "cursor")) or "",
        query=query,
    )
    return render_cabinet_page(
        request,
        session,
        "cabinet/team/own_shops.html",
        section="settings",
        page=page,
        query=query,
        next_url=next_page_url(PAGE, page.next_cursor, q=query),
        hide_plus=True,
    )


@get(f"{PAGE}/switch")
async def switch_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Offer to open the shop of a page that belongs to another of the person's shops."""
    values = query_values(request)
    shop_id = first_value(values, "shop")
    if not is_id(shop_id, "shp"):
        raise RefusedError("not_found")
    return render_cabinet_page(
        request,
        session,
        "cabinet/team/switch.html",
        section="settings",
        other=await own_shops.get(ctx, session.user.id, shop_id),
        next_path=safe_redirect_path(first_value(values, "next")),
        hide_plus=True,
    )


@post(f"{PAGE}/switch")
async def switch_shop(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Open another of the person's shops in this session.

    With the fields of `form_of_other_shop_page`, the browser then sends that form once more.
    """
    form_data = await read_form_values(request)
    if form_url := first_value(form_data, FORM_URL_FIELD):
        shop_id = parse_id(first_value(form_data, FORM_SHOP_FIELD), "shp")
        await own_shops.switch(ctx, session, shop_id)
        return Response("", status_code=307, headers={"location": safe_redirect_path(form_url)})
    shop_id = parse_id(first_value(form_data, "shop"), "shp")
    shop = await own_shops.switch(ctx, session, shop_id)
    next_path = safe_redirect_path(first_value(form_data, "next"))
    return redirect(next_path, "team.done_switched", shop=shop.name)


HANDLERS = [shops_page, switch_page, switch_shop]
