"""Ids in URLs and query strings."""

import re

from sigma.domain.errors import RefusedError

_ID = re.compile(r"[a-z]{3}_[0-9a-z]{10,40}")


def is_id(text: str, prefix: str) -> bool:
    """Whether the text is a well-formed id with this prefix."""
    return text.startswith(f"{prefix}_") and bool(_ID.fullmatch(text))


def parse_id(text: str, prefix: str) -> str:
    """Return an id from a URL. Raises RefusedError("not_found") unless it is well-formed."""
    if not is_id(text, prefix):
        raise RefusedError("not_found")
    return text
