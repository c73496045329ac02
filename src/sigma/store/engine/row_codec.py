"""Rows and domain objects: one codec per table, read and written the same way everywhere."""

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
    """How one kind of object is a row.

    Insert when its version is 0, else update where the version is the one that was read.
    """

    table: Table
    to_row: Callable[[T], dict[str, Any]]
    from_row: Callable[[Row], T]
    insert: Statement
    update: Statement
    by_id: Statement

    def save(self, thing: Any) -> Op:
        """The write of one object, its version grown by one. It expects to meet exactly one row."""
        row = self.to_row(thing)
        version = row["version"]
        row["version"] = version + 1
        if version == 0:
            return Op(self.insert, row)
        row["key_id"], row["key_version"] = row.pop("id"), version
        return Op(self.update, row)


def codec(
    table: Table, to_row: Callable[[T], dict[str, Any]], from_row: Callable[[Row], T]
) -> Codec[T]:
    """Builds the statements of a table once, at import."""
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


def plain(thing: Any, *without: str) -> dict[str, Any]:
    """The fields of a slotted dataclass as a dict, less some that need work."""
    return {name: getattr(thing, name) for name in thing.__slots__ if name not in without}


def columns(table: Table, row: Row, *without: str, prefix: str = "") -> dict[str, Any]:
    """The columns of a row as a dict, less some that need work."""
    return {c.name: row[prefix + c.name] for c in table.columns if c.name not in without}


def encode(value: Any) -> str:
    """JSON text."""
    return msgspec.json.encode(value).decode()


def amount(row: Mapping[str, Any] | Row, name: str = "amount_minor") -> Money:
    """The money in a row."""
    return Money(row[name], row["currency"])
