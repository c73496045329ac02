"""Apply migrations, and compare a database with the tables of this version.

`python -m sigma.store.schema.migrate "what changed"` generates the next migration from the
difference between the existing migrations and the tables.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import sys
import tempfile
import warnings
from argparse import Namespace
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import asyncpg
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

from sigma.store.engine.interface import UnreachableError
from sigma.store.engine.sqlite import sqlite_path
from sigma.store.postgres_tls import tls_options
from sigma.store.private_files import protect_sqlite_file
from sigma.store.schema.all_tables import ALL_TABLES

MIGRATIONS_DIR: Final = Path(__file__).parent / "migrations"
# Held during a migration: processes that start together migrate one after the other.
MIGRATION_LOCK: Final = text("SELECT pg_advisory_xact_lock(7164002)")
NUMBER_PATTERN: Final = re.compile(r"^\d+")

T = TypeVar("T")


def upgrade(url: str, *, migrations: Path = MIGRATIONS_DIR) -> None:
    """Apply all pending migrations to `url` in one transaction. Raises UnreachableError."""
    _with_connection(url, lambda con: command.upgrade(_config(con, migrations), "head"))


def current_revision(url: str) -> str | None:
    """Return the revision of the last migration applied to `url`; None for an empty database."""
    return _with_connection(url, lambda con: MigrationContext.configure(con).get_current_revision())


def head_revision(*, migrations: Path = MIGRATIONS_DIR) -> str | None:
    """Return the revision of the last migration in this version of Sigma."""
    return ScriptDirectory(str(migrations)).get_current_head()


def drift(url: str, tables: MetaData = ALL_TABLES) -> list[str]:
    """Return the differences between the database and the tables, one line each."""

    def compare(con: Connection) -> list[str]:
        context = MigrationContext.configure(con, opts=_comparison_options(con, tables))
        with warnings.catch_warnings(action="ignore"):  # about indexes, which are compared below
            differences = alembic_autogenerate.compare_metadata(context, tables)
        missing, extra = _sqlite_indexes(con, tables)
        return [
            *(_describe(difference) for difference in differences),
            *(f"add_index: {index.name}" for index in missing),
            *(f"remove_index: {name}" for name, _ in extra),
            *_wrong_collations(con, tables),
        ]

    return _with_connection(url, compare)


def autogenerate(
    message: str, tables: MetaData = ALL_TABLES, *, migrations: Path = MIGRATIONS_DIR
) -> Path:
    """Generate the next migration and return its path. Review the file before committing it."""
    last = NUMBER_PATTERN.match(head_revision(migrations=migrations) or "0")
    number = f"{int(last[0] if last else 0) + 1:04d}"
    # Alembic stores the revision in 32 characters.
    slug = "_".join(re.findall(r"[a-z0-9]+", message.lower()))[:27].rstrip("_")
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/empty.db"
        upgrade(url, migrations=migrations)

        def write(con: Connection) -> Path:
            config = _config(con, migrations, tables)
            with warnings.catch_warnings(action="ignore"):  # about indexes; _add_indexes adds them
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
        **_comparison_options(con, tables),
    }
    return config


def _comparison_options(con: Connection, tables: MetaData | None) -> dict[str, Any]:
    return {
        "target_metadata": tables,
        "compare_type": True,
        "compare_server_default": True,
        "render_as_batch": True,
        "render_item": _render_type,
        "include_object": partial(_is_compared, con),
        "process_revision_directives": _add_indexes,
    }


def _is_compared(con: Connection, _item: object, _name: object, kind: str, *_: object) -> bool:
    """Exclude indexes on SQLite: Alembic does not reflect their DESC and expressions there."""
    return con.dialect.name != "sqlite" or kind != "index"


def _sqlite_indexes(con: Connection, tables: MetaData) -> tuple[list[Index], list[tuple[str, str]]]:
    """Return the indexes missing in SQLite, and (name, table) of the superfluous ones.

    Indexes are compared by their SQL; a changed index is in both lists.
    """
    if con.dialect.name != "sqlite":
        return [], []
    rows = con.exec_driver_sql(
        "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    )
    existing = {_normalize_sql(sql): (str(name), str(table)) for name, table, sql in rows}
    indexes = (index for table in tables.sorted_tables for index in table.indexes)
    expected = {
        _normalize_sql(str(CreateIndex(index).compile(dialect=con.dialect))): index
        for index in indexes
    }
    missing = [expected[sql] for sql in sorted(expected.keys() - existing.keys())]
    return missing, [existing[sql] for sql in sorted(existing.keys() - expected.keys())]


def _normalize_sql(sql: str) -> str:
    return " ".join(sql.split())


def _add_indexes(context: MigrationContext, _revision: object, scripts: list[Any]) -> None:
    """Add the index changes that Alembic does not detect on SQLite to a new migration."""
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
    """Render our column types by name, so that one migration works on both databases."""
    if kind != "type":
        return False
    names = ((Text, "TextC"), (BigInteger, "BigInt"), (Integer, "Flag"))
    return next((name for one, name in names if type(item) is one), False)


def _describe(difference: Any) -> str:
    """Return one line for one difference, which Alembic may nest in lists."""
    if isinstance(difference, list):
        return "; ".join(_describe(part) for part in difference)
    operation, *details = difference
    return f"{operation}: {', '.join(str(detail) for detail in details if detail is not None)}"


def _wrong_collations(con: Connection, tables: MetaData) -> list[str]:
    """Return the text columns of PostgreSQL without C collation; Alembic does not compare it."""
    if con.dialect.name != "postgresql":
        return []
    rows = con.execute(
        text(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND data_type = 'text'"
            " AND collation_name IS DISTINCT FROM 'C' ORDER BY 1, 2"
        )
    )
    return [f"collation is not C: {t}.{c}" for t, c in rows if t in tables.tables]


def _with_connection(url: str, work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction on `url`, in a thread, so that a running event loop is fine."""
    with ThreadPoolExecutor(1, "sigma-migrate") as thread:
        if url.startswith("sqlite:"):
            return thread.submit(_run_on_sqlite, url, work).result()
        return thread.submit(asyncio.run, _run_on_postgresql(url, work)).result()


