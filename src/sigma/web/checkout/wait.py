"""The waiting page: where the bank sends the client back, until we know what became of the payment.

Coming back proves nothing: each look asks the acquirer.
"""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from sigma.domain.accounts.shop import url_ok
from sigma.domain.billing.payment import Status
from sigma.domain.errors import Refused
from sigma.services.checkout import checkout
from sigma.services.checkout.checkout import Seen
from sigma.services.context import Context
from sigma.web.checkout.page_context import summary
from sigma.web.checkout.responses import (
    HEADERS,
    ClientRequest,
    Ctx,
    back_to_shop,
    client_page,
    go,
    missing,
    words_for,
)

# How often a browser without scripts asks; a held payment waits for a person, not for the bank.
EVERY_S = {"pending": 4, "unknown": 4, "authorized": 30}


@get("/i/{token:str}/wait/{payment_token:str}")
async def wait(
    request: ClientRequest, ctx: Ctx, token: FromPath[str], payment_token: FromPath[str]
) -> Response[Any]:
    """What we are waiting for; goes on by itself when it is known."""
    seen = await _look(ctx, token, payment_token)
    if seen is None:
        return missing(request)
    if url := _onward(seen):
        return go(url)
    words = words_for(request, seen.shop)
    state = _state(seen)
    payment = seen.payment
    at_bank = state == "pending" and url_ok(payment.confirmation_url)
    key = f"checkout.wait.text_{state}"
    mailed = state == "pending" and payment.wants_mail
    return client_page(
        request,
        "checkout/wait.html",
        words,
        seen.shop,
        state=state,
        title=words.t(f"checkout.wait.title_{state}"),
        text=words.t(f"{key}_mail" if mailed else key),
        bank_url=payment.confirmation_url if at_bank else "",
        state_url=f"/i/{token}/wait/{payment_token}/state",
        every_s=EVERY_S.get(state, 0),
        shop_url=back_to_shop(seen.invoice, seen.shop, payment.id, str(payment.status)),
        **summary(seen.invoice, seen.shop, words),
    )


@get("/i/{token:str}/wait/{payment_token:str}/state")
async def wait_state(
    ctx: Ctx, token: FromPath[str], payment_token: FromPath[str]
) -> Response[dict[str, str | None]]:
    """The same for a script: which state, and where to go when it is over."""
    seen = await _look(ctx, token, payment_token)
    if seen is None:
        return Response({"state": "missing", "go": None}, status_code=404, headers=HEADERS)
    return Response({"state": _state(seen), "go": _onward(seen)}, headers=HEADERS)


async def _look(ctx: Context, token: str, payment_token: str) -> Seen | None:
    try:
        seen = await checkout.refresh(ctx, payment_token)
    except Refused:
        return None
    return seen if seen.invoice.token == token else None


def _onward(seen: Seen) -> str | None:
    payment = seen.payment
    if seen.receipt is not None:
        return f"/r/{payment.token}"
    if payment.status in (Status.FAILED, Status.CANCELED):
        return f"/i/{seen.invoice.token}?payment={payment.token}"
    return None


def _state(seen: Seen) -> str:
    payment = seen.payment
    if payment.attention is not None:
        return "checked"
    if payment.unknown:
        return "unknown"
    return "authorized" if payment.status is Status.AUTHORIZED else "pending"


HANDLERS = [wait, wait_state]
