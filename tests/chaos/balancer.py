"""A TCP balancer in front of several servers, as simple as one can be.

A new connection goes to the next server that accepts it and stays there. Nothing that was sent is
sent again: a request that a server leaves without an answer is cut for its client.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.network_proxy import forward


class Balancer:
    """Distributes connections over `ports` of this machine, one after another."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = list(ports)
        self._next = 0
        self._forwards: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect a client to a server, or close the connection when no server accepts it."""
        self._writers.add(writer)
        first = self._next  # others connect while this one waits: each tries every server
        self._next = (first + 1) % len(self._ports)
        for port in self._ports[first:] + self._ports[:first]:
            try:
                server_reader, server_writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            await self._join(reader, writer, server_reader, server_writer)
            break
        writer.close()
        self._writers.discard(writer)

    async def _join(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
    ) -> None:
        self._writers.add(server_writer)
        directions = {
            asyncio.create_task(forward(reader, server_writer)),
            asyncio.create_task(forward(server_reader, writer)),
        }
        self._forwards |= directions
        await asyncio.wait(directions)
        self._forwards -= directions
        self._writers.discard(server_writer)

    def close(self) -> None:
        """Close every connection."""
        for task in self._forwards:
            task.cancel()
        for writer in self._writers:
            writer.close()


@asynccontextmanager
async def running_balancer(port: int, server_ports: Sequence[int]) -> AsyncIterator[None]:
    """Run a balancer on `port` while the block runs."""
    balancer = Balancer(server_ports)
    server = await asyncio.start_server(balancer.accept, "127.0.0.1", port, backlog=2048)
    try:
        yield
    finally:
        server.close()
        balancer.close()
