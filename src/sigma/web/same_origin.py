"""Same-origin check of forms: an unsafe request must come from a page of this site."""

from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from sigma.domain.errors import RefusedError

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

HttpConnection = ASGIConnection[Any, Any, Any, Any]


def is_unsafe(connection: HttpConnection) -> bool:
    """Whether the method of the request can change data."""
    return str(connection.scope.get("method", "")) not in SAFE_METHODS


def is_same_origin(connection: HttpConnection) -> bool:
    """Whether an unsafe request comes from a page of this site, by Origin and Sec-Fetch-Site.

    Browsers send Origin with every POST. It is "null" when the referrer is hidden; then
    Sec-Fetch-Site decides. A client that sends neither header is not a browser, so no cookies of
    a user can be abused.
    """
    headers = connection.headers
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    if origin is None or (origin == "null" and site == "same-origin"):
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:  # such as an unclosed bracket
        return False
    base = urlsplit(connection.app.state.ctx.settings.base_url)
    if base.scheme == "https" and parts.scheme != "https" and parts.netloc == base.netloc:
        return False  # somebody on the network can write pages of http
    return parts.netloc in {headers.get("host", ""), base.netloc} - {""}


async def require_same_origin(connection: HttpConnection, _: BaseRouteHandler) -> None:
    """Guard of forms without a session (sign-in, setup). Raises RefusedError("forbidden")."""
    if is_unsafe(connection) and not is_same_origin(connection):
        raise RefusedError("forbidden")
