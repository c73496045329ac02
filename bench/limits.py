"""The upper limit of each database for the statements that Sigma runs.

PostgreSQL: the statements of one operation are recorded from the driver, their values get unique
suffixes, and pgbench runs them. SQLite: the same statements with similar values, one COMMIT each,
on the driver of the standard library.
"""

import asyncio
import re
import sqlite3
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from sigma.store.engine.postgres import PostgresDatabase
from tests.postgres import PROGRAMS_DIR

Statements = list[tuple[str, tuple[Any, ...]]]
_PARAMETER = re.compile(r"\$(\d+)")


async def record_statements(
    db: PostgresDatabase, action: Callable[[], Awaitable[object]]
) -> Statements:
    """Return the statements that `action` sends through a pool of one connection."""
    statements: Statements = []

    def listen(query: Any) -> None:
        if "pg_notify" not in query.query:  # a wake-up, not part of the operation
            statements.append((query.query, tuple(query.args)))

    connection = await db.pool.acquire()
    connection.add_query_logger(listen)
    db.pool.release(connection)
    await action()
    await asyncio.sleep(0.01)  # the driver calls its listeners with a delay
    connection = await db.pool.acquire()
    connection.remove_query_logger(listen)
    db.pool.release(connection)
    return statements


def pgbench_script(first: Statements, second: Statements) -> str:
    """Return a pgbench script of an operation that was recorded twice.

    A value that differs between the recordings gets the suffix `:u`, a number that no other
    transaction of the run has.
    """
    assert [sql for sql, _ in first] == [sql for sql, _ in second], "recordings differ"
    lines = ["\\set i :i + 1", "\\set u :client_id * 1000000 + 100000000 + :i"]
    for (sql, one), (_, two) in zip(first, second, strict=True):
        values = [_literal(a, differs=a != b) for a, b in zip(one, two, strict=True)]
        text = _PARAMETER.sub(lambda m, v=values: v[int(m[1]) - 1], sql)  # type: ignore[misc]
        lines.append(" ".join(text.split()) + ";")
    return "\n".join(lines) + "\n"


def _literal(value: Any, *, differs: bool) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return f"({value} + :u::BIGINT)" if differs else str(value)
    # pgbench reads a colon as a variable, even inside quotes.
    escaped = str(value).replace("\\", "\\\\").replace("'", "''").replace(":", "\\x3a")
    quoted = f"E'{escaped}'"
    if differs and not str(value).startswith("{"):
        return f"({quoted} || :u::TEXT)"
    return quoted


def pgbench(
    url: str, script_text: str, folder: Path, *, clients: int, seconds: float, first: int
) -> float:
    """Return transactions per second. `first`: start of the row numbers, different in each run."""
    path = folder / "script.sql"
    path.write_text(script_text)
    command: list[str | Path] = [
        PROGRAMS_DIR / "pgbench",
        "-n",
        "-M",
        "prepared",
        "-f",
        path,
        "-c",
        str(clients),
        "-j",
        "1",
    ]
    command += ["-T", str(max(1, round(seconds))), "-D", f"i={first}", url]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    rate = re.search(r"tps = ([\d.]+)", result.stdout)
    failed = re.search(r"number of failed transactions: (\d+)", result.stdout)
    assert rate, result.stdout + result.stderr
    assert not failed or failed[1] == "0", result.stdout
    return float(rate[1])


def sqlite_rate(path: Path, decisions: Sequence[Sequence[tuple[str, Sequence[Any]]]]) -> float:
    """Return operations per second, each a BEGIN, its statements and a COMMIT synced to disk."""
    con = sqlite3.connect(path, isolation_level=None, cached_statements=512)
    con.execute("PRAGMA journal_mode = WAL")
    con.execute("PRAGMA synchronous = FULL")
    start_s = time.perf_counter()
    for statements in decisions:
        con.execute("BEGIN IMMEDIATE")
        for sql, values in statements:
            con.execute(sql, values).fetchall()
        con.execute("COMMIT")
    elapsed_s = time.perf_counter() - start_s
    con.close()
    return len(decisions) / elapsed_s


def sqlite_read_rate(path: Path, sql: str, arguments: Sequence[Sequence[Any]]) -> float:
    """Return executions per second of one read statement."""
    con = sqlite3.connect(path, isolation_level=None)
    start_s = time.perf_counter()
    for values in arguments:
        con.execute(sql, values).fetchall()
    elapsed_s = time.perf_counter() - start_s
    con.close()
    return len(arguments) / elapsed_s
