"""Counts of this process's requests, as Prometheus reads them."""

from collections.abc import Iterator, Mapping

Key = tuple[str, str, int]  # method, route template, status

ROUTES = 500  # templates come from our own table; a guard against a mistake there


class Counts:
    """How many requests each route answered with which status, and how long they took."""

    def __init__(self) -> None:
        self._requests: dict[Key, int] = {}
        self._seconds: dict[Key, float] = {}

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request is over."""
        key = (method, route, status)
        if key not in self._requests and len(self._requests) >= ROUTES:
            return
        self._requests[key] = self._requests.get(key, 0) + 1
        self._seconds[key] = self._seconds.get(key, 0.0) + seconds

    def text(self, jobs: Mapping[str, int]) -> str:
        """The exposition: requests by route and status, jobs by state."""
        return "\n".join(self._lines(jobs)) + "\n"

    def _lines(self, jobs: Mapping[str, int]) -> Iterator[str]:
        yield "# HELP sigma_requests_total Requests answered by this process."
        yield "# TYPE sigma_requests_total counter"
        for key, count in sorted(self._requests.items()):
            yield f"sigma_requests_total{_labels(key)} {count}"
        yield "# HELP sigma_request_seconds_total Time spent on them."
        yield "# TYPE sigma_request_seconds_total counter"
        for key, seconds in sorted(self._seconds.items()):
            yield f"sigma_request_seconds_total{_labels(key)} {seconds:.6f}"
        yield "# HELP sigma_jobs Jobs by state."
        yield "# TYPE sigma_jobs gauge"
        for state, count in sorted(jobs.items()):
            yield f'sigma_jobs{{state="{state}"}} {count}'


def _labels(key: Key) -> str:
    method, route, status = key
    return f'{{method="{method}",route="{route}",status="{status}"}}'
