"""A new invoice: the form, a preview of the payment page, issuing and saving drafts."""

from dataclasses import replace
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.accounts.member import Permission
from sigma.domain.billing.connection import Status as ConnectionStatus
from sigma.domain.billing.invoice import Draft, Invoice, Status
from sigma.domain.billing.question import parse_email
from sigma.domain.errors import Problem, RefusedError
from sigma.services.accounts.users import Session
from sigma.services.billing import connections, invoice_mails, invoices
from sigma.services.billing.invoices import PublicInvoice
from sigma.services.billing.payment_limits import connection_warnings
from sigma.services.catalogue import services
from sigma.services.context import Context
from sigma.services.conversations import inbox
from sigma.services.customers import customer_views
from sigma.services.invoice_cards import cards, vk_orders
from sigma.texts.formats import currency_sign
from sigma.web.cabinet.form_idempotency import (
    form_idempotency,
    new_nonce,
    read_nonce,
    run_form_once,
)
from sigma.web.cabinet.guards import NO_STORE_HEADERS, WebRequest
from sigma.web.cabinet.invoices.form import (
    CUSTOM_KINDS,
    ExpiryChoice,
    InvoiceForm,
    PaymentLimit,
    parse_draft,
    parse_invoice_form,
)
from sigma.web.cabinet.invoices.form_edit import (
    amount_text,
    apply_button,
    focus_after_edit,
    form_from_invoice,
    form_from_service,
    is_edit_button,
    items_total,
)
from sigma.web.cabinet.invoices.invoices import redirect_to_issued
from sigma.web.cabinet.invoices.sending import redirect_to_conversation
from sigma.web.cabinet.responses import (
    problem_texts,
    read_form_values,
    redirect,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cabinet.settings.time_zones import zone_label
from sigma.web.cabinet.urls import query_values
from sigma.web.checkout.page_context import payment_page_context
from sigma.web.forms import FormValues, first_value
from sigma.web.ids import parse_id
from sigma.web.rendering import render
from sigma.web.retry_after import retry_after_headers

QUOTA_CODES = ("quota_invoices", "quota_messages")


@get("/invoices/new")
async def new_invoice(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show an empty form, or one filled from the query.

    `like`: an invoice to repeat; `service`, `order` (VK order), `conversation` or `customer`: ids.
    """
    session.member.require(Permission.ISSUE)
    return await _form_page(
        request, ctx, session, await _initial_form(request, ctx, session), new_nonce()
    )


async def _initial_form(request: WebRequest, ctx: Context, session: Session) -> InvoiceForm:
    query, member, form = query_values(request), session.member, InvoiceForm()
    if like := first_value(query, "like"):
        form = form_from_invoice(await invoices.get(ctx, member, parse_id(like, "inv")))
    elif service := first_value(query, "service"):
        sold_service = await services.get(ctx, member, parse_id(service, "svc"))
        form = form_from_service(sold_service, tz=session.shop.tz, now_us=ctx.now_us())
    if order := first_value(query, "order"):
        vk_order = await vk_orders.get(ctx, member, parse_id(order, "ord"))
        title = translator_for(session).t("cards.order_title", order=vk_order.display_id)
        if vk_order.amount is not None:
            amount, currency = amount_text(vk_order.amount), vk_order.amount.currency
            form = replace(form, amount=amount, currency=currency)
        form = replace(form, title=title, vk_order_id=vk_order.id)
    if conversation_id := first_value(query, "conversation"):
        form = replace(
            form,
            conversation_id=(await inbox.get(ctx, member, parse_id(conversation_id, "cnv"))).id,
        )
    if customer_id := first_value(query, "customer"):
        customer = await customer_views.access(ctx, member, parse_id(customer_id, "cus"))
        form = replace(form, customer_id=customer.id)
    return form


@post("/invoices/new")
async def create_invoice(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Issue the invoice or save a draft; other buttons only edit or preview the form."""
    session.member.require(Permission.ISSUE)
    form_data = await read_form_values(request)
    form, button = parse_invoice_form(form_data), first_value(form_data, "do")
    if is_edit_button(button):
        form, focus = apply_button(form, button), focus_after_edit(form, button)
        return await _form_page(request, ctx, session, form, read_nonce(form_data), focus=focus)
    draft, problems = parse_draft(form, tz=session.shop.tz, now_us=ctx.now_us())
    if button not in ("issue", "draft"):
        return await _form_page(
            request, ctx, session, form, read_nonce(form_data), show_preview=True
        )
    if form.email and parse_email(form.email) is None:
        problems = [*problems, Problem("email", "email")]
    if problems:
        return await _form_page(request, ctx, session, form, read_nonce(form_data), problems)
    return await _create(request, ctx, session, form_data, form, draft, issued=button == "issue")


async def _create(
    request: WebRequest,
    ctx: Context,
    session: Session,
    form_data: FormValues,
    form: InvoiceForm,
    draft: Draft,
    *,
    issued: bool,
) -> Response[Any]:
    for_conversation = issued and draft.conversation_id is not None

    idempotency = form_idempotency(session.member, f"invoice issued={issued}", form_data)

    async def create() -> Invoice:
        if for_conversation:
            order = form.vk_order_id or None
            return await cards.issue(
                ctx, session.member, draft, order_id=order, idempotency=idempotency
            )
        standalone = replace(draft, conversation_id=None)
        return await invoices.create(
            ctx, session.member, standalone, is_issued=issued, idempotency=idempotency
        )

    try:
        invoice_id = await run_form_once(ctx, idempotency, create)
    except RefusedError as error:
        if error.code == "idempotency_key_reused":  # submitted, changed, submitted again
            message = translator_for(session).t("invoices.sent_before")
            return await _form_page(request, ctx, session, form, new_nonce(), error_text=message)
        if error.code in QUOTA_CODES:
            message = translator_for(session).refusal_text(error)
            response = await _form_page(
                request, ctx, session, form, read_nonce(form_data), error_text=message
            )
            response.status_code = error.http_status
            response.headers.update(retry_after_headers(error))
            return response
        if not error.problems:
            raise
        if order_problems := [p for p in error.problems if p.field == "order"]:
            message = translator_for(session).problem_text(order_problems[0])
            return await _form_page(
                request, ctx, session, form, read_nonce(form_data), error_text=message
            )
        problems = list(error.problems)
        return await _form_page(request, ctx, session, form, read_nonce(form_data), problems)
    invoice = await invoices.get(ctx, session.member, invoice_id)
    if for_conversation:
        return await redirect_to_conversation(ctx, session.member, invoice)
    if issued:
        return await _redirect_to_issued(ctx, session, invoice, form.email)
    # A letter needs an issued invoice, and a draft does not store the address.
    key, tone = ("done_drafted_not_mailed", "wait") if form.email else ("done_drafted", "good")
    url = f"/invoices/{invoice_id}"
    return redirect(url, f"invoices.{key}", tone=tone, number=invoice.number)


async def _redirect_to_issued(
    ctx: Context, session: Session, invoice: Invoice, address: str
) -> Response[Any]:
    """Redirect to a new invoice. `address`: it is mailed there, once also by two submissions."""
    if not address:
        return await redirect_to_issued(ctx, session.member, invoice)
    sent = await invoice_mails.list_for_invoice(ctx, session.member, invoice.id)
    try:
        if not sent:
            await invoice_mails.send(ctx, session.member, invoice.id, address)
    except RefusedError:
        params = {"number": invoice.number}
        url = f"/invoices/{invoice.id}"
        return redirect(url, "invoices.done_not_mailed", tone="wait", **params)
    return redirect(f"/invoices/{invoice.id}", "invoices.done_mailed")


async def _form_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    form: InvoiceForm,
    nonce: str,
    problems: list[Problem] | None = None,
    *,
    error_text: str = "",
    show_preview: bool = False,
    focus: str = "",
) -> Response[Any]:
    translator = translator_for(session)
    conversation_id = parse_id(form.conversation_id, "cnv") if form.conversation_id else ""
    conversation = (
        await inbox.get(ctx, session.member, conversation_id) if conversation_id else None
    )
    customer_id = parse_id(form.customer_id, "cus") if form.customer_id else ""
    customer = (
        await customer_views.get_row(ctx, session.member, customer_id) if customer_id else None
    )
    errors = problem_texts(translator, problems or [])
    if error_text:
        errors[""] = error_text
    elif errors:
        errors[""] = translator.t("invoices.check_fields")
    return render_cabinet_page(
        request,
        session,
        "cabinet/invoices/new.html",
        section="invoices",
        status=422 if errors else 200,
        form=form,
        conversation=conversation,
        customer_name=(customer.title or translator.t("customers.nameless")) if customer else "",
        nonce=nonce,
        errors=errors,
        preview=await preview_html(ctx, session, form),
        show_preview=show_preview,
        items_sum=items_total(form),
        custom_kinds=[(str(k), translator.t(f"invoices.kind.{k}")) for k in CUSTOM_KINDS],
        expiry_choices=[(str(e), translator.t(f"invoices.expiry_{e}")) for e in ExpiryChoice],
        payment_limits=[(str(n), translator.t(f"invoices.times_{n}")) for n in PaymentLimit],
        currency_sign=currency_sign(form.currency),
        focus=focus,
        shop_return_url=session.shop.return_url,
        warnings=await connection_warnings(ctx, session.member),
        can_connect=session.member.can(Permission.SETTINGS),
        zone=zone_label(session.shop.tz, session.locale, ctx.now_us()),
        hide_plus=True,
    )


@post("/invoices/preview", status_code=200)
async def preview_invoice(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Render the payment page of the form's invoice, with that page's own template."""
    session.member.require(Permission.ISSUE)
    text = await preview_html(ctx, session, parse_invoice_form(await read_form_values(request)))
    return Response(text, media_type="text/html", headers=NO_STORE_HEADERS)


async def preview_html(ctx: Context, session: Session, form: InvoiceForm) -> str:
    """Return the HTML of the payment page for a form, valid or not; its buttons do nothing."""
    now_us, shop, translator = ctx.now_us(), session.shop, translator_for(session)
    draft, _ = parse_draft(form, tz=shop.tz, now_us=now_us)
    latest = await invoices.list_page(ctx, session.member, limit=1)
    public = PublicInvoice(
        Invoice(
            id="inv_preview",
            shop_id=shop.id,
            number=latest.data[0].number + 1 if latest.data else 1,
            token="preview",  # noqa: S106 - not a secret: no invoice has this token
            status=Status.OPEN,
            title=draft.title or translator.t("invoices.preview_title"),
            amount=draft.amount,
            created_at_us=now_us,
            description=draft.description,
            items=tuple(item for item in draft.items if item.has_total),
            questions=tuple(
                q
                if q.label or q.is_personal
                else replace(q, label=translator.t("invoices.own_field"))
                for q in draft.questions
            ),
            expires_at_us=draft.expires_at_us,
        ),
        shop,
        await _active_provider(ctx, session),
        0,
    )
    return render(
        "cabinet/invoices/preview.html",
        translator,
        shop=shop,
        accent=shop.accent.lstrip("#").lower(),
        decline="",
        is_short_form=False,
        records_opening=False,
        too_many_wait=None,
        wait_url="",
        signature="",
        receipt_url="",
        path="/i/preview",
        **payment_page_context(public, translator, now_us=ctx.now_us()),
    )


async def _active_provider(ctx: Context, session: Session) -> str | None:
    """Return the acquirer of the active connection, or None if the member cannot see it."""
    if not session.member.can(Permission.SETTINGS):
        return None
    shop_connections = await connections.list_for_shop(ctx, session.member)
    active = (c.provider for c in shop_connections if c.status is ConnectionStatus.ACTIVE)
    return next(active, None)


HANDLERS = [new_invoice, create_invoice, preview_invoice]
