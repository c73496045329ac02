"""Webhook endpoint of acquirer notices.

A notice is stored without trusting it: processing fetches the payment from the acquirer.
"""

from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from sigma.services.billing import acquirer_notices
from sigma.services.context import Context

MAX_NOTICE_BYTES = 256 * 1024  # real notices have a few thousand bytes


@post(
    "/{provider:str}/{connection_id:str}", request_max_body_size=MAX_NOTICE_BYTES, status_code=200
)
async def receive_notice(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[Context],
    provider: FromPath[str],
    connection_id: FromPath[str],
) -> Response[bytes]:
    """Store a notice of one connection and respond 200."""
    await acquirer_notices.accept(ctx, provider, connection_id, await request.body())
    return Response(b"{}", media_type="application/json")


HANDLERS = [receive_notice]
