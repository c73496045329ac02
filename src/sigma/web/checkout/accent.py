"""A shop's colour as a tiny style sheet: its address holds the colour, so it never changes."""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from sigma.web.checkout.colour import style, valid


@get("/accent/{name:str}", cache=False, sync_to_thread=False)
def accent(name: FromPath[str]) -> Response[Any]:
    """ "/accent/3a36c9.css"; any other name is nothing."""
    colour = f"#{name.removesuffix('.css')}"
    if not name.endswith(".css") or not valid(colour):
        return Response("", status_code=404, media_type="text/css")
    headers = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(style(colour), media_type="text/css", headers=headers)


HANDLERS = [accent]
