"""The cabinet's page for what cannot be shown: no right, no such page, changed, our own fault."""

from typing import Any

from litestar.response import Response

from sigma.texts import Words
from sigma.web.cabinet.guards import NO_STORE, WebRequest
from sigma.web.cabinet.responses import words_of
from sigma.web.rendering import language, page

TITLED = {403, 404, 405, 409, 413, 422, 429, 502, 503}  # words: cabinet.error_{status}


def error_page(
    request: WebRequest, status: int, sentence: str | None = None, request_id: str = ""
) -> Response[Any]:
    """Says what happened and where to go on, signed in or not. `sentence` None: a general one."""
    session = request.scope["state"].get("session")
    words = words_of(session) if session else Words(language(request))
    name = f"cabinet.error_{status if status in TITLED else 500}"
    return page(
        request,
        "cabinet/error.html",
        words,
        status=status,
        headers=NO_STORE,
        title=words.t(name),
        sentence=sentence or words.t(f"{name}_do"),
        request_id=request_id,
        signed_in=session is not None,
    )
