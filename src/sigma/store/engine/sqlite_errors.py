"""Translate SQLite errors to the errors of `sigma.store.engine.interface`."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from sqlalchemy import Index, MetaData, PrimaryKeyConstraint, UniqueConstraint

from sigma.store.engine.interface import (
    BusyError,
    ConflictError,
    IntegrityError,
    NotWritableError,
    UnreachableError,
)

UNIQUE_CODES: Final = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")
DISK_CODES: Final = ("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_NOTADB")
NOT_WRITABLE_CODES: Final = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR_WRITE")


def unique_key_names(metadata: MetaData) -> dict[str, str]:
    """Map "table.column, table.column", as SQLite reports a violated key, to the name of the key.

    A key without a name gets the name that PostgreSQL would generate.
    """
    names: dict[str, str] = {}
    for table in metadata.tables.values():
        keys = [index for index in table.indexes if index.unique]
        for key in (*table.constraints, *keys):
            if not isinstance(key, Index | UniqueConstraint | PrimaryKeyConstraint):
                continue
            columns = [column.name for column in key.columns]
            reported = ", ".join(f"{table.name}.{column}" for column in columns)
            names.setdefault(
                reported, str(key.name) if key.name else _default_key_name(table.name, key)
            )
    return names


def _default_key_name(table: str, key: Index | UniqueConstraint | PrimaryKeyConstraint) -> str:
    if isinstance(key, PrimaryKeyConstraint):
        return f"{table}_pkey"
    return "_".join([table, *(column.name for column in key.columns), "key"])


def translate_error(error: sqlite3.Error, key_names: Mapping[str, str]) -> Exception:
    """Return the StoreError for `error`, or `error` itself when it is a defect in our SQL.

    `key_names` is the result of `unique_key_names`.
    """
    code = getattr(error, "sqlite_errorname", "")
    text = str(error)
    if code in UNIQUE_CODES:
        reported = text.rsplit(": ", 1)[-1]
        return ConflictError(key_names.get(reported, reported.removeprefix("index ").strip("'")))
    if isinstance(error, sqlite3.IntegrityError):
        return IntegrityError(text)
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_INTERRUPT")):
        return BusyError(f"the database is busy: {text}")
    if code.startswith(NOT_WRITABLE_CODES):
        return NotWritableError(f"the database file cannot be written: {text}")
    if code.startswith(DISK_CODES):
        return UnreachableError(f"the database file cannot be used: {text}")
    return error
