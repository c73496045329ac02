"""From the dialog to money: one typed phrase or the full form, and sending what was issued."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.invoice import Invoice
from sigma.domain.errors import Refused
from sigma.services.accounts.users import Session
from sigma.services.billing import invoices
from sigma.services.catalogue import services
from sigma.services.context import Context
from sigma.services.conversations import inbox
from sigma.services.invoice_cards import cards
from sigma.services.platform.idempotency import Remember
from sigma.web.cabinet.form_idempotency import fresh_nonce, nonce_of, once
from sigma.web.cabinet.guards import NO_STORE, WebRequest
from sigma.web.cabinet.inbox.phrase_form import Read, read_typed, seen_as
from sigma.web.cabinet.invoices.invoices import asked, not_now
from sigma.web.cabinet.responses import cabinet_page, go, posted, words_of
from sigma.web.forms import one, read_id
from sigma.web.rendering import render

FOUND = 20


async def sent_into_dialog(ctx: Context, member: Member, invoice: Invoice) -> Response[Any]:
    """After an invoice was issued into a dialog: back to the dialog, saying what became of it."""
    assert invoice.conversation_id is not None
    dialog = await inbox.get(ctx, member, invoice.conversation_id)
    done, tone = ("cards.done_closed", "wait") if dialog.closed else ("cards.done_sent", "good")
    return go(f"/inbox/{dialog.id}", done, tone=tone, number=invoice.number)


@get("/inbox/{dialog_id:str}/invoice")
async def full_form(
    request: WebRequest, session: NamedDependency[Session], dialog_id: FromPath[str]
) -> Response[Any]:
    """«Выставить счёт» beside a dialog: the form builder, which knows the dialog."""
    session.member.must(Permission.ISSUE)
    url = f"/invoices/new?dialog={read_id(dialog_id, 'dlg')}"
    for name, prefix in (("service", "svc"), ("order", "ord")):
        if value := one(asked(request), name):
            url += f"&{name}={read_id(value, prefix)}"
    return go(url)


@post("/inbox/{dialog_id:str}/phrase", status_code=200)
async def phrase(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    dialog_id: FromPath[str],
) -> Response[Any]:
    """Shows what a phrase means; the second button issues it and sends it into the dialog."""
    session.member.must(Permission.ISSUE)
    dialog = await inbox.get(ctx, session.member, read_id(dialog_id, "dlg"))
    given = await posted(request)
    if one(given, "do") == "edit":
        typed = Read(one(given, "phrase"))
        return _shown(request, session, dialog.id, typed, nonce_of(given))
    read = await _read(ctx, session, one(given, "phrase"), dialog.id)
    if read.draft is None or one(given, "do") != "issue":
        return _shown(request, session, dialog.id, read, nonce_of(given))
    draft = read.draft
    if one(given, "seen") != seen_as(read):  # midnight has passed, or the service has changed
        return _shown(request, session, dialog.id, read, nonce_of(given), again=True)

    async def act(remember: Remember) -> Invoice:
        return await cards.issue(
            ctx, session.member, draft, remember=lambda made: remember(201, made.id)
        )

    try:
        made = await once(ctx, session.member, f"phrase {dialog.id}", given, act)
    except Refused as refused:
        if refused.code == "idempotency_key_reused":  # issued, then another phrase was typed
            return _shown(request, session, dialog.id, read, fresh_nonce())
        raise
    return await sent_into_dialog(
        ctx, session.member, await invoices.get(ctx, session.member, made)
    )


async def _read(ctx: Context, session: Session, text: str, dialog_id: str) -> Read:
    tz = ZoneInfo(session.shop.tz)
    today = datetime.fromtimestamp(ctx.now() // 1_000_000, UTC).astimezone(tz).date()
    offered = await services.listing(ctx, session.member)
    return read_typed(text, offered, today, session.shop.tz, ctx.now(), dialog_id)


def _shown(
    request: WebRequest,
    session: Session,
    dialog_id: str,
    read: Read,
    nonce: str,
    *,
    again: bool = False,
) -> Response[Any]:
    """The preview: a part of the dialog's page, or a page of its own without script.

    `again`: it was shown before and meant something else.
    """
    shown: dict[str, Any] = {"read": read, "dialog_id": dialog_id, "nonce": nonce, "again": again}
    shown["seen"] = seen_as(read)
    status = 422 if read.problem else 200
    if request.headers.get("hx-request"):
        text = render("cabinet/inbox/phrase.html", words_of(session), csrf=session.csrf, **shown)
        return Response(text, media_type="text/html", headers=NO_STORE)
    return cabinet_page(
        request, session, "cabinet/inbox/phrase_page.html", place="inbox", status=status, **shown
    )


@get("/invoices/{invoice_id:str}/send")
async def choose_dialog(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    invoice_id: FromPath[str],
) -> Response[Any]:
    """Whose dialog gets an invoice that exists."""
    session.member.must(Permission.ANSWER)
    invoice = await invoices.get(ctx, session.member, read_id(invoice_id, "inv"))
    query = one(asked(request), "q")[:100]
    found = await inbox.listing(ctx, session.member, query=query, limit=FOUND)
    places = await cards.places(ctx, session.member, invoice.id)
    return cabinet_page(
        request,
        session,
        "cabinet/inbox/send.html",
        place="invoices",
        invoice=invoice,
        query=query,
        rows=[row.conversation for row in found.rows],
        sent={place.conversation.id for place in places if place.card.message_id},
        hide_plus=True,
    )


@post("/invoices/{invoice_id:str}/send/{dialog_id:str}")
async def send(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    invoice_id: FromPath[str],
    dialog_id: FromPath[str],
) -> Response[Any]:
    """Sends an invoice into a dialog; sent there before, it is not sent again."""
    dialog, invoice_id = read_id(dialog_id, "dlg"), read_id(invoice_id, "inv")
    try:
        card = await cards.show(ctx, session.member, dialog, invoice_id)
    except Refused as refused:
        return await not_now(request, ctx, session, invoice_id, refused)
    invoice = await invoices.get(ctx, session.member, card.invoice_id)
    done, tone = ("cards.done_shown", "good") if card.message_id else ("cards.done_closed", "wait")
    return go(f"/inbox/{dialog}", done, tone=tone, number=invoice.number)


HANDLERS = [full_form, phrase, choose_dialog, send]
