"""Requests that a client sent by http to an installation with https, as the proxy reports them."""

from collections.abc import Mapping
from typing import Any

from sigma.web.middleware.security import PROGRAM_PATHS

# Key of the request's state: whether the connection comes from one of the trusted proxies.
PROXY_IS_TRUSTED = "proxy_is_trusted"


def is_plain_http(scope: Mapping[str, Any]) -> bool:
    """Return whether a trusted proxy says that the client used http.

    A request without X-Forwarded-Proto comes from a probe or from a proxy that says nothing. In a
    list of several proxies the first value is that of the client's connection.
    """
    if not scope.get("state", {}).get(PROXY_IS_TRUSTED):
        return False
    values = [value for name, value in scope["headers"] if name.lower() == b"x-forwarded-proto"]
    return b",".join(values).partition(b",")[0].strip().lower() == b"http"


def https_redirect(scope: Mapping[str, Any], base_url: str) -> str | None:
    """Return the https URL of a page to which a browser is redirected; None to refuse.

    A program must notice that it sends its key or its data unencrypted, and a form that was sent so
    cannot be unsent: neither is redirected.
    """
    if scope["method"] not in ("GET", "HEAD") or scope["path"].startswith(PROGRAM_PATHS):
        return None
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return f"{base_url}/{path.lstrip('/')}" + (f"?{query}" if query else "")
