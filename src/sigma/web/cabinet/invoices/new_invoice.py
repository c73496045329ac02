"""A new invoice: the form builder, its preview as the client's own page, issuing and drafts."""

from dataclasses import replace
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.billing.connection import Status as ConnectionStatus
from sigma.domain.billing.invoice import Draft, Invoice, Status
from sigma.domain.errors import Problem, Refused
from sigma.services.accounts.users import Session
from sigma.services.billing import connections, invoices
from sigma.services.billing.invoices import Public
from sigma.services.billing.invoices import Remember as InvoiceKept
from sigma.services.catalogue import services
from sigma.services.context import Context
from sigma.services.conversations import inbox
from sigma.services.invoice_cards import cards, vk_orders
from sigma.services.platform.idempotency import Remember
from sigma.texts.formats import sign
from sigma.web.cabinet.form_idempotency import fresh_nonce, nonce_of, once
from sigma.web.cabinet.guards import NO_STORE, WebRequest
from sigma.web.cabinet.inbox.invoices import sent_into_dialog
from sigma.web.cabinet.invoices.form import (
    OWN_KINDS,
    Expiry,
    InvoiceForm,
    Times,
    read_draft,
    read_form,
)
from sigma.web.cabinet.invoices.form_edit import (
    edited,
    edits,
    focus_after,
    form_of,
    form_of_service,
    plain_sum,
    sum_of_items,
)
from sigma.web.cabinet.invoices.invoices import asked
from sigma.web.cabinet.responses import cabinet_page, go, posted, sentences, words_of
from sigma.web.cabinet.settings.time_zones import zone
from sigma.web.checkout.page_context import sheet
from sigma.web.forms import Given, one, read_id
from sigma.web.rendering import render


