"""Pages of the API's lists: filters, newest first, cursor. No I/O."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from sigma_sandbox import time_util
from sigma_sandbox.bank.errors import invalid_request
from sigma_sandbox.bank.store import Json, Payment, Receipt, Refund

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
Row = TypeVar("Row", Payment, Refund, Receipt)

_BOUNDS: dict[str, Callable[[int, int], bool]] = {
    "gte": int.__ge__,
    "gt": int.__gt__,
    "lte": int.__le__,
    "lt": int.__lt__,
}


def paginate(
    rows: Iterable[Row],
    query: Mapping[str, str],
    time_getters: Mapping[str, Callable[[Row], int | None]],
    equality_fields: tuple[str, ...],
    to_json: Callable[[Row], Json],
) -> Json:
    """Return the page of `rows` that the query string selects, as list JSON.

    `time_getters`: time fields by query name, filtered by `name.gte`, `.gt`, `.lte`, `.lt`.
    `equality_fields`: names of fields filtered by equality. `to_json` converts a row.
    Raises ApiError for a malformed time, limit or cursor.
    """
    for name in equality_fields:
        if name in query:
            rows = [row for row in rows if getattr(row, name) == query[name]]
    for name, get_time in time_getters.items():
        for bound, compare in _BOUNDS.items():
            if (text := query.get(f"{name}.{bound}")) is not None:
                bound_us = _parse_time(text, f"{name}.{bound}")
                rows = [row for row in rows if _is_in_bound(get_time(row), compare, bound_us)]
    ordered = sorted(rows, key=_sort_key, reverse=True)
    if "cursor" in query:
        after = _decode_cursor(query["cursor"])
        ordered = [row for row in ordered if _sort_key(row) < after]
    limit = _parse_limit(query.get("limit"))
    selected = ordered[:limit]
    body: Json = {"type": "list", "items": [to_json(row) for row in selected]}
    if len(ordered) > limit:
        body["next_cursor"] = _encode_cursor(selected[-1])
    return body


def _is_in_bound(time_us: int | None, compare: Callable[[int, int], bool], bound_us: int) -> bool:
    return time_us is not None and compare(time_us, bound_us)


def _sort_key(row: Payment | Refund | Receipt) -> tuple[int, str]:
    return row.created_at_us, row.id


def _parse_limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not text.isdecimal() or not 1 <= int(text) <= MAX_LIMIT:
        raise invalid_request(f"From 1 to {MAX_LIMIT}", "limit")
    return int(text)


def _parse_time(text: str, parameter: str) -> int:
    time_us = time_util.from_wire(text)
    if time_us is None:
        raise invalid_request("An ISO 8601 time is expected", parameter)
    return time_us


def _encode_cursor(row: Payment | Refund | Receipt) -> str:
    created_at_us, row_id = _sort_key(row)
    return base64.urlsafe_b64encode(f"{created_at_us} {row_id}".encode()).decode().rstrip("=")


def _decode_cursor(text: str) -> tuple[int, str]:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        created_at_us, row_id = raw.decode().split(" ")
        return int(created_at_us), row_id
    except (ValueError, binascii.Error):
        raise invalid_request("The cursor is malformed", "cursor") from None
