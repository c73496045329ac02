"""Shared parts of payer pages: language, headers, cookies, error pages."""

import secrets
from typing import Any

from litestar import Request, Response
from litestar.di import NamedDependency

from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Invoice
from sigma.services.context import Context
from sigma.texts import LOCALES, Translator
from sigma.web.checkout.colour import is_valid_colour
from sigma.web.checkout.return_link import return_link
from sigma.web.cookies import build_cookie, read_page_cookie, set_page_cookie
from sigma.web.rendering import LANGUAGE_COOKIE, render_page, request_language

ClientRequest = Request[Any, Any, Any]
Ctx = NamedDependency[Context]  # injected by web.app

PAYER_COOKIE = "sigma_payer"  # random secret of this browser, one per invoice
STARTED_COOKIE = "sigma_started"  # public token of the payment started last
_LANGUAGE_MAX_AGE_S = 180 * 86_400
_INVOICE_MAX_AGE_S = 14 * 86_400

CLIENT_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "vary": "Cookie, Accept-Language",
}


def translator_for(request: ClientRequest, shop: Shop | None = None) -> Translator:
    """Return the translator for the request's language and the shop's time zone.

    A client who asks for neither language reads the shop's language of clients.
    """
    if shop is None:
        return Translator(request_language(request))
    return Translator(request_language(request, shop.locale), shop.tz)


def client_page(
    request: ClientRequest,
    template: str,
    translator: Translator,
    shop: Shop | None,
    *,
    status: int = 200,
    **context: Any,
) -> Response[str]:
    """Render a payer page. Without `shop` the page has no accent colour and no seller footer."""
    accent = shop.accent.lstrip("#").lower() if shop and is_valid_colour(shop.accent) else ""
    response = render_page(
        request,
        template,
        translator,
        status=status,
        headers=CLIENT_HEADERS,
        shop=shop,
        accent=accent,
        **context,
    )
    if (locale := request.query_params.get("lang")) in LOCALES:
        ctx: Context = request.app.state.ctx
        response.set_cookie(
            build_cookie(ctx, LANGUAGE_COOKIE, locale, max_age_s=_LANGUAGE_MAX_AGE_S)
        )
    return response


def redirect(url: str) -> Response[None]:
    """Redirect with 303; the response is not cached."""
    return Response(None, status_code=303, headers={**CLIENT_HEADERS, "location": url})


def set_invoice_cookie(
    request: ClientRequest, response: Response[Any], token: str, name: str, value: str
) -> None:
    """Set a cookie of this invoice; an empty value deletes it."""
    set_page_cookie(request, response, name, token, value, max_age_s=_INVOICE_MAX_AGE_S)


def read_invoice_cookie(request: ClientRequest, token: str, name: str) -> str:
    """Return the value of a cookie of this invoice, empty without it."""
    return read_page_cookie(request, name, token)


def new_secret() -> str:
    """Return 128 random bits as URL-safe base64, for a cookie or a form nonce."""
    return secrets.token_urlsafe(16)


def shop_return_url(
    invoice: Invoice, shop: Shop, payment: str = "", status: str = ""
) -> str | None:
    """Return the URL of the link back to the seller, or None."""
    return return_link(
        invoice.return_url or shop.return_url,
        invoice=invoice.id,
        payment=payment,
        status=status or str(invoice.status),
    )


def invoice_not_found_page(request: ClientRequest) -> Response[str]:
    """Show a 404 page: no invoice or payment has this token."""
    translator = translator_for(request)
    return client_page(
        request,
        "checkout/nothing.html",
        translator,
        None,
        status=404,
        reason="not_found",
        request_id="",
    )


def failure_page(request: ClientRequest, status: int = 500, request_id: str = "") -> Response[str]:
    """Show an error page; `request_id` is the one in the log."""
    translator = translator_for(request)
    return client_page(
        request,
        "checkout/nothing.html",
        translator,
        None,
        status=status,
        reason="broken",
        request_id=request_id,
    )
