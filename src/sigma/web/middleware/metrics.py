"""Metrics of this process for Prometheus: requests by route, jobs by state."""

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

MEDIA_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
MAX_SERIES: Final = 500  # bounds memory if a mistake puts free text into a label
LABELS: Final = ("method", "route", "status")

disable_created_metrics()  # type: ignore[no-untyped-call]


class RequestMetrics:
    """Number and total duration of requests by method, route and status, of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "sigma_requests", "Requests answered by this process.", LABELS, registry=self._registry
        )
        self._durations = Counter(
            "sigma_request_seconds", "Time spent on them.", LABELS, registry=self._registry
        )
        self._jobs = Gauge("sigma_jobs", "Jobs by state.", ("state",), registry=self._registry)
        # `labels()` locks and validates: one look-up in a dict is cheaper on every request.
        self._series: dict[tuple[str, str, int], tuple[Counter, Counter]] = {}

    def record(self, method: str, route: str, status: int, duration_s: float) -> None:
        """Count one finished request."""
        key = (method, route, status)
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= MAX_SERIES:
                return
            series = self._requests.labels(*key), self._durations.labels(*key)
            self._series[key] = series
        requests, durations = series
        requests.inc()
        durations.inc(duration_s)

    def render(self, jobs_by_state: Mapping[str, int]) -> bytes:
        """Return the exposition text. `jobs_by_state`: job state → number of jobs."""
        self._jobs.clear()
        for state, count in jobs_by_state.items():
            self._jobs.labels(state).set(count)
        return generate_latest(self._registry)
