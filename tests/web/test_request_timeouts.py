"""Requests that stop on their way end, on a real server with short timeouts."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from sigma.domain.limits import MAX_BODIES_BYTES
from sigma.web.app import create_app
from sigma.web.config import WebConfig
from sigma.web.middleware.timeouts import TimedHttpProtocol
from sigma.web.rendering import STATIC
from sigma_sandbox.server import bind
from tests.web.api_harness import open_api_client
from tests.world import World


class QuickProtocol(TimedHttpProtocol):
    """Wait a moment only; tell the test when a connection has ended."""

    headers_timeout_s = 0.2
    send_timeout_s = 0.2
    ended: "asyncio.Queue[QuickProtocol]"

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.ended.put_nowait(self)


@asynccontextmanager
async def open_server(
    world: World,
    *,
    body_timeout_s: float = 0.2,
    max_bodies_bytes: int = MAX_BODIES_BYTES,
    max_connections: int = 100,
    protocol: type[TimedHttpProtocol] = QuickProtocol,
) -> AsyncIterator[int]:
    """Serve Sigma on a real socket; yield its port."""
    QuickProtocol.ended = asyncio.Queue()
    with bind("127.0.0.1", 0) as sock:
        app: Any = create_app(
            world.ctx,
            WebConfig(body_timeout_s=body_timeout_s, max_bodies_bytes=max_bodies_bytes),
        )
        app.connections.max_count = max_connections
        server = uvicorn.Server(
            uvicorn.Config(app, http=protocol, log_level="warning", lifespan="off")
        )
        running = asyncio.create_task(server.serve(sockets=[sock]))
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
            await asyncio.sleep(0.01)
        try:
            yield sock.getsockname()[1]
        finally:
            server.should_exit = True
            await running


async def exchange(port: int, *parts: bytes) -> bytes:
    """Send parts, then wait until the server closes the connection; return what it sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(20):
            return await reader.read()
    finally:
        writer.close()


def post(path: str, *headers: str, length: int = 100) -> bytes:
    """Return the head of a POST whose body has `length` bytes."""
    lines = (f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {length}", *headers)
    return "\r\n".join((*lines, "", "")).encode()


async def test_half_sent_body_ends_with_408(world: World) -> None:
    invoice = await world.create_invoice()
    hook = f"/hooks/yookassa/{world.connection.id}/{world.connection.notice_token}"
    form = "Content-Type: application/x-www-form-urlencoded"
    async with open_server(world) as port:
        for head in (
            post(f"/i/{invoice.token}", form),
            post("/sign-in", form, "Origin: http://x", "Sec-Fetch-Site: same-origin"),
            post(hook),
        ):
            answer = await exchange(port, head, b"login=")
            assert answer.startswith(b"HTTP/1.1 408 "), answer[:200]
            assert b"connection: close" in answer.lower()


async def test_half_sent_api_request_gets_a_problem_document(world: World) -> None:
    async with open_api_client(world) as client, open_server(world) as port:
        head = post(
            "/api/v1/invoices",
            f"Authorization: Bearer {client.api_key}",
            "Idempotency-Key: k",
            "Content-Type: application/json",
        )
        answer = await exchange(port, head, b'{"title"')
    assert answer.startswith(b"HTTP/1.1 408 "), answer
    assert b'"code":"request_timeout"' in answer


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", b""),
        (b"P", b"HTTP/1.1 408 "),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-", b"HTTP/1.1 408 "),
    ],
)
async def test_connection_without_a_whole_head_is_closed(
    world: World, sent: bytes, expected: bytes
) -> None:
    async with open_server(world) as port:
        answer = await exchange(port, sent)
    assert answer.startswith(expected)
    assert bool(answer) is bool(expected)


async def test_body_that_nobody_reads_does_not_keep_the_connection(world: World) -> None:
    async with open_server(world) as port:
        answer = await exchange(port, post("/nothing/here", length=10_000), b"x" * 10)
    assert answer.startswith(b"HTTP/1.1 404 ")


async def test_next_request_of_a_connection_must_arrive_in_time_too(world: World) -> None:
    whole = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    async with open_server(world) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(whole)
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        writer.write(whole[:20])
        async with asyncio.timeout(20):
            rest = await reader.read()
        writer.close()
    assert b"HTTP/1.1 408 " in rest


async def test_whole_request_in_parts_is_answered(world: World) -> None:
    async with open_server(world, body_timeout_s=30) as port:
        answer = await exchange(
            port,
            b"POST /sign-in HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\nSec-Fetch-Site: same-origin"
            b"\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n",
            b"Content-Length: 16\r\n\r\nlogin=a",
            b"&password",
        )
    assert answer.startswith(b"HTTP/1.1 422 "), answer[:100]


