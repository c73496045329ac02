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


def partial_index(name: str, *columns: str, where: str) -> Index:
    """Return an index of the rows that meet `where` (SQL), on both databases."""
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(where))


def shop_id_column() -> Column[Any]:
    """Return the column `shop_id`, a foreign key to `shops`."""
    return Column("shop_id", TextC, ForeignKey("shops.id"), nullable=False)
