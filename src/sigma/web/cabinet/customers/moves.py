"""Merge customers who are one person, split one who is two, undo either."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.customers.moves import MoveKind
from sigma.domain.errors import RefusedError
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.customers import customer_views, edits, moves
from sigma.web.cabinet.customers.customers import render_customer
from sigma.web.cabinet.customers.view_models import PICTURES, customer_item
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cabinet.urls import query_values
from sigma.web.forms import first_value, search_text
from sigma.web.ids import parse_id


@get("/customers/{customer_id:str}/merge")
async def merge_page(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    customer_id: FromPath[str],
) -> Response[Any]:
    """Search the other customer, and show both before they are merged."""
    session.member.require(Permission.CUSTOMERS)
    own = await customer_views.get_row(ctx, session.member, parse_id(customer_id, "cus"))
    query = query_values(request)
    text = search_text(query)
    translator = translator_for(session)
    other_id = first_value(query, "other")
    other = (
        await customer_views.get_row(ctx, session.member, parse_id(other_id, "cus"))
        if other_id
        else None
    )
    found = []
    if text and other is None:
        page = await customer_views.list_page(ctx, session.member, query=text, limit=20)
        found = [row for row in page.data if row.customer.id != own.customer.id]
    return render_cabinet_page(
        request,
        session,
        "cabinet/customers/merge.html",
        section="customers",
        here=f"/customers/{own.customer.id}",
        customer=customer_item(own, translator),
        other=customer_item(other, translator) if other else None,
        found=[customer_item(row, translator) for row in found],
        query=text,
        hide_plus=True,
        **PICTURES,
    )


@post("/customers/{customer_id:str}/merge")
async def merge_customers(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    customer_id: FromPath[str],
) -> Response[Any]:
    """Merge the other customer of the form into this one."""
    customer_id = parse_id(customer_id, "cus")
    other_id = first_value(await read_form_values(request), "other")
    session.member.require(Permission.CUSTOMERS)
    try:
        await moves.merge(ctx, session.member, parse_id(other_id, "cus"), customer_id)
    except RefusedError as error:
        return await _refused(request, ctx, session, customer_id, error)
    return redirect(f"/customers/{customer_id}", "customers.done_merged")


@post("/customers/{customer_id:str}/split")
async def split_customer(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    customer_id: FromPath[str],
) -> Response[Any]:
    """Make the chosen contacts a customer of their own."""
    customer_id = parse_id(customer_id, "cus")
    chosen = (await read_form_values(request)).get("identities", [])
    try:
        move = await moves.split(ctx, session.member, customer_id, chosen)
    except RefusedError as error:
        return await _refused(request, ctx, session, customer_id, error, chosen)
    return redirect(f"/customers/{move.to_id}", "customers.done_split")


@post("/customers/moves/{move_id:str}/undo")
async def undo_move(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    move_id: FromPath[str],
) -> Response[Any]:
    """Undo a merge or a split."""
    move = await moves.undo(ctx, session.member, parse_id(move_id, "mov"))
    here = move.to_id if move.kind is MoveKind.MERGE else move.from_id
    return redirect(f"/customers/{here}", "customers.done_undone")


@post("/customers/suggestions/{suggestion_id:str}/dismiss")
async def dismiss_suggestion(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    suggestion_id: FromPath[str],
) -> Response[Any]:
    """Record that two customers are two people."""
    suggestion_id = parse_id(suggestion_id, "sug")
    own_id = await edits.dismiss_suggestion(ctx, session.member, suggestion_id)
    back = first_value(await read_form_values(request), "back")
    return redirect(f"/customers/{parse_id(back or own_id, 'cus')}", "customers.done_dismissed")


async def _refused(
    request: WebRequest,
    ctx: Context,
    session: Session,
    customer_id: str,
    error: RefusedError,
    chosen: list[str] | None = None,
) -> Response[Any]:
    """Show the customer again with what is wrong. Re-raises "forbidden" and "not_found"."""
    if error.code in ("forbidden", "not_found", "changed_meanwhile"):
        raise error
    errors = refusal_texts(translator_for(session), error)
    return await render_customer(
        request, ctx, session, customer_id, errors=errors, chosen=chosen, status=error.http_status
    )


HANDLERS = [merge_page, merge_customers, split_customer, undo_move, dismiss_suggestion]
