"""Who sends a request: address and program of the client, the key of its authenticated id."""

from typing import Any

from litestar.connection import ASGIConnection

from sigma.domain.origin import MAX_ADDRESS_CHARS, Origin, coarse_agent

AnyConnection = ASGIConnection[Any, Any, Any, Any]

# Key of the request's state: the id of the user or API key that the request is authenticated as.
ACTOR = "actor"


def remote_ip(connection: AnyConnection) -> str:
    """Return the IP address of the client, or "" for a socket without one.

    Behind a trusted proxy it is the one that the proxy gives: see `sigma.web.app`.
    """
    return connection.client.host if connection.client else ""


def program_origin(connection: AnyConnection) -> Origin:
    """Return address, name of the program and request id of a request to the API."""
    agent = coarse_agent(connection.headers.get("user-agent", ""))
    return Origin(client_address(connection), agent, request_id=request_id(connection))


def client_address(connection: AnyConnection) -> str:
    """Return the address of the client as it is stored; "" when it is unknown."""
    return remote_ip(connection)[:MAX_ADDRESS_CHARS]


def request_id(connection: AnyConnection) -> str:
    """Return the id of the request in the log."""
    return str(connection.scope.get("state", {}).get("request_id", ""))
