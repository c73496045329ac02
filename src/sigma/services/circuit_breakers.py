"""Calls to acquirers and mail servers through a circuit breaker for each destination.

The rules are in `sigma.domain.circuit_breaker`. An open circuit loses nothing: a job is put off
without counting as an attempt, a request of a client goes on to the waiting page.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import structlog

from sigma.domain.circuit_breaker import Admission, Call, Circuit
from sigma.domain.job_lanes import Lane
from sigma.domain.time_units import SECOND_US
from sigma.providers.base import UnknownOutcomeError

SLOT_WAIT_S = 1.0  # how long a job waits for one of the destination's slots, in its own slot
RECHECK_S = 0.1  # a destination that falls silent meanwhile holds no slot for longer
MAX_CIRCUITS = 1000  # destinations that are remembered; a shop may name any number of them

log = structlog.get_logger()
ResultT = TypeVar("ResultT")


class CircuitOpenError(UnknownOutcomeError):
    """No call was made, because the destination does not respond. Repeat after `retry_after_s`.

    `is_silent` False: it responds, but too slowly for so many calls at once.
    """

    def __init__(self, retry_after_s: float, *, is_silent: bool) -> None:
        super().__init__("no call: the server does not respond", retry_after_s)
        self.is_silent = is_silent
        self.wait_us = int(retry_after_s * SECOND_US)


class CircuitBreakers:
    """The circuits of this process by destination."""

    def __init__(self) -> None:
        self._circuits: dict[str, Circuit] = {}
        self._changed: dict[str, asyncio.Event] = {}
        self._numbers = itertools.count()

    def is_open(self, destination: str) -> bool:
        """Return whether the last slow call to a destination got no response."""
        return self._circuits.get(destination, Circuit()).is_open

    def running_count(self, destination: str) -> int:
        """Return how many calls to a destination are under way."""
        return len(self._get(destination).running)

    async def call(
        self,
        destination: str,
        work: Callable[[], Awaitable[ResultT]],
        *,
        lane: Lane | None,
        now_us: Callable[[], int],
        is_response: Callable[[Exception], bool],
    ) -> ResultT:
        """Return or raise what `work` does. Raises CircuitOpenError instead of calling it.

        `lane`: of the job that makes the call, None for a request that a person awaits.
        `is_response`: whether an error of `work` shows that the destination responds.
        """
        await self._admit(destination, lane, now_us)
        call = Call(next(self._numbers), now_us(), lane)
        self._update(destination, self._get(destination).with_call(call))
        has_response = False
        try:
            result = await work()
        except Exception as error:
            has_response = is_response(error)
            raise
        else:
            has_response = True
            return result
        finally:
            circuit = self._get(destination)
            end = circuit.with_response if has_response else circuit.with_failure
            self._update(destination, end(call, now_us()))
            if changed := self._changed.pop(destination, None):
                changed.set()

    async def _admit(self, destination: str, lane: Lane | None, now_us: Callable[[], int]) -> None:
        """Wait for a slot of the destination. Raises CircuitOpenError without one."""
        loop = asyncio.get_running_loop()
        wait_until_s = loop.time() + SLOT_WAIT_S
        while True:
            circuit = self._get(destination)
            admission = circuit.admit(lane, now_us())
            if admission is Admission.CALL:
                return
            remaining_s = wait_until_s - loop.time()
            if admission is Admission.PUT_OFF or remaining_s <= 0:
                break
            changed = self._changed.setdefault(destination, asyncio.Event())
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), min(remaining_s, RECHECK_S))
        put_off_at_us = now_us()
        circuit = circuit.with_retry(put_off_at_us)
        if lane is not None:  # a request is repeated by its job, which has a time of its own
            self._update(destination, circuit)
        raise CircuitOpenError(
            (circuit.next_retry_us - put_off_at_us) / SECOND_US,
            is_silent=admission is Admission.PUT_OFF,
        )

    def _get(self, destination: str) -> Circuit:
        return self._circuits.get(destination) or Circuit()

    def _update(self, destination: str, circuit: Circuit) -> None:
        before = self._get(destination)
        if before.is_open != circuit.is_open:
            event = "destination.silent" if circuit.is_open else "destination.responds"
            log.warning(event, destination=destination)
        if destination not in self._circuits and len(self._circuits) >= MAX_CIRCUITS:
            self._circuits = {name: c for name, c in self._circuits.items() if c.running}
        self._circuits[destination] = circuit