@get("/invoices/new")
async def new_invoice(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """An empty form, or one filled like an earlier invoice («Повторить»), from a service or an
    order, for a dialog or for nobody yet.
    """
    session.member.must(Permission.ISSUE)
    return await _form_page(
        request, ctx, session, await _begun(request, ctx, session), fresh_nonce()
    )


async def _begun(request: WebRequest, ctx: Context, session: Session) -> InvoiceForm:
    query, member, form = asked(request), session.member, InvoiceForm()
    if like := one(query, "like"):
        form = form_of(await invoices.get(ctx, member, read_id(like, "inv")))
    elif service := one(query, "service"):
        known_service = await services.get(ctx, member, read_id(service, "svc"))
        form = form_of_service(known_service, tz=session.shop.tz, now=ctx.now())
    if order := one(query, "order"):
        known = await vk_orders.get(ctx, member, read_id(order, "ord"))
        title = words_of(session).t("cards.order_title", order=known.display_id)
        form = replace(form, title=title, amount=plain_sum(known.amount), order=known.id)
    if dialog := one(query, "dialog"):
        form = replace(form, dialog=(await inbox.get(ctx, member, read_id(dialog, "dlg"))).id)
    return form


@post("/invoices/new")
async def create_invoice(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Issues the invoice or keeps a draft; other buttons only change or show the form."""
    session.member.must(Permission.ISSUE)
    given = await posted(request)
    form, button = read_form(given), one(given, "do")
    if edits(button):
        form, focus = edited(form, button), focus_after(form, button)
        return await _form_page(request, ctx, session, form, nonce_of(given), focus=focus)
    draft, problems = read_draft(form, tz=session.shop.tz, now=ctx.now())
    if button not in ("issue", "draft"):
        return await _form_page(request, ctx, session, form, nonce_of(given), seen=True)
    if problems:
        return await _form_page(request, ctx, session, form, nonce_of(given), problems)
    return await _create(request, ctx, session, given, form, draft, issued=button == "issue")


async def _create(
    request: WebRequest,
    ctx: Context,
    session: Session,
    given: Given,
    form: InvoiceForm,
    draft: Draft,
    *,
    issued: bool,
) -> Response[Any]:
    into_dialog = issued and draft.conversation_id is not None

    async def act(remember: Remember) -> Invoice:
        kept: InvoiceKept = lambda made: remember(201, made.id)  # noqa: E731
        if into_dialog:
            order = form.order or None
            return await cards.issue(ctx, session.member, draft, order_id=order, remember=kept)
        alone = replace(draft, conversation_id=None)
        return await invoices.create(ctx, session.member, alone, issued=issued, remember=kept)

    try:
        made = await once(ctx, session.member, f"invoice issued={issued}", given, act)
    except Refused as refused:
        if refused.code == "idempotency_key_reused":  # sent, then changed and sent again
            said = words_of(session).t("invoices.sent_before")
            return await _form_page(request, ctx, session, form, fresh_nonce(), said=said)
        if not refused.problems:
            raise
        if of_order := [one for one in refused.problems if one.field == "order"]:
            said = words_of(session).problem(of_order[0])
            return await _form_page(request, ctx, session, form, nonce_of(given), said=said)
        wrong = list(refused.problems)
        return await _form_page(request, ctx, session, form, nonce_of(given), wrong)
    invoice = await invoices.get(ctx, session.member, made)
    if into_dialog:
        return await sent_into_dialog(ctx, session.member, invoice)
    done = "invoices.done_issued" if issued else "invoices.done_drafted"
    return go(f"/invoices/{made}", done, number=invoice.number)


async def _form_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    form: InvoiceForm,
    nonce: str,
    problems: list[Problem] | None = None,
    *,
    said: str = "",
    seen: bool = False,
    focus: str = "",
) -> Response[Any]:
    words = words_of(session)
    dialog_id = read_id(form.dialog, "dlg") if form.dialog else ""
    dialog = await inbox.get(ctx, session.member, dialog_id) if dialog_id else None
    errors = sentences(words, problems or [])
    if said:
        errors[""] = said
    elif errors:
        errors[""] = words.t("invoices.look_at_fields")
    return cabinet_page(
        request,
        session,
        "cabinet/invoices/new.html",
        place="invoices",
        status=422 if errors else 200,
        form=form,
        dialog=dialog,
        nonce=nonce,
        errors=errors,
        preview=await preview_text(ctx, session, form),
        preview_seen=seen,
        items_sum=sum_of_items(form),
        own_kinds=[(str(k), words.t(f"invoices.kind.{k}")) for k in OWN_KINDS],
        expiries=[(str(e), words.t(f"invoices.expiry_{e}")) for e in Expiry],
        times=[(str(n), words.t(f"invoices.times_{n}")) for n in Times],
        currency_sign=sign(form.currency),
        focus=focus,
        shop_return_url=session.shop.return_url,
        zone=zone(session.shop.tz, session.locale, ctx.now()),
        hide_plus=True,
    )


@post("/invoices/preview", status_code=200)
async def preview(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The payment page that the form would make, drawn by the payment page's own template."""
    session.member.must(Permission.ISSUE)
    text = await preview_text(ctx, session, read_form(await posted(request)))
    return Response(text, media_type="text/html", headers=NO_STORE)


async def preview_text(ctx: Context, session: Session, form: InvoiceForm) -> str:
    """The client's page for a form as it is now, right or not; nothing on it works."""
    now, shop, words = ctx.now(), session.shop, words_of(session)
    draft, _ = read_draft(form, tz=shop.tz, now=now)
    last = await invoices.listing(ctx, session.member, limit=1)
    public = Public(
        Invoice(
            id="inv_preview",
            shop_id=shop.id,
            number=last.data[0].number + 1 if last.data else 1,
            token="preview",  # noqa: S106, it opens nothing
            status=Status.OPEN,
            title=draft.title or words.t("invoices.preview_title"),
            amount=draft.amount,
            created_at=now,
            description=draft.description,
            items=draft.items,
            questions=tuple(
                q if q.label or q.personal else replace(q, label=words.t("invoices.own_field"))
                for q in draft.questions
            ),
            expires_at=draft.expires_at,
        ),
        shop,
        await _provider(ctx, session),
        0,
    )
    return render(
        "cabinet/invoices/preview.html",
        words,
        shop=shop,
        accent=shop.accent.lstrip("#").lower(),
        decline="",
        wait_url="",
        mark="",
        receipt_url="",
        path="/i/preview",
        **sheet(public, words),
    )


async def _provider(ctx: Context, session: Session) -> str | None:
    """Whose card form the client will see, for those who may know the shop's connections."""
    if not session.member.may(Permission.SETTINGS):
        return None
    found = await connections.listing(ctx, session.member)
    return next((c.provider for c in found if c.status is ConnectionStatus.ACTIVE), None)


HANDLERS = [new_invoice, create_invoice, preview]
