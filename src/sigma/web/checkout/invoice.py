"""The payment page /i/{token}: shows what is to be paid, takes the answers, leads to the bank."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from sigma.domain.accounts.shop import url_ok
from sigma.domain.billing.payment import Payment, Status
from sigma.domain.errors import Refused
from sigma.services.billing import invoices
from sigma.services.billing.invoices import Public
from sigma.services.checkout import checkout
from sigma.services.checkout.checkout import PayForm, Seen
from sigma.services.context import Context
from sigma.services.invoice_cards import cards, payment_links
from sigma.texts import Words
from sigma.web.checkout.fields import typed
from sigma.web.checkout.page_context import closed, sheet, summary
from sigma.web.checkout.responses import (
    PAYER_COOKIE,
    STARTED_COOKIE,
    ClientRequest,
    Ctx,
    back_to_shop,
    client_page,
    fresh_secret,
    go,
    keep,
    missing,
    words_for,
)

MARK_FIELD = "_d"  # no question's key begins so
MAX_FORM = 256 * 1024  # bytes; thirty long answers are far smaller
OVER = (Status.FAILED, Status.CANCELED)


@get("/i/{token:str}")
async def show(request: ClientRequest, ctx: Ctx, token: FromPath[str]) -> Response[Any]:
    """The page in whatever state the invoice is in."""
    try:
        public = await invoices.public(ctx, token)
    except Refused:
        return missing(request)
    words = words_for(request, public.shop)
    started = await _started(request, ctx, public)
    if reason := closed(public, ctx.now()):
        return _closed(request, public, words, reason, started)
    payer = request.cookies.get(PAYER_COOKIE, "")
    given: dict[str, list[str]] = {}
    if payer and public.invoice.questions:
        answers = await checkout.saved_answers(ctx, public.invoice.id, payer)
        given = typed(public.invoice.questions, answers, words)
    answer = _open(request, public, words, given=given, started=started)
    if not payer:
        keep(ctx, answer, token, PAYER_COOKIE, fresh_secret())
    return answer


@post("/i/{token:str}", request_max_body_size=MAX_FORM)
async def pay(request: ClientRequest, ctx: Ctx, token: FromPath[str]) -> Response[Any]:
    """Stores the answers and goes to the bank, or says beside each field what is wrong."""
    form = await request.form()
    given = {n: [v for v in form.getall(n) if isinstance(v, str)] for n in form}
    wish = _wish(request, ctx, token, given)
    try:
        payment = await checkout.start(ctx, token, wish)
    except Refused as refused:
        return await _refused(request, ctx, token, given, refused)
    answer = go(_onward(token, payment))
    keep(ctx, answer, token, PAYER_COOKIE, wish.payer)
    keep(ctx, answer, token, STARTED_COOKIE, payment.token)
    return answer


def _wish(request: ClientRequest, ctx: Context, token: str, given: dict[str, list[str]]) -> PayForm:
    nonce = next(iter(given.get("nonce", [])), "")[:64] or fresh_secret()
    return PayForm(
        given=given,
        consent="yes" in given.get("consent", []),
        nonce=nonce,
        # A browser without cookies is known by its form, so a double click still pays once.
        payer=request.cookies.get(PAYER_COOKIE) or f"form-{nonce}",
        locale=words_for(request).locale,
        ip=request.client.host if request.client else "",
        user_agent=request.headers.get("user-agent", "")[:300],
        page_url=f"{ctx.settings.base_url}/i/{token}",
        mark=_mark(_first(given, MARK_FIELD)),
    )


def _mark(text: str) -> str:
    """The mark of a dialog's link as it came; whether it is genuine is for the services to say."""
    return text if payment_links.looks_right(text) else ""


def _onward(token: str, payment: Payment) -> str:
    """Where a payment that was begun continues."""
    if payment.status is Status.CAPTURED:
        return f"/r/{payment.token}"
    if payment.status in OVER:
        return f"/i/{token}?payment={payment.token}"
    at_bank = payment.status in (Status.CREATED, Status.PENDING) and not payment.unknown
    if at_bank and url_ok(payment.confirmation_url):
        return payment.confirmation_url
    return f"/i/{token}/wait/{payment.token}"


