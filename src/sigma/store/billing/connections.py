"""Connections to acquirers and the notices that came through them, as rows."""

from typing import Any

import msgspec
from sqlalchemy import bindparam, select, update

from sigma.domain.billing.connection import Connection, Notice, Status
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import codec, columns, encode, plain
from sigma.store.engine.statements import statement
from sigma.store.schema.tables import connections, notices, payments


def _to_row(connection: Connection) -> dict[str, Any]:
    return plain(connection, "settings") | {"settings": encode(connection.settings)}


def _from_row(row: Row) -> Connection:
    fields = columns(connections, row, "settings", "status", "check_ok")
    return Connection(
        settings=msgspec.json.decode(row["settings"]),
        status=Status(row["status"]),
        check_ok=bool(row["check_ok"]),
        **fields,
    )


CODEC = codec(connections, _to_row, _from_row)
NOTICE = codec(notices, plain, lambda row: Notice(**columns(notices, row)))

_of_shop = statement(
    select(connections)
    .where(connections.c.shop_id == bindparam("shop_id"), connections.c.provider != "vk")
    .order_by(connections.c.id)
)
_active = statement(
    select(connections)
    .where(
        connections.c.shop_id == bindparam("shop_id"),
        connections.c.status == "active",
        connections.c.provider != "vk",
    )
    .order_by(connections.c.id)
    .limit(1)
)
_paid = statement(
    select(payments.c.id).where(payments.c.connection_id == bindparam("connection_id")).limit(1)
)
_handled = statement(
    update(notices)
    .where(notices.c.id == bindparam("key_id"))
    .values(handled_at=bindparam("handled_at"))
)
_notices_of = statement(
    select(notices)
    .where(
        notices.c.connection_id == bindparam("connection_id"),
        notices.c.object_id == bindparam("object_id"),
    )
    .order_by(notices.c.id)
    .limit(50)
)


async def get(tx: Tx, connection_id: str) -> Connection | None:
    """The connection, or None."""
    row = await tx.fetch_one(CODEC.by_id, id=connection_id)
    return _from_row(row) if row else None


async def active(tx: Tx, shop_id: str) -> Connection | None:
    """The connection that takes a shop's new payments: its oldest active one."""
    row = await tx.fetch_one(_active, shop_id=shop_id)
    return _from_row(row) if row else None


async def of_shop(tx: Tx, shop_id: str) -> list[Connection]:
    """A shop's connections to acquirers; its communities are in sigma.store.messaging.communities."""
    return [_from_row(r) for r in await tx.fetch_all(_of_shop, shop_id=shop_id)]


async def has_payments(tx: Tx, connection_id: str) -> bool:
    """Whether anything was ever paid, or tried, through a connection."""
    return await tx.fetch_one(_paid, connection_id=connection_id) is not None


async def notice(tx: Tx, notice_id: str) -> Notice | None:
    """The notice, or None."""
    row = await tx.fetch_one(NOTICE.by_id, id=notice_id)
    return NOTICE.from_row(row) if row else None


async def mark_handled(tx: Tx, notice_id: str, now: int) -> None:
    """Remembers when a notice was acted upon."""
    await tx.execute(_handled, key_id=notice_id, handled_at=now)


async def notices_of(tx: Tx, connection_id: str, object_id: str) -> list[Notice]:
    """What an acquirer has told of one of its objects, oldest first."""
    rows = await tx.fetch_all(_notices_of, connection_id=connection_id, object_id=object_id)
    return [NOTICE.from_row(r) for r in rows]
