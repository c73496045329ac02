"""The table of all routes and the assembly of the ASGI application."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from litestar import Litestar, Request, Router
from litestar.di import Provide
from litestar.exceptions import HTTPException, InternalServerException
from litestar.static_files import create_static_files_router
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from sigma.domain.errors import RefusedError
from sigma.services.context import CONFLICT_ERRORS, OUTAGE_ERRORS, UNREADABLE_ERRORS, Context
from sigma.services.conversations.change_feed import ChangeFeed
from sigma.web import api, health
from sigma.web.bounded_request import BoundedRequest, require_valid_query
from sigma.web.cabinet import home, installable_app
from sigma.web.cabinet.access import (
    factors,
    password_reset,
    reauthentication,
    second_factor,
    security,
    setup,
    sign_in,
)
from sigma.web.cabinet.board import todo_board
from sigma.web.cabinet.customers import client_data, customers
from sigma.web.cabinet.customers import moves as customer_moves
from sigma.web.cabinet.exports import downloads, exports
from sigma.web.cabinet.guards import cabinet_router, public_router
from sigma.web.cabinet.inbox import actions, conversations, stream
from sigma.web.cabinet.inbox import invoices as inbox_invoices
from sigma.web.cabinet.invoices import (
    import_pages,
    invoice_list,
    invoices,
    mailing,
    new_invoice,
    sending,
)
from sigma.web.cabinet.lists import views
from sigma.web.cabinet.payments import payment_list, payments, reconciliation, refunds
from sigma.web.cabinet.personal_data import periods
from sigma.web.cabinet.reports import statement
from sigma.web.cabinet.services import (
    import_export,
    price_list_pages,
    public_page,
    service_edit,
    services,
)
from sigma.web.cabinet.settings import (
    api_keys,
    audit_log,
    auto_replies,
    connections,
    jobs,
    mail,
    notifications,
    reminders,
    shop,
)
from sigma.web.cabinet.team import installation, invitations, own_shops, team
from sigma.web.cabinet.vk import communities, community
from sigma.web.checkout import accent, receipt, stop, wait
from sigma.web.checkout import invoice as payment_page
from sigma.web.config import WebConfig
from sigma.web.errors import (
    handle_exception,
    handle_file_error,
    handle_http_error,
    handle_outage,
    handle_refusal,
    handle_store_conflict,
    handle_unreadable,
    outage_response,
)
from sigma.web.hooks import notices, vk
from sigma.web.middleware.body_memory import BodyMemoryMiddleware
from sigma.web.middleware.connections import ConnectionTable
from sigma.web.middleware.metrics import RequestMetrics
from sigma.web.middleware.plain_http import PROXY_IS_TRUSTED
from sigma.web.middleware.requests import RequestMiddleware
from sigma.web.middleware.security import CACHE_FOREVER, SecurityHeaders
from sigma.web.middleware.timeouts import BodyTimeoutMiddleware
from sigma.web.rendering import STATIC, mask_outside_loop
from sigma.web.storefront import pages as storefront_pages
from sigma.web.storefront import photos

MAX_BODY_BYTES = 1024 * 1024  # default for all routes; some set a lower limit

CABINET = (
    *(home, shop, auto_replies, reminders, connections, mail),
    *(api_keys, jobs, audit_log, notifications),
)
ACCESS = (sign_in, security, factors, reauthentication)
ENTRANCE = (sign_in, second_factor, password_reset, invitations)
TEAM = (team, own_shops, installation)
INBOX = (todo_board, conversations, actions, stream)
BILLING = (
    *(invoices, new_invoice, sending, mailing, inbox_invoices),
    *(payments, reconciliation, refunds, statement),
)
LISTS = (invoice_list, payment_list, views)
EXCHANGE = (import_pages, exports)
VK = (communities, community)
PERSONAL_DATA = (periods, client_data)
CUSTOMERS = (customers, customer_moves)
SERVICES = (services, service_edit, import_export, price_list_pages, public_page)
CHECKOUT = (payment_page, wait, receipt, stop, accent)
STOREFRONT = (storefront_pages, photos)


class WebApp(ProxyHeadersMiddleware):
    """The ASGI application.

    Its base class, a middleware of uvicorn, sets the client address and the scheme from
    X-Forwarded-* headers, if the request comes from one of `trusted_proxies` (addresses or CIDR
    networks).
    """

    def __init__(
        self, router: Litestar, middleware: RequestMiddleware, trusted_proxies: Sequence[str]
    ) -> None:
        super().__init__(middleware, list(trusted_proxies))
        self.router = router
        self._middleware = middleware
        self.connections = ConnectionTable()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one ASGI connection. `Any`: uvicorn, Litestar and httpx have different types."""
        if client := scope.get("client"):
            host = _plain_address(client[0])
            scope["client"] = (host, client[1])
            scope.setdefault("state", {})[PROXY_IS_TRUSTED] = host in self.trusted_hosts
        await super().__call__(scope, receive, send)

    def drain(self) -> None:
        """Prepare for the shutdown: report not ready, close each connection with its next response.

        Also ends the open event streams: they never end by themselves.
        """
        self.router.state.is_draining = True
        self._middleware.is_draining = True
        feed: ChangeFeed = self.router.state.change_feed
        feed.close()


