"""How fast one key may ask: never more calls in any second than VK allows."""

from collections import deque
from collections.abc import Callable

GROUP_PER_S = 20
USER_PER_S = 3
# A little over a second: calls that left apart may arrive closer together.
WINDOW_S = 1.05

Clock = Callable[[], float]  # seconds that only grow


class Pace:
    """The bucket of one key: full again a second after its calls began."""

    def __init__(self, per_second: int, clock: Clock) -> None:
        self._starts: deque[float] = deque(maxlen=per_second)
        self._clock = clock

    def wait_s(self) -> float:
        """How long the next call would wait."""
        if len(self._starts) < (self._starts.maxlen or 0):
            return 0.0
        return max(0.0, self._starts[0] + WINDOW_S - self._clock())

    def take(self) -> float:
        """Takes the next place in the row; returns how many seconds to wait for it."""
        wait = self.wait_s()
        self._starts.append(self._clock() + wait)
        return wait

    @property
    def idle(self) -> bool:
        """Whether the last call began so long ago that nothing is worth remembering."""
        return not self._starts or self._starts[-1] + WINDOW_S < self._clock()
