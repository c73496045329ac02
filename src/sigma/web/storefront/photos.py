"""Photos of services: anybody who knows the unguessable name may look, and keep it."""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from sigma.domain.errors import Refused
from sigma.services.catalogue import services
from sigma.web.checkout.responses import Ctx

YEAR_S = 31_536_000
HEADERS = {
    "cache-control": f"public, max-age={YEAR_S}, immutable",
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
}


@get("/photos/{photo_id:str}", cache=False)
async def photo(ctx: Ctx, photo_id: FromPath[str]) -> Response[Any]:
    """The file; its name changes with its content."""
    try:
        found = await services.photo(ctx, photo_id)
    except Refused:
        return Response(b"", status_code=404, media_type="text/plain")
    return Response(found.data, media_type=found.media_type, headers=HEADERS)


HANDLERS = [photo]
