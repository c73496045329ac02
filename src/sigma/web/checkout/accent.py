"""A shop's accent colour as a style sheet.

It is a file, because the Content-Security-Policy forbids inline styles. The colour is part of the
URL, so browsers may cache the file for a year.
"""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from sigma.web.checkout.colour import accent_css, is_valid_colour
from sigma.web.middleware.security import CACHE_FOREVER


@get("/accent/{name:str}", cache=False, sync_to_thread=False)
def accent_stylesheet(name: FromPath[str]) -> Response[Any]:
    """Return the style sheet of "/accent/{rrggbb}.css"; 404 for any other name."""
    colour = f"#{name.removesuffix('.css')}"
    if not name.endswith(".css") or not is_valid_colour(colour):
        return Response("", status_code=404, media_type="text/css")
    headers = {"cache-control": CACHE_FOREVER}
    return Response(accent_css(colour), media_type="text/css", headers=headers)


HANDLERS = [accent_stylesheet]
