"""Rate limit of one access key: at most as many calls in any second as VK allows.

Source: dev.vk.ru/ru/api/api-requests.
"""

from collections import deque
from collections.abc import Callable

COMMUNITY_CALLS_PER_S = 20
# Slightly over a second: network delays may bring two calls closer together on arrival.
WINDOW_S = 1.05

Clock = Callable[[], float]  # monotonic seconds


class RateLimiter:
    """Sliding window over the start times of one key's calls."""

    def __init__(self, calls_per_s: int, clock: Clock) -> None:
        self._starts_s: deque[float] = deque(maxlen=calls_per_s)
        self._clock = clock

    def wait_s(self) -> float:
        """Return how many seconds the next call would wait."""
        if len(self._starts_s) < (self._starts_s.maxlen or 0):
            return 0.0
        return max(0.0, self._starts_s[0] + WINDOW_S - self._clock())

    def reserve(self) -> float:
        """Reserve the next call and return how many seconds to wait before it."""
        wait = self.wait_s()
        self._starts_s.append(self._clock() + wait)
        return wait

    @property
    def is_idle(self) -> bool:
        """Whether the last call is old enough that this limiter can be dropped."""
        return not self._starts_s or self._starts_s[-1] + WINDOW_S < self._clock()
