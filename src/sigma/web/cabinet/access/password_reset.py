"""A forgotten password: ask for a link by mail, choose a new password by the link."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.password import MIN_PASSWORD
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.services.accounts import api_keys
from sigma.services.authentication import password_resets
from sigma.services.context import Context
from sigma.texts import Translator
from sigma.web.cabinet.access.key_revocation import (
    FORM_FIELDS,
    default_since,
    parse_revocation,
)
from sigma.web.cabinet.guards import WebRequest, request_origin
from sigma.web.cabinet.responses import FormValues, read_form_values, redirect, refusal_texts
from sigma.web.forms import first_value
from sigma.web.rendering import render_page, request_language
from sigma.web.request_identity import remote_ip
from sigma.web.retry_after import retry_after_headers

URL = "/sign-in/reset"


@get(URL)
async def request_page(request: WebRequest) -> Response[Any]:
    """Ask for the address."""
    return _request_page(request, "", {})


@post(URL)
async def request_reset(request: WebRequest, ctx: NamedDependency[Context]) -> Response[Any]:
    """Queue the mail. The answer is the same whether somebody signs in with the address or not."""
    login = first_value(await read_form_values(request), "login")
    try:
        await password_resets.request(ctx, login, remote_ip(request))
    except RefusedError as error:
        texts = refusal_texts(Translator(request_language(request)), error)
        response = _request_page(request, login, texts, error.http_status)
        response.headers.update(retry_after_headers(error))
        return response
    return _request_page(request, login, {}, is_requested=True)


def _request_page(
    request: WebRequest,
    login: str,
    errors: dict[str, str],
    status: int = 200,
    *,
    is_requested: bool = False,
) -> Response[Any]:
    return render_page(
        request,
        "cabinet/access/reset_request.html",
        Translator(request_language(request)),
        status=status,
        login=login,
        errors=errors,
        is_requested=is_requested,
    )


@get(f"{URL}/{{token:str}}")
async def new_password_page(
    request: WebRequest, ctx: NamedDependency[Context], token: FromPath[str]
) -> Response[Any]:
    """Show the form for a new password. Reading it does not use the link up: scanners read too."""
    return await _new_password_page(request, ctx, token, {}, {})


@post(f"{URL}/{{token:str}}")
async def set_new_password(
    request: WebRequest, ctx: NamedDependency[Context], token: FromPath[str]
) -> Response[Any]:
    """Set the new password; the person then signs in with it."""
    form_data = await read_form_values(request)
    try:
        new = (form_data.get("new") or [""])[0]
        if not new:
            raise validation_error(Problem("new", "required"))
        await password_resets.finish(
            ctx,
            token,
            new,
            await request_origin(request),
            revoke_keys_since_us=parse_revocation(form_data, "Europe/Moscow"),
        )
    except RefusedError as error:
        if error.code == "not_found":
            return await _new_password_page(request, ctx, token, form_data, {})
        texts = refusal_texts(Translator(request_language(request)), error)
        response = await _new_password_page(
            request, ctx, token, form_data, texts, error.http_status
        )
        response.headers.update(retry_after_headers(error))
        return response
    return redirect("/sign-in?note=reset")


async def _new_password_page(
    request: WebRequest,
    ctx: Context,
    token: str,
    form_data: FormValues,
    errors: dict[str, str],
    status: int = 200,
) -> Response[Any]:
    user = await password_resets.find_user(ctx, token)
    keys = await api_keys.list_made_by(ctx, user.id) if user else []
    translator = Translator(user.locale if user else request_language(request))
    return render_page(
        request,
        "cabinet/access/reset_password.html",
        translator,
        status=status if user else 404,
        login=user.login if user else "",
        is_valid=user is not None,
        errors=errors,
        keys=keys,
        values={name: first_value(form_data, name) for name in FORM_FIELDS},
        default_since=default_since(ctx.now_us(), translator.tz),
        form_url=f"{URL}/{token}",
        min_password=MIN_PASSWORD,
    )


PUBLIC_HANDLERS = [request_page, request_reset, new_password_page, set_new_password]
