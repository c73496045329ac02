"""Every route of the four doors on one page: the cabinet, the checkout, the API, the hooks."""

from typing import Any

from litestar import Litestar, Request, Router
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.static_files import create_static_files_router

from sigma.domain.errors import Refused
from sigma.services.context import Conflicts, Context
from sigma.services.conversations.change_feed import Live
from sigma.web import api, health
from sigma.web.cabinet import home, todo_board
from sigma.web.cabinet.access import setup, sign_in
from sigma.web.cabinet.guards import cabinet, entrance
from sigma.web.cabinet.inbox import actions, conversations, stream
from sigma.web.cabinet.inbox import invoices as inbox_invoices
from sigma.web.cabinet.invoices import invoices, new_invoice
from sigma.web.cabinet.payments import payments, refunds
from sigma.web.cabinet.services import import_export, public_page, service_edit, services
from sigma.web.cabinet.settings import api_keys, auto_replies, connections, jobs, mail, shop
from sigma.web.cabinet.vk import communities, community
from sigma.web.checkout import accent, receipt, wait
from sigma.web.checkout import invoice as pay_page
from sigma.web.config import Doors
from sigma.web.errors import on_fault, on_http_error, on_refused, on_store_conflict
from sigma.web.hooks import notices, vk
from sigma.web.metrics import Counts
from sigma.web.middleware import Envelope
from sigma.web.proxy_headers import Proxies
from sigma.web.rendering import STATIC
from sigma.web.security import Policy
from sigma.web.storefront import pages as shop_page
from sigma.web.storefront import photos

YEAR_S = 31_536_000
MAX_BODY = 1024 * 1024  # bytes; the doors that need less say so themselves

CABINET = (home, shop, auto_replies, connections, mail, api_keys, jobs, sign_in)
INBOX = (todo_board, conversations, actions, stream)
MONEY = (invoices, new_invoice, inbox_invoices, payments, refunds)
VK = (communities, community)
SERVICES = (services, service_edit, import_export, public_page)
CHECKOUT = (pay_page, wait, receipt, accent)
STOREFRONT = (shop_page, photos)


def create_app(ctx: Context, doors: Doors | None = None) -> Proxies:
    """The whole web application as ASGI, with what surrounds every request."""
    doors = doors or Doors()
    counts = Counts()
    app = Litestar(
        [
            cabinet(
                [
                    h
                    for module in (*CABINET, *INBOX, *MONEY, *VK, *SERVICES)
                    for h in module.HANDLERS
                ]
            ),
            entrance([*sign_in.ENTRANCE, *setup.HANDLERS]),
            *(handler for module in (*CHECKOUT, *STOREFRONT) for handler in module.HANDLERS),
            api.router,
            Router(
                "/hooks", route_handlers=[*vk.HANDLERS, *notices.HANDLERS], include_in_schema=False
            ),
            *health.HANDLERS,
            create_static_files_router(
                "/static",
                [STATIC],
                cache_control=None,
                after_request=_keep_for_ever,
                include_in_schema=False,
            ),
        ],
        dependencies={"ctx": Provide(_ctx, sync_to_thread=False)},
        before_request=_storable,
        exception_handlers={
            Refused: on_refused,
            HTTPException: on_http_error,
            **dict.fromkeys(Conflicts, on_store_conflict),
            Exception: on_fault,
        },
        openapi_config=None,
        request_max_body_size=MAX_BODY,
        logging_config=None,
    )
    app.state.ctx, app.state.doors, app.state.counts = ctx, doors, counts
    app.state.live = live = Live(ctx)
    inside = Envelope(app, Policy(secure=doors.secure), counts)
    return Proxies(inside, doors.trusted_proxies, live.close)


def _ctx(request: Request[Any, Any, Any]) -> Context:
    ctx: Context = request.app.state.ctx
    return ctx


async def _storable(request: Request[Any, Any, Any]) -> None:
    """No database keeps NUL, so no address of ours holds one. Raises Refused("bad_request")."""
    if "\0" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        raise Refused("bad_request")


async def _keep_for_ever(response: Any) -> Any:
    """A file's name changes with its content, so a browser never needs to ask again."""
    response.headers["cache-control"] = f"public, max-age={YEAR_S}, immutable"
    return response
