"""Access control of the cabinet: session cookie, CSRF and same-origin guards, routers."""

import hmac
from collections.abc import Sequence
from dataclasses import replace
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
from sigma.domain.origin import Origin
from sigma.services.accounts import first_owner, own_shops, users
from sigma.services.accounts.device_names import device_name
from sigma.services.accounts.devices import DEVICE_DAYS
from sigma.services.accounts.users import Session
from sigma.services.authentication import reauthentication
from sigma.services.communities import communities
from sigma.services.context import OUTAGE_ERRORS, Context
from sigma.services.conversations import inbox
from sigma.web.cookies import build_cookie, read_cookie
from sigma.web.rendering import mask_outside_loop
from sigma.web.request_identity import ACTOR, client_address, remote_ip, request_id
from sigma.web.same_origin import HttpConnection, is_same_origin, is_unsafe, require_same_origin
from sigma.web.submitted_form import close_files, field_values, read_form

SESSION_COOKIE = "sigma_session"
AUTOMATIC_HEADER = "x-automatic-request"
DEVICE_COOKIE = "sigma_device"  # by which sign-in knows a browser again, see services
# Bytes; the largest form, an invoice with its questions, is far smaller.
MAX_FORM_BYTES = 256 * 1024
MAX_SWITCHER_SHOPS = 8  # of the menu; the page of all shops has a search
NO_STORE_HEADERS = {"cache-control": "no-store", "vary": "Cookie, HX-Request"}
# At the end of a session: drafts and what a tab has stored. Cookies stay: the known device's is
# no access. https://w3c.github.io/webappsec-clear-site-data/
CLEAR_SITE_DATA = '"cache", "storage"'

# A handler with this `opt` needs a proof of identity of the last ten minutes. See
# services/authentication/reauthentication.py; the page is web/cabinet/access/reauthentication.py.
RECENT_AUTHENTICATION = {"recent_authentication": True}
SECOND_FACTOR_URL = "/sign-in/second-factor"
# What somebody may open who has signed in, but not yet as the shop demands it.
_PATHS_BEFORE_ENROLMENT = (
    *("/settings/access", "/sign-out", "/locale", "/reauthenticate"),
    *("/shops", "/settings/leave"),  # another shop may demand less
)
_RULES_PATH = "/settings/access/rules"  # or one could switch the demand off instead

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
    return build_cookie(ctx, DEVICE_COOKIE, value, max_age_s=age_s)


def safe_redirect_path(url: str) -> str:
    """Return `url` if it is a path of this site, else "/": no open redirect after signing in."""
    plain = url.isascii() and url.isprintable() and "\\" not in url
    if not plain or not url.startswith("/") or url.startswith("//"):
        return "/"
    path = urlsplit(url).path
    is_entrance = path in ("/sign-out", "/start") or f"{path}/".startswith("/sign-in/")
    return "/" if is_entrance else url


async def request_origin(request: WebRequest) -> Origin:
    """Return where a request without a session comes from."""
    name = await device_name(request.headers.get("user-agent", ""))
    return Origin(client_address(request), name, request_id=request_id(request))


def _session_origin(connection: HttpConnection, session: Session) -> Origin:
    address = client_address(connection)
    return replace(session.origin, address=address, request_id=request_id(connection))


