"""Outages of the database, as this process notices them: one line in the log for each."""

import structlog

from sigma.store.engine.interface import NotWritableError, StoreError, UnreachableError

log = structlog.get_logger()


class Outage:
    """Whether the database is out of reach now. A burst of failed requests is one outage.

    While nothing can be written, reads go on: only a write ends such an outage. `probed_at_us` and
    `probe_result`: the last write probe of `services.platform.health`.
    """

    def __init__(self) -> None:
        self.is_on = False
        self._needs_write = False
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
        else:
            self._needs_write = self._needs_write or isinstance(error, NotWritableError)
            if not self.is_on:
                self.is_on = True
                log.error("database.unreachable", reason=str(error))

    def end(self, *, has_written: bool = False) -> None:
        """Record that the database answers (a write if `has_written`); log the end of an outage."""
        if self.is_on and (has_written or not self._needs_write):
            self.is_on = self._needs_write = False
            log.warning("database.reachable")
