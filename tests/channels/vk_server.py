"""A scripted VK: a real HTTP server with queued responses, and a fake clock."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from sigma.channels.vk.client import VkClient, VkClients
from sigma.domain.billing.connection import Connection
from tests.outbound.local import open_local_client
from tests.providers.scripted_server import http_response
from tests.vk_schema import check_request

ACCESS_KEY = "vk1.a.secret-of-the-community"
NO_RESPONSE = b"silence"  # a queued response that makes the server send nothing
MAX_SILENCE_S = 30.0


@dataclass(frozen=True)
class RecordedRequest:
    """A recorded request."""

    http_method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def method(self) -> str:
        """The name of the API method."""
        return urlsplit(self.target).path.rpartition("/")[2]

    @property
    def form(self) -> dict[str, str]:
        """The form without `v`. Fails for a duplicate field or another API version."""
        pairs = parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True)
        assert len(dict(pairs)) == len(pairs)
        fields = dict(pairs)
        assert fields.pop("v") == "5.199"
        assert fields.pop("lang") in ("ru", "en"), "every call has the shop's language"
        return fields

    @property
    def query(self) -> dict[str, list[str]]:
        """The query parameters; each has a list of values."""
        return parse_qs(urlsplit(self.target).query)


@dataclass
class VkServer:
    """A running server: sends `responses` in order, then {"response": 1} to every request."""

    url: str = ""
    responses: list[bytes] = field(default_factory=list)
    requests: list[RecordedRequest] = field(default_factory=list)

    def queue_responses(self, *responses: Any) -> None:
        """Queue successful responses."""
        self.responses += [json_response({"response": one}) for one in responses]

    def queue_errors(self, code: int, times: int = 1, **more: Any) -> None:
        """Queue VK errors with this code."""
        error = {"error_code": code, "error_msg": "No", "request_params": [], **more}
        self.responses += [json_response({"error": error})] * times

    @property
    def calls(self) -> list[tuple[str, dict[str, str]]]:
        """The recorded calls as (method, form), in order."""
        return [(one.method, one.form) for one in self.requests]


@dataclass
class FakeTime:
    """A clock in seconds that advances only in `sleep`; `sleeps` records the pauses."""

    now_s: float = 1000.0
    sleeps: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now_s += seconds


def json_response(value: Any, status: int = 200) -> bytes:
    """Return the bytes of an HTTP response with a JSON body."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return http_response(status, body, "content-type: application/json; charset=utf-8")


@asynccontextmanager
async def run_vk_server() -> AsyncIterator[VkServer]:
    """Run the server on a free port while the block runs."""
    vk_server = VkServer()
    stopped = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            vk_server.requests.append(await _read(reader))
            answer = (
                vk_server.responses.pop(0)
                if vk_server.responses
                else json_response({"response": 1})
            )
            if answer == NO_RESPONSE:
                await asyncio.wait_for(stopped.wait(), MAX_SILENCE_S)
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    vk_server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener:
        yield vk_server
        stopped.set()


async def _read(reader: asyncio.StreamReader) -> RecordedRequest:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {k.lower(): v for k, _, v in (one.partition(": ") for one in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    verb, target, _ = first.split(" ")
    return RecordedRequest(verb, target, headers, body)


def vk_connection(line: VkServer, **settings: Any) -> Connection:
    """Return a VK connection whose API is the server."""
    settings = {"api_url": f"{line.url}/vk", "timeout_s": 2, **settings}
    return Connection("con_1", "shp_1", "vk", "Studio", "123456", "ciphertext", 0, settings)


@asynccontextmanager
async def open_clients(time: FakeTime) -> AsyncIterator[VkClients]:
    """Open VK clients on the fake clock, without random jitter."""
    opened = VkClients(open_local_client, clock=time.clock, sleep=time.sleep, jitter=lambda: 0.0)
    yield opened
    await opened.close()


@asynccontextmanager
async def open_vk() -> AsyncIterator[tuple[VkClient, VkServer]]:
    """Open a client of a community and its server; at the end check all calls with VK's schema."""
    async with run_vk_server() as line, open_clients(FakeTime()) as opened:
        yield opened.for_key(vk_connection(line), ACCESS_KEY), line
    for request in line.requests:
        if request.target.startswith("/vk/method/"):
            check_request(request.method, request.form)
