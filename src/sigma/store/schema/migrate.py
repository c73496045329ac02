"""Bring a database to the tables of this version, and tell whether it is there.

`python -m sigma.store.schema.migrate "what changed"` writes the next migration from the difference
between the migrations so far and the tables.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import sys
import tempfile
import warnings
from argparse import Namespace
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import asyncpg  # type: ignore[import-untyped]
from alembic import autogenerate as alembic_autogenerate
from alembic import command
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.operations.ops import CreateIndexOp, DropIndexOp
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    BigInteger,
    Connection,
    Index,
    Integer,
    MetaData,
    Text,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex

from sigma.store.engine.interface import Unreachable
from sigma.store.engine.sqlite import sqlite_path
from sigma.store.schema.messaging_tables import metadata  # importing it makes all tables known

MIGRATIONS: Final = Path(__file__).parent / "migrations"
# Two processes that start together migrate one after the other.
ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(7164002)")
NUMBER: Final = re.compile(r"^\d+")

T = TypeVar("T")


def upgrade(url: str, *, migrations: Path = MIGRATIONS) -> None:
    """Apply every migration that `url` lacks, all of them or none. Raises Unreachable."""
    _with_connection(url, lambda con: command.upgrade(_config(con, migrations), "head"))


def current(url: str) -> str | None:
    """Return the last migration applied to `url`; None for an empty database."""
    return _with_connection(url, lambda con: MigrationContext.configure(con).get_current_revision())


def head(*, migrations: Path = MIGRATIONS) -> str | None:
    """Return the last migration this version of Sigma knows."""
    return ScriptDirectory(str(migrations)).get_current_head()


def drift(url: str, tables: MetaData = metadata) -> list[str]:
    """Say where the database and the tables differ; an empty list is what you want."""

    def compare(con: Connection) -> list[str]:
        context = MigrationContext.configure(con, opts=_comparing(con, tables))
        with warnings.catch_warnings(action="ignore"):  # of the indexes that are looked at below
            found = alembic_autogenerate.compare_metadata(context, tables)
        missing, extra = _sqlite_indexes(con, tables)
        return [
            *(_said(one) for one in found),
            *(f"add_index: {index.name}" for index in missing),
            *(f"remove_index: {name}" for name, _ in extra),
            *_wrong_collations(con, tables),
        ]

    return _with_connection(url, compare)


def autogenerate(
    message: str, tables: MetaData = metadata, *, migrations: Path = MIGRATIONS
) -> Path:
    """Write the next migration (for a developer, who reads it before committing it)."""
    last = NUMBER.match(head(migrations=migrations) or "0")
    number = f"{int(last[0] if last else 0) + 1:04d}"
    # alembic keeps the name in 32 characters
    slug = "_".join(re.findall(r"[a-z0-9]+", message.lower()))[:27].rstrip("_")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/empty.db"
        upgrade(url, migrations=migrations)

        def write(con: Connection) -> Path:
            config = _config(con, migrations, tables)
            with warnings.catch_warnings(action="ignore"):  # of the indexes that are added by us
                script = command.revision(
                    config, message, autogenerate=True, rev_id=f"{number}_{slug}"
                )
            assert script is not None
            assert not isinstance(script, list)
            return Path(script.path)

        path = _with_connection(url, write)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if "# ### " not in line) + "\n")
    return path


def _config(con: Connection, migrations: Path, tables: MetaData | None = None) -> Config:
    config = Config(cmd_opts=Namespace(quiet=True))
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s")
    config.set_main_option("path_separator", "os")
    config.attributes["configure"] = {
        "connection": con,
        "transactional_ddl": True,
        **_comparing(con, tables),
    }
    return config


def _comparing(con: Connection, tables: MetaData | None) -> dict[str, Any]:
    return {
        "target_metadata": tables,
        "compare_type": True,
        "compare_server_default": True,
        "render_as_batch": True,
        "render_item": _render_type,
        "include_object": partial(_not_an_index_on_sqlite, con),
        "process_revision_directives": _add_indexes,
    }


def _not_an_index_on_sqlite(
    con: Connection, _item: object, _name: object, kind: str, *_: object
) -> bool:
    """Keep Alembic from comparing indexes on SQLite, where it sees neither DESC nor expressions."""
    return con.dialect.name != "sqlite" or kind != "index"


def _sqlite_indexes(con: Connection, tables: MetaData) -> tuple[list[Index], list[tuple[str, str]]]:
    """Indexes of the tables that SQLite lacks, and (name, table) of those it has beyond them.

    Compared by their SQL; one that changed is in both lists.
    """
    if con.dialect.name != "sqlite":
        return [], []
    rows = con.exec_driver_sql(
        "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    )
    there = {_squeezed(sql): (str(name), str(table)) for name, table, sql in rows}
    indexes = (index for table in tables.sorted_tables for index in table.indexes)
    wanted = {_squeezed(str(CreateIndex(one).compile(dialect=con.dialect))): one for one in indexes}
    missing = [wanted[sql] for sql in sorted(wanted.keys() - there.keys())]
    return missing, [there[sql] for sql in sorted(there.keys() - wanted.keys())]


def _squeezed(sql: str) -> str:
    return " ".join(sql.split())


def _add_indexes(context: MigrationContext, _revision: object, scripts: list[Any]) -> None:
    """Add to a new migration the changes of indexes that Alembic was kept from seeing."""
    tables, con = context.opts["target_metadata"], context.connection
    if tables is None or con is None:
        return
    missing, extra = _sqlite_indexes(con, tables)
    script = scripts[0]
    script.upgrade_ops.ops[:0] = [DropIndexOp(name, table) for name, table in extra]
    for index in missing:
        create = CreateIndexOp.from_index(index)
        script.upgrade_ops.ops.append(create)
        script.downgrade_ops.ops.insert(0, create.reverse())


def _render_type(kind: str, item: Any, context: AutogenContext) -> str | Literal[False]:
    """Write our column types by their names, so that one file serves both databases."""
    if kind != "type":
        return False
    names = ((Text, "TextC"), (BigInteger, "BigInt"), (Integer, "Flag"))
    return next((name for one, name in names if type(item) is one), False)


def _said(difference: Any) -> str:
    """One line for one difference, however Alembic nests it."""
    if isinstance(difference, list):
        return "; ".join(_said(one) for one in difference)
    word, *rest = difference
    return f"{word}: {', '.join(str(one) for one in rest if one is not None)}"


def _wrong_collations(con: Connection, tables: MetaData) -> list[str]:
    """Text columns of PostgreSQL that are not in C collation, which Alembic does not look at."""
    if con.dialect.name != "postgresql":
        return []
    found = con.execute(
        text(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND data_type = 'text'"
            " AND collation_name IS DISTINCT FROM 'C' ORDER BY 1, 2"
        )
    )
    return [f"collation is not C: {t}.{c}" for t, c in found if t in tables.tables]


def _with_connection(url: str, work: Callable[[Connection], T]) -> T:
    """Do `work` in one transaction on `url`; may be called with or without an event loop."""
    with ThreadPoolExecutor(1, "sigma-migrate") as thread:
        if url.startswith("sqlite:"):
            return thread.submit(_on_sqlite, url, work).result()
        return thread.submit(asyncio.run, _on_postgresql(url, work)).result()


def _on_sqlite(url: str, work: Callable[[Connection], T]) -> T:
    path = sqlite_path(url)
    # Foreign keys stay off: a table that is copied must not take its children along.
    engine = create_engine("sqlite://", creator=lambda: _plain_connection(path), poolclass=NullPool)
    event.listen(engine, "begin", lambda con: con.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as con:
            result = work(con)
            broken = con.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise RuntimeError(f"rows without their parents after the migration: {broken[:5]}")
        return result
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorname", "") in ("SQLITE_CANTOPEN", "SQLITE_NOTADB"):
            raise Unreachable(f"cannot open the SQLite file {path}: {error.orig}") from error
        raise
    finally:
        engine.dispose()


def _plain_connection(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)


async def _on_postgresql(url: str, work: Callable[[Connection], T]) -> T:
    async def connect() -> Any:
        try:
            return await asyncpg.connect(url, timeout=10)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            raise Unreachable(f"cannot connect to PostgreSQL: {error}") from error

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as con:
            await con.execute(ONE_AT_A_TIME)
            return await con.run_sync(work)
    finally:
        await engine.dispose()


if __name__ == "__main__":
    sys.stdout.write(f"{autogenerate(' '.join(sys.argv[1:]))}\n")
