"""Outages of the database, as this process notices them: one line in the log for each."""

import structlog

from sigma.store.engine.interface import StoreError, UnreachableError

log = structlog.get_logger()


class Outage:
    """Whether the database is out of reach now. A burst of failed requests is one outage.

    `probed_at_us` and `probe_result`: the last write probe of `services.platform.health`.
    """

    def __init__(self) -> None:
        self.is_on = False
        self.probed_at_us = 0
        self.probe_result = "ok"

    def report(self, error: Exception) -> None:
        """Log an error, unless it belongs to an outage that is logged already.

        Errors that are not of the database are logged with their traceback: the caller is a loop
        in the background, which must go on.
        """
        if not isinstance(error, StoreError):
            log.error("background.failed", error=type(error).__name__, exc_info=error)
        elif not isinstance(error, UnreachableError):
            log.warning("database.error", error=type(error).__name__, reason=str(error))
        elif not self.is_on:
            self.is_on = True
            log.error("database.unreachable", reason=str(error))

    def end(self) -> None:
        """Record that the database answers; log the end of an outage."""
        if self.is_on:
            self.is_on = False
            log.warning("database.reachable")
