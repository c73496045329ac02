"""SQL statements: built once at import, compiled once per database, then filled with values.

SQLAlchemy Core generates the SQL; the raw driver runs it. A call at run time does not enter
SQLAlchemy: it costs one dictionary look-up and one list of values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec
from sqlalchemy import (
    BindParameter,
    ClauseElement,
    ColumnElement,
    Integer,
    Table,
    TableValuedAlias,
    Text,
    TextClause,
    bindparam,
    column,
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
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

STORABLE_TYPES: Final = frozenset({str, int, bytes, type(None)})


@dataclass(frozen=True, slots=True)
class CompiledStatement:
    """SQL for one database, the names of its parameters in order, and their default values.

    `names` may repeat on SQLite (`?` is positional); on PostgreSQL `names[0]` is `$1`.
    `locks_rows`: a SELECT … FOR UPDATE, which has an effect only inside a transaction.
    """

    sql: str
    names: tuple[str, ...]
    defaults: Mapping[str, object]
    locks_rows: bool

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        """Return the values in the order of the parameters. Raises KeyError for a missing value."""
        defaults = self.defaults
        row: list[object] = []
        for name in self.names:
            value = values[name] if name in values else defaults[name]
            row.append(value if value.__class__ in STORABLE_TYPES else to_storable(value))
        return row


def to_storable(value: object) -> object:
    """Return `value` as a type that both drivers store alike: str, int, bytes or None.

    A list becomes the JSON text that `in_list` reads. Raises TypeError for other types, also for
    float: PostgreSQL would silently round it to BIGINT.
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
        return msgspec.json.encode([to_storable(item) for item in value]).decode()
    raise TypeError(f"{type(value).__name__} cannot be stored; use str or int")


class Statement:
    """One SQL statement for both databases. Create it once, at import, with `statement()`."""

    __slots__ = ("_clause", "_compiled", "is_read_only", "returns_rows")

    def __init__(self, clause: ClauseElement, *, is_read_only: bool, returns_rows: bool) -> None:
        self._clause = clause
        self._compiled: dict[str, CompiledStatement] = {}
        self.is_read_only = is_read_only
        """The statement changes no rows."""
        self.returns_rows = returns_rows
        """The statement returns rows."""

    def compiled_for(self, dialect: str) -> CompiledStatement:
        """Return the SQL for "postgresql" or "sqlite"; the first call compiles it."""
        compiled = self._compiled.get(dialect)
        if compiled is None:
            compiled = self._compiled[dialect] = _compile(self._clause, dialect)
        return compiled

    def __repr__(self) -> str:
        return f"Statement({' '.join(self.compiled_for('sqlite').sql.split())})"


def statement(clause: ClauseElement) -> Statement:
    """Prepare a SQLAlchemy Core clause for both databases.

    `bindparam("x")` becomes the keyword `x` of `fetch_one(stmt, x=…)`; literal values in the clause
    are constant. `insert(table)` without values takes every column as a keyword. Use `in_list` for
    a list that varies between calls, `.in_()` for a constant list.
    """
    if isinstance(clause, UpdateBase):
        returns = bool(clause.returning_column_descriptions)
        return Statement(clause, is_read_only=False, returns_rows=returns)
    writes = any(isinstance(part, UpdateBase) for part in visitors.iterate(clause))
    return Statement(clause, is_read_only=not writes, returns_rows=True)


def text_statement(sql: str, *names: str) -> Statement:
    """Prepare hand-written SQL for both databases; `:name` is a parameter.

    PostgreSQL must be able to infer the type of every parameter: write `CAST(:n AS BIGINT)` where
    the context does not give it. Raises ValueError when `names` are not exactly those in the SQL.
    """
    clause = text(sql)
    used = set(clause.compile().params)
    if used != set(names):
        raise ValueError(f"the SQL has the parameters {sorted(used)}, not {sorted(names)}")
    clause = clause.bindparams(*(bindparam(name) for name in names))
    keyword = sql.split(None, 1)[0].lower()
    write = re.search(r"\b(insert\s+into|update\s+\w+\s+set|delete\s+from)\b", sql, re.IGNORECASE)
    reads = keyword in ("select", "with", "values") and write is None
    returns = reads or re.search(r"\breturning\b", sql, re.IGNORECASE) is not None
    return Statement(clause, is_read_only=reads, returns_rows=returns)


