"""A community owner's program that uses the sandbox VK, and its receiver of callback events."""

import asyncio
import io
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from PIL import Image

from sigma_sandbox.app import Sandbox

_random_ids = itertools.count(1)


def make_picture(image_format: str = "JPEG") -> bytes:
    """Return a small picture in this format."""
    out = io.BytesIO()
    Image.new("RGB", (640, 480), "#336699").save(out, image_format)
    return out.getvalue()


@dataclass
class ReceivedRequest:
    """One received POST: header names and values in lower case, and the decoded JSON."""

    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class CallbackReceiver:
    """A server for callback events.

    Sends `responses` in order (status, body, extra header lines), then "ok"; for a confirmation
    it sends `confirmation_code`. `max_active_count`: the most simultaneous requests so far.
    """

    url: str = ""
    confirmation_code: str = ""
    responses: list[tuple[int, str, str]] = field(default_factory=list)
    requests: list[ReceivedRequest] = field(default_factory=list)
    delay_s: float = 0
    active_count: int = 0
    max_active_count: int = 0

    @property
    def event_types(self) -> list[str]:
        return [one.body["type"] for one in self.requests]

    async def wait_for_events(self, count: int) -> list[ReceivedRequest]:
        """Wait until `count` POSTs have arrived; fail after three seconds."""
        for _ in range(300):
            if len(self.requests) >= count:
                return self.requests
            await asyncio.sleep(0.01)
        raise AssertionError(f"{len(self.requests)} of {count} events: {self.event_types}")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        headers = dict(line.split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        self.requests.append(ReceivedRequest(headers, body))
        self.active_count += 1
        self.max_active_count = max(self.active_count, self.max_active_count)
        await asyncio.sleep(self.delay_s)
        self.active_count -= 1
        text, status, extra = "ok", 200, ""
        if body["type"] == "confirmation":
            text = self.confirmation_code
        elif self.responses:
            status, text, extra = self.responses.pop(0)
        start = f"HTTP/1.1 {status} X\r\ncontent-type: text/plain\r\n{extra}"
        writer.write(
            f"{start}content-length: {len(text)}\r\nconnection: close\r\n\r\n{text}".encode()
        )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def run_callback_receiver() -> AsyncIterator[CallbackReceiver]:
    """Run a receiver on a free port while the block runs."""
    receiver = CallbackReceiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks/vk/1"
    async with server:
        yield receiver


@dataclass
class CommunityOwner:
    """A program with an access key of a community and a user key of its owner.

    `client_id` is VK's user id of one client.
    """

    sandbox: Sandbox
    http: httpx.AsyncClient
    group_id: int = 0
    access_key: str = ""
    user_key: str = ""
    client_id: int = 0

    @property
    def vk_url(self) -> str:
        return f"{self.sandbox.base_url}/vk"

    async def call_raw(
        self, method: str, access_key: str | None = None, **params: Any
    ) -> dict[str, Any]:
        """Call an API method; return the whole envelope."""
        params.setdefault("v", "5.199")
        headers = {"Authorization": f"Bearer {access_key or self.access_key}"}
        url = f"{self.vk_url}/method/{method}"
        response = await self.http.post(url, data=params, headers=headers)
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    async def call_with_retry(self, method: str, **params: Any) -> dict[str, Any]:
        """Call an API method, retry while the key is over its rate limit; return the envelope."""
        for _ in range(50):
            body = await self.call_raw(method, **params)
            if body.get("error", {}).get("error_code") != 6:
                return body
            await asyncio.sleep(0.1)
        raise AssertionError("the key stays over its rate limit")

    async def call(self, method: str, **params: Any) -> Any:
        """Call an API method; return `response`. Fails if VK returns an error."""
        body = await self.call_with_retry(method, **params)
        assert "response" in body, body
        return body["response"]

    async def error_code(self, method: str, **params: Any) -> int:
        """Call an API method that must fail; return the error code."""
        body = await self.call_with_retry(method, **params)
        assert "error" in body, body
        number: int = body["error"]["error_code"]
        return number

    async def call_test_api(self, path: str, **body: Any) -> dict[str, Any]:
        """Call the sandbox's test API; return the decoded response."""
        response = await self.http.post(f"{self.vk_url}/test/{path}", json=body)
        assert response.status_code == 200, response.text
        decoded: dict[str, Any] = response.json()
        return decoded

    async def create_community(self, **profile: Any) -> None:
        """Create a community and a client that no other test uses."""
        created = await self.call_test_api("communities", **profile)
        self.group_id, self.access_key = created["group_id"], created["token"]
        self.user_key = created["user_token"]
        self.client_id = (await self.call_test_api("people", first_name="Ольга"))["person_id"]

    async def write_as_client(self, text: str = "Здравствуйте", **more: Any) -> dict[str, Any]:
        """Write as the client; return VK's message."""
        return await self.call_test_api(
            "write", person_id=self.client_id, group_id=self.group_id, text=text, **more
        )

    async def write_as_community(self, message: str = "Добрый день", **more: Any) -> dict[str, Any]:
        """Write as the community; return `message_id` and `conversation_message_id`."""
        more.setdefault("random_id", next(_random_ids))
        (sent,) = await self.call("messages.send", peer_ids=self.client_id, message=message, **more)
        assert "error" not in sent, sent
        result: dict[str, Any] = sent
        return result

    async def fetch_conversation(self) -> dict[str, Any]:
        """Return the conversation as VK has it."""
        url = f"{self.vk_url}/test/dialogs/{self.group_id}/{self.client_id}"
        body: dict[str, Any] = (await self.http.get(url)).json()
        return body

    async def add_callback_server(
        self, receiver: CallbackReceiver, *events: str, **more: Any
    ) -> int:
        """Add a callback server with these events enabled; return its id."""
        params = {"group_id": self.group_id}
        code = await self.call("groups.getCallbackConfirmationCode", **params)
        receiver.confirmation_code = receiver.confirmation_code or code["code"]
        address = {"url": receiver.url, "title": "Sigma"} | more
        added = await self.call("groups.addCallbackServer", **params, **address)
        params["server_id"] = added["server_id"]
        switches = dict.fromkeys(events, 1)
        await self.call("groups.setCallbackSettings", **params, api_version="5.199", **switches)
        receiver.requests.clear()
        server: int = added["server_id"]
        return server

    async def inject_faults(self, **rules: Any) -> None:
        """Inject faults for this community only. Rules: docs/sandbox.md."""
        url = f"{self.sandbox.base_url}/control"
        response = await self.http.post(url, json={"shop": str(self.group_id), **rules})
        assert response.status_code == 200, response.text
