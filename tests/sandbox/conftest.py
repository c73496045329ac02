"""A shop of its own at the sandbox bank for each test."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from sigma_sandbox.app import Sandbox
from tests.sandbox.communities import Ear, Owner, ear
from tests.sandbox.merchants import Hook, Merchant
from tests.sandbox.watched import Watched


@pytest.fixture
async def merchant(sandbox: Sandbox) -> AsyncIterator[Merchant]:
    """A shop nobody else uses."""
    async with httpx.AsyncClient(timeout=5, verify=False) as http:
        yield Merchant(sandbox, http)


@pytest.fixture
async def hook(merchant: Merchant) -> AsyncIterator[Hook]:
    """A small HTTP server that the merchant named as its notification URL."""
    listening: Hook

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        listening.heard.append(json.loads(await reader.readexactly(length)))
        status = listening.statuses.pop(0) if listening.statuses else 200
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    listening = Hook(f"http://127.0.0.1:{port}/hooks/yookassa/1")
    url = f"{merchant.sandbox.base_url}/bank/test/shops/{merchant.id}"
    await merchant.http.post(url, json={"notification_url": listening.url})
    async with server:
        yield listening


@pytest.fixture
async def owner(sandbox: Sandbox) -> AsyncIterator[Owner]:
    """A community nobody else uses, with its keys and one client."""
    async with httpx.AsyncClient(timeout=5, verify=False) as http:
        owner = Owner(sandbox, http)
        await owner.meet()
        yield owner


@pytest.fixture
async def listening() -> AsyncIterator[Ear]:
    """A server that waits for events."""
    async with ear() as server:
        yield server


@pytest.fixture
async def club(sandbox: Sandbox) -> AsyncIterator[Watched]:
    """The same with an advanced shop, and every word both ways is checked."""
    async with httpx.AsyncClient(timeout=5, verify=False) as http:
        club = Watched(sandbox, http)
        await club.meet(market="advanced")
        yield club
