"""The page shown while the database does not answer: it reloads itself and loses no input."""

from typing import Any

from litestar import Request, Response

from sigma.texts import Translator
from sigma.web.rendering import render_page, request_language
from sigma.web.submitted_form import submitted_fields

RETRY_AFTER_S = 5


def _query_before_language(query: str) -> str:
    """Return the query for a link that appends "lang=…": a cursor or a filter must not get lost."""
    parts = [part for part in query.split("&") if part and part.partition("=")[0] != "lang"]
    return "".join(f"{part}&" for part in parts)


def outage_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Return a 503 page.

    A GET page reloads itself. A posted form is offered with its fields, to be sent again by a
    press: the press is needed because a COMMIT whose answer was lost may have carried it out.
    """
    is_reading = request.method in ("GET", "HEAD")
    path, query = request.url.path, request.url.query
    return render_page(
        request,
        "outage.html",
        Translator(request_language(request)),
        status=503,
        headers={
            "cache-control": "no-store",
            "referrer-policy": "no-referrer",
            "retry-after": str(RETRY_AFTER_S),
        },
        shop=None,
        accent="",
        can_reload=is_reading,
        fields=None if is_reading else submitted_fields(request),
        action=f"{path}?{query}" if query else path,
        language_query=_query_before_language(query),
        is_payer=path.startswith(("/i/", "/r/")),
        retry_after_s=RETRY_AFTER_S,
    )
