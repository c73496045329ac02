"""First-run setup: create the shop and its owner. Closed as soon as there is a user."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.accounts.password import MIN_PASSWORD
from sigma.domain.errors import RefusedError
from sigma.services.accounts import first_owner
from sigma.services.authentication import setup_codes
from sigma.services.context import Context
from sigma.services.security_log import SecurityEvent, record
from sigma.texts import LOCALES, Translator
from sigma.web.cabinet.guards import (
    RedirectRequiredError,
    WebRequest,
    device_cookie,
    request_origin,
    session_cookie,
)
from sigma.web.cabinet.responses import read_form_values, redirect, refusal_texts
from sigma.web.cabinet.urls import query_values
from sigma.web.forms import first_value
from sigma.web.rendering import render_page, request_language
from sigma.web.retry_after import retry_after_headers


@get("/start")
async def setup_page(request: WebRequest, ctx: NamedDependency[Context]) -> Response[Any]:
    """Show the setup form; `?code=` fills in the code that the server has printed.

    Raises RedirectRequiredError when setup is done.
    """
    if not await first_owner.needs_owner(ctx):
        raise RedirectRequiredError("/sign-in")
    return _form_page(request, {"code": first_value(query_values(request), "code")[:40]}, {})


@post("/start")
async def create_owner(request: WebRequest, ctx: NamedDependency[Context]) -> Response[Any]:
    """Create the shop and its owner, and sign the owner in, if the code is right."""
    form_data = await read_form_values(request)
    values = {
        name: first_value(form_data, name)
        for name in ("code", "shop_name", "name", "login", "locale")
    }
    locale = values["locale"] if values["locale"] in LOCALES else request_language(request)
    origin = await request_origin(request)
    try:
        if not await first_owner.needs_owner(ctx):
            raise RedirectRequiredError("/sign-in")
        await setup_codes.require(ctx, values["code"], origin.address)
        new_session = await first_owner.create_first_owner(
            ctx,
            login=values["login"],
            password=(form_data.get("password") or [""])[0],
            name=values["name"],
            shop_name=values["shop_name"],
            locale=locale,
            origin=origin,
        )
    except RefusedError as error:
        if error.code == "forbidden":
            raise RedirectRequiredError("/sign-in") from error
        texts = refusal_texts(Translator(locale), error)
        response = _form_page(request, values, texts, error.http_status)
        response.headers.update(retry_after_headers(error))
        return response
    record(
        SecurityEvent.OWNER_CREATED,
        ip=origin.address,
        user_id=new_session.user.id,
        shop_id=new_session.shop.id,
    )
    response = redirect("/", "cabinet.done_started")
    response.set_cookie(session_cookie(ctx, new_session.secret))
    response.set_cookie(device_cookie(ctx, new_session.device))
    return response


def _form_page(
    request: WebRequest, values: dict[str, str], errors: dict[str, str], status: int = 200
) -> Response[Any]:
    locale = values.get("locale") or request_language(request)
    translator = Translator(locale if locale in LOCALES else "ru")
    return render_page(
        request,
        "cabinet/setup.html",
        translator,
        status=status,
        values=values,
        errors=errors,
        locales=LOCALES,
        min_password=MIN_PASSWORD,
    )


HANDLERS = [setup_page, create_owner]
