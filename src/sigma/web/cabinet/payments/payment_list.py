"""The list of payments with its filters, and the stream that tells an open one of changes."""

from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.response import Response, Stream

from sigma.domain.billing.payment import Status
from sigma.domain.lists.filters import PaymentFilter, parse_payment_filter
from sigma.domain.lists.saved_view import ListKind
from sigma.services.accounts.users import Session
from sigma.services.billing import invoices
from sigma.services.context import Context
from sigma.services.lists import payments
from sigma.texts import Translator
from sigma.texts.receipt_view import method_label
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.lists.filter_bar import build_bar, filter_url
from sigma.web.cabinet.lists.stream import open_stream
from sigma.web.cabinet.responses import render_cabinet_page, translator_for
from sigma.web.cabinet.urls import export_url, query_values
from sigma.web.forms import first_value, parse_cursor
from sigma.web.ids import parse_id

CHIP_STATUSES = (
    Status.CAPTURED,
    Status.AUTHORIZED,
    Status.PENDING,
    Status.FAILED,
    Status.CANCELED,
)


@get("/payments")
async def payment_list(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """List the payments that the filter in the URL finds."""
    query = query_values(request)
    wanted, problems = parse_payment_filter(query)
    invoice_id = first_value(query, "invoice_id") or first_value(query, "invoice")
    # A wrong id or an invoice of another shop is not found, as on its own page.
    invoice = (
        await invoices.get(ctx, session.member, parse_id(invoice_id, "inv")) if invoice_id else None
    )
    cursor = parse_cursor(first_value(query, "cursor"))
    page = await payments.list_page(ctx, session.member, wanted, cursor=cursor)
    needs_totals = wanted.is_active and cursor is None
    totals = await payments.totals(ctx, session.member, wanted) if needs_totals else None
    translator = translator_for(session)
    values = wanted.to_values()
    bar = await build_bar(
        ctx,
        session,
        ListKind.PAYMENTS,
        wanted,
        translator,
        statuses=[(str(one), translator.t(f"common.payment_status.{one}")) for one in Status],
        chips=_chips(wanted, translator),
        totals=totals,
        query=query,
        problems=problems,
    )
    more_url = filter_url("/payments", values, cursor=page.next_cursor or "")
    return render_cabinet_page(
        request,
        session,
        "cabinet/payments/list.html",
        section="payments",
        rows=page.data,
        method_text=lambda one: method_label(one.kind, one.mask[-4:], one.brand, translator),
        bar=bar,
        export_url=export_url("payments", query),
        invoice=invoice,
        is_later_page=cursor is not None,
        is_short=page.is_short,
        more_url=more_url if page.next_cursor else None,
        live_url="" if cursor else filter_url("/payments/live", values),
        hide_plus=not page.data and not wanted.is_active,
    )


def _chips(wanted: PaymentFilter, translator: Translator) -> list[tuple[str, str, bool]]:
    values = wanted.to_values()
    everything = not wanted.status and not wanted.needs_attention
    url = filter_url("/payments", values, status="", attention="")
    attention_url = filter_url("/payments", values, status="", attention="yes")
    return [
        (url, translator.t("payments.filter_all"), everything),
        (attention_url, translator.t("payments.filter_attention"), wanted.needs_attention),
        *(
            (
                filter_url("/payments", values, status=str(one), attention=""),
                translator.t(f"payments.filter_{one}"),
                wanted.status == one,
            )
            for one in CHIP_STATUSES
        ),
    ]


@get("/payments/live")
async def payment_stream(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Stream:
    """Stream an event whenever the first page of the filtered list changes."""
    wanted, _ = parse_payment_filter(query_values(request))

    async def digest(current: Session) -> str:
        return await payments.digest(ctx, current.member, wanted)

    return open_stream(request, ctx, session, digest)


HANDLERS = [payment_list, payment_stream]
