"""The waiting page: the acquirer redirects the payer here; it waits for the outcome.

The redirect itself proves nothing, so each request asks the acquirer for the payment's status.
"""

from typing import Any
from urllib.parse import urlsplit

from litestar import Response, get
from litestar.params import FromPath

from sigma.domain.billing.payment import Payment
from sigma.domain.billing.payment_actions import PayerStep, payer_step
from sigma.domain.errors import RefusedError
from sigma.domain.urls import origin_of
from sigma.services.billing import invoices
from sigma.services.checkout import checkout
from sigma.services.checkout.checkout import PublicPayment
from sigma.services.context import Context
from sigma.web.checkout.page_context import invoice_context
from sigma.web.checkout.payer_urls import CONTINUE_PARAM, outcome_url, wait_url
from sigma.web.checkout.responses import (
    CLIENT_HEADERS,
    ClientRequest,
    Ctx,
    client_page,
    invoice_not_found_page,
    redirect,
    shop_return_url,
    translator_for,
)

# Refresh interval of browsers without scripts, by state. An authorized payment waits for the seller
# to capture it, so it is checked less often.
LEAVING = "leaving"  # the payer must follow a link to a host that Sigma does not know
REFRESH_S = {"pending": 4, "unknown": 4, "unstarted": 4, LEAVING: 30, "authorized": 30}
# Step of the payer → state of the page and its script; any other step is "pending".
_STATES = {
    PayerStep.REVIEW: "checked",
    PayerStep.UNKNOWN: "unknown",
    PayerStep.UNSTARTED: "unstarted",
    PayerStep.AUTHORIZED: "authorized",
}


@get("/i/{token:str}/wait/{payment_token:str}")
async def wait_page(
    request: ClientRequest, ctx: Ctx, token: FromPath[str], payment_token: FromPath[str]
) -> Response[Any]:
    """Show the state of the payment; redirect as soon as the outcome is known."""
    view = await _refresh(ctx, token, payment_token)
    if view is None:
        return invoice_not_found_page(request)
    payment = view.payment
    if url := outcome_url(token, payment):
        return redirect(url)
    translator = translator_for(request, view.shop)
    goes_on = CONTINUE_PARAM in request.query_params
    state, opened_url = await _state(ctx, token, payment, goes_on=goes_on)
    key = f"checkout.wait.text_{state}"
    gets_mail = state == "pending" and payment.has_email
    bank_url = _bank_url(payment)
    state_url = f"{wait_url(token, payment)}/state"
    return client_page(
        request,
        "checkout/wait.html",
        translator,
        view.shop,
        state=state,
        title=translator.t(f"checkout.wait.title_{state}"),
        text=translator.t(f"{key}_mail" if gets_mail else key, host=urlsplit(bank_url).netloc),
        bank_url=bank_url,
        opens_bank=bool(opened_url),
        state_url=f"{state_url}?{CONTINUE_PARAM}=1" if goes_on else state_url,
        refresh_s=REFRESH_S.get(state, 0),
        shop_url=shop_return_url(view.invoice, view.shop, payment.id, str(payment.status)),
        **invoice_context(view.invoice, view.shop, translator),
    )


@get("/i/{token:str}/wait/{payment_token:str}/state")
async def wait_state(
    request: ClientRequest, ctx: Ctx, token: FromPath[str], payment_token: FromPath[str]
) -> Response[dict[str, str | None]]:
    """Return the state as JSON for the script; `go` is the next URL to open, null to wait on."""
    view = await _refresh(ctx, token, payment_token)
    if view is None:
        return Response({"state": "missing", "go": None}, status_code=404, headers=CLIENT_HEADERS)
    goes_on = CONTINUE_PARAM in request.query_params
    state, opened_url = await _state(ctx, token, view.payment, goes_on=goes_on)
    go = outcome_url(token, view.payment) or opened_url or None
    return Response({"state": state, "go": go}, headers=CLIENT_HEADERS)


def _bank_url(payment: Payment) -> str:
    """Return the URL of the acquirer's page if the payer must go there now, else ""."""
    return payment.confirmation_url if payer_step(payment) is PayerStep.CONFIRM else ""


async def _state(ctx: Context, token: str, payment: Payment, *, goes_on: bool) -> tuple[str, str]:
    """Return the state of the page, and the acquirer's page to open without a click or "".

    That opens by itself only if `goes_on` and at an origin that the acquirer's adapter names. At
    any other origin the state is LEAVING: the page names the host, and the client decides.
    """
    state = _STATES.get(payer_step(payment), "pending")
    bank_url = _bank_url(payment)
    if not (bank_url and goes_on):
        return state, ""
    origins = (await invoices.get_public(ctx, token)).redirect_origins
    return (state, bank_url) if origin_of(bank_url) in origins else (LEAVING, "")


async def _refresh(ctx: Context, token: str, payment_token: str) -> PublicPayment | None:
    try:
        view = await checkout.refresh(ctx, payment_token)
    except RefusedError:
        return None
    return view if view.invoice.token == token else None


HANDLERS = [wait_page, wait_state]
