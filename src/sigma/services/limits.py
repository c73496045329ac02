"""Rate limits: how often an address, a login or a payment may do something in a window of time.

The counters live in this process. They implement the `Storage` interface of the `limits` library,
so that counters in the database can replace them without a change of the callers.
"""

from collections.abc import Callable

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter

from sigma.domain.errors import RefusedError
from sigma.domain.time_units import MINUTE_US, SECOND_US

MAX_TRACKED_KEYS = 20_000  # bounds memory when keys come from many addresses


def per_minutes(amount: int, minutes: int, name: str) -> RateLimitItem:
    """Return the limit "at most `amount` in `minutes`"; `name` separates its counters."""
    return RateLimitItemPerSecond(amount, 60 * minutes, namespace=name)


def per_seconds(amount: int, seconds: int, name: str) -> RateLimitItem:
    """Return the limit "at most `amount` in `seconds`"; `name` separates its counters."""
    return RateLimitItemPerSecond(amount, seconds, namespace=name)


class MemoryCounters(Storage):
    """Counters of this process with the clock of the context.

    `limits.aio.storage.MemoryStorage` reads the system clock, which a test cannot set, and starts
    timers.
    """

    STORAGE_SCHEME = None

    def __init__(self, now_us: Callable[[], int]) -> None:
        super().__init__()
        self._now_us = now_us
        # Key → (count, end of the window in UTC microseconds).
        self._counters: dict[str, tuple[int, int]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        """The errors of this storage: none."""
        return ValueError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add `amount` to a counter whose window lasts `expiry` seconds; return its value.

        A full storage accepts no new key and refuses its attempts. This stops an attack from many
        addresses.
        """
        now_us = self._now_us()
        count, until_us = self._counters.get(key, (0, 0))
        if until_us <= now_us:
            if not self._has_room(now_us):
                return 2**31
            count, until_us = 0, now_us + expiry * SECOND_US
        self._counters[key] = (max(count + amount, 0), until_us)
        return self._counters[key][0]

    def _has_room(self, now_us: int) -> bool:
        if len(self._counters) >= MAX_TRACKED_KEYS:
            live = {key: value for key, value in self._counters.items() if value[1] > now_us}
            self._counters = live
        return len(self._counters) < MAX_TRACKED_KEYS

    async def get(self, key: str) -> int:
        """Return the value of a counter in its current window."""
        count, until_us = self._counters.get(key, (0, 0))
        return count if until_us > self._now_us() else 0

    async def get_expiry(self, key: str) -> float:
        """Return when the window of a counter ends (Unix time, seconds)."""
        return self._counters.get(key, (0, self._now_us()))[1] / SECOND_US

    async def check(self) -> bool:
        """Return True: memory is always available."""
        return True

    async def reset(self) -> int:
        """Forget all counters; return how many there were."""
        count = len(self._counters)
        self._counters.clear()
        return count

    async def clear(self, key: str) -> None:
        """Forget one counter."""
        self._counters.pop(key, None)


class RateLimiter:
    """Counts attempts by key and refuses those above a limit."""

    def __init__(self, now_us: Callable[[], int], counters: Storage | None = None) -> None:
        self._now_us = now_us
        self._counters = counters or MemoryCounters(now_us)
        self._windows = FixedWindowRateLimiter(self._counters)

    async def is_allowed(self, limit: RateLimitItem, key: str) -> bool:
        """Count one attempt. Returns False when it is above the limit."""
        return await self._windows.hit(limit, key)

    async def require(self, limit: RateLimitItem, key: str) -> None:
        """Count one attempt. Raises RefusedError("too_many_requests") above the limit.

        `minutes` of the refusal says when to try again.
        """
        if not await self.is_allowed(limit, key):
            stats = await self._windows.get_window_stats(limit, key)
            raise too_many_requests(int(stats.reset_time * SECOND_US) - self._now_us())

    async def undo(self, limit: RateLimitItem, key: str) -> None:
        """Uncount one attempt that did not perform the limited action."""
        await self._windows.hit(limit, key, cost=-1)

    async def clear(self, limit: RateLimitItem, key: str) -> None:
        """Forget the attempts of a key, e.g. after a successful sign-in."""
        await self._windows.clear(limit, key)


def too_many_requests(wait_us: int) -> RefusedError:
    """Return the refusal of an attempt that may be repeated after `wait_us`."""
    return RefusedError("too_many_requests", minutes=max(-(-wait_us // MINUTE_US), 1))
