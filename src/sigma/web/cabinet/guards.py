"""Who is at the browser: the session cookie, and the guards of every cabinet page."""

import hmac
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from litestar import Request, Router
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.di import Provide
from litestar.handlers.base import BaseRouteHandler
from litestar.response import Response
from litestar.types import ControllerRouterHandler

from sigma.domain.errors import Refused
from sigma.services.accounts import users
from sigma.services.accounts.users import Session
from sigma.services.communities import communities
from sigma.services.context import Context
from sigma.services.conversations import inbox

COOKIE = "sigma_session"
SAFE = {"GET", "HEAD", "OPTIONS"}
MAX_FORM = 256 * 1024  # bytes; the longest form, an invoice with its questions, is far smaller
NO_STORE = {"cache-control": "no-store", "vary": "Cookie, HX-Request"}

Connection = ASGIConnection[Any, Any, Any, Any]
WebRequest = Request[Any, Any, Any]


class Elsewhere(Exception):  # noqa: N818, it is a direction, not a fault
    """The page asked for is not for this browser now; it must go to `url` first."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


def session_cookie(ctx: Context, secret: str) -> Cookie:
    """The cookie of a fresh session; an empty secret takes it away."""
    return Cookie(
        key=COOKIE,
        value=secret,
        path="/",
        max_age=ctx.settings.session_days * 86_400 if secret else 0,
        httponly=True,
        samesite="lax",
        secure=ctx.settings.base_url.startswith("https://"),
    )


def safe_next(url: str) -> str:
    """A path of our own that a person may be sent to after signing in; "/" for anything else."""
    plain = url.isascii() and url.isprintable() and "\\" not in url
    if not plain or not url.startswith("/") or url.startswith("//"):
        return "/"
    return url if urlsplit(url).path not in ("/sign-in", "/sign-out", "/start") else "/"


def from_our_page(connection: Connection) -> bool:
    """Whether an unsafe request was sent by a page of ours, as far as the browser tells.

    Browsers send Origin with every POST; it is "null" where the referrer is hidden, then
    Sec-Fetch-Site speaks. A client that sends neither is no browser: nobody's cookies are abused.
    """
    headers = connection.headers
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    if origin is None or (origin == "null" and site == "same-origin"):
        return True
    base = urlsplit(connection.app.state.ctx.settings.base_url).netloc
    return urlsplit(origin).netloc in {headers.get("host", ""), base} - {""}


def _method(connection: Connection) -> str:
    return str(connection.scope.get("method", ""))


async def same_origin(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard of the forms that come before any session: signing in and the first start."""
    if _method(connection) not in SAFE and not from_our_page(connection):
        raise Refused("forbidden")


async def signed_in(connection: Connection, _: BaseRouteHandler) -> None:
    """Guard of the cabinet: a live session, and for everything that changes something its token."""
    ctx: Context = connection.app.state.ctx
    session = await users.session(ctx, connection.cookies.get(COOKIE, ""))
    if session is None:
        raise Elsewhere(await _way_in(ctx, connection))
    connection.state.session = session
    if _method(connection) in SAFE:
        connection.state.unread = await inbox.unread(ctx, session.member)  # for the menu
        connection.state.troubles = await communities.troubles(ctx, session.member)
        return
    assert isinstance(connection, Request)
    given, form = connection.headers.get("x-csrf", ""), None
    if not given:
        form = await connection.form()
        given = str(form.get("csrf", ""))
    if not from_our_page(connection) or not same_text(given, session.csrf):
        if form is not None:
            await form.close()  # nobody will handle what was uploaded
        raise Refused("forbidden")


def same_text(given: str, kept: str) -> bool:
    """Whether two secrets are the same, in a time that tells nothing."""
    return hmac.compare_digest(given.encode(), kept.encode())


async def _way_in(ctx: Context, connection: Connection) -> str:
    if await users.needs_owner(ctx):
        return "/start"
    if _method(connection) not in SAFE or connection.url.path == "/":
        return "/sign-in"
    query = f"?{connection.url.query}" if connection.url.query else ""
    return f"/sign-in?next={quote(connection.url.path + query, safe='')}"


def provide_session(request: WebRequest) -> Session:
    """The session that the guard found, for handlers that name a `session` parameter."""
    session: Session = request.state.session
    return session


def go_elsewhere(request: WebRequest, error: Elsewhere) -> Response[Any]:
    """Sends the browser where it must be first; htmx, which swaps pages in, is told its way."""
    if request.headers.get("hx-request"):
        return Response("", headers={"hx-redirect": error.url, **NO_STORE})
    return Response("", status_code=303, headers={"location": error.url, **NO_STORE})


def cabinet(handlers: Sequence[ControllerRouterHandler]) -> Router:
    """The pages of people who signed in, behind the guard.

    Never cached: the back button of a shared computer shows nothing.
    """
    return Router(
        path="/",
        route_handlers=handlers,
        guards=[signed_in],
        dependencies={"session": Provide(provide_session, sync_to_thread=False)},
        exception_handlers={Elsewhere: go_elsewhere},
        after_request=_never_cached,
        include_in_schema=False,
        request_max_body_size=MAX_FORM,
    )


def entrance(handlers: Sequence[ControllerRouterHandler]) -> Router:
    """The pages before a session: signing in and the first start."""
    return Router(
        path="/",
        route_handlers=handlers,
        guards=[same_origin],
        exception_handlers={Elsewhere: go_elsewhere},
        after_request=_never_cached,
        include_in_schema=False,
        request_max_body_size=MAX_FORM,
    )


async def _never_cached(response: Response[Any]) -> Response[Any]:
    for name, value in NO_STORE.items():
        response.headers.setdefault(name, value)
    return response
