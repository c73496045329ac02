"""The four column types every table is made of, the same on PostgreSQL and SQLite.

They are type instances, used without parentheses: `Column("id", TextC, primary_key=True)`.
"""

from typing import Final

from sqlalchemy import BigInteger, Integer, Text

# PostgreSQL would sort and compare text by the server's language; byte order is the same
# everywhere, and it is what SQLite does.
TextC: Final = Text().with_variant(Text(collation="C"), "postgresql")

# Minor units of money, UTC microseconds, counters.
BigInt: Final = BigInteger()

# A yes or no, stored as 1 or 0.
Flag: Final = Integer()

# JSON as text: written and read by msgspec, never looked into by the database.
Json: Final = TextC
