"""The cabinet over a small world: a browser without scripts that keeps cookies and fills forms."""

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
from sigma.channels.vk.client import Clients
from sigma.domain.errors import Refused
from sigma.providers.registry import close_providers, open_providers
from sigma.services.context import Context, Ids, clock
from sigma.services.conversations.change_feed import Live
from sigma.store.database import open_database
from sigma.store.encryption import Sealer
from sigma.web.cabinet import home, todo_board
from sigma.web.cabinet.access import setup
from sigma.web.cabinet.access import sign_in as access_sign_in
from sigma.web.cabinet.error_page import error_page
from sigma.web.cabinet.guards import cabinet, entrance
from sigma.web.cabinet.inbox import actions, conversations, stream
from sigma.web.cabinet.inbox import invoices as inbox_invoices
from sigma.web.cabinet.invoices import invoices, new_invoice
from sigma.web.cabinet.payments import payments, refunds
from sigma.web.cabinet.services import import_export, public_page, service_edit, services
from sigma.web.cabinet.settings import api_keys, auto_replies, connections, jobs, mail, shop
from sigma.web.cabinet.vk import communities, community
from tests.vk_wire import checked_client
from tests.world import TestSettings

BASE = "http://127.0.0.1:8000"
CABINET = (home, shop, auto_replies, connections, mail, api_keys, jobs, access_sign_in)
VK = (communities, community)
INBOX = (todo_board, conversations, actions, stream, inbox_invoices)
SERVICES = (services, service_edit, import_export, public_page)
SIGNED_IN = (*CABINET, invoices, new_invoice, payments, refunds, *SERVICES, *VK, *INBOX)


def _refused(request: Request[Any, Any, Any], error: Refused) -> Response[Any]:
    return error_page(request, error.status)


async def _ctx(request: Request[Any, Any, Any]) -> object:
    return request.app.state.ctx


def make_app(ctx: Context) -> Litestar:
    """Every page of the cabinet and the entrance."""
    app = Litestar(
        [
            cabinet([handler for module in SIGNED_IN for handler in module.HANDLERS]),
            entrance([*access_sign_in.ENTRANCE, *setup.HANDLERS]),
        ],
        dependencies={"ctx": Provide(_ctx)},
        exception_handlers={Refused: _refused},
    )
    app.state.ctx, app.state.live = ctx, Live(ctx)
    return app


@dataclass
class Browser:
    """One browser. `csrf` is the token that the last page carried."""

    http: httpx.AsyncClient
    csrf: str = ""

    async def open(self, path: str, **headers: str) -> httpx.Response:
        """GET; remembers the token of the page's forms."""
        answer = await self.http.get(path, headers=headers)
        if found := re.search(r'name="csrf" value="([^"]+)"', answer.text):
            self.csrf = found[1]
        return answer

    async def send(
        self, path: str, headers: dict[str, str] | None = None, **form: str
    ) -> httpx.Response:
        """POST of a form as a browser sends it from our own page."""
        own = {"origin": BASE, "sec-fetch-site": "same-origin"} | (headers or {})
        return await self.http.post(path, data={"csrf": self.csrf} | form, headers=own)

    async def sign_in(self, login: str, password: str) -> None:
        """Signs in and opens the home page, so that the token is known."""
        answer = await self.send("/sign-in", login=login, password=password, next="/")
        assert answer.status_code == 303, answer.text
        await self.open("/settings")


@asynccontextmanager
async def open_browser(ctx: Context) -> AsyncIterator[Browser]:
    """A browser with no cookies at the cabinet of this context."""
    transport = httpx.ASGITransport(make_app(ctx))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        yield Browser(http)


@asynccontextmanager
async def empty_house(database_url: str, base_url: str = BASE) -> AsyncIterator[Context]:
    """Sigma just installed: nobody is here yet."""
    database = await open_database(database_url)
    providers = open_providers()
    vk = Clients(lambda _: checked_client())  # what Sigma asks passes VK's schema
    yield Context(
        db=database,
        settings=TestSettings(base_url=base_url),
        sealer=Sealer([secrets.token_hex(16)]),
        ids=Ids(clock),
        providers=providers,
        mailers=lambda url: SmtpMailer(url) if url else None,
        vk=vk,
    )
    await vk.close()
    await close_providers(providers)
    await database.close()


def words(page: str) -> str:
    """What a person reads of a page: no tags, no scripts."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


def field(page: str, name: str) -> str:
    """The value that a field of the page shows."""
    found = re.search(rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"', page)
    assert found, f"no field {name}"
    return unescape(found[1])


def fault(page: str, name: str) -> str:
    """The sentence beside a field, empty when there is none."""
    found = re.search(rf'id="{name}-error">(.*?)</p>', page, re.DOTALL)
    return words(found[1]) if found else ""
