"""Memory for request bodies of one process: bounded, whoever sends them and however slowly."""

from typing import Any

from sigma.domain.limits import SMALL_BODY_BYTES, too_many_requests
from sigma.domain.time_units import SECOND_US
from sigma.web.middleware.requests import EXTRA_HEADERS

CLOSE_CONNECTION = ((b"connection", b"close"),)
BUSY_WAIT_US = 3 * SECOND_US  # when a refused request may try again


class BodyMemoryMiddleware:
    """Refuse large bodies while those of all requests together need `max_bytes`: 429.

    A body counts from its first bytes to the end of its request. Small ones, such as the forms of
    clients, are always read: half-sent uploads must not keep clients from paying. The refusal is
    raised where the application reads the body, so that it becomes the usual error page.
    """

    def __init__(self, app: Any, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._held_bytes = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one ASGI connection. `Any`: uvicorn and Litestar have different types."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own_bytes = 0

        async def receive_within_memory() -> Any:
            nonlocal own_bytes
            message = await receive()
            size_bytes = len(message.get("body", b""))
            own_bytes += size_bytes
            self._held_bytes += size_bytes
            if own_bytes > SMALL_BODY_BYTES and self._held_bytes > self._max_bytes:
                # What is left of the body must not be taken for the next request.
                extra = scope["state"].get(EXTRA_HEADERS, ())
                scope["state"][EXTRA_HEADERS] = (*extra, *CLOSE_CONNECTION)
                raise too_many_requests(BUSY_WAIT_US)
            return message

        try:
            await self._app(scope, receive_within_memory, send)
        finally:
            self._held_bytes -= own_bytes
