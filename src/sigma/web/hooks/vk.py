"""What VKontakte brings to our address: kept at once, acted upon later. Nothing that somebody
wrote is ever the answer, for VK takes some answers as commands.
"""

from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from sigma.services.communities import event_intake
from sigma.services.context import Context

AGAIN_S = 30  # VK repeats after so many seconds what we could not keep


@post("/vk/{connection_id:str}", request_max_body_size=event_intake.MAX_BODY, status_code=200)
async def take(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[Context],
    connection_id: FromPath[str],
) -> Response[str]:
    """Keeps an event of a community and answers "ok", or the code that VK asks for."""
    counted = request.headers.get("x-retry-counter", "")
    retry = int(counted) if counted.isascii() and counted.isdigit() and len(counted) < 4 else 0
    try:
        answer = await event_intake.take(ctx, connection_id, await request.body(), retry)
    except event_intake.NotKept:
        return _plain("", 503, {"Retry-After": str(AGAIN_S)})
    return _plain(answer)


def _plain(text: str, status: int = 200, headers: dict[str, str] | None = None) -> Response[str]:
    return Response(text, status_code=status, media_type="text/plain", headers=headers)


HANDLERS = [take]
