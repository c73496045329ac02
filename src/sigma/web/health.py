"""Monitoring endpoints: liveness, readiness and Prometheus metrics."""

import hmac
import ipaddress
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency

from sigma.domain.errors import RefusedError
from sigma.services.context import Context
from sigma.services.platform import health
from sigma.web.config import WebConfig
from sigma.web.middleware.metrics import MEDIA_TYPE, RequestMetrics
from sigma.web.middleware.plain_http import PROXY_IS_TRUSTED

FORWARDING_HEADERS = {
    *("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"),
    *("cf-connecting-ip", "true-client-ip", "x-client-ip"),
}


def _json(value: Any, status: int) -> Response[bytes]:
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")


@get("/healthz")
async def healthz() -> Response[bytes]:
    """Liveness: always 200 while the process can respond."""
    return _json({"status": "ok"}, 200)


@get("/readyz")
async def readyz(request: Request[Any, Any, Any], ctx: NamedDependency[Context]) -> Response[bytes]:
    """Readiness: 200 when the database and the worker are ok, else 503; with the state of each.

    A process that is being stopped is not ready. A missing encryption key is named but keeps the
    status 200: pages work without the data that needs it.
    """
    checks = await health.check_readiness(ctx)
    if request.app.state.is_draining:
        checks["process"] = "stopping"
    needed = (checks["database"], checks["worker"], checks.get("process", "ok"))
    is_ready = all(state == "ok" for state in needed)
    return _json({"status": "ok" if is_ready else "not_ready", **checks}, 200 if is_ready else 503)


@get("/metrics")
async def metrics(
    request: Request[Any, Any, Any], ctx: NamedDependency[Context]
) -> Response[bytes]:
    """Metrics in the Prometheus text format. Raises RefusedError("unauthorized")."""
    config: WebConfig = request.app.state.config
    request_metrics: RequestMetrics = request.app.state.metrics
    if not _can_read_metrics(request, config):
        raise RefusedError("unauthorized")
    text = request_metrics.render(await health.count_jobs(ctx))
    return Response(text, headers={"content-type": MEDIA_TYPE})


def _can_read_metrics(request: Request[Any, Any, Any], config: WebConfig) -> bool:
    if config.metrics_token:
        header = request.headers.get("authorization", "")
        return hmac.compare_digest(header.encode(), f"Bearer {config.metrics_token}".encode())
    is_trusted = request.scope["state"].get(PROXY_IS_TRUSTED, False)
    if not is_trusted and not FORWARDING_HEADERS.isdisjoint(request.headers):
        return False  # a proxy on this machine forwards a remote client
    try:
        return ipaddress.ip_address(request.client.host if request.client else "").is_loopback
    except ValueError:
        return False


HANDLERS = [healthz, readyz, metrics]
