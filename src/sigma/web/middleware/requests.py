"""ASGI middleware of every request: request id, security headers, log entry, metrics, drain.

It answers HEAD like GET, and redirects links with glued punctuation to their page. It wraps the
router, so that unknown paths get the same treatment.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from sigma.services.outage import Outage
from sigma.web.middleware.glued_links import repaired_url
from sigma.web.middleware.metrics import RequestMetrics
from sigma.web.middleware.plain_http import https_redirect, is_plain_http
from sigma.web.middleware.security import SecurityHeaders, with_defaults
from sigma.web.request_identity import ACTOR

Scope = Any  # ASGI types; Litestar and uvicorn declare them differently
Receive = Any
Send = Any

# Key of the request's state: headers that a handler adds to whatever response is sent.
EXTRA_HEADERS = "extra_headers"
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

log = structlog.get_logger()


class RequestMiddleware:
    """Add a request id and security headers; log and count the finished request.

    `answer_outage` is an ASGI application that answers a request which a stop has ended,
    `answer_plain_http` one that refuses a request by http. `https_url`: the base URL if it is
    https, else "". `has_addresses`: log lines have the address of the client.
    """

    def __init__(
        self,
        app: Any,
        routes: Sequence[Any],
        security_headers: SecurityHeaders,
        metrics: RequestMetrics,
        outage: Outage,
        answer_outage: Callable[[Scope, Receive, Send], Awaitable[None]],
        answer_plain_http: Callable[[Scope, Receive, Send], Awaitable[None]],
        https_url: str,
        *,
        has_addresses: bool = False,
    ) -> None:
        self._app = app
        self._has_addresses = has_addresses
        self._answer_outage = answer_outage
        self._answer_plain_http = answer_plain_http
        self._https_url = https_url
        self._outage = outage
        self.is_draining = False
        self._security_headers = security_headers
        self._metrics = metrics
        # Litestar's own OPTIONS handler knows only the first handler of a path.
        self._methods = {route.path_format: route.methods for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection; only HTTP requests are changed, logged and counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, method = time.perf_counter(), scope["method"]
        request_id = f"{random.getrandbits(64):016x}"  # an identifier, not a secret
        scope.setdefault("state", {})["request_id"] = request_id
        headers = (
            *self._security_headers.for_path(scope["path"]),
            (b"x-request-id", request_id.encode()),
        )
        status = 0

        async def send_with_headers(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = scope["state"].get(EXTRA_HEADERS, ())
                message["headers"] = with_defaults(
                    (self._allow_header(scope, header) for header in message.get("headers", ())),
                    (*headers, *extra),
                )
                if self.is_draining:
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        try:
            if self._https_url and is_plain_http(scope):
                await self._leave_plain_http(scope, receive, send_with_headers)
            elif method in ("GET", "HEAD") and (url := repaired_url(scope)):
                await _redirect(url, send_with_headers)
            elif method == "HEAD":
                scope = {**scope, "method": "GET"}
                await _answer_head(self._app, scope, receive, send_with_headers)
            else:
                await self._app(scope, receive, send_with_headers)
        except asyncio.CancelledError:
            # The server cancels what is in work at the end of a stop, mostly because the database
            # is silent. It would answer 500, which nobody repeats.
            if not self.is_draining or status:
                raise
            await self._answer_outage(scope, receive, send_with_headers)
        finally:
            self._record(scope, method, status, time.perf_counter() - started, request_id)

    async def _leave_plain_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Redirect a page to https; refuse everything else."""
        if url := https_redirect(scope, self._https_url):
            await _redirect(url, send, status=308)
        else:
            await self._answer_plain_http(scope, receive, send)

    def _allow_header(self, scope: Scope, header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
        """Complete an Allow header: all methods of the path, and HEAD wherever GET is."""
        name, value = header
        if name.lower() != b"allow":
            return header
        methods = {method.strip() for method in value.decode().split(",")}
        methods |= set(self._methods.get(scope.get("path_template"), ()))
        if "GET" in methods:
            methods.add("HEAD")
        return name, ", ".join(sorted(methods)).encode()

    def _record(
        self, scope: Scope, method: str, status: int, duration_s: float, request_id: str
    ) -> None:
        """Log and count a request by its route template: a path may contain secret tokens."""
        method = method if method in METHODS else "other"
        route = scope.get("path_template") or "unknown"
        self._metrics.record(method, route, status, duration_s)
        quiet = route in ("/healthz", "/readyz", "/metrics") or route.startswith("/static")
        if self._outage.is_on and not quiet and 200 <= status < 400:
            self._outage.end(has_written=method not in ("GET", "HEAD", "OPTIONS"))
        write = log.debug if quiet and status < 500 else log.info
        write(
            "request",
            method=method,
            route=route,
            status=status,
            ms=round(duration_s * 1000, 2),
            request_id=request_id,
            **({"ip": scope["client"][0]} if self._has_addresses and scope["client"] else {}),
            **({"actor": actor} if (actor := scope["state"].get(ACTOR)) else {}),
        )


async def _redirect(url: str, send: Send, status: int = 302) -> None:
    headers = [(b"location", url.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _answer_head(app: Any, scope: Scope, receive: Receive, send: Send) -> None:
    """Let the application answer a GET request and send its headers without the body.

    A stream receives the message that the client has disconnected, so that it ends.
    """
    is_answered = False

    async def receive_until_answered() -> Any:
        return {"type": "http.disconnect"} if is_answered else await receive()

    async def send_headers(message: Any) -> None:
        nonlocal is_answered
        if message["type"] == "http.response.start":
            is_answered = True
            await send(message)
            await send({"type": "http.response.body", "body": b""})

    await app(scope, receive_until_answered, send_headers)
