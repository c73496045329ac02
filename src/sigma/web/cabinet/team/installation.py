"""The shops of the installation, for its administrators: list, create, quotas."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.quota import MAX_QUOTA, Quotas
from sigma.domain.accounts.shop import Shop
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.services.accounts import installation
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.paging import DEFAULT_LIMIT
from sigma.web.cabinet.guards import RECENT_AUTHENTICATION, WebRequest
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cabinet.urls import next_page_url, query_values
from sigma.web.forms import MAX_QUERY_LENGTH, FormValues, first_value, parse_count, parse_cursor
from sigma.web.ids import parse_id

PAGE = "/installation/shops"
MEGABYTE = 1_000_000
QUOTA_FIELDS = ("invoices", "messages", "storage")


@get(PAGE)
async def shops_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the shops of the installation, the newest first; `?q=` searches their names."""
    return await _shops_page(request, ctx, session)


@post(PAGE, opt=RECENT_AUTHENTICATION)
async def create_shop(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Create a shop. The link for its owner is in this response only and is not stored."""
    administrator = await installation.access(ctx, session.user.id, session.member.origin)
    form_data = await read_form_values(request)
    name, owner = first_value(form_data, "name"), first_value(form_data, "login")
    try:
        created = await installation.create_shop(ctx, administrator, name, owner)
    except RefusedError as error:
        errors = refusal_texts(translator_for(session), error)
        values = {"name": name, "login": owner}
        return await _shops_page(
            request, ctx, session, error.http_status, errors=errors, values=values
        )
    if not created.invitation_url:
        return redirect(PAGE, "team.done_shop_created", shop=created.shop.name)
    return await _shops_page(request, ctx, session, 201, created=created)


@get(f"{PAGE}/{{shop_id:str}}")
async def quotas_page(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    shop_id: FromPath[str],
) -> Response[Any]:
    """Show the quotas of a shop."""
    administrator = await installation.access(ctx, session.user.id, session.member.origin)
    shop = await installation.get_shop(ctx, administrator, parse_id(shop_id, "shp"))
    return _quotas_page(request, session, shop, _quota_texts(shop.quotas))


@post(f"{PAGE}/{{shop_id:str}}", opt=RECENT_AUTHENTICATION)
async def save_quotas(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    shop_id: FromPath[str],
) -> Response[Any]:
    """Save the quotas of a shop."""
    administrator = await installation.access(ctx, session.user.id, session.member.origin)
    shop = await installation.get_shop(ctx, administrator, parse_id(shop_id, "shp"))
    form_data = await read_form_values(request)
    try:
        quotas = _parse_quotas(form_data)
        await installation.set_quotas(ctx, administrator, shop.id, quotas)
    except RefusedError as error:
        if error.code != "validation":
            raise
        values = {name: first_value(form_data, name) for name in QUOTA_FIELDS}
        errors = refusal_texts(translator_for(session), error)
        return _quotas_page(request, session, shop, values, 422, errors)
    return redirect(f"{PAGE}/{shop.id}", "team.done_quotas")


def _parse_quotas(form_data: FormValues) -> Quotas:
    """Return the quotas of a form. Raises RefusedError("validation")."""
    parsed: dict[str, int | None] = {}
    problems = []
    for name in QUOTA_FIELDS:
        text = first_value(form_data, name)
        largest = MAX_QUOTA // MEGABYTE if name == "storage" else MAX_QUOTA
        count = parse_count(text, name, minimum=0, maximum=largest) if text else None
        if isinstance(count, Problem):
            problems.append(count)
        else:
            parsed[name] = count
    if problems:
        raise validation_error(*problems)
    storage = parsed["storage"]
    return Quotas(
        parsed["invoices"], parsed["messages"], None if storage is None else storage * MEGABYTE
    )


def _quota_texts(quotas: Quotas) -> dict[str, str]:
    storage = quotas.storage_bytes
    counts = {
        "invoices": quotas.invoices_per_day,
        "messages": quotas.messages_per_day,
        "storage": None if storage is None else storage // MEGABYTE,
    }
    return {name: "" if count is None else str(count) for name, count in counts.items()}


def _quotas_page(
    request: WebRequest,
    session: Session,
    shop: Shop,
    values: dict[str, str],
    status: int = 200,
    errors: dict[str, str] | None = None,
) -> Response[Any]:
    return render_cabinet_page(
        request,
        session,
        "cabinet/team/quotas.html",
        section="settings",
        status=status,
        quota_shop=shop,
        values=values,
        errors=errors or {},
    )


async def _shops_page(
    request: WebRequest, ctx: Context, session: Session, status: int = 200, **context: Any
) -> Response[Any]:
    administrator = await installation.access(ctx, session.user.id, session.member.origin)
    query_string = query_values(request)
    query = first_value(query_string, "q")[:MAX_QUERY_LENGTH]
    page = await installation.list_shops(
        ctx,
        administrator,
        limit=DEFAULT_LIMIT,
        cursor=parse_cursor(first_value(query_string, "cursor")) or "",
        query=query,
    )
    return render_cabinet_page(
        request,
        session,
        "cabinet/team/installation.html",
        section="settings",
        status=status,
        page=page,
        query=query,
        is_mailed=ctx.mailer_factory("") is not None,
        next_url=next_page_url(PAGE, page.next_cursor, q=query),
        **({"created": None, "values": {"name": "", "login": ""}} | context),
    )


HANDLERS = [shops_page, create_shop, quotas_page, save_quotas]
