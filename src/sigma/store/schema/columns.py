"""The five column types every table is made of, the same on PostgreSQL and SQLite.

They are type instances, used without parentheses: `Column("id", TextC, primary_key=True)`.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, Text

# PostgreSQL would sort and compare text by the server's language; byte order is the same
# everywhere, and it is what SQLite does.
TextC: Final = Text().with_variant(Text(collation="C"), "postgresql")

# Minor units of money, UTC microseconds, counters.
BigInt: Final = BigInteger()

# A yes or no, stored as 1 or 0.
Flag: Final = Integer()

# JSON as text: written and read by msgspec, never looked into by the database.
Json: Final = TextC

# Bytes of a picture.
Blob: Final = LargeBinary()


def id_() -> Column[Any]:
    """The identity of a row."""
    return Column("id", TextC, primary_key=True)


def text_(name: str, **options: Any) -> Column[Any]:
    """Text that is always there."""
    return Column(name, TextC, nullable=False, **options)


def int_(name: str) -> Column[Any]:
    """A whole number that is always there: minor units, UTC microseconds, counters."""
    return Column(name, BigInt, nullable=False)


def flag_(name: str) -> Column[Any]:
    """A yes or no that is always there."""
    return Column(name, Flag, nullable=False)


def shop_() -> Column[Any]:
    """The shop that a row belongs to."""
    return Column("shop_id", TextC, ForeignKey("shops.id"), nullable=False)
