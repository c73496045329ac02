"""The Retry-After header: when a refused request may be repeated (RFC 9110, section 10.2.3)."""

from datetime import timedelta

from sigma.domain.errors import RefusedError


def retry_after_headers(error: RefusedError) -> dict[str, str]:
    """Return Retry-After in seconds when the refusal says how long to wait, else no header."""
    wait = error.params.get("wait")
    return {"retry-after": str(int(wait.total_seconds()))} if isinstance(wait, timedelta) else {}
