"""The payment page /i/{token}: shows the invoice, stores the answers, redirects to the acquirer."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from sigma.domain.billing.payment import Status
from sigma.domain.billing.payment_actions import PayerStep, payer_step
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.errors import RefusedError
from sigma.domain.figures import Source
from sigma.domain.money import Money
from sigma.services.billing import invoices
from sigma.services.billing.invoices import PublicInvoice
from sigma.services.checkout import checkout
from sigma.services.checkout.checkout import PayForm, PublicPayment, SavedForm
from sigma.services.context import Context
from sigma.services.invoice_cards import cards, payment_links
from sigma.texts import Translator
from sigma.texts.failures import Reader, payment_failure_text
from sigma.web.checkout.fields import to_form_values
from sigma.web.checkout.page_context import closed_reason, invoice_context, payment_page_context
from sigma.web.checkout.payer_urls import next_url, receipt_url, wait_url
from sigma.web.checkout.responses import (
    PAYER_COOKIE,
    STARTED_COOKIE,
    ClientRequest,
    Ctx,
    client_page,
    invoice_not_found_page,
    new_secret,
    read_invoice_cookie,
    redirect,
    set_invoice_cookie,
    shop_return_url,
    translator_for,
)
from sigma.web.middleware.security import payment_page_policy
from sigma.web.rendering import requested_language
from sigma.web.request_identity import remote_ip
from sigma.web.retry_after import retry_after_headers
from sigma.web.submitted_form import field_values, read_form

SIGNATURE_FIELD = "_d"  # cannot collide: the key of a question never starts with "_"
MAX_FORM_BYTES = 256 * 1024  # far more than thirty long answers


@get("/i/{token:str}")
async def show_invoice(request: ClientRequest, ctx: Ctx, token: FromPath[str]) -> Response[Any]:
    """Show the payment page, or why the invoice cannot be paid now."""
    try:
        public = await invoices.get_public(ctx, token)
    except RefusedError:
        return invoice_not_found_page(request)
    translator = translator_for(request, public.shop)
    payer = read_invoice_cookie(request, token, PAYER_COOKIE)
    last_payment = await _last_payment(request, ctx, public)
    if public.invoice.is_shared_link and not _continues_attempt(request, ctx, last_payment):
        payer, last_payment = "", None  # perhaps another person on the same device
    if reason := closed_reason(public, ctx.now_us()):
        return _closed_page(request, public, translator, reason, last_payment)
    saved = SavedForm()
    if public.invoice.questions:
        saved = await checkout.saved_form(ctx, public.invoice.id, payer)
    response = _payment_page(
        request,
        public,
        translator,
        form_values=to_form_values(public.invoice.questions, saved.answers, translator),
        given_consent=saved.consent_hash,
        last_payment=last_payment,
        now_us=ctx.now_us(),
    )
    if not payer:
        set_invoice_cookie(request, response, token, PAYER_COOKIE, new_secret())
        if read_invoice_cookie(request, token, STARTED_COOKIE) and last_payment is None:
            set_invoice_cookie(request, response, token, STARTED_COOKIE, "")
    return response


def _continues_attempt(
    request: ClientRequest, ctx: Context, last_payment: PublicPayment | None
) -> bool:
    """Return whether the client comes back from an own payment: its token is in the URL.

    Its cookie alone proves nothing on a link that many people pay: the device may be shared.
    """
    return (
        last_payment is not None
        and request.query_params.get("payment") == last_payment.payment.token
        and checkout.is_own_attempt(
            ctx,
            last_payment.payment,
            read_invoice_cookie(request, last_payment.invoice.token, PAYER_COOKIE),
        )
    )


@post("/i/{token:str}", request_max_body_size=MAX_FORM_BYTES)
async def pay(request: ClientRequest, ctx: Ctx, token: FromPath[str]) -> Response[Any]:
    """Store the answers, start the payment and redirect; with problems, show the form again."""
    form_values = field_values(await read_form(request))
    pay_form = _pay_form(request, ctx, token, form_values)
    try:
        payment = await checkout.start(ctx, token, pay_form)
        origins = (await invoices.get_public(ctx, token)).redirect_origins
    except RefusedError as error:
        return await _refusal_page(request, ctx, token, form_values, error)
    response = redirect(next_url(token, payment, origins))
    set_invoice_cookie(request, response, token, PAYER_COOKIE, pay_form.payer)
    set_invoice_cookie(request, response, token, STARTED_COOKIE, payment.token)
    return response


def _pay_form(
    request: ClientRequest, ctx: Context, token: str, form_values: dict[str, list[str]]
) -> PayForm:
    nonce = _first_value(form_values, "nonce")[:64] or new_secret()
    consent = _first_value(form_values, "consent")[:64]
    return PayForm(
        values=form_values,
        has_consented=bool(consent),
        consent_hash="" if consent == "yes" else consent,
        nonce=nonce,
        # Without cookies the nonce of the form identifies the browser, so a double click still
        # creates one payment.
        payer=read_invoice_cookie(request, token, PAYER_COOKIE) or f"form-{nonce}",
        locale=requested_language(request),
        ip=remote_ip(request),
        user_agent=request.headers.get("user-agent", "")[:300],
        page_url=f"{ctx.settings.base_url}/i/{token}",
        signature=_well_formed_signature(_first_value(form_values, SIGNATURE_FIELD)),
    )


def _well_formed_signature(signature: str) -> str:
    """Return the link signature if it is well-formed, else "". The services verify it."""
    return signature if payment_links.is_well_formed(signature) else ""


async def _refusal_page(
    request: ClientRequest,
    ctx: Context,
    token: str,
    form_values: dict[str, list[str]],
    error: RefusedError,
) -> Response[Any]:
    try:
        public = await invoices.get_public(ctx, token)
    except RefusedError:
        return invoice_not_found_page(request)
    translator = translator_for(request, public.shop)
    if error.problems or error.code == "too_many_requests":
        response = _payment_page(
            request,
            public,
            translator,
            form_values=form_values,
            given_consent=_first_value(form_values, "consent"),
            problems=error.problems,
            nonce=_first_value(form_values, "nonce"),
            now_us=ctx.now_us(),
            refused=error,
        )
        response.headers.update(retry_after_headers(error))
        return response
    reason = closed_reason(public, ctx.now_us()) or error.code
    last_payment = await _last_payment(request, ctx, public)
    return _closed_page(request, public, translator, reason, last_payment, error.http_status)


async def _last_payment(
    request: ClientRequest, ctx: Context, public: PublicInvoice
) -> PublicPayment | None:
    """Return the payment of this invoice named by `?payment=` or by this browser's cookie."""
    started = read_invoice_cookie(request, public.invoice.token, STARTED_COOKIE)
    token = request.query_params.get("payment") or started
    if not token:
        return None
    try:
        view = await checkout.get_public(ctx, token)
    except RefusedError:
        return None
    return view if view.invoice.id == public.invoice.id else None


