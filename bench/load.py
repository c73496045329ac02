"""HTTP load from one process, over raw connections: an HTTP client would cost more CPU than the
server.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LoadResult:
    """Result of a load run: requests per second, latencies in milliseconds, statuses from 400."""

    rate_per_s: float
    p50_ms: float
    p99_ms: float
    error_count: int


class HttpConnection:
    """One keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, request: bytes) -> int:
        """Send a whole request, read the whole response and return its status."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        at = lower.find(b"content-length:")
        if at >= 0:
            await self._reader.readexactly(int(lower[at + 15 : lower.index(b"\r\n", at)]))
        return int(head[9:12])

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


async def connect(port: int) -> HttpConnection:
    """Open a connection to 127.0.0.1."""
    return HttpConnection(*await asyncio.open_connection("127.0.0.1", port))


def build_request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """Return the bytes of an HTTP/1.1 request."""
    header_rows = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    header_rows += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        header_rows.append(f"Content-Length: {len(body)}")
    return "\r\n".join(header_rows).encode() + b"\r\n\r\n" + body


async def closed_loop(
    port: int, clients: int, duration_s: float, make_request: Callable[[int], bytes]
) -> LoadResult:
    """Run `clients` connections; each sends the next request when the last one is answered."""
    times_s: list[float] = []
    errors = 0
    number = 0
    end_s = time.perf_counter() + duration_s

    async def run_client() -> None:
        nonlocal errors, number
        connection = await connect(port)
        while (sent_s := time.perf_counter()) < end_s:
            number += 1
            status = await connection.send(make_request(number))
            times_s.append(time.perf_counter() - sent_s)
            errors += status >= 400
        connection.close()

    start_s = time.perf_counter()
    await asyncio.gather(*(run_client() for _ in range(clients)))
    return _result(times_s, time.perf_counter() - start_s, errors)


async def open_loop(
    port: int,
    rate_per_s: float,
    duration_s: float,
    make_request: Callable[[int], bytes],
    connections: int = 32,
) -> LoadResult:
    """Send `rate_per_s` requests per second; the wait for a free connection counts as latency."""
    free: asyncio.Queue[HttpConnection] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(await connect(port))
    times_s: list[float] = []
    errors = 0

    async def send_one(number: int, due_s: float) -> None:
        nonlocal errors
        connection = await free.get()
        status = await connection.send(make_request(number))
        times_s.append(time.perf_counter() - due_s)
        errors += status >= 400
        free.put_nowait(connection)

    start_s = time.perf_counter()
    tasks = []
    for number in range(int(rate_per_s * duration_s)):
        due_s = start_s + number / rate_per_s
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        tasks.append(asyncio.create_task(send_one(number, due_s)))
    await asyncio.gather(*tasks)
    while not free.empty():
        free.get_nowait().close()
    return _result(times_s, time.perf_counter() - start_s, errors)


def _result(times_s: Sequence[float], elapsed_s: float, error_count: int) -> LoadResult:
    cuts = statistics.quantiles(times_s, n=100)
    return LoadResult(len(times_s) / elapsed_s, cuts[49] * 1000, cuts[98] * 1000, error_count)
