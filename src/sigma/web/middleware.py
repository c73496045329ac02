"""What surrounds every request: its id, security headers, its line in the log, its count.

It stands outside the router, so that unknown addresses get the same.
"""

import random
import time
from typing import Any

import structlog

from sigma.web.metrics import Counts
from sigma.web.security import Policy, added

Scope = Any  # of ASGI: Litestar and uvicorn type it differently
Receive = Any
Send = Any

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

log = structlog.get_logger()


class Envelope:
    """An ASGI application around another one."""

    def __init__(self, inner: Any, policy: Policy, counts: Counts) -> None:
        self._inner = inner
        self._policy = policy
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on and tells about it afterwards."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = f"{random.getrandbits(64):016x}"  # a name, not a secret
        scope.setdefault("state", {})["request_id"] = request_id
        wanted = (*self._policy.of(scope["path"]), (b"x-request-id", request_id.encode()))
        status = 0

        async def told(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = added(message.get("headers", ()), wanted)
            await send(message)

        try:
            await self._inner(scope, receive, told)
        finally:
            self._tell(scope, status, time.perf_counter() - began, request_id)

    def _tell(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        """The log and the counts know the route's template, never the address itself."""
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = scope.get("path_template") or "unknown"
        self._counts.add(method, route, status, seconds)
        quiet = route in ("/healthz", "/readyz", "/metrics") or route.startswith("/static")
        tell = log.debug if quiet and status < 500 else log.info
        tell(
            "request",
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 2),
            request_id=request_id,
        )
