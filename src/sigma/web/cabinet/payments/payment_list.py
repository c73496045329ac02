"""The list of payments with its filters, and the stream that tells an open one of changes."""

from typing import Any

from litestar import get
from litestar.di import NamedDependency
from litestar.response import Response, Stream

from sigma.domain.billing.payment import Payment, Status
from sigma.domain.lists.filters import PaymentFilter, parse_payment_filter
from sigma.domain.lists.saved_view import ListKind
from sigma.domain.local_time import local_date
from sigma.services.accounts.users import Session
from sigma.services.billing import invoices
from sigma.services.context import Context
from sigma.services.lists import payments
from sigma.texts import Translator
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.lists.filter_bar import build_bar, filter_url
from sigma.web.cabinet.lists.filter_texts import conditions_without_field
from sigma.web.cabinet.lists.method_text import method_text
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
        conditions=await conditions_without_field(ctx, session, wanted, translator),
        problems=problems,
    )
    more_url = filter_url("/payments", values, cursor=page.next_cursor or "")
    return render_cabinet_page(
        request,
        session,
        "cabinet/payments/list.html",
        section="payments",
        rows=page.data,
        method_text=method_text(translator),
        captured_text=lambda one: _captured_text(one, translator, ctx.now_us()),
        bar=bar,
        export_url=export_url(ListKind.PAYMENTS, wanted),
        invoice=invoice,
        is_later_page=cursor is not None,
        is_short=page.is_short,
        more_url=more_url if page.next_cursor else None,
        live_url=""
        if cursor
        else filter_url("/payments/live", values, rows=payments.page_digest(page.data)),
        hide_plus=not page.data and not wanted.is_active,
    )


def _captured_text(payment: Payment, translator: Translator, now_us: int) -> str:
    """Return «получен сегодня, 00:01» for a payment whose money came on a later day; else "".

    The list is filtered and sorted by when a payment was started, statements by when money came.
    """
    at_us = payment.captured_at_us
    days = [local_date(one, translator.tz) for one in (payment.created_at_us, at_us) if one]
    if at_us is None or days[0] == days[1]:
        return ""
    return translator.t("lists.captured", at=translator.list_time(at_us, now_us))


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
