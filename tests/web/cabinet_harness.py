"""A browser without scripts for the cabinet, and an empty installation."""

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape

import httpx

from sigma.channels.vk.client import VkClients
from sigma.domain.accounts.member import Role
from sigma.providers.registry import close_providers, open_providers
from sigma.services.clock import clock
from sigma.services.context import Context
from sigma.services.ids import IdGenerator
from sigma.store.database import open_database
from sigma.store.encryption import Cipher
from sigma.store.engine.statements import text_statement
from tests.outbound.local import LOCAL, local_mailer, open_local_client
from tests.vk_checked_client import checked_client
from tests.web.apps import web_app
from tests.world import TestSettings, fast_passwords

BASE_URL = "http://127.0.0.1:8000"


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


async def create_key(browser: CabinetBrowser, name: str) -> httpx.Response:
    """Submit the form of a new API key that may read invoices."""
    return await browser.submit("/settings/keys", name=name, scope="invoices:read")


@asynccontextmanager
async def open_browser(ctx: Context) -> AsyncIterator[CabinetBrowser]:
    """Open a browser without cookies at the cabinet of this context."""
    with web_app(ctx) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as http:
            yield CabinetBrowser(http)


@asynccontextmanager
async def open_empty_installation(
    database_url: str, base_url: str = BASE_URL
) -> AsyncIterator[Context]:
    """Open a context on an empty database, as after the installation: no users, no shops."""
    database = await open_database(database_url)
    providers = open_providers(open_local_client)
    vk = VkClients(lambda _: checked_client())  # checks every request with VK's schema
    yield Context(
        db=database,
        settings=TestSettings(base_url=base_url),
        cipher=Cipher([secrets.token_hex(16)]),
        passwords=fast_passwords(),
        ids=IdGenerator(clock),
        providers=providers,
        mailer_factory=lambda url: local_mailer(url) if url else None,
        vk=vk,
        outbound=LOCAL,
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


SET_ROLE = text_statement("UPDATE members SET role = :role", "role")


async def set_role(ctx: Context, role: Role) -> None:
    """Change the role of every member: the cabinet has no page for it yet."""
    async with ctx.db.write() as tx:
        assert await tx.execute(SET_ROLE, role=role.value)
