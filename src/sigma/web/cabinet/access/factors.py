"""Adding and removing passkeys and the authenticator app; recovery codes."""

import asyncio
from typing import Any

import segno
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.errors import RefusedError
from sigma.services.accounts.users import Session
from sigma.services.authentication import authenticator_apps, passkeys, second_factors
from sigma.services.authentication.authenticator_apps import AppEnrolment
from sigma.services.authentication.second_factors import AddedFactor
from sigma.services.context import Context
from sigma.web.cabinet.access.security import URL, render_security_page
from sigma.web.cabinet.access.sign_in import passkey_json
from sigma.web.cabinet.guards import RECENT_AUTHENTICATION, WebRequest, session_cookie
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.forms import first_value


@get(f"{URL}/passkeys/options")
async def new_passkey_options(
    ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> dict[str, str]:
    """Return what the browser needs to make a passkey. Stores nothing."""
    return passkey_json(await passkeys.registration_request(ctx, session.user))


@post(f"{URL}/passkeys", opt=RECENT_AUTHENTICATION)
async def add_passkey(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Store a new passkey; show recovery codes with the first factor."""
    form_data = await read_form_values(request)
    try:
        added = await second_factors.add_passkey(
            ctx,
            session,
            first_value(form_data, "name"),
            first_value(form_data, "credential"),
            first_value(form_data, "ticket"),
        )
    except RefusedError as error:
        if error.code != "validation":
            raise
        texts = refusal_texts(translator_for(session), error)
        return await render_security_page(request, ctx, session, texts, form_data, 422)
    return _added_response(request, ctx, session, added, "access.done_passkey")


@post(f"{URL}/passkeys/{{passkey_id:str}}/remove", opt=RECENT_AUTHENTICATION)
async def remove_passkey(
    ctx: NamedDependency[Context], session: NamedDependency[Session], passkey_id: FromPath[str]
) -> Response[Any]:
    """Delete a passkey."""
    await second_factors.remove_passkey(ctx, session, passkey_id)
    return redirect(f"{URL}#passkeys", "access.done_passkey_removed")


@post(f"{URL}/app/new", opt=RECENT_AUTHENTICATION, status_code=200)
async def start_app(request: WebRequest, session: NamedDependency[Session]) -> Response[Any]:
    """Show a new secret as a QR code and ask for a code. Stores nothing."""
    ctx: Context = request.app.state.ctx
    enrolment = authenticator_apps.start(ctx, session.user)
    return await _app_page(request, session, enrolment, {}, 200)


@post(f"{URL}/app", opt=RECENT_AUTHENTICATION)
async def add_app(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Store the app that shows the right code; show recovery codes with the first factor."""
    form_data = await read_form_values(request)
    ticket = first_value(form_data, "ticket")
    try:
        added = await second_factors.add_app(ctx, session, ticket, first_value(form_data, "code"))
    except RefusedError as error:
        if error.code != "validation":
            raise
        texts = refusal_texts(translator_for(session), error)
        try:
            enrolment = authenticator_apps.resume(ctx, session.user, ticket)
        except RefusedError:  # too old: begin again
            enrolment = authenticator_apps.start(ctx, session.user)
        return await _app_page(request, session, enrolment, texts, 422)
    return _added_response(request, ctx, session, added, "access.done_app")


@post(f"{URL}/app/remove", opt=RECENT_AUTHENTICATION)
async def remove_app(
    ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Delete the authenticator app."""
    await second_factors.remove_app(ctx, session)
    return redirect(f"{URL}#app", "access.done_app_removed")


@post(f"{URL}/recovery-codes", opt=RECENT_AUTHENTICATION)
async def new_recovery_codes(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Replace the recovery codes. No redirect: they are in this response only."""
    return _codes_page(request, session, await second_factors.replace_recovery_codes(ctx, session))


def _added_response(
    request: WebRequest, ctx: Context, session: Session, added: AddedFactor, flash_key: str
) -> Response[Any]:
    """Show new recovery codes, or return to the list; the session has a new secret."""
    response = (
        _codes_page(request, session, added.codes) if added.codes else redirect(URL, flash_key)
    )
    response.set_cookie(session_cookie(ctx, added.secret))
    return response


def _codes_page(request: WebRequest, session: Session, codes: list[str]) -> Response[Any]:
    return render_cabinet_page(
        request,
        session,
        "cabinet/access/recovery_codes.html",
        section="settings",
        status=201,
        codes=codes,
        hide_plus=True,
    )


async def _app_page(
    request: WebRequest,
    session: Session,
    enrolment: AppEnrolment,
    errors: dict[str, str],
    status: int,
) -> Response[Any]:
    # In a thread: it takes about ten milliseconds of processor time.
    picture = await asyncio.to_thread(_qr_code, enrolment.uri)
    return render_cabinet_page(
        request,
        session,
        "cabinet/access/app.html",
        section="settings",
        status=status,
        errors=errors,
        enrolment=enrolment,
        picture=picture,
        hide_plus=True,
    )


def _qr_code(uri: str) -> str:
    """Return the QR code as a data: URL. Dark on white in every theme: cameras need it."""
    return str(segno.make_qr(uri, error="m").svg_data_uri(border=4, scale=5, light="#fff"))


HANDLERS = [
    new_passkey_options,
    add_passkey,
    remove_passkey,
    start_app,
    add_app,
    remove_app,
    new_recovery_codes,
]
