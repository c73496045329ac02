"""Combine several writes into one PostgreSQL statement, so that a change costs one round trip.

`WITH w0 AS (INSERT … RETURNING 1), w1 AS (UPDATE … RETURNING 1) SELECT …` is atomic. The final
SELECT counts the rows of every write and makes the statement fail when a count is not the expected
one. The SQL depends only on the statements and expected counts, not on the values, so PostgreSQL
parses each combination once per connection.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from sigma.store.engine.interface import Op
from sigma.store.engine.statements import Statement

# Numbered parameters ($1), skipping 'string literals' and "quoted identifiers".
PARAMETER_PATTERN: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\d+)""")
STALE_PATTERN: Final = re.compile(r'"stale (\d+) (\d+)"')
# The setting is local to the transaction; PostgreSQL reads it when the statement commits.
DISABLE_SYNC: Final = "set_config('synchronous_commit', 'off', true)"

BatchShape = tuple[tuple[Statement, int | None], ...]


def batch_statement(ops: Sequence[Op]) -> tuple[str, list[object]]:
    """Return one SQL statement that executes all of `ops`, and its arguments."""
    arguments: list[object] = []
    for op in ops:
        arguments += op.stmt.compiled_for("postgresql").arguments(op.values)
    return _batch_sql(tuple((op.stmt, op.expected_rows) for op in ops)), arguments


@lru_cache(maxsize=1024)
def _batch_sql(shape: BatchShape) -> str:
    parts: list[str] = []
    cases: list[str] = []
    offset = 0
    for number, (stmt, expect) in enumerate(shape):
        parts.append(f"w{number} AS ({_renumber_parameters(returning_sql(stmt), offset)})")
        offset += len(stmt.compiled_for("postgresql").names)
        if expect is not None:
            count = f"(SELECT count(*) FROM w{number})"  # noqa: S608 - no user input
            cases.append(f"WHEN {count} <> {int(expect)} THEN 'stale {number} ' || {count}")
    # Casting 'stale …' to integer fails, and the error message contains it; see STALE_PATTERN.
    checked = f"CAST(CASE {' '.join(cases)} ELSE '0' END AS integer)" if cases else "0"
    return f"WITH {', '.join(parts)} SELECT {checked}"


def _renumber_parameters(sql: str, offset: int) -> str:
    def shift(match: re.Match[str]) -> str:
        return f"${int(match[1]) + offset}" if match[1] else match[0]

    return PARAMETER_PATTERN.sub(shift, sql)


def returning_sql(stmt: Statement) -> str:
    """Return the SQL of `stmt`, extended to return one row for each row written."""
    sql = stmt.compiled_for("postgresql").sql
    return sql if stmt.returns_rows else f"{sql} RETURNING 1 AS written"


@lru_cache(maxsize=256)
def unsynced_sql(stmt: Statement) -> str:
    """Return the SQL of `stmt` with a COMMIT that does not wait for the disk."""
    write = returning_sql(stmt)
    return f"WITH w AS ({write}), relax AS (SELECT {DISABLE_SYNC}) SELECT w.* FROM relax, w"  # noqa: S608


def stale_message(message: str, ops: Sequence[Op]) -> str | None:
    """Return which of `ops` changed an unexpected number of rows; None for another `message`."""
    match = STALE_PATTERN.search(message)
    if match is None:
        return None
    op = ops[int(match[1])]
    return f"{match[2]} rows instead of {op.expected_rows}: {op.stmt!r}"
