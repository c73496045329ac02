"""A TCP proxy that can silence, cut or refuse connections.

A failover, a NAT that forgot a connection and a host that died all look like silence: what is sent
gets no answer and no error.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit


class NetworkProxy:
    """Forwards TCP connections to `host`:`port`; `silence` stops those that are open now.

    `on_reply` is called with what the server sends, after it was forwarded to the client.
    """

    def __init__(
        self, host: str, port: int, on_reply: Callable[[bytes], None] | None = None
    ) -> None:
        self._host = host
        self._port = port
        self._open: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._on_reply = on_reply
        self.connection_count = 0
        self.is_dead = False  # whether new connections get no response
        self.is_refusing = False  # whether new connections are closed at once
        self.server_side_ports: set[int] = set()  # our ports of the connections to the server

    def silence(self) -> None:
        """Forward nothing more on the connections that are open; new ones work."""
        for task in self._open:
            task.cancel()
        self._open = set()

    def cut(self) -> None:
        """Close every open connection and refuse new ones until `is_refusing` is reset."""
        self.is_refusing = True
        self.close()

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
        self._writers.append(writer)
        if self.is_dead:
            return
        if self.is_refusing:
            writer.close()
            return
        server_reader, server_writer = await asyncio.open_connection(self._host, self._port)
        self._writers.append(server_writer)
        self.server_side_ports.add(server_writer.get_extra_info("sockname")[1])
        self._forward(reader, server_writer)
        self._forward(server_reader, writer, self._on_reply)

    def close(self) -> None:
        """Close every connection."""
        self.silence()
        for writer in self._writers:
            writer.close()
        self._writers = []
        self.server_side_ports = set()

    def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_data: Callable[[bytes], None] | None = None,
    ) -> None:
        task = asyncio.create_task(forward(reader, writer, on_data))
        self._open.add(task)
        task.add_done_callback(self._open.discard)


async def forward(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    on_data: Callable[[bytes], None] | None = None,
) -> None:
    """Copy one direction of a connection until it ends, then close the other end.

    A cancelled copy leaves both ends open.
    """
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
            if on_data is not None:
                on_data(data)
    writer.close()


@asynccontextmanager
async def proxied(
    url: str, on_reply: Callable[[bytes], None] | None = None
) -> AsyncIterator[tuple[NetworkProxy, str]]:
    """Run a proxy in front of the server of `url`; yield it and the URL that leads through it."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    proxy = NetworkProxy(parts.hostname, parts.port, on_reply)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    netloc = parts.netloc.replace(f":{parts.port}", f":{port}")
    try:
        yield proxy, urlunsplit(parts._replace(netloc=netloc))
    finally:
        server.close()
        proxy.close()
