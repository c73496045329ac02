"""The link of an exported file: it needs no session and ends after some minutes."""

from typing import Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from sigma.services.context import Context
from sigma.services.exports import files
from sigma.web.ids import parse_id
from sigma.web.request_identity import program_origin


@get("/exports/{export_id:str}/{actor:str}/{expires_at:str}/{signature:str}")
async def download_by_link(
    request: Request[Any, Any, Any],
    ctx: NamedDependency[Context],
    export_id: FromPath[str],
    actor: FromPath[str],
    expires_at: FromPath[str],
    signature: FromPath[str],
) -> Stream:
    """Send the file. Its link is made by the page of exports and by the API."""
    known_id = parse_id(export_id, "exp")
    origin = program_origin(request)
    opened = await files.open_link(ctx, known_id, actor, expires_at, signature, origin)
    headers = {
        "content-disposition": f'attachment; filename="{opened.name}"',
        "content-length": str(opened.size_bytes),
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-robots-tag": "noindex",
    }
    return Stream(opened.chunks, media_type=opened.media_type, headers=headers)


HANDLERS = [download_by_link]
