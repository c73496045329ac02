"""Connections to acquirers."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, select

from sigma.domain.billing.connection import Connection, Status
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, encode_json, field_values
from sigma.store.engine.statements import in_list, statement
from sigma.store.schema.tables import connections, payments


def _to_row(connection: Connection) -> dict[str, Any]:
    return field_values(connection, "settings") | {"settings": encode_json(connection.settings)}


def _from_row(row: Row) -> Connection:
    fields = column_values(connections, row, "settings", "status", "has_passed_check")
    return Connection(
        settings=msgspec.json.decode(row["settings"]),
        status=Status(row["status"]),
        has_passed_check=bool(row["has_passed_check"]),
        **fields,
    )


CODEC = build_codec(connections, _to_row, _from_row)

_list_for_shop = statement(
    select(connections)
    .where(connections.c.shop_id == bindparam("shop_id"), connections.c.provider != "vk")
    .order_by(connections.c.id)
)


def select_active(shop_id: ColumnElement[str], *columns: ColumnElement[Any]) -> Select[Any]:
    """Select a shop's connection for new payments: its oldest active one to an acquirer."""
    return (
        select(*(columns or connections.columns))
        .where(
            connections.c.shop_id == shop_id,
            connections.c.status == "active",
            connections.c.provider != "vk",
        )
        .order_by(connections.c.id)
        .limit(1)
    )


_lock = statement(select(connections).where(connections.c.id == bindparam("id")).with_for_update())
_find_active = statement(select_active(bindparam("shop_id")))
_find_by_ids = statement(select(connections).where(in_list(connections.c.id, "ids")))
_find_payment = statement(
    select(payments.c.id).where(payments.c.connection_id == bindparam("connection_id")).limit(1)
)


async def get(tx: Tx, connection_id: str) -> Connection | None:
    """Return the connection, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=connection_id)
    return _from_row(row) if row else None


async def find_by_ids(tx: Tx, ids: Iterable[str]) -> dict[str, Connection]:
    """Return the connections with these ids, by id; unknown ids are left out."""
    rows = await tx.fetch_all(_find_by_ids, ids=list(ids))
    return {row["id"]: _from_row(row) for row in rows}


async def lock(tx: Tx, connection_id: str) -> Connection:
    """Return the connection, locked until the transaction ends. The connection must exist."""
    row = await tx.fetch_one(_lock, id=connection_id)
    assert row is not None, f"cannot lock an unknown connection: {connection_id}"
    return _from_row(row)


async def find_active(tx: Tx, shop_id: str) -> Connection | None:
    """Return the connection for a shop's new payments, its oldest active one, or None."""
    row = await tx.fetch_one(_find_active, shop_id=shop_id)
    return _from_row(row) if row else None


async def list_for_shop(tx: Tx, shop_id: str) -> list[Connection]:
    """Return a shop's connections to acquirers, the oldest first.

    Connections to VK communities are in `sigma.store.messaging.communities`.
    """
    return [_from_row(r) for r in await tx.fetch_all(_list_for_shop, shop_id=shop_id)]


async def has_payments(tx: Tx, connection_id: str) -> bool:
    """Return whether the connection has payments in any status."""
    return await tx.fetch_one(_find_payment, connection_id=connection_id) is not None
