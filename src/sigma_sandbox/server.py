"""The HTTP server of the sandbox: uvicorn that can really cut a connection, on a socket of our own.

An ASGI application cannot close a connection without an answer: when it raises, the server answers
500. So the protocol class puts its transport into the request's scope, and `cut` closes that.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
from litestar import Litestar
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "sandbox.transport"


class CuttableProtocol(HttpToolsProtocol):
    """uvicorn's protocol with its transport in `scope["extensions"]`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False  # e-mail addresses in queries stay out of logs

    def on_message_begin(self) -> None:
        """A request starts: give its scope the transport."""
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: cast("dict[object, object]", self.transport)}


async def cut(scope: Any) -> None:
    """Close the request's connection at once; what is answered afterwards goes nowhere.

    Without our server below (an in-process client) nothing can be cut: the caller's 500 stands.
    """
    transport = (scope.get("extensions") or {}).get(EXTENSION)
    if transport is None:
        return
    transport.abort()
    await asyncio.sleep(0.005)  # let the protocol see that its connection is lost


class Server(uvicorn.Server):
    """uvicorn inside somebody else's loop: signals are not its business, `ready` says it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell whoever waits, also when it did not work."""
        try:
            await super().startup(sockets)
        finally:
            self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to whoever runs the process."""
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle off only then: 44 ms a request without it.
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
    """A quiet server for the application: no access log, no signals."""
    config = uvicorn.Config(
        cast("Any", app),
        http=CuttableProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return Server(config)
