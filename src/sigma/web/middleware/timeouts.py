"""Requests that arrive too slowly: an end for headers and bodies that stop on their way.

uvicorn and httptools have no such limits; their keep-alive timeout starts after a response.
"""

import asyncio
from asyncio import TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sigma.domain.errors import RefusedError
from sigma.domain.limits import (
    BODY_MIN_BYTES_PER_S,
    HEADERS_TIMEOUT_S,
    MAX_HEAD_BYTES,
    SEND_TIMEOUT_S,
)
from sigma.web.middleware.body_memory import CLOSE_CONNECTION
from sigma.web.middleware.connections import ConnectionTable
from sigma.web.middleware.requests import EXTRA_HEADERS

_NO_CONTENT_AND_CLOSE = b"connection: close\r\ncontent-length: 0\r\n\r\n"
TIMEOUT_RESPONSE = b"HTTP/1.1 408 Request Timeout\r\n" + _NO_CONTENT_AND_CLOSE
HEAD_TOO_LARGE_RESPONSE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + _NO_CONTENT_AND_CLOSE
)
LINGER_S = 3.0  # an idle connection at a stop; shorter than the time for open requests


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
                # Otherwise the rest of the body would be read as the next request.
                scope["state"][EXTRA_HEADERS] = CLOSE_CONNECTION
                raise RefusedError("request_timeout") from None
            deadline_s += len(message.get("body", b"")) / BODY_MIN_BYTES_PER_S
            is_complete = not message.get("more_body", False)
            return message

        await self._app(scope, receive_in_time, send)


class TimedHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with a time limit while the client must send.

    A connection is closed when it sends no request, only a part of its headers, headers without
    end, or goes on with a body after the response; and when the client does not take the response.
    While the application works on a request, BodyTimeoutMiddleware limits its body. The application
    has the table of connections, see `ConnectionTable`.
    """

    headers_timeout_s: float = HEADERS_TIMEOUT_S
    send_timeout_s: float = SEND_TIMEOUT_S
    linger_s: float = LINGER_S

    running_cycle: Any = None  # uvicorn's object of the request in work

    _is_stopping = False
    _timer: TimerHandle | None = None
    _send_timer: TimerHandle | None = None
    _has_begun = False  # the first bytes of a request have arrived, not yet all of its headers
    _head_bytes = 0  # of a request that has begun: at least, what httptools has collected
    _is_head_too_large = False

    def abort(self) -> None:
        """Close the connection at once, without sending what is left."""
        self._disconnect_requests()
        self.transport.abort()

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        if self._table.add(self):
            self._start_timer()
        else:
            transport.abort()

    def on_message_begin(self) -> None:
        """Wait for all headers; the time already spent waiting for this request counts."""
        super().on_message_begin()
        self._has_begun = True
        self._head_bytes = 0
        self._start_timer()

    def on_headers_complete(self) -> None:
        """Start the application, which limits the body itself."""
        self._has_begun = False
        self._stop_timer()
        # 4: the colon, the space and the line break of a header
        head_bytes = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if head_bytes > MAX_HEAD_BYTES:
            self._is_head_too_large = True
            raise ValueError("the head of a request is too large")  # httptools stops parsing
        super().on_headers_complete()
        if self._is_stopping:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Note that the client has sent its request: Sigma works for it."""
        super().on_message_complete()
        if self._is_working():
            self._table.end_wait(self)

    def on_response_complete(self) -> None:
        """Wait for the next request, or until the client has taken the last response."""
        super().on_response_complete()
        if not self._is_working():
            self._table.begin_wait(self)
        self._watch_closing()

    def data_received(self, data: bytes) -> None:
        """Handle data. It ends uvicorn's keep-alive timeout even when it begins no request."""
        has_begun = self._has_begun
        super().data_received(data)
        if has_begun and self._has_begun:
            # Neither httptools nor uvicorn has a limit, and httptools copies a long header anew
            # for each part of it.
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self._is_head_too_large = True
                self.send_400_response("")
        if not self._is_working() and not self.transport.is_closing():
            self._start_timer()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP request, or one with a too large head, and close."""
        if self._is_head_too_large:
            self.transport.write(HEAD_TOO_LARGE_RESPONSE)
            self.transport.close()
        else:
            super().send_400_response(msg)
        self._watch_closing()

    def pause_writing(self) -> None:
        """Wait until the client takes more of the response, but not for ever."""
        super().pause_writing()
        self._table.begin_wait(self)
        self._start_send_timer()

    def resume_writing(self) -> None:
        """Go on with the response."""
        super().resume_writing()
        if self._is_working():
            self._table.end_wait(self)
        if not self.transport.is_closing():
            self._stop_send_timer()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection without a further request."""
        super().timeout_keep_alive_handler()
        self._watch_closing()

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
        """Forget the connection and its timers."""
        self._table.remove(self)
        self._stop_timer()
        self._stop_send_timer()
        self._disconnect_requests()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self.running_cycle = cycle
        super()._start_asgi_task(cycle, app)

    def _disconnect_requests(self) -> None:
        """Let the request in work end quietly.

        uvicorn does so only for the last request that has arrived; an earlier one of a pipeline
        would write to a closed connection, and each would fill the log with a stack trace.
        """
        if self.running_cycle is not None:
            self.running_cycle.disconnected = True
            self.running_cycle.message_event.set()

    @property
    def _table(self) -> ConnectionTable:
        app: Any = self.config.app  # a WebApp
        table: ConnectionTable = app.connections
        return table

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

    def _watch_closing(self) -> None:
        """Limit the time that a closing connection waits to send what is left."""
        if self.transport.is_closing():
            self._start_send_timer()

    def _start_send_timer(self) -> None:
        if self._send_timer is None:
            self._send_timer = self.loop.call_later(self.send_timeout_s, self.abort)

    def _stop_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

    def _end(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self._is_working():  # a pipelined request stopped: the earlier one is answered first
            self._start_timer()
            return
        if self._has_begun:
            self.transport.write(TIMEOUT_RESPONSE)
        self.transport.close()
        self._watch_closing()
