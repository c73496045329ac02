"""The list of customers, and the page of one."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.customers.edits import CustomerForm, parse_tags
from sigma.domain.customers.moves import MoveKind
from sigma.domain.errors import RefusedError
from sigma.services.accounts.users import Session
from sigma.services.billing import customer_history
from sigma.services.context import Context
from sigma.services.customers import customer_views, edits
from sigma.services.customers.customer_views import CustomerView
from sigma.texts import Translator
from sigma.web.cabinet.customers.view_models import (
    PICTURES,
    contact_text,
    customer_item,
    given_answers,
)
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import (
    FormValues,
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cabinet.timeline import actor_text, timeline_item
from sigma.web.cabinet.urls import next_page_url, query_values
from sigma.web.forms import first_value, parse_cursor, search_text
from sigma.web.ids import parse_id


@get("/customers")
async def customer_list(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """List the customers, those with the latest activity first, or what a search finds."""
    query = query_values(request)
    text, tag = search_text(query), first_value(query, "tag")[:100]
    page = await customer_views.list_page(
        ctx,
        session.member,
        query=text,
        tag=tag,
        cursor=parse_cursor(first_value(query, "cursor")),
    )
    translator = translator_for(session)
    return render_cabinet_page(
        request,
        session,
        "cabinet/customers/list.html",
        section="customers",
        rows=[customer_item(row, translator) for row in page.data],
        query=text,
        tag=tag,
        can_search=session.member.can(Permission.READ_ANSWERS),
        is_first_page=not first_value(query, "cursor"),
        more_url=next_page_url("/customers", page.next_cursor, q=text, tag=tag),
        hide_plus=True,
        **PICTURES,
    )


@get("/customers/{customer_id:str}")
async def customer_page(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    customer_id: FromPath[str],
) -> Response[Any]:
    """Show a customer; one that was merged leads to the customer who has the rows now."""
    customer_id = parse_id(customer_id, "cus")
    current = await customer_views.access(ctx, session.member, customer_id)
    if current.id != customer_id:
        return redirect(f"/customers/{current.id}")
    return await render_customer(request, ctx, session, customer_id)


async def render_customer(
    request: WebRequest,
    ctx: Context,
    session: Session,
    customer_id: str,
    *,
    errors: dict[str, str] | None = None,
    values: dict[str, str] | None = None,
    chosen: list[str] | None = None,
    status: int = 200,
) -> Response[Any]:
    """Render the page of a customer. `values` are those of the refused form of name and notes,
    `chosen` the contacts of the refused form of the split.
    """
    member, query = session.member, query_values(request)
    view = await customer_views.get_view(ctx, member, customer_id)
    payments = await customer_history.list_payments(
        ctx, member, customer_id, cursor=parse_cursor(first_value(query, "payments"))
    )
    invoices = await customer_history.list_invoices(
        ctx, member, customer_id, cursor=parse_cursor(first_value(query, "invoices"))
    )
    translator, here, row = translator_for(session), f"/customers/{customer_id}", view.row
    return render_cabinet_page(
        request,
        session,
        "cabinet/customers/details.html",
        section="customers",
        status=status,
        here=here,
        view=view,
        customer=customer_item(row, translator),
        contacts=[contact_text(one, translator, is_masked=row.is_masked) for one in row.contacts],
        sums=row.sums,
        payments=[(one, given_answers(one, translator)) for one in payments.data],
        more_payments_url=next_page_url(here, payments.next_cursor, name="payments"),
        invoices=invoices.data,
        more_invoices_url=next_page_url(here, invoices.next_cursor, name="invoices"),
        suggestions=[(one, customer_item(one.other, translator)) for one in view.suggestions],
        timeline=[timeline_item(event, session, translator) for event in view.timeline],
        moves=_open_moves(view, session, translator),
        values=values or _form_values(view),
        chosen=chosen or [],
        can_edit=member.can(Permission.CUSTOMERS) and not view.is_unreadable,
        can_move=member.can(Permission.CUSTOMERS),
        issue_url=_issue_url(view, session),
        errors=errors or {},
        hide_plus=True,
        **PICTURES,
    )


def _form_values(view: CustomerView) -> dict[str, str]:
    details = view.details
    return {
        "name": view.row.name,
        "notes": details.notes if details else "",
        "tags": ", ".join(details.tags) if details else "",
    }


def _open_moves(
    view: CustomerView, session: Session, translator: Translator
) -> list[tuple[str, str, str, int]]:
    """Return (id, sentence, who, when) of the merges and splits that can be undone here.

    A merge belongs to the customer who has the rows now, a split to both: who has split a customer
    is led to the new one.
    """
    found = []
    for move in view.moves:
        is_here = move.to_id == view.row.customer.id
        if move.undone_at_us is not None or (move.kind is MoveKind.MERGE and not is_here):
            continue
        key = "split_from" if is_here and move.kind is MoveKind.SPLIT else str(move.kind)
        text = translator.t(
            f"customers.move_{key}",
            name=view.names.get(move.from_id if is_here else move.to_id, "")
            or translator.t("customers.nameless"),
            payments=move.counts.get("payments", 0),
        )
        found.append((move.id, text, actor_text(move.actor, session, translator), move.moved_at_us))
    return found


def _issue_url(view: CustomerView, session: Session) -> str:
    """Return where an invoice for this customer is issued; empty without the right.

    Into the latest conversation, if the member may write there.
    """
    if not session.member.can(Permission.ISSUE):
        return ""
    if view.conversations:
        return f"/invoices/new?conversation={view.conversations[0].id}"
    return f"/invoices/new?customer={view.row.customer.id}"


@post("/customers/{customer_id:str}")
async def save_customer(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    customer_id: FromPath[str],
) -> Response[Any]:
    """Store name, notes and tags."""
    customer_id = parse_id(customer_id, "cus")
    form_data = await read_form_values(request)
    try:
        await edits.save(ctx, session.member, customer_id, _parse_form(form_data))
    except RefusedError as error:
        if error.code != "validation":
            raise
        values = {
            name: first_value(form_data, name, multiline=name == "notes")
            for name in ("name", "notes", "tags")
        }
        errors = refusal_texts(translator_for(session), error)
        return await render_customer(
            request, ctx, session, customer_id, errors=errors, values=values, status=422
        )
    return redirect(f"/customers/{customer_id}", "customers.done_saved")


def _parse_form(form_data: FormValues) -> CustomerForm:
    return CustomerForm(
        name=first_value(form_data, "name"),
        notes=first_value(form_data, "notes", multiline=True),
        tags=parse_tags(first_value(form_data, "tags", multiline=True)),
    )


HANDLERS = [customer_list, customer_page, save_customer]
