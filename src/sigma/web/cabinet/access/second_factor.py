"""The second step of a sign-in: a passkey, a code of the authenticator app, a recovery code."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.accounts.session import Proof
from sigma.domain.errors import RefusedError
from sigma.services.accounts import users
from sigma.services.accounts.users import Session
from sigma.services.authentication import passkeys, second_factors
from sigma.services.authentication.relying_party import relying_party
from sigma.services.context import Context
from sigma.web.cabinet.access.sign_in import device_of, passkey_json, redirect_signed_in
from sigma.web.cabinet.guards import (
    SECOND_FACTOR_URL,
    SESSION_COOKIE,
    RedirectRequiredError,
    WebRequest,
    request_origin,
    safe_redirect_path,
    session_cookie,
)
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    refusal_texts,
    translator_for,
)
from sigma.web.cookies import read_cookie
from sigma.web.forms import first_value
from sigma.web.rendering import render_page
from sigma.web.retry_after import retry_after_headers


async def _require_pending(request: WebRequest, ctx: Context, next_url: str = "/") -> Session:
    """Return the sign-in whose second step is missing, or redirect to where the browser belongs."""
    secret = read_cookie(request, SESSION_COOKIE)
    pending = await users.find_pending_session(ctx, secret)
    if pending is None:
        is_open = await users.find_session(ctx, secret)
        raise RedirectRequiredError(next_url if is_open else "/sign-in")
    return pending


@get(SECOND_FACTOR_URL)
async def second_factor_page(request: WebRequest, ctx: NamedDependency[Context]) -> Response[Any]:
    """Show the form for the second step."""
    next_url = safe_redirect_path(request.query_params.get("next", "/"))
    pending = await _require_pending(request, ctx, next_url)
    return await _form_page(request, ctx, pending, next_url, {})


@get(f"{SECOND_FACTOR_URL}/options")
async def second_factor_options(
    request: WebRequest, ctx: NamedDependency[Context]
) -> dict[str, str]:
    """Return what the browser needs to ask for a passkey of this person. Stores nothing."""
    pending = await _require_pending(request, ctx)
    return passkey_json(await passkeys.authentication_request(ctx, pending.user))


@post(SECOND_FACTOR_URL)
async def finish_sign_in(request: WebRequest, ctx: NamedDependency[Context]) -> Response[Any]:
    """Open the session when the second factor is right."""
    form_data = await read_form_values(request)
    next_url = safe_redirect_path(first_value(form_data, "next"))
    pending = await _require_pending(request, ctx, next_url)
    origin, device = await request_origin(request), device_of(request)
    try:
        if credential := first_value(form_data, "credential"):
            new_session = await second_factors.finish_by_passkey(
                ctx, pending, credential, first_value(form_data, "ticket"), origin, device
            )
        else:
            new_session = await second_factors.finish_by_code(
                ctx, pending, first_value(form_data, "code"), origin, device
            )
    except RefusedError as error:
        if error.code == "unauthorized":  # finished in another tab, or ended
            raise RedirectRequiredError("/sign-in") from error
        translator = translator_for(pending)
        texts = {"": translator.t("access.not_confirmed")} | refusal_texts(translator, error)
        response = await _form_page(request, ctx, pending, next_url, texts, error.http_status)
        response.headers.update(retry_after_headers(error))
        return response
    return redirect_signed_in(ctx, new_session, next_url)


@post(f"{SECOND_FACTOR_URL}/cancel")
async def cancel_sign_in(request: WebRequest, ctx: NamedDependency[Context]) -> Response[Any]:
    """End the sign-in; another person may sign in then."""
    pending = await _require_pending(request, ctx)
    await second_factors.cancel(ctx, pending)
    response = redirect("/sign-in")
    response.set_cookie(session_cookie(ctx, ""))
    return response


async def _form_page(
    request: WebRequest,
    ctx: Context,
    pending: Session,
    next_url: str,
    errors: dict[str, str],
    status: int = 200,
) -> Response[Any]:
    offered = await second_factors.list_choices(ctx, pending)
    return render_page(
        request,
        "cabinet/access/second_factor.html",
        translator_for(pending),
        status=status,
        login=pending.user.login,
        next=next_url,
        errors=errors,
        has_passkey=Proof.PASSKEY in offered,
        has_app=Proof.TOTP in offered,
        party=relying_party(ctx.settings.base_url),
        options_url=f"{SECOND_FACTOR_URL}/options",
        form_url=SECOND_FACTOR_URL,
    )


PUBLIC_HANDLERS = [second_factor_page, second_factor_options, finish_sign_in, cancel_sign_in]
