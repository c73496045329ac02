"""Open connections of one process: bounded, so that clients who wait or stall shut nobody out."""

from collections.abc import Hashable
from typing import Protocol

from sigma.domain.limits import MAX_CONNECTIONS


class Connection(Hashable, Protocol):
    """An open connection."""

    def abort(self) -> None:
        """Close the connection at once, without sending what is left."""
        ...


class ConnectionTable:
    """Connections, and which of them wait for their client: for a request, the rest of one, or
    for room to send a response.

    When there are too many, the one that has waited longest makes room: half-sent requests and
    clients that read nothing can fill the table, but shut out nobody who sends whole requests.
    """

    def __init__(self, max_count: int = MAX_CONNECTIONS) -> None:
        self.max_count = max_count
        self._open: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}  # ordered: the longest wait first

    def add(self, connection: Connection) -> bool:
        """Add a connection that waits for its first request; return False when there is no room."""
        if len(self._open) >= self.max_count:
            longest = next(iter(self._waiting), None)
            if longest is None:
                return False
            self.remove(longest)
            longest.abort()
        self._open.add(connection)
        self._waiting[connection] = None
        return True

    def remove(self, connection: Connection) -> None:
        """Forget a connection. Unknown ones are ignored."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)

    def begin_wait(self, connection: Connection) -> None:
        """Note that the connection waits for its client from now on, unless it did already."""
        if connection in self._open:
            self._waiting.setdefault(connection)

    def end_wait(self, connection: Connection) -> None:
        """Note that Sigma works for the connection."""
        self._waiting.pop(connection, None)