async def _refused(
    request: ClientRequest, ctx: Context, token: str, given: dict[str, list[str]], no: Refused
) -> Response[Any]:
    try:
        public = await invoices.public(ctx, token)
    except Refused:
        return missing(request)
    words = words_for(request, public.shop)
    if no.problems:
        nonce = next(iter(given.get("nonce", [])), "")
        return _open(request, public, words, given=given, problems=no.problems, nonce=nonce)
    reason = closed(public, ctx.now()) or no.code
    started = await _started(request, ctx, public)
    return _closed(request, public, words, reason, started, no.status)


async def _started(request: ClientRequest, ctx: Context, public: Public) -> Seen | None:
    """The payment of this invoice that this browser began last, or that the address names."""
    token = request.query_params.get("payment") or request.cookies.get(STARTED_COOKIE)
    if not token:
        return None
    try:
        seen = await checkout.seen(ctx, token)
    except Refused:
        return None
    return seen if seen.invoice.id == public.invoice.id else None


def _open(
    request: ClientRequest,
    public: Public,
    words: Words,
    *,
    given: dict[str, list[str]],
    problems: tuple[Any, ...] = (),
    nonce: str = "",
    started: Seen | None = None,
) -> Response[Any]:
    filled = sheet(public, words, given=given, problems=problems, nonce=nonce or fresh_secret())
    going = started is not None and not started.payment.final
    paid = started is not None and started.payment.status is Status.CAPTURED
    return client_page(
        request,
        "checkout/invoice.html",
        words,
        public.shop,
        status=422 if problems else 200,
        decline="" if problems else _decline(started, words),
        wait_url=_wait_url(public, started) if going else "",
        receipt_url=f"/r/{started.payment.token}" if started and paid else "",
        mark=_mark(_of_link(request) or _first(given, MARK_FIELD)),
        **filled,
    )


def _of_link(request: ClientRequest) -> str:
    """The mark in the address; none when an operator looks at it from the dialog in the cabinet."""
    ours = request.headers.get("sec-fetch-site") == "same-origin"
    return "" if ours else request.query_params.get(payment_links.PARAM, "")


def _first(given: dict[str, list[str]], name: str) -> str:
    return next(iter(given.get(name, [])), "")


def _wait_url(public: Public, started: Seen | None) -> str:
    return f"/i/{public.invoice.token}/wait/{started.payment.token}" if started else ""


def _decline(started: Seen | None, words: Words) -> str:
    """Why the last try failed and what to do, in one sentence or two; empty when it did not."""
    if started is None or started.payment.status not in OVER:
        return ""
    reason = started.payment.failure
    if reason.startswith("rejected_") and reason != "rejected_by_timeout":
        reason = "acquirer_refused"  # services.payments: the acquirer did not take the request
    key = f"checkout.decline.{reason}"
    return words.t(key if reason and words.has(key) else "checkout.decline.other")


def _closed(
    request: ClientRequest,
    public: Public,
    words: Words,
    reason: str,
    started: Seen | None,
    status: int = 200,
) -> Response[Any]:
    """The invoice in a state in which nobody can pay it, with ways out."""
    invoice, shop = public.invoice, public.shop
    paid = started is not None and started.receipt is not None
    known = words.has(f"checkout.state.{reason}_title")
    return client_page(
        request,
        "checkout/closed.html",
        words,
        shop,
        status=status,
        reason=reason if known else "broken",
        wait_url="" if paid or not started or started.payment.final else _wait_url(public, started),
        receipt_url=f"/r/{started.payment.token}" if started and paid else "",
        shop_url=back_to_shop(invoice, shop),
        **summary(invoice, shop, words),
    )


@post("/i/{token:str}/seen", request_max_body_size=1024, status_code=204)
async def seen(request: ClientRequest, ctx: Ctx, token: FromPath[str]) -> None:
    """The page was really opened: a chat that looks for a preview runs no script."""
    form = await request.form()
    mark = form.get(MARK_FIELD)
    if isinstance(mark, str) and _mark(mark):
        await cards.opened(ctx, token, mark, request.cookies.get(PAYER_COOKIE, ""))


HANDLERS = [show, pay, seen]
