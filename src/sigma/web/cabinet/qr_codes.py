"""QR codes of links, as SVG for the page and PNG to print or to send."""

import asyncio
import io

import segno
from litestar.response import Response


async def qr_response(url: str, file_format: str, file_name: str) -> Response[bytes]:
    """Return the QR code of a link. Dark on white in every theme: cameras need it to scan.

    `file_format`: "svg", or "png" as a download named `file_name`. Drawn in a thread: it takes
    about ten milliseconds of processor time.
    """
    picture = await asyncio.to_thread(_draw, url, file_format)
    if file_format == "svg":
        return Response(picture, media_type="image/svg+xml")
    headers = {"content-disposition": f'attachment; filename="{file_name}"'}
    return Response(picture, media_type="image/png", headers=headers)


def _draw(url: str, file_format: str) -> bytes:
    picture, code = io.BytesIO(), segno.make_qr(url, error="m")
    if file_format == "svg":
        code.save(picture, kind="svg", border=4, scale=6, dark="#000", light="#fff", xmldecl=False)
    else:
        code.save(picture, kind="png", border=4, scale=12)
    return picture.getvalue()
