"""Circuit breakers: what a destination that does not respond may hold, and how it comes back."""

import itertools

import pytest

from sigma.domain.circuit_breaker import (
    BEGUN_US,
    FIRST_OPEN_US,
    LONGEST_OPEN_US,
    PROVEN_FOR_US,
    RESPONSIVE_US,
    RETRY_SPACING_US,
    SILENT_AFTER_US,
    SLOW_FAILURE_US,
    UNPROVEN_CALLS,
    Admission,
    Call,
    Circuit,
)
from sigma.domain.job_lanes import SLOTS, Lane

NOW_US = 1_700_000_000_000_000
LANES = (None, *Lane)


def proven(now_us: int = NOW_US) -> Circuit:
    """Return the circuit of a destination that has just responded."""
    call = Call(0, now_us)
    return Circuit().with_call(call).with_response(call, now_us)


def opened(failures: int = 1, now_us: int = NOW_US) -> Circuit:
    """Return a circuit that was opened `failures` times, the last time at `now_us`."""
    circuit = Circuit()
    for number in range(failures):
        at_us = now_us if number == failures - 1 else circuit.open_until_us + SLOW_FAILURE_US
        call = Call(number, max(at_us - SLOW_FAILURE_US, circuit.open_until_us))
        at_us = max(at_us, call.started_at_us + SLOW_FAILURE_US)
        circuit = circuit.with_call(call).with_failure(call, at_us)
    return circuit


def fill(circuit: Circuit, lane: Lane, now_us: int = NOW_US) -> int:
    """Return how many calls of a lane begin before one is not admitted."""
    for number in range(100):
        if circuit.admit(lane, now_us) is not Admission.CALL:
            return number
        circuit = circuit.with_call(Call(1000 + number, now_us, lane))
    return 100


@pytest.mark.parametrize("lane", Lane)
def test_jobs_of_one_destination_leave_half_of_the_lane_to_others(lane: Lane) -> None:
    assert fill(proven(), lane) == SLOTS[lane] // 2


def test_unproven_destination_gets_few_slots() -> None:
    assert fill(Circuit(), Lane.MONEY) == UNPROVEN_CALLS
    assert fill(proven(), Lane.MONEY, NOW_US + PROVEN_FOR_US) == UNPROVEN_CALLS


def test_job_waits_for_the_first_answers_of_a_destination_but_not_for_long() -> None:
    circuit = Circuit()
    for number in range(UNPROVEN_CALLS):
        circuit = circuit.with_call(Call(number, NOW_US, Lane.MAIL))
    assert circuit.admit(Lane.MAIL, NOW_US + BEGUN_US - 1) is Admission.WAIT
    assert circuit.admit(Lane.MAIL, NOW_US + BEGUN_US) is Admission.PUT_OFF


def test_lanes_are_counted_apart_and_requests_are_not_counted() -> None:
    circuit = proven()
    for number in range(50):
        circuit = circuit.with_call(Call(1 + number, NOW_US))
    assert circuit.admit(None, NOW_US) is Admission.CALL
    assert fill(circuit, Lane.MONEY) == SLOTS[Lane.MONEY] // 2
    full = circuit
    while full.admit(Lane.MONEY, NOW_US) is Admission.CALL:
        full = full.with_call(Call(len(full.running) + 1, NOW_US, Lane.MONEY))
    assert full.admit(Lane.MONEY, NOW_US + RESPONSIVE_US - 1) is Admission.WAIT
    assert full.admit(Lane.MONEY, NOW_US + RESPONSIVE_US) is Admission.PUT_OFF
    assert full.admit(Lane.HOUSEKEEPING, NOW_US) is Admission.CALL


