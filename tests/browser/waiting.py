"""Waiting for conditions: the machine may be busy, so no test depends on its speed."""

import asyncio
import time
from collections.abc import Awaitable, Callable

TIMEOUT_MS = 30_000
# The first page of a new window also waits for the start of its process, on a busy machine long.
NAVIGATION_TIMEOUT_MS = 90_000
POLL_PAUSE_S = 0.1


async def wait_until(
    condition: Callable[[], Awaitable[bool]], timeout_ms: int = TIMEOUT_MS
) -> None:
    """Poll a condition that no page shows. Raises AssertionError after `timeout_ms`."""
    deadline_s = time.monotonic() + timeout_ms / 1000
    while not await condition():
        assert time.monotonic() < deadline_s, f"not true after {timeout_ms} ms"
        await asyncio.sleep(POLL_PAUSE_S)
