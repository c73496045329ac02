"""Sign-in and sign-out, the user's own password and language."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.services.accounts import users
from sigma.services.accounts.users import MIN_PASSWORD, Session
from sigma.services.context import Context
from sigma.texts import LOCALES, Translator
from sigma.web.cabinet.guards import (
    DEVICE_COOKIE,
    DEVICE_PATH,
    SESSION_COOKIE,
    RedirectRequiredError,
    WebRequest,
    device_cookie,
    safe_redirect_path,
    session_cookie,
)
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.cookies import read_cookie
from sigma.web.forms import first_value
from sigma.web.rendering import render_page, request_language
from sigma.web.request_identity import remote_ip
from sigma.web.retry_after import retry_after_headers


@get("/sign-in")
async def sign_in_page(request: WebRequest, ctx: NamedDependency[Context]) -> Response[Any]:
    """Show the sign-in form; redirect when a session is open or setup is not done."""
    next_url = safe_redirect_path(request.query_params.get("next", "/"))
    if await users.find_session(ctx, read_cookie(request, SESSION_COOKIE)):
        raise RedirectRequiredError(next_url)
    if await users.needs_owner(ctx):
        raise RedirectRequiredError("/start")
    return _sign_in_form_page(request, "", next_url, "")


@post("/sign-in")
async def sign_in(request: WebRequest, ctx: NamedDependency[Context]) -> Response[Any]:
    """Open a session. A wrong login and a wrong password give the same error text."""
    form_data = await read_form_values(request)
    login, next_url = (
        first_value(form_data, "login"),
        safe_redirect_path(first_value(form_data, "next")),
    )
    password = (form_data.get("password") or [""])[0]
    try:
        device = read_cookie(request, DEVICE_COOKIE, DEVICE_PATH)
        ip = remote_ip(request)
        former = read_cookie(request, SESSION_COOKIE)
        new_session = await users.sign_in(ctx, login, password, ip=ip, device=device, former=former)
    except RefusedError as error:
        translator = Translator(request_language(request))
        wrong = error.code == "unauthorized"
        message = translator.t("cabinet.sign_in_wrong") if wrong else translator.refusal_text(error)
        status = 422 if wrong else error.http_status
        response = _sign_in_form_page(request, login, next_url, message, status)
        response.headers.update(retry_after_headers(error))
        return response
    response = redirect(next_url)
    response.set_cookie(session_cookie(ctx, new_session.secret))
    response.set_cookie(device_cookie(ctx, new_session.device))
    return response


def _sign_in_form_page(
    request: WebRequest, login: str, next_url: str, error_text: str, status: int = 200
) -> Response[Any]:
    errors = {"": error_text} if error_text else {}
    translator = Translator(request_language(request))
    return render_page(
        request,
        "cabinet/sign_in.html",
        translator,
        status=status,
        login=login,
        next=next_url,
        errors=errors,
        locales=LOCALES,
    )


@post("/sign-out")
async def sign_out(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """End the session on the server and delete its cookie."""
    await users.sign_out(ctx, session, ip=remote_ip(request))
    response = redirect("/sign-in")
    response.set_cookie(session_cookie(ctx, ""))
    return response


@post("/locale")
async def set_locale(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Set the language of the user's cabinet."""
    form_data = await read_form_values(request)
    await users.set_locale(ctx, session, first_value(form_data, "locale"))
    return redirect(safe_redirect_path(first_value(form_data, "next")))


@get("/settings/access")
async def access_page(request: WebRequest, session: NamedDependency[Session]) -> Response[Any]:
    """Show the forms for the user's password and language."""
    return _access_form_page(request, session, {})


@post("/settings/access")
async def change_password(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Change the password; all other sessions of the user end."""
    form_data = await read_form_values(request)
    old, new = (form_data.get(name, [""])[0] for name in ("old", "new"))
    try:
        if not old:
            raise validation_error(Problem("old", "required"))
        device = await users.change_password(
            ctx,
            session,
            old,
            new,
            ip=remote_ip(request),
            device=read_cookie(request, DEVICE_COOKIE, DEVICE_PATH),
        )
    except RefusedError as error:
        texts = refusal_texts(translator_for(session), error)
        response = _access_form_page(request, session, texts, error.http_status)
        response.headers.update(retry_after_headers(error))
        return response
    response = redirect("/settings/access", "settings.done_password")
    response.set_cookie(device_cookie(ctx, device))
    return response


def _access_form_page(
    request: WebRequest, session: Session, errors: dict[str, str], status: int = 200
) -> Response[Any]:
    return render_cabinet_page(
        request,
        session,
        "cabinet/settings/access.html",
        section="settings",
        status=status,
        errors=errors,
        locales=LOCALES,
        min_password=MIN_PASSWORD,
    )


PUBLIC_HANDLERS = [sign_in_page, sign_in]
HANDLERS = [sign_out, set_locale, access_page, change_password]
