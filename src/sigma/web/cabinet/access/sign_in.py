"""Sign-in by password or passkey, sign-out, the user's own language."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.errors import RefusedError
from sigma.domain.limits import PASSKEY_ADDRESS
from sigma.services.accounts import first_owner, users
from sigma.services.accounts.users import NewSession, Session
from sigma.services.authentication import passkeys, second_factors
from sigma.services.authentication.relying_party import relying_party
from sigma.services.context import Context
from sigma.services.limits import client_network
from sigma.texts import LOCALES, Translator
from sigma.web.cabinet.guards import (
    CLEAR_SITE_DATA,
    DEVICE_COOKIE,
    SECOND_FACTOR_URL,
    SESSION_COOKIE,
    RedirectRequiredError,
    WebRequest,
    device_cookie,
    request_origin,
    safe_redirect_path,
    session_cookie,
)
from sigma.web.cabinet.responses import read_form_values, redirect, refusal_texts
from sigma.web.cabinet.urls import build_url
from sigma.web.cookies import read_cookie
from sigma.web.forms import first_value
from sigma.web.rendering import render_page, request_language
from sigma.web.request_identity import remote_ip
from sigma.web.retry_after import retry_after_headers

NOTES = ("reset", "left")  # texts: access.note_…


@get("/sign-in")
async def sign_in_page(request: WebRequest, ctx: NamedDependency[Context]) -> Response[Any]:
    """Show the sign-in form; redirect when a session is open or setup is not done."""
    next_url = safe_redirect_path(request.query_params.get("next", "/"))
    if await users.find_session(ctx, read_cookie(request, SESSION_COOKIE)):
        raise RedirectRequiredError(next_url)
    if await first_owner.needs_owner(ctx):
        raise RedirectRequiredError("/start")
    return _form_page(request, ctx, "", next_url, {})


@post("/sign-in")
async def sign_in(request: WebRequest, ctx: NamedDependency[Context]) -> Response[Any]:
    """Open a session. A wrong login and a wrong password give the same error text."""
    form_data = await read_form_values(request)
    login, next_url = (
        first_value(form_data, "login"),
        safe_redirect_path(first_value(form_data, "next")),
    )
    password = (form_data.get("password") or [""])[0]
    origin = await request_origin(request)
    try:
        new_session = await users.sign_in(
            ctx,
            login,
            password,
            ip=origin.address,
            device=device_of(request),
            origin=origin,
            earlier_secret=read_cookie(request, SESSION_COOKIE),
        )
    except RefusedError as error:
        translator = Translator(request_language(request))
        wrong = error.code == "unauthorized"
        message = translator.t("cabinet.sign_in_wrong") if wrong else translator.refusal_text(error)
        status = 422 if wrong else error.http_status
        response = _form_page(request, ctx, login, next_url, {"": message}, status)
        response.headers.update(retry_after_headers(error))
        return response
    return redirect_signed_in(ctx, new_session, next_url)


@get("/sign-in/passkey/options")
async def passkey_options(ctx: NamedDependency[Context]) -> dict[str, str]:
    """Return what the browser needs to ask for a passkey of any user. Stores nothing."""
    return passkey_json(await passkeys.authentication_request(ctx, None))


@post("/sign-in/passkey")
async def sign_in_by_passkey(request: WebRequest, ctx: NamedDependency[Context]) -> Response[Any]:
    """Open a session for the owner of a passkey, without a password."""
    form_data = await read_form_values(request)
    next_url = safe_redirect_path(first_value(form_data, "next"))
    try:
        await ctx.limiter.require(PASSKEY_ADDRESS, client_network(remote_ip(request)))
        new_session = await second_factors.sign_in_by_passkey(
            ctx,
            first_value(form_data, "credential"),
            first_value(form_data, "ticket"),
            await request_origin(request),
            device_of(request),
            earlier_secret=read_cookie(request, SESSION_COOKIE),
        )
    except RefusedError as error:
        texts = refusal_texts(Translator(request_language(request)), error)
        response = _form_page(request, ctx, "", next_url, texts, error.http_status)
        response.headers.update(retry_after_headers(error))
        return response
    return redirect_signed_in(ctx, new_session, next_url)


def device_of(request: WebRequest) -> str:
    """Return the cookie by which a browser is known, empty without it."""
    return read_cookie(request, DEVICE_COOKIE)


def passkey_json(request: passkeys.PasskeyRequest) -> dict[str, str]:
    """Return the request for a passkey as the script reads it."""
    return {"options": request.options, "ticket": request.ticket}


def redirect_signed_in(ctx: Context, new_session: NewSession, next_url: str) -> Response[Any]:
    """Redirect with the cookies of a new session, first to its second step if one is missing."""
    if new_session.is_pending:
        next_query = None if next_url == "/" else next_url
        response = redirect(build_url(SECOND_FACTOR_URL, next=next_query))
    else:
        response = redirect(next_url)
        response.set_cookie(device_cookie(ctx, new_session.device))
    response.set_cookie(session_cookie(ctx, new_session.secret))
    return response


def _form_page(
    request: WebRequest,
    ctx: Context,
    login: str,
    next_url: str,
    errors: dict[str, str],
    status: int = 200,
) -> Response[Any]:
    note = request.query_params.get("note", "")
    return render_page(
        request,
        "cabinet/sign_in.html",
        Translator(request_language(request)),
        status=status,
        login=login,
        next=next_url,
        errors=errors,
        locales=LOCALES,
        note=note if note in NOTES and not errors else "",
        party=relying_party(ctx.settings.base_url),
    )


@post("/sign-out")
async def sign_out(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """End the session on the server and delete its cookie.

    A field `next` leads back to an invitation that is for somebody else.
    """
    next_path = safe_redirect_path(first_value(await read_form_values(request), "next"))
    await users.sign_out(ctx, session, ip=remote_ip(request))
    response = redirect(next_path if next_path.startswith("/invitations/") else "/sign-in")
    response.set_cookie(session_cookie(ctx, ""))
    response.headers["clear-site-data"] = CLEAR_SITE_DATA
    return response


@post("/locale")
async def set_locale(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Set the language of the user's cabinet."""
    form_data = await read_form_values(request)
    await users.set_locale(ctx, session, first_value(form_data, "locale"))
    return redirect(safe_redirect_path(first_value(form_data, "next")))


PUBLIC_HANDLERS = [sign_in_page, sign_in, passkey_options, sign_in_by_passkey]
HANDLERS = [sign_out, set_locale]
