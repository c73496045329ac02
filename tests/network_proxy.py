"""A TCP proxy that can silence its connections without closing them.

A failover, a NAT that forgot a connection and a host that died all look like this: what is sent
gets no answer and no error.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit


class NetworkProxy:
    """Forwards TCP connections to `host`:`port`; `silence` stops those that are open now."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._open: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []
        self.connection_count = 0
        self.is_dead = False

    def silence(self) -> None:
        """Forward nothing more on the connections that are open; new ones work."""
        for task in self._open:
            task.cancel()
        self._open = []

    def kill(self) -> None:
        """Forward nothing any more; new connections are accepted and get no answer either."""
        self.is_dead = True
        self.silence()

    def revive(self) -> None:
        """Forward new connections again; those that are open stay silent."""
        self.is_dead = False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward a new connection in both directions."""
        self.connection_count += 1
        if self.is_dead:
            self._writers.append(writer)
            return
        server_reader, server_writer = await asyncio.open_connection(self._host, self._port)
        self._writers += [writer, server_writer]
        self._open += [
            asyncio.create_task(_forward(reader, server_writer)),
            asyncio.create_task(_forward(server_reader, writer)),
        ]

    def close(self) -> None:
        """Close every connection."""
        self.silence()
        for writer in self._writers:
            writer.close()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[tuple[NetworkProxy, str]]:
    """Run a proxy in front of the server of `url`; yield it and the URL that leads through it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy = NetworkProxy(parts.hostname, parts.port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    netloc = parts.netloc.replace(f":{parts.port}", f":{port}")
    try:
        yield proxy, urlunsplit(parts._replace(netloc=netloc))
    finally:
        server.close()
        proxy.close()
