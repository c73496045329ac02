"""SQLite's errors in the words both databases share, and the names of its unique keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from sqlalchemy import Index, MetaData, PrimaryKeyConstraint, UniqueConstraint

from sigma.store.engine.interface import Busy, Conflict, Refused, Unreachable

UNIQUE: Final = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")
DISK: Final = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_NOTADB")


def unique_names(metadata: MetaData) -> dict[str, str]:
    """Map "table.column, table.column", as SQLite reports a broken key, to the key's name.

    A key without a name gets the one PostgreSQL would give it.
    """
    names: dict[str, str] = {}
    for table in metadata.tables.values():
        keys = [index for index in table.indexes if index.unique]
        for key in (*table.constraints, *keys):
            if not isinstance(key, Index | UniqueConstraint | PrimaryKeyConstraint):
                continue
            columns = [column.name for column in key.columns]
            reported = ", ".join(f"{table.name}.{column}" for column in columns)
            names.setdefault(reported, str(key.name) if key.name else _given(table.name, key))
    return names


def _given(table: str, key: Index | UniqueConstraint | PrimaryKeyConstraint) -> str:
    if isinstance(key, PrimaryKeyConstraint):
        return f"{table}_pkey"
    return "_".join([table, *(column.name for column in key.columns), "key"])


def translated(error: sqlite3.Error, names: Mapping[str, str]) -> Exception:
    """Say `error` in the words of `contract`; an error of our own SQL comes back as it is."""
    code = getattr(error, "sqlite_errorname", "")
    text = str(error)
    if code in UNIQUE:
        reported = text.rsplit(": ", 1)[-1]
        return Conflict(names.get(reported, reported.removeprefix("index ").strip("'")))
    if isinstance(error, sqlite3.IntegrityError):
        return Refused(text)
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_INTERRUPT")):
        return Busy(f"the database is busy: {text}")
    if code.startswith(DISK):
        return Unreachable(f"the database file cannot be used: {text}")
    return error
