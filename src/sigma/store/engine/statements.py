"""Statements: built once at import, compiled once per database, then only filled with values.

SQLAlchemy Core writes the SQL; the raw driver runs it. Nothing of SQLAlchemy is left on the way
of a request: a call costs one dictionary look-up and a list of values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec
from sqlalchemy import (
    BindParameter,
    ClauseElement,
    ColumnElement,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.dialects.postgresql import asyncpg as postgresql_dialect
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import base as sqlite_dialect
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import Boolean, TypeEngine

PLAIN: Final = frozenset({str, int, bytes, type(None)})


@dataclass(frozen=True, slots=True)
class Compiled:
    """SQL for one database, the names of its parameters in order, and the values it brings along.

    `names` may repeat on SQLite (`?` is positional); on PostgreSQL `names[0]` is `$1`.
    """

    sql: str
    names: tuple[str, ...]
    defaults: Mapping[str, object]

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        """Order the values for the driver. KeyError names a value that was not given."""
        defaults = self.defaults
        row: list[object] = []
        for name in self.names:
            value = values[name] if name in values else defaults[name]
            row.append(value if value.__class__ in PLAIN else plain(value))
        return row


def plain(value: object) -> object:
    """Turn a value into what both drivers store alike: text, whole number, bytes or nothing.

    A list becomes the JSON text that `in_list` reads. A float is refused, for PostgreSQL would
    round it into a BIGINT without a word.
    """
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):  # StrEnum
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return msgspec.json.encode([plain(one) for one in value]).decode()
    raise TypeError(f"{type(value).__name__} cannot be stored; give text or a whole number")


class Statement:
    """One SQL statement for both databases. Make it once, at import, with `statement()`."""

    __slots__ = ("_clause", "_compiled", "locks", "reads", "returns")

    def __init__(self, clause: ClauseElement, *, reads: bool, locks: bool, returns: bool) -> None:
        self._clause = clause
        self._compiled: dict[str, Compiled] = {}
        self.reads = reads
        """It changes nothing."""
        self.locks = locks
        """It reads FOR UPDATE, which only means something inside a transaction."""
        self.returns = returns
        """It answers with rows."""

    def on(self, dialect: str) -> Compiled:
        """Return the SQL for "postgresql" or "sqlite", compiled at the first call."""
        compiled = self._compiled.get(dialect)
        if compiled is None:
            compiled = self._compiled[dialect] = _compile(self._clause, dialect)
        return compiled

    def __repr__(self) -> str:
        return f"Statement({' '.join(self.on('sqlite').sql.split())})"


def statement(clause: ClauseElement) -> Statement:
    """Prepare a SQLAlchemy Core clause for both databases.

    `bindparam("x")` becomes the keyword `x` of `fetch_one(stmt, x=…)`; values written into the
    clause stay in it. `insert(table)` without values takes every column as a keyword. For a list
    that changes from call to call use `in_list`; a list written into the clause may be `.in_()`.
    """
    is_select = isinstance(clause, Select)
    locks = isinstance(clause, Select) and clause._for_update_arg is not None
    if isinstance(clause, Select):
        writes = any(getattr(part, "is_dml", False) for part in visitors.iterate(clause))
    else:
        writes = getattr(clause, "is_dml", False)
    returns = is_select or not writes or bool(getattr(clause, "_returning", ()))
    return Statement(clause, reads=not writes, locks=locks, returns=returns)


def text_statement(sql: str, *names: str) -> Statement:
    """Prepare SQL written by hand for both databases; `:name` marks a value.

    PostgreSQL must be able to tell the type of every value: write `CAST(:n AS BIGINT)` where the
    surroundings do not. ValueError if `names` are not exactly the names in the text.
    """
    clause = text(sql)
    found = set(clause._bindparams)
    if found != set(names):
        raise ValueError(f"the SQL has the values {sorted(found)}, not {sorted(names)}")
    clause = clause.bindparams(*(bindparam(name) for name in names))
    words = sql.split(None, 1)[0].lower()
    locks = re.search(r"\bfor\s+(no\s+key\s+)?update\b", sql, re.IGNORECASE) is not None
    writing = re.search(r"\b(insert\s+into|update\s+\w+\s+set|delete\s+from)\b", sql, re.IGNORECASE)
    reads = words in ("select", "with", "values") and writing is None
    returns = reads or re.search(r"\breturning\b", sql, re.IGNORECASE) is not None
    return Statement(clause, reads=reads, locks=locks, returns=returns)


class _InList(ColumnElement[bool]):
    """`column IN (a JSON array)`, which each database spells in its own way."""

    inherit_cache = False
    type = Boolean()
    _is_implicitly_boolean = True  # or SQLite would be asked for `… IN (…) = 1`

    def __init__(self, column: ColumnElement[Any], values: BindParameter[str]) -> None:
        self.column = column
        self.values = values

    def get_children(self, **kw: Any) -> Iterable[ClauseElement]:
        return (self.column, self.values)

    def _copy_internals(self, clone: Any = None, **kw: Any) -> None:
        if clone is not None:
            self.column = clone(self.column, **kw)
            self.values = clone(self.values, **kw)


def in_list(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """`column IN (…)` for a list of any length given as the value `name`.

    The list travels as ONE parameter, a JSON array, so the SQL never changes with its length and
    is prepared once. PostgreSQL turns it into an array (`= ANY` uses the index), SQLite reads it
    with json_each. Pass a Python list: `fetch_all(stmt, ids=["a", "b"])`. An empty list matches
    nothing.
    """
    return _InList(column, bindparam(name, type_=Text()))


@compiles(_InList, "postgresql")
def _in_list_postgresql(element: _InList, compiler: SQLCompiler, **kw: Any) -> str:
    column = compiler.process(element.column, **kw)
    number = "::bigint" if isinstance(element.column.type, Integer) else ""
    values = compiler.process(element.values, **kw)
    each = f"jsonb_array_elements_text({values}::jsonb)"
    return f"{column} = ANY(ARRAY(SELECT e{number} FROM {each} AS e))"  # noqa: S608 - our own SQL


@compiles(_InList, "sqlite")
def _in_list_sqlite(element: _InList, compiler: SQLCompiler, **kw: Any) -> str:
    column = compiler.process(element.column, **kw)
    values = compiler.process(element.values, **kw)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - our own SQL


def insert_on_conflict(table: Table) -> Insert:
    """INSERT whose `.on_conflict_do_update(…)` and `excluded` mean the same on both databases."""
    return postgresql_insert(table)


def insert_ignore(table: Table, *key: str) -> Insert:
    """INSERT that does nothing when a row with the same `key` columns (any key if none) exists.

    `execute` answers 1 if the row is new, 0 if it was there; with `.returning(…)`, `fetch_one`
    answers None if it was there.
    """
    return insert_on_conflict(table).on_conflict_do_nothing(index_elements=list(key) or None)


def upsert(table: Table, key: Sequence[str], update: Sequence[str] | Mapping[str, Any]) -> Insert:
    """INSERT that updates the row with the same `key` columns instead.

    `update` names the columns that take the new values, or maps columns to expressions (in which
    `table.c.x` is the old value).
    """
    insert = insert_on_conflict(table)
    if not isinstance(update, Mapping):
        update = {name: insert.excluded[name] for name in update}
    return insert.on_conflict_do_update(index_elements=list(key), set_=dict(update))


class _LiteralLists:
    """Writes the values of `.in_([…])` out at once; SQLAlchemy would do it at every execution."""

    def visit_bindparam(self, bindparam: BindParameter[Any], *args: Any, **kw: Any) -> str:
        compiler = cast("Any", super())
        if not bindparam.expanding:
            return cast("str", compiler.visit_bindparam(bindparam, *args, **kw))
        if not bindparam.value:
            raise ValueError(f"the list {bindparam.key!r} has no values here: use in_list()")
        each = (BindParameter(None, v, type_=bindparam.type) for v in bindparam.value)
        return f"({', '.join(compiler.visit_bindparam(one, **kw) for one in each)})"


class _PostgresCompiler(_LiteralLists, postgresql_dialect.PGCompiler_asyncpg):
    def render_bind_cast(self, type_: TypeEngine[Any], dbapi_type: object, sqltext: str) -> str:
        # A plain TEXT, not SQLAlchemy's VARCHAR COLLATE "C": the column brings the collation.
        if isinstance(type_, Text):
            return f"{sqltext}::TEXT"
        return cast("str", super().render_bind_cast(type_, dbapi_type, sqltext))  # type: ignore[no-untyped-call]


class _SqliteCompiler(_LiteralLists, sqlite_dialect.SQLiteCompiler):
    pass


def _dialects() -> dict[str, Dialect]:
    postgresql: Dialect = postgresql_dialect.PGDialect_asyncpg()  # type: ignore[no-untyped-call]
    sqlite: Dialect = sqlite_dialect.SQLiteDialect(paramstyle="qmark")
    postgresql.statement_compiler = _PostgresCompiler
    sqlite.statement_compiler = _SqliteCompiler
    return {"postgresql": postgresql, "sqlite": sqlite}


DIALECTS: Final = _dialects()


def _compile(clause: ClauseElement, dialect: str) -> Compiled:
    compiled = cast("SQLCompiler", clause.compile(dialect=DIALECTS[dialect]))
    names = tuple(compiled.positiontup or ())
    defaults = {
        name: bind.effective_value
        for bind, name in compiled.bind_names.items()
        if not bind.required
    }
    return Compiled(str(compiled), names, defaults)
