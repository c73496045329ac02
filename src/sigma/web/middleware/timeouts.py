"""Requests that arrive too slowly: an end for headers and bodies that stop on their way.

uvicorn and httptools have no such limits; their keep-alive timeout starts after a response.
"""

import asyncio
from asyncio import TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sigma.domain.errors import RefusedError
from sigma.domain.limits import BODY_MIN_BYTES_PER_S, HEADERS_TIMEOUT_S
from sigma.web.middleware.requests import EXTRA_HEADERS

LINGER_S = 3.0  # an idle connection at a stop; shorter than the time for open requests
CLOSE_CONNECTION = ((b"connection", b"close"),)
TIMEOUT_RESPONSE = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BodyTimeoutMiddleware:
    """Refuse a request whose body stops on its way: 408, and the connection is closed.

    A body may take `timeout_s` seconds, and a second more for each BODY_MIN_BYTES_PER_S that have
    arrived: a large photo over a slow network is not refused. The refusal is raised where the
    application reads the body, so that it becomes the usual error page or problem document.
    """

    def __init__(self, app: Any, timeout_s: float) -> None:
        self._app = app
        self._timeout_s = timeout_s

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one ASGI connection. `Any`: uvicorn and Litestar have different types."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        deadline_s = asyncio.get_running_loop().time() + self._timeout_s
        is_complete = False

        async def receive_in_time() -> Any:
            nonlocal deadline_s, is_complete
            if is_complete:  # the next message is a disconnect, which may come at any time
                return await receive()
            try:
                async with asyncio.timeout_at(deadline_s):
                    message = await receive()
            except TimeoutError:
                # What is left of the body must not be taken for the next request.
                scope["state"][EXTRA_HEADERS] = CLOSE_CONNECTION
                raise RefusedError("request_timeout") from None
            deadline_s += len(message.get("body", b"")) / BODY_MIN_BYTES_PER_S
            is_complete = not message.get("more_body", False)
            return message

        await self._app(scope, receive_in_time, send)


class TimedHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with a limit for everything but the work of the application.

    A connection is closed when it sends no request, only a part of its headers, or goes on with a
    body after the response. The body of a request in work is limited by BodyTimeoutMiddleware.
    """

    headers_timeout_s: float = HEADERS_TIMEOUT_S
    linger_s: float = LINGER_S

    _is_stopping = False
    _timer: TimerHandle | None = None
    _has_begun = False  # the first bytes of a request have arrived, not yet all of its headers

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._start_timer()

    def on_message_begin(self) -> None:
        """Wait for all headers; the time already spent waiting for this request counts."""
        super().on_message_begin()
        self._has_begun = True
        self._start_timer()

    def on_headers_complete(self) -> None:
        """Start the application, which limits the body itself."""
        self._has_begun = False
        self._stop_timer()
        super().on_headers_complete()
        if self._is_stopping:
            self.cycle.keep_alive = False

    def data_received(self, data: bytes) -> None:
        """Handle data. It ends uvicorn's keep-alive timeout even when it begins no request."""
        super().data_received(data)
        if not self._is_working() and not self.transport.is_closing():
            self._start_timer()

    def shutdown(self) -> None:
        """Finish at a stop of the server: answer what is in work, then close.

        uvicorn closes an idle connection at once, and cuts a request that is on its way. Here an
        idle connection may send one more request within `linger_s` seconds, its last one.
        """
        self._is_stopping = True
        if self._is_working():
            super().shutdown()
        else:
            self.loop.call_later(self.linger_s, self._close_idle)

    def _close_idle(self) -> None:
        if not self._is_working() and not self.transport.is_closing():
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def _is_working(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, though uvicorn types it otherwise
        return cycle is not None and not cycle.response_complete

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.headers_timeout_s, self._end)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if (
            self._is_working()
        ):  # a pipelined request stopped: the response of the one before comes first
            self._start_timer()
            return
        if self._has_begun:
            self.transport.write(TIMEOUT_RESPONSE)
        self.transport.close()
