"""Pages of lists are read from an index in its order: nothing is sorted, and reading stops."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sigma.store.engine.statements import Statement
from sigma.store.lists import sources
from sigma.store.lists.invoices import INVOICES
from sigma.store.lists.payments import PAYMENTS
from sigma.store.lists.sources import ListTable, Shape, Source

SHAPES = (
    Shape(Source.ALL),
    Shape(Source.ALL, ("created_from", "created_to", "service", "status")),
    Shape(Source.ALL, ("status",), is_descending=False),
    Shape(Source.ALL, ("amount_from",), 1),
    Shape(Source.STATUS, ("amount_from", "status")),
    Shape(Source.BY_AMOUNT, ("member",), is_by_amount=True),
    Shape(Source.TOKEN, ("status",), 1),
)


def plan(database: Path, stmt: Statement) -> list[str]:
    """Return the steps of SQLite's plan."""
    compiled = stmt.compiled_for("sqlite")
    values: dict[str, Any] = dict.fromkeys(compiled.names, 1)
    with closing(sqlite3.connect(database)) as con:
        sql = f"EXPLAIN QUERY PLAN {compiled.sql}"
        return [row[3] for row in con.execute(sql, compiled.arguments(values))]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
@pytest.mark.parametrize("listed", [PAYMENTS, INVOICES], ids=["payments", "invoices"])
@pytest.mark.parametrize("has_cursor", [False, True])
def test_streamed_page_sorts_nothing_on_sqlite(
    sqlite_database_url: str, listed: ListTable, shape: Shape, has_cursor: bool
) -> None:
    stmt = sources.page_statement(listed, shape, has_cursor=has_cursor)
    steps = plan(Path(sqlite_database_url.removeprefix("sqlite:///")), stmt)
    assert shape.is_streamed
    assert not [step for step in steps if "TEMP B-TREE" in step], steps


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_totals_check_each_condition_once_for_a_row(dialect: str) -> None:
    stmt = sources.totals_statement(PAYMENTS, Shape(Source.TOKEN, ("status",), 1))
    sql = stmt.compiled_for(dialect).sql
    assert sql.count("EXISTS") == 1
    assert sql.endswith("matched")
