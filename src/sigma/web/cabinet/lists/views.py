"""Save and delete views of the lists."""

from typing import Any
from urllib.parse import parse_qs

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.errors import RefusedError
from sigma.domain.lists.filters import parse_invoice_filter, parse_payment_filter
from sigma.domain.lists.saved_view import ListKind
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.lists import saved_views
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.lists.filter_bar import filter_url
from sigma.web.cabinet.responses import read_form_values, redirect
from sigma.web.forms import first_value
from sigma.web.ids import parse_id

MAX_FILTER_CHARS = 4000


async def _save(
    request: WebRequest, ctx: Context, session: Session, kind: ListKind
) -> Response[Any]:
    """Save the filter of the posted query string, and return to the list with it."""
    form = await read_form_values(request)
    query = parse_qs((form.get("filter") or [""])[0][:MAX_FILTER_CHARS])
    parse = parse_payment_filter if kind is ListKind.PAYMENTS else parse_invoice_filter
    wanted, _ = parse(query)
    url = filter_url(f"/{kind}", wanted.to_values())
    try:
        await saved_views.save(
            ctx,
            session.member,
            kind,
            first_value(form, "name"),
            wanted,
            is_shared=first_value(form, "is_shared") == "1",
        )
    except RefusedError as error:
        if not error.problems:
            raise
        return redirect(url, f"lists.done_{error.problems[0].code}", tone="bad")
    return redirect(url, "lists.done_saved")


@post("/payments/views")
async def save_payment_view(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Save a view of payments."""
    return await _save(request, ctx, session, ListKind.PAYMENTS)


@post("/invoices/views")
async def save_invoice_view(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Save a view of invoices."""
    return await _save(request, ctx, session, ListKind.INVOICES)


async def _delete(ctx: Context, session: Session, view_id: str) -> Response[Any]:
    view = await saved_views.remove(ctx, session.member, parse_id(view_id, "viw"))
    return redirect(f"/{view.kind}", "lists.done_deleted")


@post("/payments/views/{view_id:str}/delete")
async def delete_payment_view(
    ctx: NamedDependency[Context], session: NamedDependency[Session], view_id: FromPath[str]
) -> Response[Any]:
    """Delete a view of payments."""
    return await _delete(ctx, session, view_id)


@post("/invoices/views/{view_id:str}/delete")
async def delete_invoice_view(
    ctx: NamedDependency[Context], session: NamedDependency[Session], view_id: FromPath[str]
) -> Response[Any]:
    """Delete a view of invoices."""
    return await _delete(ctx, session, view_id)


HANDLERS = [save_payment_view, save_invoice_view, delete_payment_view, delete_invoice_view]
