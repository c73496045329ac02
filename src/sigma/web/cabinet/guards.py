"""Access control of the cabinet: session cookie, CSRF and same-origin guards, routers."""

import hmac
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from litestar import Request, Router
from litestar.datastructures import Cookie
from litestar.di import Provide
from litestar.handlers.base import BaseRouteHandler
from litestar.response import Response
from litestar.types import ControllerRouterHandler

from sigma.domain.accounts.member import Permission
from sigma.domain.errors import RefusedError
from sigma.services.accounts import users
from sigma.services.accounts.devices import DEVICE_DAYS
from sigma.services.accounts.users import Session
from sigma.services.communities import communities
from sigma.services.context import OUTAGE_ERRORS, Context
from sigma.services.conversations import inbox
from sigma.web.cookies import build_cookie, read_cookie
from sigma.web.rendering import mask_outside_loop
from sigma.web.request_identity import ACTOR
from sigma.web.same_origin import HttpConnection, is_same_origin, is_unsafe, require_same_origin
from sigma.web.submitted_form import close_files, read_form

SESSION_COOKIE = "sigma_session"
DEVICE_PATH = "/sign-in"
DEVICE_COOKIE = "sigma_device"  # by which sign-in knows a browser again, see services
# Bytes; the largest form, an invoice with its questions, is far smaller.
MAX_FORM_BYTES = 256 * 1024
NO_STORE_HEADERS = {"cache-control": "no-store", "vary": "Cookie, HX-Request"}

WebRequest = Request[Any, Any, Any]


class RedirectRequiredError(Exception):
    """The requested page is not available to this browser yet; redirect it to `url`."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


def session_cookie(ctx: Context, secret: str) -> Cookie:
    """Return the cookie of a new session; an empty `secret` returns one that deletes it."""
    return build_cookie(ctx, SESSION_COOKIE, secret, max_age_s=ctx.settings.session_days * 86_400)


def device_cookie(ctx: Context, value: str) -> Cookie:
    """Return the cookie of a known device. Only sign-in reads it; it opens nothing."""
    age_s = DEVICE_DAYS * 86_400
    return build_cookie(ctx, DEVICE_COOKIE, value, max_age_s=age_s, path=DEVICE_PATH)


def safe_redirect_path(url: str) -> str:
    """Return `url` if it is a path of this site, else "/": no open redirect after signing in."""
    plain = url.isascii() and url.isprintable() and "\\" not in url
    if not plain or not url.startswith("/") or url.startswith("//"):
        return "/"
    return url if urlsplit(url).path not in ("/sign-in", "/sign-out", "/start") else "/"


async def require_session(connection: HttpConnection, _: BaseRouteHandler) -> None:
    """Guard of the cabinet: require an open session, and its CSRF token for unsafe methods.

    Sets `state.session`. Raises RedirectRequiredError without a session, RefusedError("forbidden")
    on a cross-origin request or a wrong token.
    """
    ctx: Context = connection.app.state.ctx
    try:
        session = await users.find_session(ctx, read_cookie(connection, SESSION_COOKIE))
    except OUTAGE_ERRORS:
        if is_unsafe(connection) and isinstance(connection, Request):
            unsent = await read_form(connection)  # for the page that offers to send it again
            await close_files(unsent)  # its uploaded temporary files
        raise
    if session is None:
        raise RedirectRequiredError(await _sign_in_url(ctx, connection))
    connection.state.session = session
    connection.state[ACTOR] = session.user.id
    if not is_unsafe(connection):
        connection.state.unread_count = await inbox.count_unread(
            ctx, session.member
        )  # shown in the menu
        connection.state.broken_communities = (
            await communities.list_with_problem(ctx, session.member)
            if session.member.can(Permission.ANSWER)
            else []
        )
        return
    assert isinstance(connection, Request)
    csrf_token, form = connection.headers.get("x-csrf", ""), None
    if not csrf_token:
        form = await read_form(connection)
        csrf_token = str(form.get("csrf", ""))
    if not is_same_origin(connection) or not secrets_equal(csrf_token, session.csrf):
        if form is not None:
            await close_files(form)  # no handler will run: delete the uploaded temporary files
        raise RefusedError("forbidden")


def secrets_equal(submitted: str, expected: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(submitted.encode(), expected.encode())


async def _sign_in_url(ctx: Context, connection: HttpConnection) -> str:
    if await users.needs_owner(ctx):
        return "/start"
    if is_unsafe(connection) or connection.url.path == "/":
        return "/sign-in"
    query = f"?{connection.url.query}" if connection.url.query else ""
    return f"/sign-in?next={quote(connection.url.path + query, safe='')}"


def provide_session(request: WebRequest) -> Session:
    """Return the session that the guard stored; injected into handlers as `session`."""
    session: Session = request.state.session
    return session


def redirect_to_required_page(request: WebRequest, error: RedirectRequiredError) -> Response[Any]:
    """Redirect the browser: 303, or `HX-Redirect` for htmx, which would swap the page in."""
    if request.headers.get("hx-request"):
        return Response("", headers={"hx-redirect": error.url, **NO_STORE_HEADERS})
    return Response("", status_code=303, headers={"location": error.url, **NO_STORE_HEADERS})


def cabinet_router(handlers: Sequence[ControllerRouterHandler]) -> Router:
    """Return the router of pages that need a session.

    Responses are never cached: after sign-out the back button of a shared computer shows nothing.
    """
    return Router(
        path="/",
        route_handlers=handlers,
        guards=[require_session],
        dependencies={"session": Provide(provide_session, sync_to_thread=False)},
        exception_handlers={RedirectRequiredError: redirect_to_required_page},
        after_request=_disable_caching,
        include_in_schema=False,
        request_max_body_size=MAX_FORM_BYTES,
    )


def public_router(handlers: Sequence[ControllerRouterHandler]) -> Router:
    """Return the router of pages without a session: sign-in and setup."""
    return Router(
        path="/",
        route_handlers=handlers,
        guards=[require_same_origin],
        exception_handlers={RedirectRequiredError: redirect_to_required_page},
        after_request=_disable_caching,
        include_in_schema=False,
        request_max_body_size=MAX_FORM_BYTES,
    )


async def _disable_caching(response: Response[Any]) -> Response[Any]:
    for name, value in NO_STORE_HEADERS.items():
        response.headers.setdefault(name, value)
    return await mask_outside_loop(response)
