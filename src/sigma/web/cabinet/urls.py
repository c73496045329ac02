"""URLs of the cabinet: query strings in and out."""

from urllib.parse import urlencode

from sigma.web.cabinet.guards import WebRequest
from sigma.web.submitted_form import field_values


def query_values(request: WebRequest) -> dict[str, list[str]]:
    """Return the query string of the request: name → values."""
    return field_values(request.query_params)


def build_url(path: str, **query: str | None) -> str:
    """Return a path with a query string of the values that are not empty."""
    encoded = urlencode({name: value for name, value in query.items() if value})
    return f"{path}?{encoded}" if encoded else path


def export_url(kind: str, query: dict[str, list[str]]) -> str:
    """Return the URL of the export of a list with the filters of its query string."""
    filters = {name: found[0] for name, found in query.items() if found and found[0]}
    without_page = {n: v for n, v in filters.items() if n not in ("cursor", "limit", "kind")}
    return f"/exports/new?{urlencode({'kind': kind} | without_page)}"


def next_page_url(
    path: str, cursor: str | None, *, name: str = "cursor", **query: str
) -> str | None:
    """Return the URL of a list's next page; None when there is no next page.

    `name` is the parameter with the cursor, for a page with several lists.
    """
    return build_url(path, **query, **{name: cursor}) if cursor is not None else None
