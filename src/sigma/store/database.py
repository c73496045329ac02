"""The database as the rest of Sigma sees it: open it, read, write. Start reading here.

`contract` says what is promised; `sqlite` and `postgres` keep the promise; `statements` holds
the SQL that both run.
"""

from __future__ import annotations

from sqlalchemy import MetaData

from sigma.store.engine.interface import (
    Busy,
    Conflict,
    Database,
    Op,
    Refused,
    Row,
    Stale,
    StoreError,
    Tx,
    Unreachable,
)
from sigma.store.engine.postgres import open_postgres
from sigma.store.engine.sqlite import open_sqlite
from sigma.store.engine.statements import (
    Statement,
    in_list,
    insert_ignore,
    statement,
    text_statement,
    upsert,
)
from sigma.store.schema import tables

__all__ = [
    "Busy",
    "Conflict",
    "Database",
    "Op",
    "Refused",
    "Row",
    "Stale",
    "Statement",
    "StoreError",
    "Tx",
    "Unreachable",
    "in_list",
    "insert_ignore",
    "open_database",
    "statement",
    "text_statement",
    "upsert",
]


async def open_database(
    url: str, *, pool_size: int = 8, metadata: MetaData = tables.metadata
) -> Database:
    """Open `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`.

    `metadata` (Sigma's tables by default) gives unique keys their names on SQLite. Raises
    Unreachable with one line for the person at the command line.
    """
    if url.startswith("sqlite:"):
        return await open_sqlite(url, metadata, readers=2)
    if url.startswith(("postgresql:", "postgres:")):
        return await open_postgres(url, pool_size=pool_size)
    raise Unreachable(f"unknown kind of database: {url.split(':', 1)[0]}; use sqlite or postgresql")
