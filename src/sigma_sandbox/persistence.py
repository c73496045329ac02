"""What survives a restart: every object of the sandbox as JSON in one SQLite file, or nowhere.

Objects live in memory; each change is written through at once, so a killed demo loses nothing it
answered for (WAL with synchronous=NORMAL outlives the process, though not the machine's power).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

Thing = TypeVar("Thing", bound=msgspec.Struct)
FILE = "sandbox.sqlite3"


class Vault:
    """A small store of structs by kind and key. `data_dir=None` keeps nothing."""

    def __init__(self, data_dir: Path | None) -> None:
        self._db: sqlite3.Connection | None = None
        self._depth = 0
        if data_dir is None:
            return
        data_dir.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(data_dir / FILE, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS things (kind TEXT, key TEXT, json BLOB, UNIQUE (kind, key))"
        )

    def put(self, key: str, thing: msgspec.Struct) -> None:
        """Write a new object or the new state of a known one."""
        if self._db is None:
            return
        self._db.execute(
            "INSERT INTO things VALUES (?, ?, ?) "
            "ON CONFLICT (kind, key) DO UPDATE SET json = excluded.json",
            (type(thing).__name__, key, msgspec.json.encode(thing)),
        )

    @contextmanager
    def together(self) -> Iterator[None]:
        """All writes inside are kept, or none of them. May be nested; nothing is awaited inside."""
        if self._db is None:
            yield
            return
        self._depth += 1
        if self._depth == 1:
            self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")

    def load(self, kind: type[Thing]) -> list[Thing]:
        """Every object of a kind, oldest first."""
        if self._db is None:
            return []
        rows = self._db.execute(
            "SELECT json FROM things WHERE kind = ? ORDER BY rowid", (kind.__name__,)
        )
        return [msgspec.json.decode(row[0], type=kind) for row in rows]

    def forget(self, kind: type[msgspec.Struct], key: str | None = None) -> None:
        """Drop one object, or all of a kind."""
        if self._db is None:
            return
        if key is None:
            self._db.execute("DELETE FROM things WHERE kind = ?", (kind.__name__,))
        else:
            self._db.execute("DELETE FROM things WHERE kind = ? AND key = ?", (kind.__name__, key))

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._db is not None:
            self._db.close()
            self._db = None
