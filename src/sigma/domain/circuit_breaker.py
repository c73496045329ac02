"""Circuit breakers: a server that does not respond must not hold the slots that others need.

A destination is the origin of an acquirer's API or a mail server. Many shops share one, so the
share of a shop (`job_lanes.capacity`) does not bound what one dead destination holds. Each process
counts its own calls; nothing is stored. Times are UTC microseconds.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto

from sigma.domain.job_lanes import SLOTS, Lane
from sigma.domain.time_units import MINUTE_US, SECOND_US

# A destination is silent when one of its calls runs for so long and nothing was answered meanwhile.
# Acquirers answer within a second as a rule; a pause before a mail server's greeting is shorter.
SILENT_AFTER_US = 5 * SECOND_US
# A call that fails faster holds no slot for long. So one shop's refused port, its wrong certificate
# or its timeout of 0.1 s never opens the circuit of a server that others use too.
SLOW_FAILURE_US = 3 * SECOND_US
FIRST_OPEN_US, LONGEST_OPEN_US = 5 * SECOND_US, MINUTE_US  # doubled at each failed probe
PROVEN_FOR_US = 10 * MINUTE_US
UNPROVEN_CALLS = 2  # of jobs, to a destination that has not responded within PROVEN_FOR_US
# A job waits for a slot of a destination that has responded so lately, or whose calls have begun so
# lately that an answer may come yet; else it is put off.
RESPONSIVE_US, BEGUN_US = SECOND_US, SECOND_US // 5
FULL_PAUSE_US = SECOND_US
# Jobs that were put off come back one after another, ten per second: with thousands of waiting
# jobs, a dead destination costs little and a revived one is not flooded.
RETRY_SPACING_US = 100_000


class Admission(Enum):
    """Whether a call may begin now."""

    CALL = auto()
    WAIT = auto()  # all slots of the destination are taken, but it responds
    PUT_OFF = auto()


@dataclass(frozen=True, slots=True)
class Call:
    """A running call. `lane`: of the job that makes it, None for a request that a person awaits."""

    number: int
    started_at_us: int
    lane: Lane | None = None


@dataclass(frozen=True, slots=True)
class Circuit:
    """The calls of this process to one destination. Open: no calls until `open_until_us`.

    After that one call is a probe: its response closes the circuit, its failure opens it for
    longer. `failures`: how often it was opened since the last response.
    """

    running: tuple[Call, ...] = ()
    last_response_us: int = 0
    failures: int = 0
    opened_at_us: int = 0
    open_until_us: int = 0
    next_retry_us: int = 0

    @property
    def is_open(self) -> bool:
        """Return whether the last slow call failed; a probe may be allowed nevertheless."""
        return self.failures > 0

    def is_silent(self, now_us: int) -> bool:
        """Return whether a call has run for long, and nothing was answered since it began."""
        return any(
            call.started_at_us >= self.last_response_us
            and now_us - call.started_at_us >= SILENT_AFTER_US
            for call in self.running
        )

    def admit(self, lane: Lane | None, now_us: int) -> Admission:
        """Decide about another call. `lane`: of the job that makes it, None for a request.

        Requests have no slots, so only silence or an open circuit puts them off.
        """
        if self.is_open:
            has_probe = any(call.started_at_us >= self.open_until_us for call in self.running)
            is_probe = now_us >= self.open_until_us and not has_probe
            return Admission.CALL if is_probe else Admission.PUT_OFF
        if self.is_silent(now_us):
            return Admission.PUT_OFF
        if lane is None:
            return Admission.CALL
        running = sum(call.lane is lane for call in self.running)
        if running < self.max_calls(lane, now_us):
            return Admission.CALL
        begun_at_us = min((call.started_at_us for call in self.running), default=0)
        is_responsive = (
            now_us - self.last_response_us < RESPONSIVE_US or now_us - begun_at_us < BEGUN_US
        )
        return Admission.WAIT if is_responsive else Admission.PUT_OFF

    def max_calls(self, lane: Lane, now_us: int) -> int:
        """Return how many jobs of a lane may call at once: at most half of its slots."""
        half = max(SLOTS[lane] // 2, 1)
        is_proven = self.last_response_us > 0 and now_us - self.last_response_us < PROVEN_FOR_US
        return half if is_proven else min(half, UNPROVEN_CALLS)

    def with_call(self, call: Call) -> "Circuit":
        """Return the circuit after the begin of an admitted call."""
        return replace(self, running=(*self.running, call))

    def with_response(self, call: Call, now_us: int) -> "Circuit":
        """Return the circuit, closed, after a call that was answered, if only by a refusal."""
        return Circuit(self._without(call), last_response_us=now_us)

    def with_failure(self, call: Call, now_us: int) -> "Circuit":
        """Return the circuit after a call without a response.

        It opens when the call was slow and nothing else was answered since it began. Calls that
        began before an opening do not open it once more.
        """
        ended = replace(self, running=self._without(call))
        if (
            now_us - call.started_at_us < SLOW_FAILURE_US
            or call.started_at_us < self.last_response_us
            or call.started_at_us < self.opened_at_us
        ):
            return ended
        open_us = min(FIRST_OPEN_US << min(self.failures, 10), LONGEST_OPEN_US)
        return replace(
            ended, failures=self.failures + 1, opened_at_us=now_us, open_until_us=now_us + open_us
        )

    def with_retry(self, now_us: int) -> "Circuit":
        """Return the circuit after a job was put off until `next_retry_us`."""
        if self.is_open or self.is_silent(now_us):
            earliest_us = max(self.open_until_us, now_us + FIRST_OPEN_US)
        else:
            earliest_us = now_us + FULL_PAUSE_US
        return replace(self, next_retry_us=max(earliest_us, self.next_retry_us + RETRY_SPACING_US))

    def _without(self, call: Call) -> tuple[Call, ...]:
        return tuple(one for one in self.running if one.number != call.number)
