"""Notices of acquirers: taken in whole, never believed."""

from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from sigma.services.billing import acquirer_notices
from sigma.services.context import Context

MAX_NOTICE = 256 * 1024  # bytes; real ones are a few thousand


@post("/{provider:str}/{connection_id:str}", request_max_body_size=MAX_NOTICE, status_code=200)
async def take(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[Context],
    provider: FromPath[str],
    connection_id: FromPath[str],
) -> Response[bytes]:
    """Stores what an acquirer tells about a payment of one connection."""
    await acquirer_notices.take(ctx, provider, connection_id, await request.body())
    return Response(b"{}", media_type="application/json")


HANDLERS = [take]
