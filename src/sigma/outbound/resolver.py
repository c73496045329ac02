"""Resolve host names outside the event loop, in threads of their own.

The threads of `asyncio.to_thread` also draw receipts, and the interpreter waits for them when it
ends: a name server that does not answer must delay neither.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence

MAX_THREADS = 32

Resolve = Callable[[str], Awaitable[Sequence[str]]]  # host name → IP addresses, best first


class SystemResolver:
    """Asks the resolver of the operating system, at most 32 names at a time."""

    def __init__(self, lookup: Callable[[str], Sequence[str]] | None = None) -> None:
        self._lookup = lookup or _lookup
        self._slots = asyncio.Semaphore(MAX_THREADS)

    async def __call__(self, host: str) -> Sequence[str]:
        """Return the addresses of a name. Raises OSError. Waits without limit: use a timeout."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Sequence[str]] = loop.create_future()
        await self._slots.acquire()

        def finish(addresses: Sequence[str], error: Exception | None) -> None:
            self._slots.release()  # not by the caller: it may have been cancelled before
            if result.cancelled():
                return
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(addresses)

        def run() -> None:
            addresses: Sequence[str] = ()
            error: Exception | None = None
            try:
                addresses = self._lookup(host)
            except (OSError, ValueError) as caught:  # ValueError: a name that cannot be encoded
                error = caught if isinstance(caught, OSError) else OSError(str(caught))
            with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(finish, addresses, error)

        threading.Thread(target=run, name="sigma-resolver", daemon=True).start()
        return await result


def _lookup(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
