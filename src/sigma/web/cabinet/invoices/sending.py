"""Sending an existing invoice to a client: choose the conversation, send the card."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.invoice import Invoice
from sigma.domain.errors import RefusedError
from sigma.services.accounts.users import Session
from sigma.services.billing import invoices
from sigma.services.billing.payment_limits import connection_warnings
from sigma.services.context import Context
from sigma.services.conversations import inbox
from sigma.services.invoice_cards import cards
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.invoices.invoices import details_page_with_refusal
from sigma.web.cabinet.responses import redirect, render_cabinet_page
from sigma.web.cabinet.urls import next_page_url, query_values
from sigma.web.forms import first_value, parse_cursor
from sigma.web.ids import parse_id

SEARCH_LIMIT = 20


async def redirect_to_conversation(ctx: Context, member: Member, invoice: Invoice) -> Response[Any]:
    """Redirect to the conversation of a new invoice; say whether the client can be written to."""
    assert invoice.conversation_id is not None
    conversation = await inbox.get(ctx, member, invoice.conversation_id)
    flash_key, tone = "cards.done_sent", "good"
    if await connection_warnings(ctx, member):
        flash_key, tone = "cards.done_sent_unpayable", "wait"
    if conversation.blocked_reason:
        flash_key, tone = "cards.done_blocked", "wait"
    return redirect(f"/inbox/{conversation.id}", flash_key, tone=tone, number=invoice.number)


@get("/invoices/{invoice_id:str}/send")
async def choose_conversation(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    invoice_id: FromPath[str],
) -> Response[Any]:
    """Choose the conversation to send an existing invoice to."""
    session.member.require(Permission.ANSWER)
    invoice = await invoices.get(ctx, session.member, parse_id(invoice_id, "inv"))
    values = query_values(request)
    query = first_value(values, "q")[:100]
    listing = await inbox.list_conversations(
        ctx,
        session.member,
        query=query,
        limit=SEARCH_LIMIT,
        cursor=parse_cursor(first_value(values, "cursor")),
    )
    sent_cards = await cards.list_for_invoice(ctx, session.member, invoice.id)
    return render_cabinet_page(
        request,
        session,
        "cabinet/invoices/send.html",
        section="invoices",
        invoice=invoice,
        query=query,
        rows=[row.conversation for row in listing.rows],
        more_url=next_page_url(f"/invoices/{invoice.id}/send", listing.next_cursor, q=query),
        sent_conversation_ids={item.conversation.id for item in sent_cards if item.card.message_id},
        hide_plus=True,
    )


@post("/invoices/{invoice_id:str}/send/{conversation_id:str}")
async def send_invoice(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    invoice_id: FromPath[str],
    conversation_id: FromPath[str],
) -> Response[Any]:
    """Send an invoice to a conversation, unless it was sent there before."""
    conversation_id, invoice_id = parse_id(conversation_id, "cnv"), parse_id(invoice_id, "inv")
    try:
        card = await cards.send_invoice(ctx, session.member, conversation_id, invoice_id)
    except RefusedError as error:
        return await details_page_with_refusal(request, ctx, session, invoice_id, error)
    invoice = await invoices.get(ctx, session.member, card.invoice_id)
    flash_key, tone = (
        ("cards.done_sent_existing", "good") if card.message_id else ("cards.done_blocked", "wait")
    )
    return redirect(f"/inbox/{conversation_id}", flash_key, tone=tone, number=invoice.number)


HANDLERS = [choose_conversation, send_invoice]
