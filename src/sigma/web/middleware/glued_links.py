"""Links with punctuation glued to their end: «…/i/abc).» in a chat still leads to the page.

Messengers and people append a full stop, a bracket, a quote or a space to a link. No path of
Sigma ends with one of these characters.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

_GLUE = "\\s.,;:!?)\\]}>»“”„‘’‹›\"'`*|…·&<(\\[{«\u200b-\u200f\u2060\u202a-\u202e\u2066-\u2069\ufeff"
_GLUED_END = re.compile(f"[{_GLUE}][{_GLUE}/]*$")
# After a token even a glued word is cut: «…/i/abc.Спасибо».
_GLUED_TOKEN = re.compile(
    r"(/[ir]/[\w-]{22}(?:\.pdf|(?!\.pdf)))(?:[-_]|[^\w/]).*", re.ASCII | re.DOTALL
)
# What remains must look like a path of Sigma, so that "/photos/../" and "/s/<b>" stay not found.
_PATH = re.compile(r"/|(?:/[\w-]+)+(?:\.\w+)?", re.ASCII)
_FOR_PROGRAMS = ("/api/", "/hooks/", "/static/", "/metrics")
_FOR_CLIENTS = ("/i/", "/r/", "/s/")


def repaired_url(scope: Mapping[str, Any]) -> str | None:
    """Return the path and query without glued punctuation; None when there is none.

    `scope`: of ASGI, with the path percent-decoded. The result is always a path of this site.
    """
    path, query = scope["path"], scope["query_string"].decode("latin-1")
    # "//host" in a Location header would lead to another site.
    if path.startswith((*_FOR_PROGRAMS, "//")):
        return None
    if match := _GLUED_TOKEN.fullmatch(path):
        repaired = match[1]
    elif "\\" in path:
        return None
    else:
        repaired = _GLUED_END.sub("", path) or "/"
    if not _PATH.fullmatch(repaired) or ".." in path:
        return None
    repaired_query = _without_glue(query) if path.startswith(_FOR_CLIENTS) else query
    if (repaired, repaired_query) == (path, query):
        return None
    return quote(repaired) + (f"?{repaired_query}" if repaired_query else "")


def _without_glue(query: str) -> str:
    """Return a query string without the punctuation after its last value."""
    head, separator, value = query.rpartition("=")
    plain = unquote(value)
    repaired = _GLUED_END.sub("", plain)
    return f"{head}{separator}{quote(repaired, safe='')}" if repaired != plain else query
