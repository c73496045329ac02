"""URLs of the cabinet: query strings in and out."""

from urllib.parse import urlencode

from sigma.domain.lists.filters import ListFilter
from sigma.domain.lists.saved_view import ListKind
from sigma.web.cabinet.guards import WebRequest
from sigma.web.submitted_form import field_values


def query_values(request: WebRequest) -> dict[str, list[str]]:
    """Return the query string of the request: name → values."""
    return field_values(request.query_params)


def build_url(path: str, **query: str | None) -> str:
    """Return a path with a query string of the values that are not empty."""
    encoded = urlencode({name: value for name, value in query.items() if value})
    return f"{path}?{encoded}" if encoded else path


def export_url(kind: ListKind, wanted: ListFilter) -> str:
    """Return the URL of the export of exactly what a list with this filter shows."""
    return f"/exports/new?{urlencode({'kind': kind} | wanted.to_values())}"


def next_page_url(
    path: str, cursor: str | None, *, name: str = "cursor", **query: str
) -> str | None:
    """Return the URL of a list's next page; None when there is no next page.

    `name` is the parameter with the cursor, for a page with several lists.
    """
    return build_url(path, **query, **{name: cursor}) if cursor is not None else None
