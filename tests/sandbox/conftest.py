"""Fixtures for sandbox tests: each test has its own shop and its own community."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from sigma_sandbox.app import Sandbox
from tests.sandbox.checked_owner import CheckedOwner
from tests.sandbox.community_owner import CallbackReceiver, CommunityOwner, run_callback_receiver
from tests.sandbox.merchants import Merchant, NoticeReceiver


@pytest.fixture
async def merchant(sandbox: Sandbox) -> AsyncIterator[Merchant]:
    """A shop that no other test uses."""
    async with httpx.AsyncClient(timeout=5, verify=False) as http:
        yield Merchant(sandbox, http)


@pytest.fixture
async def notice_receiver(merchant: Merchant) -> AsyncIterator[NoticeReceiver]:
    """A server that is set as the merchant's notification URL."""
    receiver: NoticeReceiver

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        receiver.notices.append(json.loads(await reader.readexactly(length)))
        status = receiver.statuses.pop(0) if receiver.statuses else 200
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    receiver = NoticeReceiver(f"http://127.0.0.1:{port}/hooks/yookassa/1")
    url = f"{merchant.sandbox.base_url}/bank/test/shops/{merchant.id}"
    await merchant.http.post(url, json={"notification_url": receiver.url})
    async with server:
        yield receiver


@pytest.fixture
async def community_owner(sandbox: Sandbox) -> AsyncIterator[CommunityOwner]:
    """A community that no other test uses, with its keys and one client."""
    async with httpx.AsyncClient(timeout=5, verify=False) as http:
        owner = CommunityOwner(sandbox, http)
        await owner.create_community()
        yield owner


@pytest.fixture
async def callback_receiver() -> AsyncIterator[CallbackReceiver]:
    """A server that receives VK's callback events."""
    async with run_callback_receiver() as server:
        yield server


@pytest.fixture
async def checked_owner(sandbox: Sandbox) -> AsyncIterator[CheckedOwner]:
    """A community with an advanced market; every request and response is checked."""
    async with httpx.AsyncClient(timeout=5, verify=False) as http:
        owner = CheckedOwner(sandbox, http)
        await owner.create_community(market="advanced")
        yield owner
