"""A server that is stopped answers everybody who has connected: a restart cuts no request."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn

from sigma.cli.servers import GracefulServer
from sigma.web.app import create_app
from sigma.web.middleware.timeouts import TimedHttpProtocol
from sigma_sandbox.server import bind
from tests.world import World

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


class StoppableServer:
    """A server on `port` that a test stops as a signal does, without the drain before it."""

    def __init__(self, server: GracefulServer, app: Any, sock: socket.socket) -> None:
        self._server = server
        self._app = app
        self._sock = sock
        self.port = sock.getsockname()[1]
        self.stopping: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Begin to stop."""
        self._app.drain()
        self.stopping = asyncio.create_task(self._server.shutdown([self._sock]))

    async def wait_until_refusing(self) -> None:
        """Wait until no new connection is accepted."""
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                return
            writer.close()
            await asyncio.sleep(0)


@asynccontextmanager
async def open_server(world: World) -> AsyncIterator[StoppableServer]:
    with bind("127.0.0.1", 0) as sock:
        app: Any = create_app(world.ctx)
        config = uvicorn.Config(app, http=TimedHttpProtocol, log_level="warning", lifespan="off")
        server = GracefulServer(config, lambda: None)
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[sock])
        stoppable = StoppableServer(server, app, sock)
        yield stoppable
        assert stoppable.stopping is not None
        await stoppable.stopping


async def read_response(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head.lower() + await reader.readexactly(length)


@pytest.mark.parametrize("sent_before", [b"", REQUEST[:20]], ids=["idle", "half sent"])
async def test_idle_keep_alive_connection_gets_a_last_response_at_stop(
    world: World, sent_before: bytes
) -> None:
    async with open_server(world) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST)
        assert b"connection: close" not in await read_response(reader)
        writer.write(sent_before)
        server.stop()
        await server.wait_until_refusing()
        writer.write(REQUEST[len(sent_before) :])
        response = await read_response(reader)
        assert response.startswith(b"http/1.1 200")
        assert b"connection: close" in response
        assert await reader.read() == b"", "it is closed after this answer"
        writer.close()


async def test_connection_that_waits_to_be_accepted_is_answered(world: World) -> None:
    async with open_server(world) as server:
        # No await until the stop: the event loop has no chance to accept the connection.
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall(REQUEST)
        server.stop()
        reader, writer = await asyncio.open_connection(sock=client)
        assert (await read_response(reader)).startswith(b"http/1.1 200")
        writer.close()


async def test_request_that_a_stop_ends_is_answered_as_in_an_outage(world: World) -> None:
    """The database is silent: the request cannot end before the time of a stop is over."""
    invoice, is_reading = await world.create_invoice(), asyncio.Event()
    ctx: Any = replace(world.ctx, db=SilentDatabase(world.ctx.db, is_reading))
    app: Any = create_app(ctx)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
        request = asyncio.create_task(http.get(f"/i/{invoice.token}"))
        await is_reading.wait()
        app.drain()
        request.cancel()
        response = await request
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
    assert 'http-equiv="refresh"' in response.text


class SilentDatabase:
    """A database that never answers a read; `is_reading` is set when it is asked."""

    def __init__(self, inner: Any, is_reading: asyncio.Event) -> None:
        self._inner = inner
        self._is_reading = is_reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        self._is_reading.set()
        await asyncio.Event().wait()
        yield
