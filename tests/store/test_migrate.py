"""Migrations: one set of files, two databases, and no difference from the tables."""

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

from sigma.store.database import Unreachable
from sigma.store.schema import migrate
from sigma.store.schema.columns import BigInt, Flag, Json, TextC
from tests.postgres import run_sql, with_database


def tables(*, later: bool = False) -> MetaData:
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
        *([Column("height", BigInt)] if later else []),
        UniqueConstraint("parent", "born_at"),
        CheckConstraint("born_at >= 0", name="ck_children_born"),
        Index("ix_children_born", "parent", text("born_at DESC")),
        Index("ix_children_lower", func.lower(name), *(["loud"] if later else [])),
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
    """An empty folder of migrations with Sigma's own set-up."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrate.MIGRATIONS, folder, ignore=shutil.ignore_patterns("0*.py"))
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


def test_generated_migrations_bring_either_database_to_the_tables(
    empty_url: str, migrations: Path
) -> None:
    migrate.autogenerate("First tables", tables(), migrations=migrations)
    migrate.upgrade(empty_url, migrations=migrations)
    migrate.upgrade(empty_url, migrations=migrations)  # again is nothing
    assert migrate.drift(empty_url, tables()) == []
    assert migrate.current(empty_url) == "0001_first_tables"

    differences = " ".join(migrate.drift(empty_url, tables(later=True)))
    assert "height" in differences
    assert "ix_children_lower" in differences

    migrate.autogenerate("Grow", tables(later=True), migrations=migrations)
    migrate.upgrade(empty_url, migrations=migrations)
    assert migrate.drift(empty_url, tables(later=True)) == []
    assert migrate.current(empty_url) == migrate.head(migrations=migrations) == "0002_grow"


def test_a_migration_that_fails_half_way_leaves_nothing(empty_url: str, migrations: Path) -> None:
    path = migrate.autogenerate("First", tables(), migrations=migrations)
    broken = path.read_text().replace(
        "def downgrade", "    raise ZeroDivisionError\n\n\ndef downgrade"
    )
    path.write_text(broken)
    with pytest.raises(ZeroDivisionError):
        migrate.upgrade(empty_url, migrations=migrations)
    assert migrate.current(empty_url) is None
    path.write_text(broken.replace("    raise ZeroDivisionError\n", ""))
    migrate.upgrade(empty_url, migrations=migrations)
    assert migrate.drift(empty_url, tables()) == []


async def test_migrating_works_inside_a_running_event_loop_and_twice_at_once(
    empty_url: str, migrations: Path
) -> None:
    migrate.autogenerate("First", tables(), migrations=migrations)
    await asyncio.gather(
        *(asyncio.to_thread(migrate.upgrade, empty_url, migrations=migrations) for _ in range(3))
    )
    migrate.upgrade(empty_url, migrations=migrations)
    assert migrate.drift(empty_url, tables()) == []


def test_text_that_is_not_in_byte_order_is_drift(postgres_url: str) -> None:
    run_sql(postgres_url, "CREATE DATABASE crooked")
    url = with_database(postgres_url, "crooked")
    run_sql(url, "CREATE TABLE parents (id TEXT PRIMARY KEY)")
    assert "collation is not C: parents.id" in migrate.drift(url, tables())
    run_sql(postgres_url, "DROP DATABASE crooked WITH (FORCE)")


def test_a_table_that_is_copied_keeps_its_children(migrations: Path, tmp_path: Path) -> None:
    """SQLite copies a table to change it; the rows that point at it must stay."""
    url = f"sqlite:///{tmp_path}/copied.db"
    migrate.autogenerate("First", tables(), migrations=migrations)
    migrate.upgrade(url, migrations=migrations)
    con = sqlite3.connect(tmp_path / "copied.db")
    con.execute("INSERT INTO parents VALUES ('p')")
    con.execute("INSERT INTO children (id, parent, loud) VALUES ('c', 'p', 1)")
    con.commit()
    con.close()
    text_of = (migrations / "versions" / "0001_first.py").read_text()
    head, _ = text_of.split("def upgrade")
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
def test_migrating_what_cannot_be_reached_is_one_clear_line(url: str) -> None:
    with pytest.raises(Unreachable) as caught:
        migrate.upgrade(url)
    assert "\n" not in str(caught.value)


def test_sigmas_own_migrations_agree_with_its_tables(empty_url: str) -> None:
    migrate.upgrade(empty_url)
    assert migrate.drift(empty_url) == []
