"""What we say as VK's form wants it, and what VK says as we can trust its shape."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import msgspec

_INSIDE = {"local", "localhost", "internal", "lan"}
# Also what turns the writing direction round: a name must not rewrite the line that it stands in.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def encoded(params: Mapping[str, Any]) -> dict[str, str]:
    """A method's parameters as form fields; those that are None are left out.

    Raises TypeError for what has no one spelling there, a float above all.
    """
    return {name: _field(name, value) for name, value in params.items() if value is not None}


def _field(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int | Decimal):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    if isinstance(value, Mapping):
        return msgspec.json.encode(value).decode()
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return ",".join(_field(name, part) for part in value)
    raise TypeError(f"{name} cannot be {type(value).__name__}")


def number(said: Any, name: str) -> int:
    """A field that is a whole number, else 0."""
    value = said.get(name) if isinstance(said, dict) else None
    return value if type(value) is int and abs(value) < 2**63 else 0


def text(said: Any, name: str, limit: int = 300) -> str:
    """A field that is text, without control characters and not longer than `limit`, else ""."""
    value = said.get(name) if isinstance(said, dict) else None
    return _CONTROLS.sub("", value)[:limit] if isinstance(value, str) else ""


def flag(said: Any, name: str) -> bool:
    """A field that is true or 1."""
    value = said.get(name) if isinstance(said, dict) else None
    return value is True or (type(value) is int and value == 1)


def address(said: Any, name: str) -> str:
    """A field that is an http(s) address, else ""."""
    found = text(said, name, 2048)
    try:
        parts = urlsplit(found)
    except ValueError:
        return ""
    return found if parts.scheme in ("http", "https") and parts.hostname else ""


def public(url: str) -> bool:
    """Whether an address is https and not of a private network, as far as it says itself."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    try:
        outside = ipaddress.ip_address(host).is_global
    except ValueError:
        top = host.rpartition(".")[2]
        # A number at the end, such as of 127.1 or 0x7f.0x1, is an address that is spelt oddly.
        outside = top != host and top[:1].isalpha() and top not in _INSIDE
    return parts.scheme == "https" and outside


def inner(said: Any, name: str) -> dict[str, Any]:
    """A field that is an object, else an empty one."""
    value = said.get(name) if isinstance(said, dict) else None
    return value if isinstance(value, dict) else {}


def objects(said: Any, name: str, limit: int = 1000) -> list[dict[str, Any]]:
    """The objects in a field that is a list."""
    value = said.get(name) if isinstance(said, dict) else None
    found = value if isinstance(value, list) else []
    return [one for one in found if isinstance(one, dict)][:limit]
