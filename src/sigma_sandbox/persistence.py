"""Storage of sandbox objects: JSON in one SQLite file, or nothing when there is no data directory.

Objects live in memory and every change is written through at once. WAL with synchronous=NORMAL:
a committed change survives a killed process, but not a power failure.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

StructT = TypeVar("StructT", bound=msgspec.Struct)
FILE_NAME = "sandbox.sqlite3"


class ObjectStore:
    """A key-value store of msgspec structs; the class name is the kind.

    With `data_dir=None` writes do nothing and `list_all` returns an empty list.
    """

    def __init__(self, data_dir: Path | None) -> None:
        self._db: sqlite3.Connection | None = None
        self._depth = 0
        if data_dir is None:
            return
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        data_dir.chmod(0o700)
        path = data_dir / FILE_NAME
        path.touch(0o600)
        for suffix in ("", "-wal", "-shm"):
            if (companion := path.with_name(FILE_NAME + suffix)).exists():
                companion.chmod(0o600)  # SQLite gives new ones the mode of the file
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS objects "
            "(kind TEXT, key TEXT, json BLOB, UNIQUE (kind, key))"
        )

    def put(self, key: str, value: msgspec.Struct) -> None:
        """Insert an object or replace the one stored under this key."""
        if self._db is None:
            return
        self._db.execute(
            "INSERT INTO objects VALUES (?, ?, ?) "
            "ON CONFLICT (kind, key) DO UPDATE SET json = excluded.json",
            (type(value).__name__, key, msgspec.json.encode(value)),
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all writes of the block at once, also when it raises.

        If the process dies inside, none of them is stored. Blocks may nest. Do not await inside:
        the connection is shared, so writes of other tasks would join the transaction.
        """
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

    def list_all(self, kind: type[StructT]) -> list[StructT]:
        """Return every object of a kind in insertion order."""
        if self._db is None:
            return []
        rows = self._db.execute(
            "SELECT json FROM objects WHERE kind = ? ORDER BY rowid", (kind.__name__,)
        )
        return [msgspec.json.decode(row[0], type=kind) for row in rows]

    def delete(self, kind: type[msgspec.Struct], key: str | None = None) -> None:
        """Delete one object, or all objects of a kind when `key` is None."""
        if self._db is None:
            return
        if key is None:
            self._db.execute("DELETE FROM objects WHERE kind = ?", (kind.__name__,))
        else:
            self._db.execute("DELETE FROM objects WHERE kind = ? AND key = ?", (kind.__name__, key))

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._db is not None:
            self._db.close()
            self._db = None
