"""The column types of all tables, for PostgreSQL and SQLite, and shorthands for columns.

Types are instances, used without parentheses: `Column("id", TextC, primary_key=True)`.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Text, text

# By default PostgreSQL compares text by the server's locale. The C collation compares bytes, as
# SQLite does.
TextC: Final = Text().with_variant(Text(collation="C"), "postgresql")

# Minor units of money, UTC microseconds, counters.
BigInt: Final = BigInteger()

# A boolean, stored as 1 or 0.
Flag: Final = Integer()

# JSON as text: written and read by msgspec, never queried by the database.
Json: Final = TextC

# Binary data.
Blob: Final = LargeBinary()


def id_column() -> Column[Any]:
    """Return the primary key column `id`."""
    return Column("id", TextC, primary_key=True)


def text_column(name: str, **options: Any) -> Column[Any]:
    """Return a NOT NULL text column."""
    return Column(name, TextC, nullable=False, **options)


def int_column(name: str) -> Column[Any]:
    """Return a NOT NULL BIGINT column."""
    return Column(name, BigInt, nullable=False)


def flag_column(name: str) -> Column[Any]:
    """Return a NOT NULL boolean column (1 or 0)."""
    return Column(name, Flag, nullable=False)


def shop_id_column() -> Column[Any]:
    """Return the column `shop_id`, a foreign key to `shops`."""
    return Column("shop_id", TextC, ForeignKey("shops.id"), nullable=False)


def partial_index(name: str, columns: str, condition: str) -> Index:
    """Return an index on `columns` (separated by spaces) of the rows that match `condition` (SQL).

    A statement must repeat the condition as SQLite compares it: term by term. PostgreSQL also
    proves that `status = 'queued'` implies `status IN ('queued', 'failed')`; SQLite does not.
    """
    where = text(condition)
    return Index(name, *columns.split(), postgresql_where=where, sqlite_where=where)
