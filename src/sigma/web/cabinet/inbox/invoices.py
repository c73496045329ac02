"""New invoices in a conversation: from one phrase or the full form."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.catalogue.phrase.model import Answers, Moment
from sigma.domain.errors import RefusedError
from sigma.domain.local_time import local_date, start_of_day
from sigma.services.accounts.users import Session
from sigma.services.billing import invoices
from sigma.services.billing.payment_limits import (
    accepted_currencies,
    check_amount,
    connection_warnings,
)
from sigma.services.catalogue import services
from sigma.services.context import Context
from sigma.services.conversations import inbox
from sigma.services.invoice_cards import cards
from sigma.texts import Translator
from sigma.web.cabinet.form_idempotency import (
    form_idempotency,
    new_nonce,
    read_nonce,
    run_form_once,
)
from sigma.web.cabinet.guards import NO_STORE_HEADERS, WebRequest
from sigma.web.cabinet.inbox.phrase_form import (
    ParsedPhrase,
    PhraseContext,
    parse_invoice_phrase,
    preview_fingerprint,
)
from sigma.web.cabinet.invoices.sending import redirect_to_conversation
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cabinet.urls import query_values
from sigma.web.forms import FormValues, first_value
from sigma.web.ids import parse_id
from sigma.web.rendering import render


@get("/inbox/{conversation_id:str}/invoice")
async def open_invoice_form(
    request: WebRequest, session: NamedDependency[Session], conversation_id: FromPath[str]
) -> Response[Any]:
    """Redirect to the invoice form with this conversation («Выставить счёт»)."""
    session.member.require(Permission.ISSUE)
    url = f"/invoices/new?conversation={parse_id(conversation_id, 'cnv')}"
    for name, prefix in (("service", "svc"), ("order", "ord")):
        if value := first_value(query_values(request), name):
            url += f"&{name}={parse_id(value, prefix)}"
    return redirect(url)


@post("/inbox/{conversation_id:str}/phrase", status_code=200)
async def invoice_from_phrase(
    request: WebRequest,
    ctx: NamedDependency[Context],
    session: NamedDependency[Session],
    conversation_id: FromPath[str],
) -> Response[Any]:
    """Preview the invoice of a phrase; the button "issue" issues and sends it.

    The fields "day", "amount" and "service" are answers to the questions of the preview.
    """
    session.member.require(Permission.ISSUE)
    conversation = await inbox.get(ctx, session.member, parse_id(conversation_id, "cnv"))
    form_data = await read_form_values(request)
    if first_value(form_data, "do") == "edit":
        unparsed = ParsedPhrase(first_value(form_data, "phrase"))
        return await _preview_page(
            request, ctx, session, conversation.id, unparsed, read_nonce(form_data)
        )
    parsed = await _parse_phrase(ctx, session, form_data, conversation.id)
    if parsed.draft is None or not parsed.can_issue or first_value(form_data, "do") != "issue":
        return await _preview_page(
            request, ctx, session, conversation.id, parsed, read_nonce(form_data)
        )
    draft = parsed.draft
    if first_value(form_data, "preview_fingerprint") != preview_fingerprint(
        parsed
    ):  # midnight has passed, or the service has changed
        return await _preview_page(
            request, ctx, session, conversation.id, parsed, read_nonce(form_data), is_changed=True
        )

    idempotency = form_idempotency(session.member, f"phrase {conversation.id}", form_data)
    try:
        invoice_id = await run_form_once(
            ctx,
            idempotency,
            lambda: cards.issue(ctx, session.member, draft, idempotency=idempotency),
        )
    except RefusedError as error:
        if error.code == "idempotency_key_reused":  # issued, then another phrase entered
            return await _preview_page(request, ctx, session, conversation.id, parsed, new_nonce())
        raise
    invoice = await invoices.get(ctx, session.member, invoice_id)
    return await redirect_to_conversation(ctx, session.member, invoice)


async def _parse_phrase(
    ctx: Context, session: Session, form_data: FormValues, conversation_id: str
) -> ParsedPhrase:
    translator, tz = translator_for(session), session.shop.tz
    context = PhraseContext(
        services=await services.list_for_shop(ctx, session.member),
        today=local_date(ctx.now_us(), tz),
        tz=tz,
        now_us=ctx.now_us(),
        visit_text=lambda visit: _visit_text(visit, translator, tz),
        currency_text=translator.currency_names,
        accepted=await accepted_currencies(ctx, session.member),
    )
    answers = Answers(*(first_value(form_data, name) for name in ("day", "amount", "service")))
    phrase = first_value(form_data, "phrase")
    parsed = parse_invoice_phrase(phrase, answers, context, conversation_id)
    if parsed.draft and (problems := await check_amount(ctx, session.shop.id, parsed.draft.amount)):
        return ParsedPhrase(phrase, problem=problems[0])
    return parsed


def _visit_text(visit: Moment, translator: Translator, tz: str) -> str:
    """Return «Визит: 25 ноября 2026, 15:00»."""
    parts = [translator.date(start_of_day(visit.day, tz))] if visit.day else []
    if visit.clock:
        parts.append(f"{visit.clock:%H:%M}")
    return translator.t(
        "cards.phrase_visit", visit=" ".join([", ".join(parts), visit.note]).strip()
    )


async def _preview_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    conversation_id: str,
    parsed: ParsedPhrase,
    nonce: str,
    *,
    is_changed: bool = False,
) -> Response[Any]:
    """Render the preview: a part of the conversation for htmx, else a page of its own.

    `is_changed`: the phrase now means another invoice than in the previous preview.
    """
    context: dict[str, Any] = {
        "parsed": parsed,
        "conversation_id": conversation_id,
        "nonce": nonce,
        "is_changed": is_changed,
        "warnings": await connection_warnings(ctx, session.member),
        "can_connect": session.member.can(Permission.SETTINGS),
        "day_us": None,
    }
    context["preview_fingerprint"] = preview_fingerprint(parsed)
    if parsed.phrase and parsed.phrase.deadline and parsed.phrase.deadline.day:
        context["day_us"] = start_of_day(parsed.phrase.deadline.day, session.shop.tz)
    status = 422 if parsed.problem else 200
    if request.headers.get("hx-request"):
        text = render(
            "cabinet/inbox/phrase.html", translator_for(session), csrf=session.csrf, **context
        )
        return Response(text, media_type="text/html", headers=NO_STORE_HEADERS)
    return render_cabinet_page(
        request,
        session,
        "cabinet/inbox/phrase_page.html",
        section="inbox",
        status=status,
        **context,
    )


HANDLERS = [open_invoice_form, invoice_from_phrase]
