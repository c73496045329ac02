"""Outages of the database, as this process finds them out: one line in the log for each."""

import structlog

from sigma.store.engine.interface import StoreError, UnreachableError

log = structlog.get_logger()


class Outage:
    """Whether the database is out of reach now. A burst of failed requests is one outage."""

    def __init__(self) -> None:
        self.is_on = False
        self.probed_at_us = 0  # when a write was tried last
        self.probe_result = "ok"

    def report(self, error: Exception) -> None:
        """Note a failure; log it, unless it belongs to an outage that is logged already."""
        if not isinstance(error, StoreError):
            log.error("worker.failed", error=type(error).__name__, exc_info=error)
        elif not isinstance(error, UnreachableError):
            log.warning("database.error", error=type(error).__name__, reason=str(error))
        elif not self.is_on:
            self.is_on = True
            log.error("database.unreachable", reason=str(error))

    def end(self) -> None:
        """Note that the database answers; log the end of an outage."""
        if self.is_on:
            self.is_on = False
            log.warning("database.reachable")
