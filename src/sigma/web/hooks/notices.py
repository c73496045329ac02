"""Webhook endpoint of acquirer notices. Its URL ends with a secret of the connection.

A notice is stored without trusting it: processing fetches the payment from the acquirer.
"""

from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from sigma.domain.limits import MAX_NOTICE_BYTES
from sigma.services.billing import acquirer_notices
from sigma.services.context import Context
from sigma.web.hooks.refusals import counting_refusals


@post(
    "/{provider:str}/{connection_id:str}/{token:str}",
    request_max_body_size=MAX_NOTICE_BYTES,
    status_code=200,
)
async def receive_notice(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[Context],
    provider: FromPath[str],
    connection_id: FromPath[str],
    token: FromPath[str],
) -> Response[bytes]:
    """Store a notice of one connection and respond 200."""
    async with counting_refusals(ctx, request):
        # Before the body is read: a stranger must not make us hold one.
        connection = await acquirer_notices.access_connection(ctx, provider, connection_id, token)
        await acquirer_notices.accept(ctx, connection, await request.body())
    return Response(b"{}", media_type="application/json")


HANDLERS = [receive_notice]
