"""Photos of services: public under an unguessable id, cached for a year."""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from sigma.domain.errors import RefusedError
from sigma.services.catalogue import services
from sigma.web.checkout.responses import Ctx
from sigma.web.middleware.security import CACHE_FOREVER, DATA_POLICY

HEADERS = {
    "cache-control": CACHE_FOREVER,
    "content-security-policy": f"{DATA_POLICY}; sandbox",
    "x-content-type-options": "nosniff",
}


@get("/photos/{photo_id:str}", cache=False)
async def photo(ctx: Ctx, photo_id: FromPath[str]) -> Response[Any]:
    """Return the photo file. A changed photo gets a new id, so the response is immutable."""
    try:
        stored = await services.get_photo(ctx, photo_id)
    except RefusedError:
        return Response(b"", status_code=404, media_type="text/plain")
    file_name = f"photo.{stored.media_type.rpartition('/')[2]}"
    headers = {**HEADERS, "content-disposition": f'inline; filename="{file_name}"'}
    return Response(stored.data, media_type=stored.media_type, headers=headers)


HANDLERS = [photo]
