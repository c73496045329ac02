"""Pages of lists: keyset cursors instead of offsets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_LIMIT, DEFAULT_LIMIT = 100, 25  # rows per page


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. `next_cursor` is the cursor of the next call, None on the last page."""

    data: list[T]
    next_cursor: str | None = None


def make_page(rows: list[T], limit: int, key: Callable[[T], str]) -> Page[T]:
    """Build a page from rows that were read with `limit + 1`. `key` returns the cursor of a row."""
    has_more = len(rows) > limit
    data = rows[:limit]
    return Page(data, key(data[-1]) if has_more else None)
