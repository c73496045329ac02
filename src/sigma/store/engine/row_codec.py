"""Convert between rows and domain objects: one codec per table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import BindParameter, Table, bindparam, insert, select, update

from sigma.domain.money import Money
from sigma.store.engine.interface import Op, Row
from sigma.store.engine.statements import Statement, statement

T = TypeVar("T")


@dataclass(frozen=True)
class Codec(Generic[T]):
    """Conversion and statements of one table with the columns `id` and `version`.

    Optimistic locking: an update matches only the row whose version is the one that was read.
    """

    table: Table
    to_row: Callable[[T], dict[str, Any]]
    from_row: Callable[[Row], T]
    insert: Statement
    update: Statement
    select_by_id: Statement

    def save(self, record: Any) -> Op:
        """Return the write of one object: an insert at version 0, else an update of one row.

        The stored version is one higher than the version of the object.
        """
        row = self.to_row(record)
        version = row["version"]
        row["version"] = version + 1
        if version == 0:
            return Op(self.insert, row)
        row["key_id"], row["key_version"] = row.pop("id"), version
        return Op(self.update, row)


def build_codec(
    table: Table, to_row: Callable[[T], dict[str, Any]], from_row: Callable[[Row], T]
) -> Codec[T]:
    """Build the codec of a table. Call it once per table, at import."""
    changed: dict[str, BindParameter[Any]] = {
        c.name: bindparam(c.name) for c in table.columns if c.name != "id"
    }
    return Codec(
        table,
        to_row,
        from_row,
        statement(insert(table)),
        statement(
            update(table)
            .where(table.c.id == bindparam("key_id"), table.c.version == bindparam("key_version"))
            .values(changed)
        ),
        statement(select(table).where(table.c.id == bindparam("id"))),
    )


def field_values(record: Any, *without: str) -> dict[str, Any]:
    """Return the fields of a slotted dataclass as a dict, except those in `without`."""
    return {name: getattr(record, name) for name in record.__slots__ if name not in without}


def column_values(table: Table, row: Row, *without: str, prefix: str = "") -> dict[str, Any]:
    """Return the columns of a row as a dict, except those in `without`.

    `prefix` precedes the column names in the row (not in the result), as in a join.
    """
    return {c.name: row[prefix + c.name] for c in table.columns if c.name not in without}


def encode_json(value: Any) -> str:
    """Return `value` as JSON text."""
    return msgspec.json.encode(value).decode()


def money_from_row(row: Mapping[str, Any] | Row, column: str = "amount_minor") -> Money:
    """Return the amount in `column` (minor units) with the row's currency."""
    return Money(row[column], row["currency"])
