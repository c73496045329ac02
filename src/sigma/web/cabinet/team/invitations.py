"""The page behind an invitation link: accept with a new account, or with the one signed in."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from sigma.domain.accounts.invitation import InvitationState
from sigma.domain.accounts.password import MIN_PASSWORD
from sigma.domain.errors import RefusedError
from sigma.services.accounts import invitations, own_shops, users
from sigma.services.accounts.invitations import InvitationView
from sigma.services.accounts.users import NewSession, Session
from sigma.services.context import Context
from sigma.texts import LOCALES, Translator
from sigma.web.cabinet.error_page import error_page
from sigma.web.cabinet.guards import (
    SECOND_FACTOR_URL,
    SESSION_COOKIE,
    WebRequest,
    device_cookie,
    request_origin,
    secrets_equal,
    session_cookie,
)
from sigma.web.cabinet.responses import read_form_values, redirect, refusal_texts
from sigma.web.cookies import read_cookie
from sigma.web.forms import first_value
from sigma.web.rendering import render_page, request_language
from sigma.web.retry_after import retry_after_headers


@get("/invitations/{token:str}")
async def invitation_page(
    request: WebRequest, ctx: NamedDependency[Context], token: FromPath[str]
) -> Response[Any]:
    """Show an invitation and how to accept it. Opening the link accepts nothing."""
    try:
        view = await invitations.find(ctx, token)
    except RefusedError as error:
        text = Translator(request_language(request)).t("team.accept_unknown")
        title_key = "team.accept_unknown_title"
        return error_page(request, error.http_status, text, title_key=title_key)
    return await _page(request, ctx, token, view)


@post("/invitations/{token:str}")
async def accept_invitation(
    request: WebRequest, ctx: NamedDependency[Context], token: FromPath[str]
) -> Response[Any]:
    """Accept an invitation: as the signed-in person, or with a new account, which is signed in."""
    view = await invitations.find(ctx, token)
    form_data = await read_form_values(request)
    session = await users.find_session(ctx, read_cookie(request, SESSION_COOKIE))
    if session is not None:
        return await _accept_signed_in(request, ctx, token, view, session, form_data)
    name = first_value(form_data, "name")
    try:
        new_session = await _accept_signed_out(request, ctx, token, view, name, form_data)
    except RefusedError as error:
        translator = Translator(request_language(request))
        errors = refusal_texts(translator, error)
        if error.code == "unauthorized":
            errors = {"password": translator.t("cabinet.sign_in_wrong")}
        view = await invitations.find(ctx, token)
        page = await _page(
            request, ctx, token, view, status=error.http_status, errors=errors, name=name
        )
        page.headers.update(retry_after_headers(error))
        return page
    url = SECOND_FACTOR_URL if new_session.is_pending else "/"
    response = redirect(url, "team.done_joined", shop=view.shop.name)
    response.set_cookie(session_cookie(ctx, new_session.secret))
    if new_session.device:
        response.set_cookie(device_cookie(ctx, new_session.device))
    return response


async def _accept_signed_out(
    request: WebRequest,
    ctx: Context,
    token: str,
    view: InvitationView,
    name: str,
    form_data: dict[str, list[str]],
) -> NewSession:
    """Accept with a new account, or by the password of one that cannot sign in without a shop."""
    password = (form_data.get("password") or [""])[0]
    origin = await request_origin(request)
    if view.has_account and not view.has_shop:
        earlier_secret = read_cookie(request, SESSION_COOKIE)
        return await invitations.accept_by_password(
            ctx, token, password, origin, earlier_secret=earlier_secret
        )
    return await invitations.accept_as_new(
        ctx, token, name=name, password=password, locale=request_language(request), origin=origin
    )


async def _accept_signed_in(
    request: WebRequest,
    ctx: Context,
    token: str,
    view: InvitationView,
    session: Session,
    form_data: dict[str, list[str]],
) -> Response[Any]:
    if not secrets_equal(first_value(form_data, "csrf"), session.csrf):
        raise RefusedError("forbidden")
    try:
        shop = await invitations.accept(ctx, session, token)
    except RefusedError as error:
        errors = refusal_texts(Translator(session.locale), error)
        return await _page(request, ctx, token, view, status=error.http_status, errors=errors)
    await own_shops.switch(ctx, session, shop.id)
    return redirect("/", "team.done_joined", shop=shop.name)


async def _page(
    request: WebRequest,
    ctx: Context,
    token: str,
    view: InvitationView,
    *,
    status: int = 200,
    errors: dict[str, str] | None = None,
    name: str = "",
) -> Response[Any]:
    session = await users.find_session(ctx, read_cookie(request, SESSION_COOKIE))
    translator = Translator(session.locale if session else request_language(request))
    return render_page(
        request,
        "cabinet/team/invitation.html",
        translator,
        status=status,
        view=view,
        is_open=view.state is InvitationState.OPEN,
        is_expired=view.state is InvitationState.EXPIRED,
        is_accepted=view.state is InvitationState.ACCEPTED,
        is_member=session is not None and await own_shops.is_own(ctx, session, view.shop.id),
        session=session,
        is_invited=session is not None and session.user.login == view.invitation.login,
        csrf=session.csrf if session else "",
        token=token,
        errors=errors or {},
        name=name,
        min_password=MIN_PASSWORD,
        locales=LOCALES,
    )


PUBLIC_HANDLERS = [invitation_page, accept_invitation]
