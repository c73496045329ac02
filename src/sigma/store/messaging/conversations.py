"""Conversations."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, func, literal_column, select

from sigma.domain.messaging.conversation import Conversation
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import in_list, statement
from sigma.store.schema.messaging_tables import conversations
from sigma.store.search_text import normalize_text

_BOOLEAN_COLUMNS = ("is_last_outgoing", "is_unanswered", "handled_by_operator")


def _to_row(conversation: Conversation) -> dict[str, Any]:
    search = f"{conversation.name} id{conversation.peer_id}"
    return field_values(conversation) | {"search": normalize_text(search)}


def from_row(row: Row) -> Conversation:
    """Return the conversation of a row."""
    return Conversation(
        is_last_outgoing=bool(row["is_last_outgoing"]),
        is_unanswered=bool(row["is_unanswered"]),
        handled_by_operator=bool(row["handled_by_operator"]),
        **column_values(conversations, row, "search", *_BOOLEAN_COLUMNS),
    )


CODEC = build_codec(conversations, _to_row, from_row)

_lock = statement(
    select(conversations).where(conversations.c.id == bindparam("id")).with_for_update()
)
_find_by_peer = statement(
    select(conversations).where(
        conversations.c.connection_id == bindparam("connection_id"),
        conversations.c.peer_id == bindparam("peer_id"),
    )
)
_list_changed = statement(
    select(conversations)
    .where(
        conversations.c.shop_id == bindparam("shop_id"),
        conversations.c.changed_at_us > bindparam("since_us"),
    )
    .order_by(conversations.c.changed_at_us)
    .limit(bindparam("limit"))
)
_inbox_counts = statement(
    select(
        select(func.count())
        .select_from(conversations)
        .where(
            conversations.c.shop_id == bindparam("shop_id"),
            conversations.c.unread_count > literal_column("0"),
        )
        .scalar_subquery()
        .label("unread_count"),
        select(func.count())
        .select_from(conversations)
        .where(
            conversations.c.shop_id == bindparam("shop_id"),
            conversations.c.is_unanswered == literal_column("1"),
        )
        .scalar_subquery()
        .label("unanswered_count"),
    )
)


_find_by_ids = statement(select(conversations).where(in_list(conversations.c.id, "ids")))


async def get(tx: Tx, conversation_id: str) -> Conversation | None:
    """Return the conversation, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=conversation_id)
    return from_row(row) if row else None


async def find_by_ids(tx: Tx, ids: Iterable[str]) -> dict[str, Conversation]:
    """Return the conversations with these ids, by id; unknown ids are left out."""
    rows = await tx.fetch_all(_find_by_ids, ids=list(ids))
    return {row["id"]: from_row(row) for row in rows}


async def lock(tx: Tx, conversation_id: str) -> Conversation:
    """Return the conversation, locked until the transaction ends. The conversation must exist.

    The lock serializes the recording of its messages.
    """
    row = await tx.fetch_one(_lock, id=conversation_id)
    assert row is not None, f"cannot lock an unknown conversation: {conversation_id}"
    return from_row(row)


async def find_by_peer(tx: Tx, connection_id: str, peer_id: int) -> Conversation | None:
    """Return the conversation of a community with one VK user, or None."""
    row = await tx.fetch_one(_find_by_peer, connection_id=connection_id, peer_id=peer_id)
    return from_row(row) if row else None


async def list_changed(tx: Tx, shop_id: str, since_us: int, limit: int = 50) -> list[Conversation]:
    """Return conversations changed after `since_us`, the earliest first."""
    rows = await tx.fetch_all(_list_changed, shop_id=shop_id, since_us=since_us, limit=limit)
    return [from_row(r) for r in rows]


async def inbox_counts(tx: Tx, shop_id: str) -> dict[str, int]:
    """Count conversations; the keys of the result are "unread" and "unanswered"."""
    row = await tx.fetch_one(_inbox_counts, shop_id=shop_id)
    assert row is not None, "an aggregate query returns one row"
    return {"unread": int(row["unread_count"]), "unanswered": int(row["unanswered_count"])}
