"""Who sends a request: the address of the client, and the key of its authenticated id."""

from typing import Any

from litestar.connection import ASGIConnection

# Key of the request's state: the id of the user or API key that the request is authenticated as.
ACTOR = "actor"


def remote_ip(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """Return the IP address of the client, or "" for a socket without one.

    Behind a trusted proxy it is the one that the proxy gives: see `sigma.web.app`.
    """
    return connection.client.host if connection.client else ""
