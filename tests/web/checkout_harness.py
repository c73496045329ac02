"""The checkout without the rest of the application, and an HTTP client of its pages."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from litestar import Litestar, Response
from litestar.datastructures import State
from litestar.di import Provide
from litestar.static_files import create_static_files_router

from sigma.services.context import Context
from sigma.web.checkout import accent, invoice, receipt, wait
from sigma.web.rendering import STATIC
from sigma.web.security import SecurityHeaders
from tests.world import World

ANSWERS = {"email": "client@example.net", "phone": "8 916 765-43-21", "wish": "без лака"}


async def _ctx(state: State) -> Context:
    ctx: Context = state.ctx
    return ctx


def checkout_app(ctx: Context) -> Litestar:
    """Return an application with the four checkout modules on a real context."""
    policy = SecurityHeaders(secure=False).for_path("/i/")

    def add_headers(response: Response[object]) -> Response[object]:
        for name, value in policy:
            response.headers.setdefault(name.decode(), value.decode())
        return response

    pages = [*invoice.HANDLERS, *wait.HANDLERS, *receipt.HANDLERS, *accent.HANDLERS]
    return Litestar(
        [*pages, create_static_files_router("/static", [STATIC])],
        state=State({"ctx": ctx}),
        dependencies={"ctx": Provide(_ctx)},
        after_request=add_headers,
        debug=True,
    )


@asynccontextmanager
async def serve_checkout(world: World, sock: socket.socket) -> AsyncIterator[None]:
    """Serve the checkout on a bound socket while the block runs."""
    config = uvicorn.Config(checkout_app(world.ctx), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[sock]))
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
        await asyncio.sleep(0.01)
    yield
    server.should_exit = True
    await running


def open_client(world: World, language: str = "ru") -> httpx.AsyncClient:
    """Return an HTTP client with its own cookies that follows no redirects."""
    app: Any = checkout_app(world.ctx)  # httpx and Litestar declare ASGI types differently
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://127.0.0.1:8000",
        headers={"accept-language": language},
    )


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


async def pay(world: World, client: httpx.AsyncClient, path: str, **changes: str) -> str:
    """Fill the form, pay at the bank, return from it; return the path of the receipt."""
    submitted = await submit_form(client, path, **changes)
    token = client.cookies["sigma_started"]
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
