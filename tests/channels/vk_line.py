"""A line to VK: a real HTTP server that answers as it is told, and a clock that tests turn."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from sigma.channels.vk.client import Clients, Vk
from sigma.domain.billing.connection import Connection
from tests.providers.lines import http
from tests.vk_schema import check_request

KEY = "vk1.a.secret-of-the-community"
SILENCE = b"silence"  # the server hears and says nothing
NO_STOP = 30.0


@dataclass(frozen=True)
class Heard:
    """A request as it came."""

    verb: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def method(self) -> str:
        """The API's method."""
        return urlsplit(self.target).path.rpartition("/")[2]

    @property
    def form(self) -> dict[str, str]:
        """The form without the version, each field once."""
        pairs = parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=True)
        assert len(dict(pairs)) == len(pairs)
        fields = dict(pairs)
        assert fields.pop("v") == "5.199"
        return fields

    @property
    def query(self) -> dict[str, list[str]]:
        """What stands after the question mark."""
        return parse_qs(urlsplit(self.target).query)


@dataclass
class Line:
    """`answers` are said one after another, then `response` 1 to everything."""

    url: str = ""
    answers: list[bytes] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)

    def say(self, *responses: Any) -> None:
        """The next good answers."""
        self.answers += [said({"response": one}) for one in responses]

    def refuse(self, code: int, times: int = 1, **more: Any) -> None:
        """The next refusals."""
        error = {"error_code": code, "error_msg": "No", "request_params": [], **more}
        self.answers += [said({"error": error})] * times

    @property
    def asked(self) -> list[tuple[str, dict[str, str]]]:
        """The API's methods and forms in order."""
        return [(one.method, one.form) for one in self.heard]


@dataclass
class Time:
    """A clock that moves only when somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def said(thing: Any, status: int = 200) -> bytes:
    """JSON as an answer."""
    body = json.dumps(thing, ensure_ascii=False).encode()
    return http(status, body, "content-type: application/json; charset=utf-8")


@asynccontextmanager
async def listening() -> AsyncIterator[Line]:
    """The server on a free port while the block runs."""
    line = Line()
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line.heard.append(await _read(reader))
            answer = line.answers.pop(0) if line.answers else said({"response": 1})
            if answer == SILENCE:
                await asyncio.wait_for(over.wait(), NO_STOP)
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    line.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield line
        over.set()


async def _read(reader: asyncio.StreamReader) -> Heard:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {k.lower(): v for k, _, v in (one.partition(": ") for one in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    verb, target, _ = first.split(" ")
    return Heard(verb, target, headers, body)


def connection(line: Line, **settings: Any) -> Connection:
    """A community whose VK is the line."""
    settings = {"api_url": f"{line.url}/vk", "timeout_s": 2, **settings}
    return Connection("con_1", "shp_1", "vk", "Studio", "123456", "sealed", 0, settings)


@asynccontextmanager
async def clients(time: Time) -> AsyncIterator[Clients]:
    """Clients that sleep by that clock, with no chance in their pauses."""
    made = Clients(clock=time.clock, sleep=time.sleep, jitter=lambda: 0.0)
    yield made
    await made.close()


@asynccontextmanager
async def talking() -> AsyncIterator[tuple[Vk, Line]]:
    """A community's key and the line that it talks over; VK's schema knows all that was asked."""
    async with listening() as line, clients(Time()) as made:
        yield made.of(connection(line), KEY), line
    for one in line.heard:
        if one.target.startswith("/vk/method/"):
            check_request(one.method, one.form)
