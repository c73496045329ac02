"""Encode parameters for VK's form encoding, and read fields of VK's JSON with checked types.

The readers never raise: a missing field or one of another type gives the empty value.
"""

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import msgspec

from sigma.domain.text_cleaning import clean_text


def encode_params(params: Mapping[str, Any]) -> dict[str, str]:
    """Return a method's parameters as form fields, without those that are None.

    Raises TypeError for a type without an unambiguous text form, such as float.
    """
    return {name: _encode_value(name, value) for name, value in params.items() if value is not None}


def _encode_value(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int | Decimal):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    if isinstance(value, Mapping):
        return msgspec.json.encode(value).decode()
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return ",".join(_encode_value(name, part) for part in value)
    raise TypeError(f"{name} cannot be {type(value).__name__}")


def read_int(raw: Any, name: str) -> int:
    """Return an integer field within ±2**63, else 0. A bool is not an integer here."""
    value = raw.get(name) if isinstance(raw, dict) else None
    return value if type(value) is int and abs(value) < 2**63 else 0


def read_float(raw: Any, name: str) -> float | None:
    """Return a finite number, given as a number or as decimal text, else None."""
    value = raw.get(name) if isinstance(raw, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def read_text(raw: Any, name: str, limit: int = 300) -> str:
    """Return a string field, cleaned and cut to `limit` characters, else ""."""
    value = raw.get(name) if isinstance(raw, dict) else None
    return clean_text(value, multiline=True)[:limit] if isinstance(value, str) else ""


def read_flag(raw: Any, name: str) -> bool:
    """Return whether the field is true or 1."""
    value = raw.get(name) if isinstance(raw, dict) else None
    return value is True or (type(value) is int and value == 1)


def read_url(raw: Any, name: str) -> str:
    """Return a field that is an http(s) URL of at most 2048 characters, else ""."""
    url = read_text(raw, name, 2048)
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.hostname else ""


def read_object(raw: Any, name: str) -> dict[str, Any]:
    """Return a field that is an object, else an empty dict."""
    value = raw.get(name) if isinstance(raw, dict) else None
    return value if isinstance(value, dict) else {}


def read_objects(raw: Any, name: str, limit: int = 1000) -> list[dict[str, Any]]:
    """Return the objects of a list field, at most `limit`; other elements are skipped."""
    value = raw.get(name) if isinstance(raw, dict) else None
    elements = value if isinstance(value, list) else []
    return [one for one in elements if isinstance(one, dict)][:limit]
