"""The list of invoices with its filters, and the stream that tells an open one of changes."""

from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.response import Response, Stream

from sigma.domain.billing.invoice import Status
from sigma.domain.lists.filters import InvoiceFilter, parse_invoice_filter
from sigma.domain.lists.saved_view import ListKind
from sigma.services.accounts.users import Session
from sigma.services.context import Context
from sigma.services.lists import invoices
from sigma.texts import Translator
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.lists.filter_bar import build_bar, filter_url
from sigma.web.cabinet.lists.filter_texts import conditions_without_field
from sigma.web.cabinet.lists.method_text import method_text
from sigma.web.cabinet.lists.stream import open_stream
from sigma.web.cabinet.responses import render_cabinet_page, translator_for
from sigma.web.cabinet.urls import export_url, query_values
from sigma.web.forms import first_value, parse_cursor

CHIP_STATUSES = (Status.OPEN, Status.PAID, Status.DRAFT, Status.EXPIRED, Status.VOID)


@get("/invoices")
async def invoice_list(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """List the invoices that the filter in the URL finds."""
    query = query_values(request)
    wanted, problems = parse_invoice_filter(query)
    cursor = parse_cursor(first_value(query, "cursor"))
    page = await invoices.list_page(ctx, session.member, wanted, cursor=cursor)
    needs_totals = wanted.is_active and cursor is None
    totals = await invoices.totals(ctx, session.member, wanted) if needs_totals else None
    translator = translator_for(session)
    values, now_us = wanted.to_values(), ctx.now_us()
    bar = await build_bar(
        ctx,
        session,
        ListKind.INVOICES,
        wanted,
        translator,
        statuses=[(str(one), translator.t(f"common.invoice_status.{one}")) for one in Status],
        chips=_chips(wanted, translator),
        totals=totals,
        query=query,
        conditions=await conditions_without_field(ctx, session, wanted, translator),
        problems=problems,
    )
    more_url = filter_url("/invoices", values, cursor=page.next_cursor or "")
    return render_cabinet_page(
        request,
        session,
        "cabinet/invoices/list.html",
        section="invoices",
        rows=page.data,
        method_text=method_text(translator),
        bar=bar,
        export_url=export_url(ListKind.INVOICES, wanted),
        is_later_page=cursor is not None,
        is_short=page.is_short,
        more_url=more_url if page.next_cursor else None,
        live_url=""
        if cursor
        else filter_url("/invoices/live", values, rows=invoices.page_digest(page.data, now_us)),
        # The empty list has its own button.
        hide_plus=not page.data and not wanted.is_active,
    )


def _chips(wanted: InvoiceFilter, translator: Translator) -> list[tuple[str, str, bool]]:
    values = wanted.to_values()
    url = filter_url("/invoices", values, status="")
    return [(url, translator.t("invoices.filter_all"), not wanted.status)] + [
        (
            filter_url("/invoices", values, status=str(one)),
            translator.t(f"common.invoice_status.{one}"),
            wanted.status == one,
        )
        for one in CHIP_STATUSES
    ]


@get("/invoices/live")
async def invoice_stream(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Stream:
    """Stream an event whenever the first page of the filtered list changes."""
    wanted, _ = parse_invoice_filter(query_values(request))

    async def digest(current: Session) -> str:
        return await invoices.digest(ctx, current.member, wanted)

    return open_stream(request, ctx, session, digest)


HANDLERS = [invoice_list, invoice_stream]