def _run_on_sqlite(url: str, work: Callable[[Connection], T]) -> T:
    path = sqlite_path(url)
    protect_sqlite_file(path)
    # Foreign keys stay off: a batch migration drops and recreates tables, which must not cascade.
    engine = create_engine("sqlite://", creator=lambda: _connect_sqlite(path), poolclass=NullPool)
    event.listen(engine, "begin", lambda con: con.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as con:
            result = work(con)
            violations = con.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if violations:
                raise RuntimeError(f"foreign keys violated by the migration: {violations[:5]}")
        return result
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorname", "") in ("SQLITE_CANTOPEN", "SQLITE_NOTADB"):
            raise UnreachableError(f"cannot open the SQLite file {path}: {error.orig}") from error
        raise
    finally:
        engine.dispose()


def _connect_sqlite(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)


async def _run_on_postgresql(url: str, work: Callable[[Connection], T]) -> T:
    async def connect() -> Any:
        try:
            return await asyncpg.connect(url, timeout=10, **tls_options(url))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
            raise UnreachableError(f"cannot connect to PostgreSQL: {error}") from error

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as con:
            await con.execute(MIGRATION_LOCK)
            return await con.run_sync(work)
    finally:
        await engine.dispose()


def main(arguments: Sequence[str], *, migrations: Path = MIGRATIONS_DIR) -> int:
    """Generate the next migration; return the exit code. `arguments`: the words of its name.

    Options, no words, and words without a letter or digit are refused: nothing is written then.
    """
    message = " ".join(arguments).strip()
    has_option = any(word.startswith("-") for argument in arguments for word in argument.split())
    if has_option or not re.search(r"[a-z0-9]", message.lower()):
        sys.stderr.write('usage: python -m sigma.store.schema.migrate "what changed"\n')
        return 2
    sys.stdout.write(f"{autogenerate(message, migrations=migrations)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