@pytest.mark.parametrize("lane", LANES)
def test_silence_puts_off_every_call_until_something_is_answered(lane: Lane | None) -> None:
    first, second = Call(1, NOW_US), Call(2, NOW_US + 1_000_000)
    circuit = proven(NOW_US - 1).with_call(first).with_call(second)
    assert circuit.admit(lane, NOW_US + SILENT_AFTER_US - 1) is Admission.CALL
    assert circuit.admit(lane, NOW_US + SILENT_AFTER_US) is Admission.PUT_OFF
    answered = circuit.with_response(second, NOW_US + SILENT_AFTER_US)
    assert answered.admit(lane, NOW_US + SILENT_AFTER_US) is Admission.CALL
    assert answered.admit(lane, NOW_US + 10 * SILENT_AFTER_US) is Admission.CALL, (
        "one lost call of a destination that answers others is no silence"
    )


@pytest.mark.parametrize("lane", LANES)
def test_slow_failure_opens_the_circuit_and_one_probe_follows(lane: Lane | None) -> None:
    circuit = opened()
    assert circuit.is_open
    assert circuit.admit(lane, NOW_US) is Admission.PUT_OFF
    assert circuit.admit(lane, circuit.open_until_us - 1) is Admission.PUT_OFF
    probe_at_us = circuit.open_until_us
    assert circuit.admit(lane, probe_at_us) is Admission.CALL
    probe = Call(7, probe_at_us, lane)
    probing = circuit.with_call(probe)
    assert probing.admit(lane, probe_at_us + 1) is Admission.PUT_OFF
    closed = probing.with_response(probe, probe_at_us + 2)
    assert not closed.is_open
    assert closed.admit(lane, probe_at_us + 3) is Admission.CALL


def test_failed_probes_open_the_circuit_for_longer_up_to_a_bound() -> None:
    spans = [(c := opened(n)).open_until_us - c.opened_at_us for n in range(1, 8)]
    assert spans[:4] == [FIRST_OPEN_US, 2 * FIRST_OPEN_US, 4 * FIRST_OPEN_US, 8 * FIRST_OPEN_US]
    assert set(spans[4:]) == {LONGEST_OPEN_US}


def test_calls_that_fail_together_open_the_circuit_once() -> None:
    calls = [Call(n, NOW_US, Lane.MONEY) for n in range(8)]
    circuit = Circuit(running=tuple(calls))
    for call in calls:
        circuit = circuit.with_failure(call, NOW_US + SLOW_FAILURE_US)
    assert circuit.failures == 1
    assert circuit.running == ()


@pytest.mark.parametrize("failures", [0, 1])
def test_fast_failure_never_opens_a_circuit(failures: int) -> None:
    """A shop's refused port, wrong certificate or timeout of 0.1 s must not stop other shops."""
    circuit = opened(failures) if failures else proven()
    start_us = max(circuit.open_until_us, NOW_US)
    for number in range(100):
        call = Call(100 + number, start_us)
        circuit = circuit.with_call(call).with_failure(call, start_us + SLOW_FAILURE_US - 1)
    assert circuit.failures == failures
    assert circuit.admit(Lane.MONEY, start_us + SLOW_FAILURE_US) is Admission.CALL


def test_lost_call_beside_answered_ones_does_not_open_the_circuit() -> None:
    lost, answered = Call(1, NOW_US), Call(2, NOW_US + 1)
    circuit = Circuit().with_call(lost).with_call(answered)
    circuit = circuit.with_response(answered, NOW_US + 2)
    assert not circuit.with_failure(lost, NOW_US + 35_000_000).is_open


def test_jobs_put_off_return_one_after_another_when_the_circuit_may_be_closed() -> None:
    circuit, times = opened(3), []
    for _ in range(1000):
        circuit = circuit.with_retry(circuit.opened_at_us)
        times.append(circuit.next_retry_us)
    assert times[0] == circuit.open_until_us
    assert {b - a for a, b in itertools.pairwise(times)} == {RETRY_SPACING_US}


def test_late_response_closes_the_circuit_and_forgets_the_waiting_times() -> None:
    late = Call(1, NOW_US - 2 * SLOW_FAILURE_US)
    circuit = opened(5).with_call(late).with_retry(NOW_US)
    closed = circuit.with_response(late, NOW_US)
    assert closed == Circuit(last_response_us=NOW_US)
