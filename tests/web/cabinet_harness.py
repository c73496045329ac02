"""The cabinet without the rest of the application, and a browser without scripts for it."""

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx
from litestar import Litestar, Request, Response
from litestar.di import Provide

from sigma.channels.email import SmtpMailer
from sigma.channels.vk.client import VkClients
from sigma.domain.errors import RefusedError
from sigma.providers.registry import close_providers, open_providers
from sigma.services.clock import clock
from sigma.services.context import Context
from sigma.services.conversations.change_feed import ChangeFeed
from sigma.services.ids import IdGenerator
from sigma.store.database import open_database
from sigma.store.encryption import Cipher
from sigma.web.cabinet import home
from sigma.web.cabinet.access import setup
from sigma.web.cabinet.access import sign_in as access_sign_in
from sigma.web.cabinet.board import todo_board
from sigma.web.cabinet.error_page import error_page
from sigma.web.cabinet.guards import cabinet_router, public_router
from sigma.web.cabinet.inbox import actions, conversations, stream
from sigma.web.cabinet.inbox import invoices as inbox_invoices
from sigma.web.cabinet.invoices import invoices, new_invoice, sending
from sigma.web.cabinet.payments import payments, refunds
from sigma.web.cabinet.services import (
    import_export,
    price_list_pages,
    public_page,
    service_edit,
    services,
)
from sigma.web.cabinet.settings import api_keys, auto_replies, connections, jobs, mail, shop
from sigma.web.cabinet.vk import communities, community
from tests.vk_checked_client import checked_client
from tests.world import TestSettings

BASE_URL = "http://127.0.0.1:8000"
SETTINGS_PAGES = (home, shop, auto_replies, connections, mail, api_keys, jobs, access_sign_in)
VK_PAGES = (communities, community)
INBOX_PAGES = (todo_board, conversations, actions, stream, inbox_invoices)
SERVICE_PAGES = (services, service_edit, import_export, price_list_pages, public_page)
CABINET_PAGES = (
    *SETTINGS_PAGES,
    invoices,
    new_invoice,
    sending,
    payments,
    refunds,
    *SERVICE_PAGES,
    *VK_PAGES,
    *INBOX_PAGES,
)


def _show_error_page(request: Request[Any, Any, Any], error: RefusedError) -> Response[Any]:
    return error_page(request, error.http_status)


async def _ctx(request: Request[Any, Any, Any]) -> object:
    return request.app.state.ctx


def make_app(ctx: Context) -> Litestar:
    """Return an application with all cabinet pages, sign-in and first setup."""
    app = Litestar(
        [
            cabinet_router([handler for module in CABINET_PAGES for handler in module.HANDLERS]),
            public_router([*access_sign_in.PUBLIC_HANDLERS, *setup.HANDLERS]),
        ],
        dependencies={"ctx": Provide(_ctx)},
        exception_handlers={RefusedError: _show_error_page},
    )
    app.state.ctx, app.state.change_feed = ctx, ChangeFeed(ctx)
    return app


@dataclass
class CabinetBrowser:
    """A browser that keeps cookies. `csrf` is the form token of the last page."""

    http: httpx.AsyncClient
    csrf: str = ""

    async def open(self, path: str, **headers: str) -> httpx.Response:
        """Send GET and remember the CSRF token of the page's forms."""
        response = await self.http.get(path, headers=headers)
        if match := re.search(r'name="csrf" value="([^"]+)"', response.text):
            self.csrf = match[1]
        return response

    async def submit(
        self, path: str, headers: dict[str, str] | None = None, /, **form: str
    ) -> httpx.Response:
        """Send POST with a form as a browser sends it from our own page, with further headers."""
        own_headers = {"origin": BASE_URL, "sec-fetch-site": "same-origin"} | (headers or {})
        return await self.http.post(path, data={"csrf": self.csrf} | form, headers=own_headers)

    async def sign_in(self, login: str, password: str) -> None:
        """Sign in and open a page, so that the CSRF token is known."""
        response = await self.submit("/sign-in", login=login, password=password, next="/")
        assert response.status_code == 303, response.text
        await self.open("/settings")


@asynccontextmanager
async def open_browser(ctx: Context) -> AsyncIterator[CabinetBrowser]:
    """Open a browser without cookies at the cabinet of this context."""
    app: Any = make_app(ctx)  # httpx and Litestar type an ASGI application differently
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
        yield CabinetBrowser(http)


@asynccontextmanager
async def open_empty_installation(
    database_url: str, base_url: str = BASE_URL
) -> AsyncIterator[Context]:
    """Open a context on an empty database, as after the installation: no users, no shops."""
    database = await open_database(database_url)
    providers = open_providers()
    vk = VkClients(lambda _: checked_client())  # checks every request with VK's schema
    yield Context(
        db=database,
        settings=TestSettings(base_url=base_url),
        cipher=Cipher([secrets.token_hex(16)]),
        ids=IdGenerator(clock),
        providers=providers,
        mailer_factory=lambda url: SmtpMailer(url) if url else None,
        vk=vk,
    )
    await vk.close()
    await close_providers(providers)
    await database.close()


def visible_text(page: str) -> str:
    """Return the text of a page without tags, with single spaces."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


def field_value(page: str, name: str) -> str:
    """Return the value of a form field. Raises AssertionError if there is no such field."""
    match = re.search(rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"', page)
    assert match, f"no field {name}"
    return unescape(match[1])


def field_error(page: str, name: str) -> str:
    """Return the error text beside a field, "" if there is none."""
    match = re.search(rf'id="{name}-error">(.*?)</p>', page, re.DOTALL)
    return visible_text(match[1]) if match else ""
