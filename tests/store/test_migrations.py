"""Migrations: one set of files for both databases, without drift from the tables."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    func,
    text,
)

from sigma.store.engine.interface import UnreachableError
from sigma.store.schema import migrate
from sigma.store.schema.columns import BigInt, Flag, Json, TextC
from tests.postgres import run_sql, with_database


def tables(*, with_changes: bool = False) -> MetaData:
    metadata = MetaData(naming_convention={"uq": "uq_%(table_name)s_%(column_0_N_name)s"})
    Table("parents", metadata, Column("id", TextC, primary_key=True))
    name = Column("name", TextC)
    Table(
        "children",
        metadata,
        Column("id", TextC, primary_key=True),
        Column("parent", TextC, ForeignKey("parents.id"), nullable=False),
        Column("born_at", BigInt, nullable=False, server_default="0"),
        Column("loud", Flag, nullable=False),
        Column("toys", Json),
        name,
        *([Column("height", BigInt)] if with_changes else []),
        UniqueConstraint("parent", "born_at"),
        CheckConstraint("born_at >= 0", name="ck_children_born"),
        Index("ix_children_born", "parent", text("born_at DESC")),
        Index("ix_children_lower", func.lower(name), *(["loud"] if with_changes else [])),
        Index(
            "uq_children_name",
            "name",
            unique=True,
            sqlite_where=name.is_not(None),
            postgresql_where=name.is_not(None),
        ),
    )
    return metadata


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """Return a migrations folder with Sigma's environment and no migration."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrate.MIGRATIONS_DIR, folder, ignore=shutil.ignore_patterns("0*.py"))
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/migrated.db"
        return
    server = request.getfixturevalue("postgres_url")
    run_sql(server, "CREATE DATABASE migrated")
    yield with_database(server, "migrated")
    run_sql(server, "DROP DATABASE migrated WITH (FORCE)")


def test_generated_migrations_create_the_tables_on_both_databases(
    empty_url: str, migrations: Path
) -> None:
    migrate.autogenerate("First tables", tables(), migrations=migrations)
    migrate.upgrade(empty_url, migrations=migrations)
    migrate.upgrade(empty_url, migrations=migrations)  # the second run does nothing
    assert migrate.drift(empty_url, tables()) == []
    assert migrate.current_revision(empty_url) == "0001_first_tables"

    differences = " ".join(migrate.drift(empty_url, tables(with_changes=True)))
    assert "height" in differences
    assert "ix_children_lower" in differences

    migrate.autogenerate("Grow", tables(with_changes=True), migrations=migrations)
    migrate.upgrade(empty_url, migrations=migrations)
    assert migrate.drift(empty_url, tables(with_changes=True)) == []
    assert (
        migrate.current_revision(empty_url)
        == migrate.head_revision(migrations=migrations)
        == "0002_grow"
    )


def test_failed_migration_is_rolled_back_completely(empty_url: str, migrations: Path) -> None:
    path = migrate.autogenerate("First", tables(), migrations=migrations)
    broken = path.read_text().replace(
        "def downgrade", "    raise ZeroDivisionError\n\n\ndef downgrade"
    )
    path.write_text(broken)
    with pytest.raises(ZeroDivisionError):
        migrate.upgrade(empty_url, migrations=migrations)
    assert migrate.current_revision(empty_url) is None
    path.write_text(broken.replace("    raise ZeroDivisionError\n", ""))
    migrate.upgrade(empty_url, migrations=migrations)
    assert migrate.drift(empty_url, tables()) == []


async def test_concurrent_migrations_inside_running_event_loop_succeed(
    empty_url: str, migrations: Path
) -> None:
    migrate.autogenerate("First", tables(), migrations=migrations)
    await asyncio.gather(
        *(asyncio.to_thread(migrate.upgrade, empty_url, migrations=migrations) for _ in range(3))
    )
    migrate.upgrade(empty_url, migrations=migrations)
    assert migrate.drift(empty_url, tables()) == []


def test_text_column_without_c_collation_is_drift(postgres_url: str) -> None:
    run_sql(postgres_url, "CREATE DATABASE wrong_collation")
    url = with_database(postgres_url, "wrong_collation")
    run_sql(url, "CREATE TABLE parents (id TEXT PRIMARY KEY)")
    assert "collation is not C: parents.id" in migrate.drift(url, tables())
    run_sql(postgres_url, "DROP DATABASE wrong_collation WITH (FORCE)")


def test_sqlite_table_copy_keeps_child_rows(migrations: Path, tmp_path: Path) -> None:
    """SQLite changes a table by copying it; rows that reference it must survive."""
    url = f"sqlite:///{tmp_path}/copied.db"
    migrate.autogenerate("First", tables(), migrations=migrations)
    migrate.upgrade(url, migrations=migrations)
    con = sqlite3.connect(tmp_path / "copied.db")
    con.execute("INSERT INTO parents VALUES ('p')")
    con.execute("INSERT INTO children (id, parent, loud) VALUES ('c', 'p', 1)")
    con.commit()
    con.close()
    source = (migrations / "versions" / "0001_first.py").read_text()
    head, _ = source.split("def upgrade")
    head = head.replace("'0001_first'", "'0002_copy'").replace(
        "down_revision = None", "down_revision = '0001_first'"
    )
    (migrations / "versions" / "0002_copy.py").write_text(
        head + "def upgrade() -> None:\n"
        "    with op.batch_alter_table('parents', recreate='always') as batch:\n"
        "        batch.add_column(sa.Column('name', TextC))\n"
    )
    migrate.upgrade(url, migrations=migrations)
    con = sqlite3.connect(tmp_path / "copied.db")
    assert con.execute("SELECT id FROM children").fetchall() == [("c",)]
    con.close()


@pytest.mark.parametrize(
    "url", ["sqlite:////no/such/folder/x.db", "postgresql://u:p@127.0.0.1:1/x"]
)
def test_migrating_unreachable_database_fails_with_one_line(url: str) -> None:
    with pytest.raises(UnreachableError) as caught:
        migrate.upgrade(url)
    assert "\n" not in str(caught.value)


def test_product_migrations_match_product_tables(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    assert migrate.drift(empty_url) == []


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["-h"], ["add a column", "--sql"], ["add -x"], [], [""], ["--"], ["…"]],
)
def test_migration_is_not_generated_from_options(
    migrations: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    before = sorted(migrations.rglob("*"))
    assert migrate.main(arguments, migrations=migrations) == 2
    assert "what changed" in capsys.readouterr().err
    assert sorted(migrations.rglob("*")) == before
