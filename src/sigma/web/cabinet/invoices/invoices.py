"""Счета: the list, one invoice with its link, and what can be done with it."""

import io
from typing import Any
from urllib.parse import urlencode

import segno
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.billing.invoice import FLOW, Event, Invoice, Status
from sigma.domain.errors import Refused
from sigma.services.accounts.users import Session
from sigma.services.billing import invoices, payments
from sigma.services.context import Context
from sigma.services.invoice_cards import cards
from sigma.texts import Words
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.payments.view_models import label, line
from sigma.web.cabinet.responses import cabinet_page, go, words_of
from sigma.web.forms import Filter, read_filter, read_id

SHOWN = (Status.OPEN, Status.PAID, Status.DRAFT, Status.EXPIRED, Status.VOID)


def asked(request: WebRequest) -> dict[str, list[str]]:
    """The query string of an address: name → values."""
    query = request.query_params
    return {name: query.getall(name) for name in query}


def address(path: str, **query: str | None) -> str:
    """A path with what is set of a query."""
    said = urlencode({name: value for name, value in query.items() if value})
    return f"{path}?{said}" if said else path


@get("/invoices")
async def invoice_list(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The shop's invoices, newest first."""
    chosen = read_filter(asked(request), set(SHOWN))
    found = await invoices.listing(
        ctx,
        session.member,
        status=chosen.status or None,
        query=chosen.query,
        limit=chosen.limit,
        cursor=chosen.cursor,
    )
    return cabinet_page(
        request,
        session,
        "cabinet/invoices/list.html",
        place="invoices",
        rows=found.data,
        chosen=chosen,
        filters=_filters(chosen, words_of(session)),
        more_url=_next(chosen, found.next_cursor),
        hide_plus=not found.data and not chosen.narrowed,  # the empty list has the button itself
    )


def _filters(chosen: Filter, words: Words) -> list[tuple[str, str, bool]]:
    every = (_url(chosen, ""), words.t("invoices.filter_all"), not chosen.status)
    return [every] + [
        (_url(chosen, s), words.t(f"common.invoice_status.{s}"), chosen.status == s) for s in SHOWN
    ]


def _url(chosen: Filter, status: str) -> str:
    return address("/invoices", status=status, q=chosen.query)


def _next(chosen: Filter, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    return address("/invoices", status=chosen.status, q=chosen.query, cursor=cursor)


@get("/invoices/{invoice_id:str}")
async def invoice_details(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    invoice_id: FromPath[str],
) -> Response[Any]:
    """One invoice: its link, who paid, what is asked, what happened."""
    return await details_page(request, ctx, session, read_id(invoice_id, "inv"))


async def details_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    invoice_id: str,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response[Any]:
    """The page of an invoice, perhaps with why a wish was not granted."""
    invoice = await invoices.get(ctx, session.member, invoice_id)
    paid = await payments.listing(ctx, session.member, invoice_id=invoice_id, limit=10)
    over = invoice.status is Status.OPEN and invoice.lapsed(ctx.now())
    words = words_of(session)
    return cabinet_page(
        request,
        session,
        "cabinet/invoices/details.html",
        place="invoices",
        status=status,
        invoice=invoice,
        state=str(Status.EXPIRED if over else invoice.status),
        url=invoices.payment_url(ctx, invoice),
        voidable=Event.VOIDED in FLOW[invoice.status] and invoice.status is not Status.VOID,
        payments=paid.data,
        in_dialogs=await cards.places(ctx, session.member, invoice_id),
        may_answer=session.member.may(Permission.ANSWER),
        more_payments=f"/payments?invoice={invoice_id}" if paid.next_cursor else None,
        timeline_lines=[
            line(told, session, words)
            for told in await invoices.timeline(ctx, session.member, invoice_id)
        ],
        asked=[(label(q, words), q.required) for q in invoice.questions],
        message=_message(invoice, invoices.payment_url(ctx, invoice), words),
        errors=errors or {},
        hide_plus=True,
    )


def _message(invoice: Invoice, url: str, words: Words) -> str:
    """What to send to the client in a chat, ready to copy."""
    said = {"title": invoice.title, "sum": words.money(invoice.amount, short=True), "url": url}
    if invoice.expires_at is None:
        return words.t("invoices.message_text", **said)
    return words.t("invoices.message_due", due=words.datetime(invoice.expires_at), **said)


@post("/invoices/{invoice_id:str}/issue")
async def issue(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    invoice_id: FromPath[str],
) -> Response[Any]:
    """Opens a draft: from now on its link works."""
    invoice_id = read_id(invoice_id, "inv")
    try:
        invoice = await invoices.issue(ctx, session.member, invoice_id)
    except Refused as refused:
        return await not_now(request, ctx, session, invoice_id, refused)
    return go(f"/invoices/{invoice_id}", "invoices.done_issued", number=invoice.number)


@post("/invoices/{invoice_id:str}/void")
async def void(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    invoice_id: FromPath[str],
) -> Response[Any]:
    """Calls an invoice off; the page has asked whether to."""
    invoice_id = read_id(invoice_id, "inv")
    try:
        invoice = await invoices.void(ctx, session.member, invoice_id)
    except Refused as refused:
        return await not_now(request, ctx, session, invoice_id, refused)
    return go(f"/invoices/{invoice_id}", "invoices.done_voided", number=invoice.number)


async def not_now(
    request: WebRequest, ctx: Context, session: Session, invoice_id: str, refused: Refused
) -> Response[Any]:
    """The invoice as it is, with why the wish was not granted. Words for the seller come first."""
    if refused.code in ("forbidden", "not_found"):
        raise refused
    words = words_of(session)
    own = f"invoices.refused_{refused.code}"
    said = words.t(own) if words.has(own) else words.refusal(refused)
    return await details_page(request, ctx, session, invoice_id, {"": said}, refused.status)


@get("/invoices/{invoice_id:str}/qr.svg")
async def qr_svg(
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    invoice_id: FromPath[str],
) -> Response[bytes]:
    """The link as a picture that scales. Dark on white in any theme: cameras want it so."""
    invoice = await invoices.get(ctx, session.member, read_id(invoice_id, "inv"))
    picture = io.BytesIO()
    _code(ctx, invoice).save(
        picture, kind="svg", border=4, scale=6, dark="#000", light="#fff", xmldecl=False
    )
    return Response(picture.getvalue(), media_type="image/svg+xml")


@get("/invoices/{invoice_id:str}/qr.png")
async def qr_png(
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    invoice_id: FromPath[str],
) -> Response[bytes]:
    """The same as a file to print or to send."""
    invoice = await invoices.get(ctx, session.member, read_id(invoice_id, "inv"))
    picture = io.BytesIO()
    _code(ctx, invoice).save(picture, kind="png", border=4, scale=12)
    name = words_of(session).t("invoices.qr_file", number=invoice.number)
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(picture.getvalue(), media_type="image/png", headers=headers)


def _code(ctx: Context, invoice: Invoice) -> segno.QRCode:
    return segno.make_qr(invoices.payment_url(ctx, invoice), error="m")


HANDLERS = [invoice_list, invoice_details, issue, void, qr_svg, qr_png]
