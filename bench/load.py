"""Load over real HTTP from one process: raw connections, because a full client would cost more
than the server.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """`rate` in requests a second; latencies in milliseconds."""

    rate: float
    p50: float
    p99: float
    errors: int


class Line:
    """One kept-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, request: bytes) -> int:
        """Sends a whole request and reads the whole answer; returns the status."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        at = lower.find(b"content-length:")
        if at >= 0:
            await self._reader.readexactly(int(lower[at + 15 : lower.index(b"\r\n", at)]))
        return int(head[9:12])

    def close(self) -> None:
        """Hangs up."""
        self._writer.close()


async def connect(port: int) -> Line:
    """A connection to this machine."""
    return Line(*await asyncio.open_connection("127.0.0.1", port))


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """The bytes of an HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def closed_loop(
    port: int, clients: int, seconds: float, make: Callable[[int], bytes]
) -> Measured:
    """`clients` connections, each asking again as soon as it is answered."""
    took: list[float] = []
    errors = 0
    number = 0
    end = time.perf_counter() + seconds

    async def one() -> None:
        nonlocal errors, number
        line = await connect(port)
        while (began := time.perf_counter()) < end:
            number += 1
            status = await line.ask(make(number))
            took.append(time.perf_counter() - began)
            errors += status >= 400
        line.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(clients)))
    return _measured(took, time.perf_counter() - began, errors)


async def open_loop(
    port: int, rate: float, seconds: float, make: Callable[[int], bytes], lines: int = 32
) -> Measured:
    """`rate` requests a second whatever the answers take: waiting for a free line counts as
    latency.
    """
    free: asyncio.Queue[Line] = asyncio.Queue()
    for _ in range(lines):
        free.put_nowait(await connect(port))
    took: list[float] = []
    errors = 0

    async def one(number: int, due: float) -> None:
        nonlocal errors
        line = await free.get()
        status = await line.ask(make(number))
        took.append(time.perf_counter() - due)
        errors += status >= 400
        free.put_nowait(line)

    began = time.perf_counter()
    tasks = []
    for number in range(int(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(number, due)))
    await asyncio.gather(*tasks)
    while not free.empty():
        free.get_nowait().close()
    return _measured(took, time.perf_counter() - began, errors)


def _measured(took: Sequence[float], seconds: float, errors: int) -> Measured:
    cuts = statistics.quantiles(took, n=100)
    return Measured(len(took) / seconds, cuts[49] * 1000, cuts[98] * 1000, errors)
