"""What every page for clients has: language, headers, cookies; and pages of bad news."""

import secrets
from typing import Any

from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.di import NamedDependency

from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Invoice
from sigma.services.context import Context
from sigma.texts import LOCALES, Words
from sigma.web.checkout.colour import valid
from sigma.web.checkout.return_link import return_link
from sigma.web.rendering import LANGUAGE_COOKIE, language, page

ClientRequest = Request[Any, Any, Any]
Ctx = NamedDependency[Context]  # handed in by web.app

PAYER_COOKIE = "sigma_payer"  # the browser's own secret, one for each invoice
STARTED_COOKIE = "sigma_started"  # the public token of the payment begun last
_MONTHS = 180 * 86_400

HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "vary": "Cookie, Accept-Language",
}


def words_for(request: ClientRequest, shop: Shop | None = None) -> Words:
    """The reader's language on the shop's clock."""
    return Words(language(request), shop.tz if shop else "Europe/Moscow")


def client_page(
    request: ClientRequest,
    template: str,
    words: Words,
    shop: Shop | None,
    *,
    status: int = 200,
    **context: Any,
) -> Response[str]:
    """A page for a client. `shop` None: nobody's page, without a seller's foot."""
    accent = shop.accent.lstrip("#").lower() if shop and valid(shop.accent) else ""
    answer = page(
        request,
        template,
        words,
        status=status,
        headers=HEADERS,
        shop=shop,
        accent=accent,
        **context,
    )
    if (chosen := request.query_params.get("lang")) in LOCALES:
        answer.set_cookie(
            Cookie(key=LANGUAGE_COOKIE, value=chosen, path="/", max_age=_MONTHS, samesite="lax")
        )
    return answer


def go(url: str) -> Response[None]:
    """Sends the browser on by GET; the answer is nobody's to keep."""
    return Response(None, status_code=303, headers={**HEADERS, "location": url})


def keep(ctx: Context, answer: Response[Any], token: str, name: str, value: str) -> None:
    """A cookie that only this invoice's pages get."""
    answer.set_cookie(
        Cookie(
            key=name,
            value=value,
            path=f"/i/{token}",
            max_age=_MONTHS,
            httponly=True,
            samesite="lax",
            secure=ctx.settings.base_url.startswith("https://"),
        )
    )


def fresh_secret() -> str:
    """128 random bits for a cookie or a form."""
    return secrets.token_urlsafe(16)


def back_to_shop(invoice: Invoice, shop: Shop, payment: str = "", status: str = "") -> str | None:
    """Where «Вернуться в магазин» leads, if anywhere."""
    return return_link(
        invoice.return_url or shop.return_url,
        invoice=invoice.id,
        payment=payment,
        status=status or str(invoice.status),
    )


def missing(request: ClientRequest) -> Response[str]:
    """There is nothing behind this link."""
    words = words_for(request)
    return client_page(
        request, "checkout/nothing.html", words, None, status=404, what="not_found", request_id=""
    )


def broken(request: ClientRequest, status: int = 500, request_id: str = "") -> Response[str]:
    """Something failed on our side; `request_id` helps whoever looks for it."""
    words = words_for(request)
    return client_page(
        request,
        "checkout/nothing.html",
        words,
        None,
        status=status,
        what="broken",
        request_id=request_id,
    )