def _plain_address(host: str) -> str:
    """Return an IPv4 address inside an IPv6 one as IPv4: a server that listens on "::" gets those,
    and they must match the trusted proxies as they are written in the setting.
    """
    head, _, tail = host.rpartition(":")
    return tail if head.lower() == "::ffff" and "." in tail else host


def build_router() -> Litestar:
    """Build the routes of the application, with their error handlers and without any state."""
    return Litestar(
        [
            cabinet_router(
                [
                    handler
                    for module in (
                        *(*CABINET, *ACCESS, *TEAM, *INBOX, *BILLING, *LISTS, *VK, *SERVICES),
                        *(*PERSONAL_DATA, *CUSTOMERS, *EXCHANGE),
                    )
                    for handler in module.HANDLERS
                ]
            ),
            public_router(
                [
                    *(handler for module in ENTRANCE for handler in module.PUBLIC_HANDLERS),
                    *setup.HANDLERS,
                ]
            ),
            *(handler for module in (*CHECKOUT, *STOREFRONT) for handler in module.HANDLERS),
            *downloads.HANDLERS,
            api.router,
            Router(
                "/hooks", route_handlers=[*vk.HANDLERS, *notices.HANDLERS], include_in_schema=False
            ),
            *health.HANDLERS,
            *installable_app.HANDLERS,
            create_static_files_router(
                "/static",
                [STATIC],
                cache_control=None,
                after_request=_cache_immutable,
                exception_handlers={InternalServerException: handle_file_error},
                include_in_schema=False,
            ),
        ],
        dependencies={"ctx": Provide(_provide_context, sync_to_thread=False)},
        before_request=_require_valid_url,
        after_request=mask_outside_loop,
        request_class=BoundedRequest,
        exception_handlers={
            RefusedError: handle_refusal,
            HTTPException: handle_http_error,
            **dict.fromkeys(CONFLICT_ERRORS, handle_store_conflict),
            **dict.fromkeys(OUTAGE_ERRORS, handle_outage),
            **dict.fromkeys(UNREADABLE_ERRORS, handle_unreadable),
            Exception: handle_exception,
        },
        openapi_config=None,
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
    )


def create_app(
    ctx: Context, config: WebConfig | None = None, *, router: Litestar | None = None
) -> WebApp:
    """Build the ASGI application; `router` is a result of `build_router` that nobody else uses.

    The order, from the outside: proxy headers, then request id, security headers and log, then
    the time and the memory for the body, then the router.
    """
    router = router or build_router()
    config = config or WebConfig()
    metrics = RequestMetrics()
    router.state.ctx, router.state.config, router.state.metrics = ctx, config, metrics
    router.state.is_draining = False
    router.state.default_locale = config.locale
    router.state.change_feed = ChangeFeed(ctx)
    security_headers = SecurityHeaders(secure=config.secure, hsts=config.hsts)
    bounded = BodyMemoryMiddleware(router, config.max_bodies_bytes)
    timed = BodyTimeoutMiddleware(bounded, config.body_timeout_s)
    wrapped = RequestMiddleware(
        timed,
        router.routes,
        security_headers,
        metrics,
        ctx.outage,
        _answer_outage,
        partial(_answer_plain_http, router),
        ctx.settings.base_url if config.secure else "",
        has_addresses=config.log_addresses,
    )
    return WebApp(router, wrapped, config.trusted_proxies)


async def _answer_outage(scope: Any, receive: Any, send: Any) -> None:
    """Answer as during an outage; the router has begun to work on this request."""
    request: Request[Any, Any, Any] = Request(scope, receive, send)
    response = outage_response(request)
    await response.to_asgi_response(None, request)(scope, receive, send)


async def _answer_plain_http(router: Litestar, scope: Any, receive: Any, send: Any) -> None:
    """Refuse a request that came by http, before the router; its body is not read."""
    scope["litestar_app"] = router  # what the router would set, for the page with the reason
    request: Request[Any, Any, Any] = BoundedRequest(scope, receive, send)
    response = handle_refusal(request, RefusedError("https_required"))
    await response.to_asgi_response(None, request)(scope, receive, send)


def _provide_context(request: Request[Any, Any, Any]) -> Context:
    ctx: Context = request.app.state.ctx
    return ctx


async def _require_valid_url(request: Request[Any, Any, Any]) -> None:
    """Reject NUL in the path and the query, which PostgreSQL cannot store, and a huge query.

    Raises RefusedError("bad_request").
    """
    path, query = request.scope["path"], request.scope["query_string"]
    if "\0" in path or b"%00" in query:
        raise RefusedError("bad_request")
    require_valid_query(path, query)


async def _cache_immutable(response: Any) -> Any:
    """Let browsers cache a static file for a year: its name contains a hash of its content."""
    response.headers["cache-control"] = CACHE_FOREVER
    return response
