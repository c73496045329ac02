"""The address of the client of a request."""

from typing import Any

from litestar.connection import ASGIConnection


def remote_ip(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Return the IP address of the client, or "" for a socket without one.

    Behind a trusted proxy it is the one that the proxy gives: see `sigma.web.app`.
    """
    return connection.client.host if connection.client else ""
