"""For machines that watch: is the process alive, can it work, what does it count."""

import hmac
import ipaddress
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency

from sigma.domain.errors import Refused
from sigma.services.context import Context
from sigma.services.platform import health
from sigma.web.config import Doors
from sigma.web.metrics import Counts

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def _json(value: Any, status: int) -> Response[bytes]:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")


@get("/healthz")
async def healthz() -> Response[bytes]:
    """The process answers."""
    return _json({"status": "ok"}, 200)


@get("/readyz")
async def readyz(ctx: NamedDependency[Context]) -> Response[bytes]:
    """The database is there and the jobs are being done: 200, else 503 with what is wrong."""
    found = await health.ready(ctx)
    good = all(state == "ok" for state in found.values())
    return _json({"status": "ok" if good else "not_ready", **found}, 200 if good else 503)


@get("/metrics")
async def metrics(request: Request[Any, Any, Any], ctx: NamedDependency[Context]) -> Response[str]:
    """Counts for Prometheus. Raises Refused("unauthorized") for strangers."""
    doors: Doors = request.app.state.doors
    counts: Counts = request.app.state.counts
    if not _may_read(request, doors):
        raise Refused("unauthorized")
    text = counts.text(await health.job_counts(ctx))
    return Response(text, headers={"content-type": PROMETHEUS})


def _may_read(request: Request[Any, Any, Any], doors: Doors) -> bool:
    if doors.metrics_token:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {doors.metrics_token}".encode())
    if "x-forwarded-for" in request.headers and not doors.trusted_proxies:
        return False  # somebody's proxy on this machine, asking for somebody else
    try:
        return ipaddress.ip_address(request.client.host if request.client else "").is_loopback
    except ValueError:
        return False


HANDLERS = [healthz, readyz, metrics]