async def require_session(connection: HttpConnection, handler: BaseRouteHandler) -> None:
    """Guard of the cabinet: require an open session, and its CSRF token for unsafe methods.

    Sets `state.session`. Raises RedirectRequiredError without a session, or when the shop demands
    a second factor that the session lacks; RefusedError: "forbidden" on a cross-origin request,
    "form_expired" or "form_of_other_shop" on a wrong token, "reauthentication_required" where the
    handler demands a recent proof of identity.
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
    if _is_use(connection):
        session = await users.record_use(ctx, session, remote_ip(connection))
    origin = _session_origin(connection, session)
    session = replace(session, member=replace(session.member, origin=origin))
    connection.state.session = session
    connection.state[ACTOR] = session.user.id
    if not session.meets_shop_rule and not _is_before_enrolment(connection):
        raise RedirectRequiredError("/settings/access")
    if not is_unsafe(connection):
        await _offer_other_shop(ctx, connection, session)
        connection.state.own_shops = await own_shops.list_page(
            ctx, session.user.id, limit=MAX_SWITCHER_SHOPS
        )
        connection.state.unread_count = await inbox.count_unread(
            ctx, session.member
        )  # shown in the menu
        connection.state.broken_communities = (
            await communities.list_with_problem(ctx, session.member)
            if session.member.can(Permission.ANSWER)
            else []
        )
        _require_recent(ctx, session, handler)
        return
    assert isinstance(connection, Request)
    await _require_form_token(ctx, connection, session)
    _require_recent(ctx, session, handler)


async def _require_form_token(ctx: Context, request: WebRequest, session: Session) -> None:
    """Require the token of the current shop, in the header or in one of the fields `csrf`.

    A form has two when the person has opened its shop on the page that offers it. Raises
    RefusedError: "form_of_other_shop" for a form that this session opened in another shop.
    """
    header, form = request.headers.get("x-csrf", ""), None
    tokens = [header] if header else []
    if not header:
        form = await read_form(request)
        tokens = field_values(form).get("csrf", [])[:2]
    is_own = is_same_origin(request)
    if is_own and any(secrets_equal(token, session.csrf) for token in tokens):
        return
    if form is not None:
        await close_files(form)  # no handler will run: delete the uploaded temporary files
    if not is_own:
        raise RefusedError("forbidden")
    for token in tokens:
        if shop := await own_shops.find_shop_of_form(ctx, session, token):
            raise RefusedError("form_of_other_shop", shop=shop.name, shop_id=shop.shop_id)
    raise RefusedError("form_expired")


def _is_use(connection: HttpConnection) -> bool:
    """Return whether a person caused the request. Pages that update themselves do not count.

    Scripts mark what an open page sends by itself with `AUTOMATIC_HEADER`, whatever its method.
    An `EventSource` cannot: the paths of streams are known by their end.
    """
    if AUTOMATIC_HEADER in connection.headers or connection.url.path.endswith("/live"):
        return False
    return is_unsafe(connection) or "hx-request" not in connection.headers


def _is_before_enrolment(connection: HttpConnection) -> bool:
    path = connection.url.path
    if path == _RULES_PATH:
        return False
    return any(path == one or path.startswith(f"{one}/") for one in _PATHS_BEFORE_ENROLMENT)


def _require_recent(ctx: Context, session: Session, handler: BaseRouteHandler) -> None:
    if handler.opt.get("recent_authentication"):
        reauthentication.require_recent(ctx, session)


async def _offer_other_shop(ctx: Context, connection: HttpConnection, session: Session) -> None:
    """Raise RedirectRequiredError when the page belongs to another of the person's shops.

    A shop of others is not found, as an unknown id is.
    """
    ids = [value for value in connection.path_params.values() if isinstance(value, str)]
    shop = await own_shops.find_other_shop(ctx, session, ids) if ids else None
    if shop is not None:
        query = f"?{connection.url.query}" if connection.url.query else ""
        here = quote(connection.url.path + query, safe="")
        raise RedirectRequiredError(f"/shops/switch?shop={shop.shop_id}&next={here}")


def secrets_equal(submitted: str, expected: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(submitted.encode(), expected.encode())


async def _sign_in_url(ctx: Context, connection: HttpConnection) -> str:
    if await first_owner.needs_owner(ctx):
        return "/start"
    is_pending = await users.find_pending_session(ctx, read_cookie(connection, SESSION_COOKIE))
    url = SECOND_FACTOR_URL if is_pending else "/sign-in"
    if is_unsafe(connection) or connection.url.path == "/":
        return url
    query = f"?{connection.url.query}" if connection.url.query else ""
    return f"{url}?next={quote(connection.url.path + query, safe='')}"


def provide_session(request: WebRequest) -> Session:
    """Return the session that the guard stored; injected into handlers as `session`."""
    session: Session = request.state.session
    return session


def redirect_to_required_page(request: WebRequest, error: RedirectRequiredError) -> Response[Any]:
    """Redirect the browser: 303, or `HX-Redirect` for htmx, which would swap the page in."""
    headers = dict(NO_STORE_HEADERS)
    if error.url.startswith("/sign-in") and read_cookie(request, SESSION_COOKIE):
        headers["clear-site-data"] = CLEAR_SITE_DATA  # the session has expired or was ended
    if request.headers.get("hx-request"):
        return Response("", headers={"hx-redirect": error.url, **headers})
    return Response("", status_code=303, headers={"location": error.url, **headers})


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
