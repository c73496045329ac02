"""The cabinet's error page: forbidden, not found, conflict, server error."""

from typing import Any

from litestar.response import Response

from sigma.texts import Translator
from sigma.web.cabinet.guards import NO_STORE_HEADERS, WebRequest
from sigma.web.cabinet.responses import translator_for
from sigma.web.rendering import render_page, request_language

# Texts: cabinet.error_{status} and cabinet.error_{status}_do.
STATUSES_WITH_TEXT = {403, 404, 405, 408, 409, 413, 422, 429, 502, 503}


def error_page(
    request: WebRequest,
    status: int,
    explanation: str | None = None,
    request_id: str = "",
    title_key: str = "",
) -> Response[Any]:
    """Return the error page; it links to the home page when a session is open.

    `explanation` None: the general explanation of this status. `title_key`: a text that fits better
    than the general title of this status.
    """
    session = request.scope["state"].get("session")
    translator = translator_for(session) if session else Translator(request_language(request))
    name = f"cabinet.error_{status if status in STATUSES_WITH_TEXT else 500}"
    return render_page(
        request,
        "cabinet/error.html",
        translator,
        status=status,
        headers=NO_STORE_HEADERS,
        title=translator.t(title_key or name),
        explanation=explanation or translator.t(f"{name}_do"),
        request_id=request_id,
        signed_in=session is not None,
    )
