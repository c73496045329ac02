"""The HTTP server of the sandbox: uvicorn that can drop a connection without a response.

An ASGI application cannot close a connection by itself: when it raises, the server answers 500. So
the protocol class puts its transport into the request's scope for `abort_connection`.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
from litestar import Litestar
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TRANSPORT_EXTENSION = "sandbox.transport"


class AbortableProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol that exposes its transport in `scope["extensions"]`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False  # e-mail addresses in queries stay out of logs

    def on_message_begin(self) -> None:
        """Put the transport into the scope of the new request."""
        super().on_message_begin()
        self.scope["extensions"] = {
            TRANSPORT_EXTENSION: cast("dict[object, object]", self.transport)
        }


async def abort_connection(scope: Any) -> None:
    """Abort the request's connection; the response that follows is discarded.

    Does nothing under an in-process test client, which has no transport: the client then gets the
    response of the handler.
    """
    transport = (scope.get("extensions") or {}).get(TRANSPORT_EXTENSION)
    if transport is None:
        return
    transport.abort()
    # Let the protocol process connection_lost before the handler writes its response.
    await asyncio.sleep(0.005)


class Server(uvicorn.Server):
    """uvicorn in an existing event loop, without signal handlers.

    `startup_done` is set when startup ends, also when it failed; check `started` then.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.startup_done = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then set `startup_done` even if startup raised."""
        try:
            await super().startup(sockets)
        finally:
            self.startup_done.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers: the caller handles signals."""
        yield


def bind(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket; port 0 takes a free port. Raises OSError if it is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only if the protocol is given: without it a request takes 44 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(2048)
    except OSError:
        sock.close()
        raise
    return sock


def make_server(app: Litestar) -> Server:
    """Configure a server without access log and signal handlers."""
    config = uvicorn.Config(
        cast("Any", app),
        http=AbortableProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return Server(config)
