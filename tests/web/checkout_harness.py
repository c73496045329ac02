"""An HTTP client of the checkout pages, and a server for a real browser."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn

from sigma.web.checkout.responses import STARTED_COOKIE
from sigma.web.cookies import page_cookie_name
from tests.web.apps import web_app
from tests.world import World

ANSWERS = {"email": "client@example.net", "phone": "8 916 765-43-21", "wish": "без лака"}


@asynccontextmanager
async def serve_checkout(world: World, sock: socket.socket) -> AsyncIterator[None]:
    """Serve the checkout on a bound socket while the block runs."""
    with web_app(world.ctx) as app:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        running = asyncio.create_task(server.serve(sockets=[sock]))
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
            await asyncio.sleep(0.01)
        yield
        server.should_exit = True
        await running


@asynccontextmanager
async def open_client(world: World, language: str = "ru") -> AsyncIterator[httpx.AsyncClient]:
    """Open an HTTP client with its own cookies that follows no redirects."""
    with web_app(world.ctx) as app:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://127.0.0.1:8000",
            headers={"accept-language": language},
        ) as client:
            yield client


def form_nonce(page: str) -> str:
    """Return the nonce of the payment form in a page."""
    match = re.search(r'name="nonce" value="([^"]+)"', page)
    assert match, "the page of an open invoice has a form"
    return match[1]


async def submit_form(client: httpx.AsyncClient, path: str, **changes: str) -> httpx.Response:
    """Open the page and submit the filled form."""
    page = await client.get(path)
    return await client.post(
        path, data={**ANSWERS, "consent": "yes", "nonce": form_nonce(page.text)} | changes
    )


def started_token(client: httpx.AsyncClient, path: str) -> str:
    """Return the token of the payment that this browser started last on a payment page."""
    return client.cookies[page_cookie_name(STARTED_COOKIE, path.removeprefix("/i/"))]


async def pay(world: World, client: httpx.AsyncClient, path: str, **changes: str) -> str:
    """Fill the form, pay at the bank, return from it; return the path of the receipt."""
    submitted = await submit_form(client, path, **changes)
    token = started_token(client, path)
    await world.pay_by_provider_id(
        submitted.headers["location"].rpartition("/")[2].partition("?")[0]
    )
    returned = await client.get(f"{path}/wait/{token}")
    assert returned.headers["location"] == f"/r/{token}"
    return f"/r/{token}"


def consent_box(page: str) -> tuple[str, bool]:
    """Return the value of the consent's checkbox and whether it is ticked."""
    match = re.search(r'<input type="checkbox" id="consent"[^>]* value="(\w+)"([^>]*)>', page)
    assert match, "the page asks for a consent"
    return match[1], " checked" in match[2]
