"""Where a request came from, for the audit log."""

from typing import Any

from litestar.connection import ASGIConnection

from sigma.domain.origin import MAX_ADDRESS_CHARS, Origin, coarse_agent
from sigma.services.accounts.users import SESSION_CHARS


def request_origin(
    connection: ASGIConnection[Any, Any, Any, Any], session_hash: str = ""
) -> Origin:
    """Return address, coarse browser, session and request id of a request."""
    return Origin(
        address=(connection.client.host if connection.client else "")[:MAX_ADDRESS_CHARS],
        agent=coarse_agent(connection.headers.get("user-agent", "")),
        session=session_hash[:SESSION_CHARS],
        request_id=connection.scope.get("state", {}).get("request_id", ""),
    )
