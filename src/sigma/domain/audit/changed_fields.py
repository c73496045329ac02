"""What changed in settings, as the audit log stores it: without secrets and personal data."""

from collections.abc import Collection, Mapping
from typing import Any

MAX_VALUE_CHARS = 200


def changed_fields(
    before: Mapping[str, Any], after: Mapping[str, Any], *, hidden: Collection[str] = ()
) -> dict[str, list[Any]]:
    """Return field → [old value, new value] of the fields that differ.

    Of `hidden` fields only the fact is stored: [None, None]. A long text is replaced by its
    length. Values must be serializable as JSON.
    """
    return {
        name: [None, None]
        if name in hidden
        else [_short(before.get(name)), _short(after.get(name))]
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MAX_VALUE_CHARS:
        return {"chars": len(value)}
    return value
