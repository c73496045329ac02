"""Many writes as one PostgreSQL statement, so that a whole decision costs one round trip.

`WITH w0 AS (INSERT … RETURNING 1), w1 AS (UPDATE … RETURNING 1) SELECT …`: either all of it is
done or none. The final SELECT counts the rows of every write and makes the statement itself fail
when a count is not the expected one. The text depends only on the statements and expectations,
not on the values, so PostgreSQL parses each combination once per connection.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from sigma.store.engine.interface import Op
from sigma.store.engine.statements import Statement

# Parameters, but not inside 'text' or "names".
PARAMETER: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\d+)""")
STALE: Final = re.compile(r'"stale (\d+) (\d+)"')
# PostgreSQL reads synchronous_commit when the statement commits, and then forgets the setting.
RELAX: Final = "set_config('synchronous_commit', 'off', true)"

Shape = tuple[tuple[Statement, int | None], ...]


def one_statement(ops: Sequence[Op]) -> tuple[str, list[object]]:
    """Return the SQL and the arguments that do all of `ops`."""
    arguments: list[object] = []
    for op in ops:
        arguments += op.stmt.on("postgresql").arguments(op.values)
    return _combined(tuple((op.stmt, op.expect) for op in ops)), arguments


@lru_cache(maxsize=1024)
def _combined(shape: Shape) -> str:
    parts: list[str] = []
    cases: list[str] = []
    offset = 0
    for number, (stmt, expect) in enumerate(shape):
        parts.append(f"w{number} AS ({_shifted(returning(stmt), offset)})")
        offset += len(stmt.on("postgresql").names)
        if expect is not None:
            count = f"(SELECT count(*) FROM w{number})"  # noqa: S608 - our own SQL
            cases.append(f"WHEN {count} <> {int(expect)} THEN 'stale {number} ' || {count}")
    # The cast of any other word than a number fails, and PostgreSQL puts the word in the message.
    checked = f"CAST(CASE {' '.join(cases)} ELSE '0' END AS integer)" if cases else "0"
    return f"WITH {', '.join(parts)} SELECT {checked}"


def _shifted(sql: str, offset: int) -> str:
    def shift(match: re.Match[str]) -> str:
        return f"${int(match[1]) + offset}" if match[1] else match[0]

    return PARAMETER.sub(shift, sql)


def returning(stmt: Statement) -> str:
    """Return the SQL of `stmt`, made to answer with one row for each row it wrote."""
    sql = stmt.on("postgresql").sql
    return sql if stmt.returns else f"{sql} RETURNING 1 AS written"


@lru_cache(maxsize=256)
def relaxed(stmt: Statement) -> str:
    """Return `stmt` as one statement whose COMMIT does not wait for the disk."""
    write = returning(stmt)
    return f"WITH w AS ({write}), relax AS (SELECT {RELAX}) SELECT w.* FROM relax, w"  # noqa: S608


def stale_message(error: str, ops: Sequence[Op]) -> str | None:
    """Say which of `ops` met another number of rows, if that is what PostgreSQL's `error` means."""
    found = STALE.search(error)
    if found is None:
        return None
    op = ops[int(found[1])]
    return f"{found[2]} rows instead of {op.expect}: {op.stmt!r}"