def _payment_page(
    request: ClientRequest,
    public: PublicInvoice,
    translator: Translator,
    *,
    form_values: dict[str, list[str]],
    given_consent: str,
    problems: tuple[Any, ...] = (),
    nonce: str = "",
    last_payment: PublicPayment | None = None,
    now_us: int,
    refused: RefusedError | None = None,
) -> Response[Any]:
    page_context = payment_page_context(
        public,
        translator,
        form_values=form_values,
        problems=problems,
        nonce=nonce or new_secret(),
        given_consent=given_consent,
        now_us=now_us,
    )
    policy = payment_page_policy(public.redirect_origins)
    decline = "" if problems else _decline_text(last_payment, translator)
    response = client_page(
        request,
        "checkout/invoice.html",
        translator,
        public.shop,
        status=refused.http_status if refused else 200,
        decline=decline,
        too_many_wait=refused.params.get("wait") if refused else None,
        is_short_form=bool(decline and form_values),
        records_opening=not _is_from_cabinet(request, public),
        **_payment_links(last_payment),
        signature=_well_formed_signature(
            _link_signature(request) or _first_value(form_values, SIGNATURE_FIELD)
        ),
        **page_context,
    )
    response.headers["content-security-policy"] = policy
    return response


def _payment_links(last_payment: PublicPayment | None) -> dict[str, str]:
    """Return the paths of the last payment's waiting page and receipt; "" for a missing one."""
    if last_payment is None:
        return {"wait_url": "", "receipt_url": ""}
    payment = last_payment.payment
    is_paid = payment.status is Status.CAPTURED
    return {
        "wait_url": "" if payment.is_final else wait_url(last_payment.invoice.token, payment),
        "receipt_url": receipt_url(payment) if is_paid else "",
    }


