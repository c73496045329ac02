"""Deliveries: one message to a member by one way, stored before it is sent."""

from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, select

from sigma.domain.notifications.kind import Topic, Way
from sigma.domain.notifications.notification import Delivery, DeliveryStatus, Recipient
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, encode_json, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.notification_tables import notification_deliveries as table


def _to_row(delivery: Delivery) -> dict[str, Any]:
    recipient = delivery.recipient
    return field_values(delivery, "recipient", "reached") | {
        "shop_id": recipient.shop_id,
        "user_id": recipient.user_id,
        "way": recipient.way,
        "topic": recipient.topic,
        "reached": encode_json(delivery.reached),
    }


def _from_row(row: Row) -> Delivery:
    plain = column_values(table, row, *("shop_id", "user_id", "way", "topic", "status", "reached"))
    return Delivery(
        recipient=Recipient(row["shop_id"], row["user_id"], Way(row["way"]), Topic(row["topic"])),
        status=DeliveryStatus(row["status"]),
        reached=tuple(msgspec.json.decode(row["reached"])),
        **plain,
    )


CODEC = build_codec(table, _to_row, _from_row)

_of_way = (
    table.c.shop_id == bindparam("shop_id"),
    table.c.user_id == bindparam("user_id"),
    table.c.way == bindparam("way"),
)
_find_latest = statement(
    select(table)
    .where(*_of_way, table.c.topic == bindparam("topic"))
    .order_by(table.c.id.desc())
    .limit(1)
)
_find_latest_of_way = statement(select(table).where(*_of_way).order_by(table.c.id.desc()).limit(1))
_delete_old = statement(
    delete(table).where(
        table.c.id.in_(
            select(table.c.id)
            .where(table.c.started_at_us <= bindparam("before_us"))
            .limit(bindparam("limit"))
        )
    )
)


async def get(tx: Tx, delivery_id: str) -> Delivery | None:
    """Return a delivery, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=delivery_id)
    return _from_row(row) if row else None


async def find_latest(tx: Tx, recipient: Recipient) -> Delivery | None:
    """Return the latest delivery of a topic, which may still be under way."""
    row = await tx.fetch_one(
        _find_latest,
        shop_id=recipient.shop_id,
        user_id=recipient.user_id,
        way=recipient.way,
        topic=recipient.topic,
    )
    return _from_row(row) if row else None


async def find_latest_of_way(tx: Tx, shop_id: str, user_id: str, way: Way) -> Delivery | None:
    """Return the latest delivery to a member by a way, for its page."""
    row = await tx.fetch_one(_find_latest_of_way, shop_id=shop_id, user_id=user_id, way=way)
    return _from_row(row) if row else None


async def delete_old(tx: Tx, before_us: int, limit: int) -> int:
    """Delete up to `limit` deliveries from before then; return how many."""
    return await tx.execute(_delete_old, before_us=before_us, limit=limit)