class PatientProtocol(TimedHttpProtocol):
    """Wait longer than the test lasts."""

    headers_timeout_s = 300
    send_timeout_s = 300


@pytest.mark.parametrize(
    ("start", "endless"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-A: b\r\n" * 1000),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ", b"b" * 8000),
        (b"GET /", b"b" * 8000),
        (b"", b"\r\n" * 4000 + b"GET /"),
    ],
    ids=["many headers", "one header", "path", "method"],
)
async def test_request_head_without_end_is_refused(
    world: World, start: bytes, endless: bytes
) -> None:
    async with open_server(world, protocol=PatientProtocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sent_bytes = 0
        with contextlib.suppress(ConnectionError):  # the server has closed its side
            writer.write(start)
            while not reader.at_eof() and sent_bytes < 40_000_000:
                writer.write(endless)
                await writer.drain()
                sent_bytes += len(endless)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    assert sent_bytes < 40_000_000


@pytest.mark.parametrize("head", [b"X-A: " + b"b" * 70_000, b"X: y\r\n" * 15_000])
async def test_too_large_head_in_one_piece_is_refused(world: World, head: bytes) -> None:
    async with open_server(world) as port:
        answer = await exchange(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_large_head_and_a_large_body_behind_it_are_read(world: World) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    async with open_server(world, body_timeout_s=30) as port:
        more = (form, "Connection: close", "X-A: " + "b" * 60_000)
        answer = await exchange(port, post("/i/nothing", *more, length=200_000) + b"x" * 200_000)
    assert answer.startswith(b"HTTP/1.1 404 "), answer[:100]


@pytest.mark.parametrize("close", [b"", b"Connection: close\r\n"])
async def test_client_that_takes_no_response_is_left(world: World, close: bytes) -> None:
    path = next(f"/static/{file.name}" for file in STATIC.glob("cabinet-*.js"))
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n".encode()
    async with open_server(world) as port:
        with socket.socket() as silent:
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            silent.connect(("127.0.0.1", port))
            silent.sendall((request + b"\r\n") * 200 + request + close + b"\r\n")
            async with asyncio.timeout(20):
                ended = await QuickProtocol.ended.get()
            assert ended.running_cycle.disconnected or ended.running_cycle.response_complete


async def test_full_server_closes_who_waits_longest_and_serves_the_next(world: World) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    half_body = post("/sign-in", "Origin: http://x") + b"login="
    async with open_server(
        world, body_timeout_s=300, max_connections=2, protocol=PatientProtocol
    ) as port:
        stalled = []
        for start in (request[:20], half_body, b"", request[:20]):
            stalled.append(await asyncio.open_connection("127.0.0.1", port))
            stalled[-1][1].write(start)
            assert (await exchange(port, request)).startswith(b"HTTP/1.1 200 ")
        for reader, _ in stalled[:-1]:
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(20):
                    await reader.read()
        for _, writer in stalled:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@pytest.mark.parametrize("path", ["/hooks/vk/con_x", "/hooks/yookassa/con_x/token"])
async def test_stranger_is_refused_before_a_body_is_read(world: World, path: str) -> None:
    async with open_server(world, body_timeout_s=300, protocol=PatientProtocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(post(path, length=60_000) + b"half of it")
        async with asyncio.timeout(20):
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 404 ")
        writer.close()


async def test_half_sent_uploads_leave_memory_for_the_forms_of_clients(world: World) -> None:
    form = "Content-Type: application/x-www-form-urlencoded"
    large = post("/sign-in", form, "Origin: http://x", length=200_000)
    small = post("/sign-in", form, "Origin: http://x", "Connection: close", length=10_000)
    async with open_server(
        world, body_timeout_s=300, max_bodies_bytes=150_000, protocol=PatientProtocol
    ) as port:
        _, uploading = await asyncio.open_connection("127.0.0.1", port)
        uploading.write(large + b"x" * 100_000)
        await uploading.drain()
        answer = await exchange(port, large + b"x" * 100_000)  # together too much
        assert answer.startswith(b"HTTP/1.1 429 "), answer[:100]
        assert b"retry-after: 3" in answer.lower()
        answer = await exchange(port, small + b"x" * 10_000)
        assert answer.startswith(b"HTTP/1.1 422 "), answer[:100]
        uploading.write(b"x" * 100_000)
        uploading.close()
