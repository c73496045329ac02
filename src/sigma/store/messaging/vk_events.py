"""VK events."""

from sqlalchemy import bindparam, delete, select, text, update

from sigma.domain.messaging.vk_event import VkEvent
from sigma.store.engine.interface import Op, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import insert_ignore, statement
from sigma.store.schema.messaging_tables import vk_events

BATCH_SIZE = 500  # the most events that `list_unprocessed` returns

CODEC = build_codec(vk_events, field_values, lambda row: VkEvent(**column_values(vk_events, row)))

_insert = statement(insert_ignore(vk_events, "connection_id", "digest"))
_list_unprocessed = statement(
    select(vk_events)
    .where(
        vk_events.c.connection_id == bindparam("connection_id"),
        vk_events.c.conversation_key == bindparam("conversation_key"),
        text("vk_events.processed_at_us IS NULL"),
    )
    .order_by(vk_events.c.id)
    .limit(BATCH_SIZE)
)
_mark_processed = statement(
    update(vk_events)
    .where(vk_events.c.id == bindparam("key_id"))
    .values(processed_at_us=bindparam("processed_at_us"))
)
_delete_processed = statement(
    delete(vk_events).where(
        vk_events.c.id.in_(
            select(vk_events.c.id)
            .where(
                vk_events.c.processed_at_us.is_not(None),
                vk_events.c.processed_at_us < bindparam("before_us"),
            )
            .limit(bindparam("limit"))
        )
    )
)


def store_event(event: VkEvent) -> Op:
    """Return the write of a VK event. It changes nothing when the same `digest` is stored."""
    return Op(_insert, CODEC.to_row(event) | {"version": 1}, expected_rows=None)


_delete = statement(delete(vk_events).where(vk_events.c.id == bindparam("id")))


async def list_unprocessed(tx: Tx, connection_id: str, conversation_key: str) -> list[VkEvent]:
    """Return the first BATCH_SIZE unprocessed events of a conversation, in the order of arrival."""
    rows = await tx.fetch_all(
        _list_unprocessed, connection_id=connection_id, conversation_key=conversation_key
    )
    return [CODEC.from_row(r) for r in rows]


async def mark_processed(tx: Tx, event_id: str, now_us: int) -> None:
    """Record when an event was processed."""
    await tx.execute(_mark_processed, key_id=event_id, processed_at_us=now_us)


async def delete_processed(tx: Tx, before_us: int, limit: int) -> int:
    """Delete up to `limit` events processed before `before_us`; return how many.

    VK no longer repeats them.
    """
    return await tx.execute(_delete_processed, before_us=before_us, limit=limit)


async def delete_event(tx: Tx, event_id: str) -> None:
    """Delete a stored event."""
    await tx.execute(_delete, id=event_id)
