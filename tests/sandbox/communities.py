"""The other side of VKontakte in a box: an owner's program with its keys, and an ear for events."""

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

RANDOM_IDS = itertools.count(1)


def drawn(kind: str = "JPEG") -> bytes:
    """A small picture."""
    out = io.BytesIO()
    Image.new("RGB", (640, 480), "#336699").save(out, kind)
    return out.getvalue()


@dataclass
class Heard:
    """One POST that came: headers in small letters, and the JSON."""

    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Ear:
    """A server for events: answers with `answers` in turn (status, body, headers), then "ok"."""

    url: str = ""
    code: str = ""
    answers: list[tuple[int, str, str]] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    delay_s: float = 0
    busy: int = 0
    most_busy: int = 0

    @property
    def types(self) -> list[str]:
        return [one.body["type"] for one in self.heard]

    async def wait(self, count: int) -> list[Heard]:
        """Until so many POSTs came; three seconds at most."""
        for _ in range(300):
            if len(self.heard) >= count:
                return self.heard
            await asyncio.sleep(0.01)
        raise AssertionError(f"{len(self.heard)} events of {count}: {self.types}")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        headers = dict(line.split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        self.heard.append(Heard(headers, body))
        self.busy += 1
        self.most_busy = max(self.busy, self.most_busy)
        await asyncio.sleep(self.delay_s)
        self.busy -= 1
        text, status, extra = "ok", 200, ""
        if body["type"] == "confirmation":
            text = self.code
        elif self.answers:
            status, text, extra = self.answers.pop(0)
        start = f"HTTP/1.1 {status} X\r\ncontent-type: text/plain\r\n{extra}"
        writer.write(
            f"{start}content-length: {len(text)}\r\nconnection: close\r\n\r\n{text}".encode()
        )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def ear() -> AsyncIterator[Ear]:
    """A listening server."""
    listening = Ear()
    server = await asyncio.start_server(listening.serve, "127.0.0.1", 0)
    listening.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks/vk/1"
    async with server:
        yield listening


@dataclass
class Owner:
    """A program with a community's key and its owner's, and one client who may write."""

    sandbox: Sandbox
    http: httpx.AsyncClient
    group_id: int = 0
    token: str = ""
    user_token: str = ""
    client: int = 0

    @property
    def root(self) -> str:
        return f"{self.sandbox.base_url}/vk"

    async def raw(self, method: str, token: str | None = None, **params: Any) -> dict[str, Any]:
        """The whole envelope of an answer."""
        params.setdefault("v", "5.199")
        headers = {"Authorization": f"Bearer {token or self.token}"}
        url = f"{self.root}/method/{method}"
        answer = await self.http.post(url, data=params, headers=headers)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def calm(self, method: str, **params: Any) -> dict[str, Any]:
        """The envelope of an answer, however often this key was used in the last second."""
        for _ in range(50):
            body = await self.raw(method, **params)
            if body.get("error", {}).get("error_code") != 6:
                return body
            await asyncio.sleep(0.1)
        raise AssertionError("this key is never calm")

    async def call(self, method: str, **params: Any) -> Any:
        """What is inside `response`."""
        body = await self.calm(method, **params)
        assert "response" in body, body
        return body["response"]

    async def code(self, method: str, **params: Any) -> int:
        """The number of the refusal."""
        body = await self.calm(method, **params)
        assert "error" in body, body
        number: int = body["error"]["error_code"]
        return number

    async def test(self, path: str, **body: Any) -> dict[str, Any]:
        """A call of a client or of an owner by hand."""
        answer = await self.http.post(f"{self.root}/test/{path}", json=body)
        assert answer.status_code == 200, answer.text
        done: dict[str, Any] = answer.json()
        return done

    async def meet(self, **filling: Any) -> None:
        """A community and a client nobody else uses."""
        made = await self.test("communities", **filling)
        self.group_id, self.token = made["group_id"], made["token"]
        self.user_token = made["user_token"]
        self.client = (await self.test("people", first_name="Ольга"))["person_id"]

    async def write(self, text: str = "Здравствуйте", **more: Any) -> dict[str, Any]:
        """The client writes."""
        return await self.test(
            "write", person_id=self.client, group_id=self.group_id, text=text, **more
        )

    async def send(self, message: str = "Добрый день", **more: Any) -> dict[str, Any]:
        """The community answers; `message_id` and `conversation_message_id`."""
        more.setdefault("random_id", next(RANDOM_IDS))
        (sent,) = await self.call("messages.send", peer_ids=self.client, message=message, **more)
        assert "error" not in sent, sent
        answer: dict[str, Any] = sent
        return answer

    async def dialog(self) -> dict[str, Any]:
        url = f"{self.root}/test/dialogs/{self.group_id}/{self.client}"
        body: dict[str, Any] = (await self.http.get(url)).json()
        return body

    async def listen(self, listening: Ear, *events: str, **more: Any) -> int:
        """Add a callback server that hears these events."""
        asked = {"group_id": self.group_id}
        code = await self.call("groups.getCallbackConfirmationCode", **asked)
        listening.code = listening.code or code["code"]
        address = {"url": listening.url, "title": "Sigma"} | more
        added = await self.call("groups.addCallbackServer", **asked, **address)
        asked["server_id"] = added["server_id"]
        switches = dict.fromkeys(events, 1)
        await self.call("groups.setCallbackSettings", **asked, api_version="5.199", **switches)
        listening.heard.clear()
        server: int = added["server_id"]
        return server

    async def control(self, **rules: Any) -> None:
        url = f"{self.sandbox.base_url}/control"
        answer = await self.http.post(url, json={"shop": str(self.group_id), **rules})
        assert answer.status_code == 200, answer.text
