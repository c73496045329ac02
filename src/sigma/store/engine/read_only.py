"""The transaction of `Database.read()`: reads only, on either database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from sigma.store.engine.interface import Op, Row
from sigma.store.engine.statements import Statement

Fetch = Callable[[Statement, Mapping[str, object]], Awaitable[list[Row]]]


class ReadOnlyTx:
    """Reads outside any transaction: each statement sees the latest commit.

    `fetch` runs one statement with its values and returns all rows. A statement that writes raises
    RuntimeError.
    """

    def __init__(self, dialect: str, fetch: Fetch) -> None:
        self.dialect = dialect
        self._fetch = fetch

    async def __aenter__(self) -> ReadOnlyTx:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def fetch_one(self, stmt: Statement, **values: object) -> Row | None:
        """Return the first row, None without rows."""
        rows = await self.fetch_all(stmt, **values)
        return rows[0] if rows else None

    async def fetch_all(self, stmt: Statement, **values: object) -> list[Row]:
        """Return all rows."""
        if not stmt.is_read_only:
            raise RuntimeError(f"read() only reads: {stmt!r}")
        return await self._fetch(stmt, values)

    async def execute(self, stmt: Statement, **values: object) -> int:
        """Raise RuntimeError."""
        raise RuntimeError(f"read() only reads: {stmt!r}")

    async def write_all(self, ops: Sequence[Op], notify_channels: Collection[str] = ()) -> None:
        """Raise RuntimeError."""
        raise RuntimeError("read() only reads")
