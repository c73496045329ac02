"""Notifications: one row for each event, member and way."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from sigma.domain.money import Money
from sigma.domain.notifications.kind import Kind, Topic, Way
from sigma.domain.notifications.notification import Notification, Recipient, Status
from sigma.store.engine.interface import Op, Row, Tx
from sigma.store.engine.statements import in_list, insert_ignore, statement
from sigma.store.schema.notification_tables import notifications as table

_insert = statement(insert_ignore(table, "event_id", "user_id", "way"))
_of_recipient = (
    table.c.shop_id == bindparam("shop_id"),
    table.c.user_id == bindparam("user_id"),
    table.c.way == bindparam("way"),
    table.c.topic == bindparam("topic"),
)
_list_queued = statement(
    select(table)
    .where(*_of_recipient, table.c.status == "queued")
    .order_by(table.c.id)
    .limit(bindparam("limit"))
)
_list_of_delivery = statement(
    select(table)
    .where(table.c.delivery_id == bindparam("delivery_id"), table.c.delivery_id.is_not(None))
    .order_by(table.c.id)
)
_set_status = statement(
    update(table)
    .where(in_list(table.c.id, "ids"))
    .values(status=bindparam("new_status"), delivery_id=bindparam("new_delivery_id"))
)
_delete_old = statement(
    delete(table).where(
        table.c.id.in_(
            select(table.c.id)
            .where(table.c.created_at_us <= bindparam("before_us"))
            .limit(bindparam("limit"))
        )
    )
)


def _to_row(one: Notification) -> dict[str, Any]:
    return {
        "id": one.id,
        **_recipient_values(one.recipient),
        "kind": one.kind,
        "event_id": one.event_id,
        "subject_id": one.subject_id,
        "created_at_us": one.created_at_us,
        "amount_minor": one.amount.minor if one.amount else None,
        "currency": one.amount.currency if one.amount else "",
        "invoice_number": one.invoice_number,
        "detail": one.detail,
        "status": one.status,
        "delivery_id": one.delivery_id,
    }


def _recipient_values(recipient: Recipient) -> dict[str, Any]:
    return {
        "shop_id": recipient.shop_id,
        "user_id": recipient.user_id,
        "way": recipient.way,
        "topic": recipient.topic,
    }


def _from_row(row: Row) -> Notification:
    minor = row["amount_minor"]
    return Notification(
        id=row["id"],
        recipient=Recipient(row["shop_id"], row["user_id"], Way(row["way"]), Topic(row["topic"])),
        kind=Kind(row["kind"]),
        event_id=row["event_id"],
        subject_id=row["subject_id"],
        created_at_us=row["created_at_us"],
        amount=None if minor is None else Money(minor, row["currency"]),
        invoice_number=row["invoice_number"],
        detail=row["detail"],
        status=Status(row["status"]),
        delivery_id=row["delivery_id"],
    )


def insert_new(one: Notification) -> Op:
    """Return the write of a notification; one that exists already stays as it is."""
    return Op(_insert, _to_row(one), expected_rows=None)


async def list_queued(tx: Tx, recipient: Recipient, limit: int) -> list[Notification]:
    """Return what waits to be sent, the oldest first."""
    rows = await tx.fetch_all(_list_queued, limit=limit, **_recipient_values(recipient))
    return [_from_row(row) for row in rows]


async def list_of_delivery(tx: Tx, delivery_id: str) -> list[Notification]:
    """Return what a delivery carries."""
    rows = await tx.fetch_all(_list_of_delivery, delivery_id=delivery_id)
    return [_from_row(row) for row in rows]


async def set_status(
    tx: Tx, notifications: Sequence[Notification], status: Status, delivery_id: str | None
) -> None:
    """Change the status of notifications, and which delivery carries them."""
    if notifications:
        ids = [one.id for one in notifications]
        await tx.execute(_set_status, ids=ids, new_status=status, new_delivery_id=delivery_id)


async def delete_old(tx: Tx, before_us: int, limit: int) -> int:
    """Delete up to `limit` notifications from before then; return how many."""
    return await tx.execute(_delete_old, before_us=before_us, limit=limit)