class _InList(FunctionElement[Any]):
    """`column IN (a JSON array)`; the SQL differs between the databases, see `@compiles` below.

    It has no type: a Boolean function would become `… IN (…) = 1` on SQLite.
    """

    inherit_cache = True


def in_list(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Return `column IN (…)` for a list of any length, given as the parameter `name`.

    The list is ONE parameter, a JSON array, so the SQL does not depend on its length and is
    prepared once. PostgreSQL converts it to an array (`= ANY` uses the index), SQLite reads it with
    json_each. Pass a Python list: `fetch_all(stmt, ids=["a", "b"])`. An empty list matches no row.
    """
    return _InList(column, bindparam(name, type_=Text()))


def _operands(element: _InList, compiler: SQLCompiler, **kw: Any) -> tuple[str, str]:
    column, values = (compiler.process(operand, **kw) for operand in element.clauses)
    return column, values


@compiles(_InList, "postgresql")
def _in_list_postgresql(element: _InList, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = _operands(element, compiler, **kw)
    number = "::bigint" if isinstance(next(iter(element.clauses)).type, Integer) else ""
    each = f"jsonb_array_elements_text({values}::jsonb)"
    return f"{column} = ANY(ARRAY(SELECT e{number} FROM {each} AS e))"  # noqa: S608 - no user input


@compiles(_InList, "sqlite")
def _in_list_sqlite(element: _InList, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = _operands(element, compiler, **kw)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - no user input


class _JsonItems(FunctionElement[Any]):
    """The items of a JSON array as rows, see `json_items`."""

    inherit_cache = True


def json_items(name: str) -> TableValuedAlias:
    """Return a table with one row for each item of a list, given as the parameter `name`.

    Its column `value` must be cast. The list is one parameter, as for `in_list`.
    """
    return _JsonItems(bindparam(name, type_=Text())).table_valued(column("value", Text()))


@compiles(_JsonItems, "postgresql")
def _json_items_postgresql(element: _JsonItems, compiler: SQLCompiler, **kw: Any) -> str:
    (values,) = (compiler.process(operand, **kw) for operand in element.clauses)
    return f"jsonb_array_elements_text({values}::jsonb)"


@compiles(_JsonItems, "sqlite")
def _json_items_sqlite(element: _JsonItems, compiler: SQLCompiler, **kw: Any) -> str:
    (values,) = (compiler.process(operand, **kw) for operand in element.clauses)
    return f"json_each({values})"


class _StreamOrder(FunctionElement[Any]):
    """The order in which a subquery yields its rows, see `stream_order`."""

    inherit_cache = True


def stream_order(*keys: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the ORDER BY of a query whose source, a subquery, is in this order already.

    PostgreSQL needs the keys to choose joins that preserve the order, and sees that nothing is to
    sort. SQLite would sort all rows of the source, even by a constant: it preserves the order by
    itself, as long as the source is its outer loop, so its statement has no ORDER BY.
    """
    return _StreamOrder(*keys)


@compiles(_StreamOrder, "postgresql")
def _stream_order_postgresql(element: _StreamOrder, compiler: SQLCompiler, **kw: Any) -> str:
    return ", ".join(compiler.process(key, **kw) for key in element.clauses)


@compiles(_StreamOrder, "sqlite")
def _stream_order_sqlite(element: _StreamOrder, compiler: SQLCompiler, **kw: Any) -> str:
    return ""  # SQLAlchemy leaves out an empty ORDER BY


def insert_on_conflict(table: Table) -> Insert:
    """Return an INSERT with `.on_conflict_do_update(…)` and `excluded` for both databases."""
    return postgresql_insert(table)


def insert_ignore(table: Table, *key: str) -> Insert:
    """Return an INSERT that does nothing when a row with the same `key` columns exists.

    Without `key` a conflict with any unique key is ignored. `execute` returns 1 for a new row, 0
    for an existing one; with `.returning(…)`, `fetch_one` returns None for an existing one.
    """
    return insert_on_conflict(table).on_conflict_do_nothing(index_elements=list(key) or None)


def upsert(table: Table, key: Sequence[str], update: Sequence[str] | Mapping[str, Any]) -> Insert:
    """Return an INSERT that updates an existing row with the same `key` columns.

    `update` lists the columns to overwrite with the new values, or maps columns to expressions, in
    which `table.c.x` is the old value.
    """
    insert = insert_on_conflict(table)
    if not isinstance(update, Mapping):
        update = {name: insert.excluded[name] for name in update}
    return insert.on_conflict_do_update(index_elements=list(key), set_=dict(update))


class _StatementCompiler:
    """The changes to SQLAlchemy's compilers that both databases share.

    Constant texts and numbers become literals of the SQL, also those of `.in_([…])`: a planner
    cannot prove that `status = ?` implies the condition of a partial index on `status = 'queued'`.
    The compiler notes whether the statement locks rows.
    """

    locks_rows = False

    def for_update_clause(self, select: Any, **kw: Any) -> str:
        self.locks_rows = True
        return cast("str", cast("Any", super()).for_update_clause(select, **kw))

    def visit_bindparam(self, bindparam: BindParameter[Any], *args: Any, **kw: Any) -> str:
        compiler = cast("Any", super())
        if bindparam.expanding:
            if not bindparam.value:
                raise ValueError(f"the list {bindparam.key!r} is empty or a parameter: use in_list")
            items = (BindParameter(None, v, type_=bindparam.type) for v in bindparam.value)
            return f"({', '.join(self.visit_bindparam(item, **kw) for item in items)})"
        value = None if bindparam.required else bindparam.effective_value
        if isinstance(value, str | int):
            return _literal(value)
        return cast("str", compiler.visit_bindparam(bindparam, *args, **kw))


def _literal(value: str | int) -> str:
    """Return a constant as SQL, the same in both databases. Backslashes have no meaning in it."""
    if isinstance(value, str):
        return "'" + str.__str__(value).replace("'", "''") + "'"
    return str(int(value))


class _PostgresCompiler(_StatementCompiler, postgresql_dialect.PGCompiler_asyncpg):
    def render_bind_cast(self, type_: TypeEngine[Any], dbapi_type: object, sqltext: str) -> str:
        # TEXT instead of SQLAlchemy's VARCHAR COLLATE "C": the column defines the collation.
        if isinstance(type_, Text):
            return f"{sqltext}::TEXT"
        return cast("str", super().render_bind_cast(type_, dbapi_type, sqltext))  # type: ignore[no-untyped-call]


class _SqliteCompiler(_StatementCompiler, sqlite_dialect.SQLiteCompiler):
    def get_from_hint_text(self, _table: Any, text: str | None) -> str | None:
        # "INDEXED BY name", for SQLite without ANALYZE does not know which index has few rows.
        return text


def _build_dialects() -> dict[str, Dialect]:
    postgresql: Dialect = postgresql_dialect.PGDialect_asyncpg(paramstyle="named")  # type: ignore[no-untyped-call]
    sqlite: Dialect = sqlite_dialect.SQLiteDialect(paramstyle="named")
    postgresql.statement_compiler = _PostgresCompiler
    sqlite.statement_compiler = _SqliteCompiler
    return {"postgresql": postgresql, "sqlite": sqlite}


DIALECTS: Final = _build_dialects()


# Parameters (:name), skipping 'string literals', "quoted identifiers" and ::casts.
_PARAMETER_PATTERN: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|::|:(\w+)""")


def _compile(clause: ClauseElement, dialect: str) -> CompiledStatement:
    compiled = cast("SQLCompiler", clause.compile(dialect=DIALECTS[dialect]))
    names: list[str] = []

    def replace_parameter(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return match[0]
        if dialect == "sqlite":
            names.append(name)
            return "?"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    sql = _PARAMETER_PATTERN.sub(replace_parameter, str(compiled))
    defaults = {
        name: bind.effective_value
        for bind, name in compiled.bind_names.items()
        if not bind.required
    }
    locks_rows = cast("_StatementCompiler", compiled).locks_rows or _locks_in_text(clause)
    return CompiledStatement(sql, tuple(names), defaults, locks_rows)


def _locks_in_text(clause: ClauseElement) -> bool:
    pattern = r"\bfor\s+(no\s+key\s+)?update\b"
    return isinstance(clause, TextClause) and bool(re.search(pattern, clause.text, re.IGNORECASE))
