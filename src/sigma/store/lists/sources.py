"""Statements of a filtered list, for payments and invoices alike.

A statement reads rows from one *source* (an index, or the search index), the newest first, and
checks the other conditions on each of them. At most `window` rows are read, so the work is bounded
whatever is filtered: a page may have fewer rows than asked for, and then says where to go on.

Each combination of source, conditions and order is a statement of its own (see `list_reading`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    Table,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    select,
    tuple_,
)

from sigma.store.engine.statements import Statement, statement, stream_order
from sigma.store.schema.list_tables import list_tokens, refunded_payments

Columns = Any  # the columns of a table or of a subquery, by name
Condition = Callable[[Columns], ColumnElement[bool]]


class Source(StrEnum):
    """Where the rows of a list come from."""

    ALL = "all"  # a covering index: reads no rows of the table
    STATUS = "status"
    SERVICE = "service"
    MEMBER = "member"
    AMOUNT = "amount"  # one exact amount
    BY_AMOUNT = "by_amount"  # all, in the order of their amounts
    LAST4 = "last4"
    TOKEN = "token"  # the search index  # noqa: S105
    REFUNDED = "refunded"
    ATTENTION = "attention"
    INVOICE = "invoice"
    CUSTOMER = "customer"
    IDS = "ids"  # a few known rows


# Sources that are not in the order of dates: all of their rows are read and sorted.
UNSORTED = frozenset({Source.ATTENTION, Source.INVOICE, Source.CUSTOMER, Source.IDS})
# Sources whose rows are not those of the table.
JOINED = frozenset({Source.TOKEN, Source.REFUNDED})
PERIOD = ("created_from", "created_to")  # conditions that sources in the order of dates seek to
# Conditions that every row of a source meets.
IMPLIED = {
    Source.STATUS: ("status",),
    Source.SERVICE: ("service",),
    Source.MEMBER: ("member",),
    Source.AMOUNT: ("amount",),
    Source.LAST4: ("last4",),
    Source.REFUNDED: ("refunded_state", "refunded_any"),
    Source.ATTENTION: ("attention",),
    Source.INVOICE: ("invoice",),
    Source.CUSTOMER: ("customers",),
    Source.IDS: ("ids",),
}
BASE_COLUMNS = ("id", "created_at_us", "status", "amount_minor", "currency")


@dataclass(frozen=True, slots=True)
class Shape:
    """A combination that has a statement of its own.

    `conditions`: names, in a fixed order. `token_count`: further tokens that each row must have.
    `is_by_amount`, `is_descending`: the order of the page.
    """

    source: Source
    conditions: tuple[str, ...] = ()
    token_count: int = 0
    is_by_amount: bool = False
    is_descending: bool = True

    @property
    def name(self) -> str:
        """All fields as one text."""
        order = ("-" if self.is_descending else "") + ("amount" if self.is_by_amount else "date")
        return " ".join((self.source, order, *self.conditions, *["token"] * self.token_count))

    @property
    def is_streamed(self) -> bool:
        """Whether the source has the order of the page, so that reading stops early."""
        return self.source is Source.BY_AMOUNT if self.is_by_amount else self.seeks_period

    @property
    def seeks_period(self) -> bool:
        """Whether the source is in the order of dates: it starts at the bounds of the period."""
        return self.source not in UNSORTED and self.source is not Source.BY_AMOUNT

    @property
    def residual(self) -> tuple[str, ...]:
        """The conditions that are checked on each row."""
        met = IMPLIED.get(self.source, ()) + (PERIOD if self.seeks_period else ())
        return tuple(name for name in self.conditions if name not in met)


@dataclass(frozen=True)
class ListTable:
    """A table with a list.

    `conditions`: by name, as functions of the columns; each has a parameter of its name.
    `columns`: the columns that a condition reads. `hints`: SQLite's index of a source, which it
    cannot choose without statistics. `paid_status`: of rows whose amount was received.
    """

    table: Table
    paid_status: str
    conditions: Mapping[str, Condition]
    columns: Mapping[str, tuple[str, ...]]
    hints: Mapping[Source, str]

    def __hash__(self) -> int:
        return hash(self.table.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ListTable) and other.table is self.table


def page_statement(listed: ListTable, shape: Shape, *, has_cursor: bool) -> Statement:
    """Return id, created_at_us, amount_minor of at most `limit` rows beyond the cursor.

    In the order of the shape if it is streamed; the caller sorts them otherwise and anyway.
    """
    query: Any
    visited = _visited(listed, shape, has_cursor=has_cursor)
    inner = visited.subquery("visited")
    c, query = _with_columns(listed, shape, inner, needs_amount=not shape.is_streamed)
    amount = c.amount_minor if "amount_minor" in c else literal_column("0").label("amount_minor")
    query = query.with_only_columns(c.id, c.created_at_us, amount)
    query = query.where(*_residual(listed, shape, c))
    keys: tuple[Any, ...] = (inner.c.created_at_us, inner.c.id)
    if shape.is_by_amount:
        keys = (c.amount_minor, *keys)
    if shape.is_streamed:
        order = _ordered(keys, is_descending=shape.is_descending)
        query = query.order_by(stream_order(*order))
    else:
        if has_cursor:
            query = query.where(_beyond_cursor(keys, is_descending=shape.is_descending))
        query = query.order_by(*_ordered(keys, is_descending=shape.is_descending))
    return statement(query.limit(bindparam("limit")))


def totals_statement(listed: ListTable, shape: Shape) -> Statement:
    """Return how many rows were visited and their sum, by currency, status and `matched` (1 or 0).

    Grouping by the conditions checks each of them once for a row.
    """
    inner = _visited(listed, shape).subquery("visited")
    c, query = _with_columns(listed, shape, inner, needs_amount=True)
    one: ColumnElement[int] = literal_column("1")
    zero: ColumnElement[int] = literal_column("0")
    conditions = _residual(listed, shape, c)
    matched = case((and_(*conditions), one), else_=zero) if conditions else one
    query = query.with_only_columns(
        c.currency,
        c.status,
        matched.label("matched"),
        func.count().label("n"),
        func.sum(c.amount_minor).label("minor"),
    )
    return statement(query.group_by(c.currency, c.status, *(["matched"] if conditions else [])))


def rows_statement(listed: ListTable, shape: Shape) -> Statement:
    """Return id, currency, status and amount of at most `limit` rows: for sums of several sources.

    In the order of the source.
    """
    inner = _visited(listed, shape).subquery("visited")
    c, query = _with_columns(listed, shape, inner, needs_amount=True)
    query = query.with_only_columns(c.id, c.currency, c.status, c.amount_minor)
    return statement(query.where(*_residual(listed, shape, c)).limit(bindparam("limit")))


def window_end_statement(listed: ListTable, shape: Shape, *, has_cursor: bool) -> Statement:
    """Return the id of the row at position `window` (from 0) beyond the cursor, or no row."""
    visited = _visited(listed, shape, has_cursor=has_cursor, at_end=True).subquery()
    return statement(select(visited.c.id))


def probe_statement(listed: ListTable, shape: Shape) -> Statement:
    """Return how many rows a source has, counted up to `window`."""
    visited = _visited(listed, shape)
    if shape.source not in JOINED:
        visited = visited.with_only_columns(listed.table.c.id)  # reads only the index
    rows = visited.subquery()
    return statement(select(func.count().label("n")).select_from(rows))


def _visited(
    listed: ListTable, shape: Shape, *, has_cursor: bool = False, at_end: bool = False
) -> Select[Any]:
    """Return the rows of the source: at most `window`, or the one at this position."""
    query, keys = _source_rows(listed, shape)
    if shape.seeks_period:
        bounds = _period_conditions(keys[0])
        query = query.where(*(bounds[name] for name in shape.conditions if name in bounds))
    if has_cursor and shape.is_streamed:
        query = query.where(_beyond_cursor(keys, is_descending=shape.is_descending))
    is_descending = shape.is_descending or not shape.is_streamed
    query = query.order_by(*_ordered(keys, is_descending=is_descending))
    if at_end:
        return query.limit(literal_column("1")).offset(bindparam("window"))
    return query.limit(bindparam("window"))


def _source_rows(listed: ListTable, shape: Shape) -> tuple[Select[Any], tuple[Any, ...]]:
    """Return all rows of the source, and the columns of its order."""
    query: Any  # the number of columns differs
    if shape.source is Source.TOKEN:
        t = list_tokens.c
        query = select(t.subject_id.label("id"), t.created_at_us)
        query = query.where(t.token_hash == bindparam("token_hash"))
        return query, (t.created_at_us, t.subject_id)
    if shape.source is Source.REFUNDED:
        r = refunded_payments.c
        query = select(r.id, r.created_at_us).where(r.shop_id == bindparam("shop_id"))
        if "refunded_state" in shape.conditions:
            query = query.where(r.state == bindparam("refunded_state"))
        return query, (r.created_at_us, r.id)
    c = listed.table.c
    names = [*BASE_COLUMNS]
    for name in shape.residual:
        names += listed.columns.get(name, ())
    query = select(*(c[name] for name in dict.fromkeys(names)))
    query = query.where(c.shop_id == bindparam("shop_id"))
    query = query.where(*(listed.conditions[name](c) for name in IMPLIED.get(shape.source, ())))
    if hint := listed.hints.get(shape.source):
        query = query.with_hint(listed.table, f"INDEXED BY {hint}", "sqlite")
    if shape.source is Source.BY_AMOUNT:
        return query, (c.amount_minor, c.created_at_us, c.id)
    return query, (c.id,) if shape.source in UNSORTED else (c.created_at_us, c.id)


def _with_columns(
    listed: ListTable, shape: Shape, inner: Subquery, *, needs_amount: bool
) -> tuple[Columns, Select[Any]]:
    """Return the columns for conditions, and a query from the visited rows.

    On SQLite the table is looked up by id for each visited row, never the other way round.
    """
    if shape.source not in JOINED or not (shape.residual or needs_amount):
        return inner.c, select(inner)
    table = listed.table
    query: Any = select(inner).join(table, table.c.id == inner.c.id)
    query = query.with_hint(table, f"INDEXED BY sqlite_autoindex_{table.name}_1", "sqlite")
    return table.c, query.where(table.c.shop_id == bindparam("shop_id"))


def _residual(listed: ListTable, shape: Shape, c: Columns) -> list[ColumnElement[bool]]:
    found = [
        _period_conditions(c.created_at_us)[name] if name in PERIOD else listed.conditions[name](c)
        for name in shape.residual
    ]
    return found + [_has_token(number, c) for number in range(shape.token_count)]


def _period_conditions(column: ColumnElement[int]) -> dict[str, ColumnElement[bool]]:
    return {
        "created_from": column >= bindparam("created_from"),
        "created_to": column < bindparam("created_to"),
    }


def _has_token(number: int, c: Columns) -> ColumnElement[bool]:
    """Return whether the row has the token `token_{number}`: a look-up of one index entry.

    OFFSET makes PostgreSQL look each row up: a join would read all rows with a common word.
    """
    t = list_tokens.c
    return exists(
        select(literal_column("1"))
        .select_from(list_tokens)
        .where(
            t.token_hash == bindparam(f"token_{number}"),
            t.created_at_us == c.created_at_us,
            t.subject_id == c.id,
        )
        .offset(literal_column("0"))
    )


def _beyond_cursor(keys: tuple[Any, ...], *, is_descending: bool) -> ColumnElement[bool]:
    """Compare the keys with the cursor as a row, so that an index seeks to it."""
    names = ("cursor_minor", "cursor_at_us", "cursor_id")[-len(keys) :]
    key, cursor = tuple_(*keys), tuple_(*(bindparam(name) for name in names))
    return key < cursor if is_descending else key > cursor


def _ordered(keys: tuple[Any, ...], *, is_descending: bool) -> list[ColumnElement[Any]]:
    return [key.desc() if is_descending else key.asc() for key in keys]