def _is_from_cabinet(request: ClientRequest, public: PublicInvoice) -> bool:
    """Return whether a member looks at the page. The public page has the same origin, too."""
    is_same_origin = request.headers.get("sec-fetch-site") == "same-origin"
    is_from_storefront = public.invoice.attribution.source is Source.STOREFRONT
    return is_same_origin and not is_from_storefront


def _link_signature(request: ClientRequest) -> str:
    """Return the link signature in the URL; "" when an operator came from the cabinet."""
    from_cabinet = request.headers.get("sec-fetch-site") == "same-origin"
    return "" if from_cabinet else request.query_params.get(payment_links.SIGNATURE_PARAM, "")


def _first_value(form_values: dict[str, list[str]], name: str) -> str:
    return next(iter(form_values.get(name, [])), "")


def _decline_text(last_payment: PublicPayment | None, translator: Translator) -> str:
    """Return why the last payment failed and what to do; "" when it did not fail."""
    if last_payment is None or payer_step(last_payment.payment) is not PayerStep.RETRY:
        return ""
    return payment_failure_text(last_payment.payment.failure, Reader.CLIENT, translator)


def _refunded(last_payment: PublicPayment | None) -> Money | None:
    """Return what the client got back of their payment; None when nothing was returned."""
    if last_payment is None:
        return None
    returned = [r.amount.minor for r in last_payment.refunds if r.status is RefundStatus.SUCCEEDED]
    return Money(sum(returned), last_payment.payment.amount.currency) if returned else None


def _closed_page(
    request: ClientRequest,
    public: PublicInvoice,
    translator: Translator,
    reason: str,
    last_payment: PublicPayment | None,
    status: int = 200,
) -> Response[Any]:
    """Show why the invoice cannot be paid, with links to the payment or the receipt."""
    invoice, shop = public.invoice, public.shop
    has_text = translator.has(f"checkout.state.{reason}_title")
    return client_page(
        request,
        "checkout/closed.html",
        translator,
        shop,
        status=status,
        reason=reason if has_text else "broken",
        refunded=_refunded(last_payment),
        **_payment_links(last_payment),
        shop_url=shop_return_url(invoice, shop),
        **invoice_context(invoice, shop, translator),
    )


@post("/i/{token:str}/seen", request_max_body_size=1024, status_code=204)
async def record_page_view(request: ClientRequest, ctx: Ctx, token: FromPath[str]) -> None:
    """Record that a client has opened the page, and from which conversation.

    A script calls it, because link previews of chats load the page without running scripts.
    """
    await invoices.record_opening(ctx, token)
    form = await request.form()
    signature = form.get(SIGNATURE_FIELD)
    if isinstance(signature, str) and _well_formed_signature(signature):
        payer = read_invoice_cookie(request, token, PAYER_COOKIE)
        await cards.mark_opened(ctx, token, signature, payer)


HANDLERS = [show_invoice, pay, record_page_view]
