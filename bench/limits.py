"""What the databases can do at best with the very statements that Sigma runs.

PostgreSQL: the statements of a real decision are recorded from the driver, made independent of
one another by suffixes, and given to pgbench. SQLite: the same statements with the same kind of
values, one COMMIT each, straight on the standard library's driver.
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
from tests.postgres import BIN

Recorded = list[tuple[str, tuple[Any, ...]]]
_PARAMETER = re.compile(r"\$(\d+)")


async def record(db: PostgresDatabase, act: Callable[[], Awaitable[object]]) -> Recorded:
    """The statements that `act` sends through a pool of one connection."""
    said: Recorded = []

    def listen(query: Any) -> None:
        if "pg_notify" not in query.query:  # told on the side, not part of the decision
            said.append((query.query, tuple(query.args)))

    connection = await db.pool.acquire()
    connection.add_query_logger(listen)
    db.pool.release(connection)
    await act()
    await asyncio.sleep(0.01)  # the driver tells its listeners a moment later
    connection = await db.pool.acquire()
    connection.remove_query_logger(listen)
    db.pool.release(connection)
    return said


def script(first: Recorded, second: Recorded) -> str:
    """A pgbench script of a decision recorded twice: whatever differed gets a suffix of its own.

    `:u` is a number that no other transaction of the run has.
    """
    assert [sql for sql, _ in first] == [sql for sql, _ in second], "the same decision twice"
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
    # A colon would be a variable to pgbench, even inside quotes.
    escaped = str(value).replace("\\", "\\\\").replace("'", "''").replace(":", "\\x3a")
    quoted = f"E'{escaped}'"
    if differs and not str(value).startswith("{"):
        return f"({quoted} || :u::TEXT)"
    return quoted


def pgbench(
    url: str, text: str, folder: Path, *, clients: int, seconds: float, first: int
) -> float:
    """Transactions a second of a script. `first` keeps runs from meeting each other's rows."""
    path = folder / "script.sql"
    path.write_text(text)
    command = [BIN / "pgbench", "-n", "-M", "prepared", "-f", path, "-c", str(clients), "-j", "1"]
    command += ["-T", str(max(1, round(seconds))), "-D", f"i={first}", url]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert not failed or failed[1] == "0", done.stdout
    return float(found[1])


def sqlite_rate(path: Path, decisions: Sequence[Sequence[tuple[str, Sequence[Any]]]]) -> float:
    """Decisions a second, each a BEGIN, its statements and a COMMIT that is on disk."""
    con = sqlite3.connect(path, isolation_level=None, cached_statements=512)
    con.execute("PRAGMA journal_mode = WAL")
    con.execute("PRAGMA synchronous = FULL")
    began = time.perf_counter()
    for statements in decisions:
        con.execute("BEGIN IMMEDIATE")
        for sql, values in statements:
            con.execute(sql, values).fetchall()
        con.execute("COMMIT")
    took = time.perf_counter() - began
    con.close()
    return len(decisions) / took


def sqlite_reads(path: Path, sql: str, asked: Sequence[Sequence[Any]]) -> float:
    """Reads a second of one statement."""
    con = sqlite3.connect(path, isolation_level=None)
    began = time.perf_counter()
    for values in asked:
        con.execute(sql, values).fetchall()
    took = time.perf_counter() - began
    con.close()
    return len(asked) / took
