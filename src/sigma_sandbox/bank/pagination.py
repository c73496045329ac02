"""GET lists: filters by status and by moments, newest first, a cursor. Pure."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from sigma_sandbox import time_util
from sigma_sandbox.bank.serializers import invalid
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


def page(
    rows: Iterable[Row],
    query: Mapping[str, str],
    times: tuple[str, ...],
    equal: tuple[str, ...],
    show: Callable[[Row], Json],
) -> Json:
    """One page of `rows` for a query. `times` and `equal` name the fields that may be filtered.

    Raises Refused for a moment, a limit or a cursor that cannot be read.
    """
    for name in equal:
        if name in query:
            rows = [row for row in rows if getattr(row, name) == query[name]]
    for name in times:
        for bound, compare in _BOUNDS.items():
            if (text := query.get(f"{name}.{bound}")) is not None:
                edge = _moment(text, f"{name}.{bound}")
                rows = [row for row in rows if _within(getattr(row, name), compare, edge)]
    ordered = sorted(rows, key=_place, reverse=True)
    if "cursor" in query:
        after = _read_cursor(query["cursor"])
        ordered = [row for row in ordered if _place(row) < after]
    limit = _limit(query.get("limit"))
    shown = ordered[:limit]
    body: Json = {"type": "list", "items": [show(row) for row in shown]}
    if len(ordered) > limit:
        body["next_cursor"] = _cursor(shown[-1])
    return body


def _within(at: int | None, compare: Callable[[int, int], bool], edge: int) -> bool:
    return at is not None and compare(at, edge)


def _place(row: Payment | Refund | Receipt) -> tuple[int, str]:
    return row.created_at, row.id


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not text.isdecimal() or not 1 <= int(text) <= MAX_LIMIT:
        raise invalid(f"From 1 to {MAX_LIMIT}", "limit")
    return int(text)


def _moment(text: str, parameter: str) -> int:
    at = time_util.from_wire(text)
    if at is None:
        raise invalid("An ISO 8601 moment is expected", parameter)
    return at


def _cursor(row: Payment | Refund | Receipt) -> str:
    at, row_id = _place(row)
    return base64.urlsafe_b64encode(f"{at} {row_id}".encode()).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[int, str]:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        at, row_id = raw.decode().split(" ")
        return int(at), row_id
    except (ValueError, binascii.Error):
        raise invalid("An unknown cursor", "cursor") from None
