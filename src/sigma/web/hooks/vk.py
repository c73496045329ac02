"""Webhook endpoint of the VK Callback API: store the event, process it later.

The response body never contains user input, because VK treats some bodies as commands.
https://dev.vk.com/ru/api/callback/getting-started
"""

from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from sigma.services.communities import event_intake
from sigma.services.context import Context
from sigma.web.hooks.refusals import counting_refusals

RETRY_AFTER_S = 30  # when VK should repeat an event that could not be stored


@post("/vk/{connection_id:str}", request_max_body_size=event_intake.MAX_BODY_BYTES, status_code=200)
async def receive_event(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[Context],
    connection_id: FromPath[str],
) -> Response[str]:
    """Store an event of a community; respond "ok", or the confirmation code VK requests.

    Responds 503 with Retry-After when the event could not be stored.
    """
    counter = request.headers.get("x-retry-counter", "")
    retry = int(counter) if counter.isascii() and counter.isdigit() and len(counter) < 4 else 0
    try:
        async with counting_refusals(ctx, request):
            # Before the body is read: a stranger must not make us hold one.
            community = await event_intake.access_community(ctx, connection_id)
            reply = await event_intake.accept_callback(ctx, community, await request.body(), retry)
    except event_intake.EventNotStoredError:
        return _text_response("", 503, {"Retry-After": str(RETRY_AFTER_S)})
    return _text_response(reply)


def _text_response(
    text: str, status: int = 200, headers: dict[str, str] | None = None
) -> Response[str]:
    return Response(text, status_code=status, media_type="text/plain", headers=headers)


HANDLERS = [receive_event]
