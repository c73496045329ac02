"""Messages of conversations."""

from sqlalchemy import bindparam, func, select, tuple_

from sigma.domain.messaging.message import HELD_FAILURES, Message, Status
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import statement
from sigma.store.paging import MAX_ID, MAX_INT
from sigma.store.schema.messaging_tables import conversations, messages
from sigma.store.schema.tables import connections


def _from_row(row: Row) -> Message:
    return Message(
        is_outgoing=bool(row["is_outgoing"]),
        is_incomplete=bool(row["is_incomplete"]),
        status=Status(row["status"]),
        **column_values(messages, row, "is_outgoing", "is_incomplete", "status"),
    )


CODEC = build_codec(messages, field_values, _from_row)

_find_by_cmid = statement(
    select(messages).where(
        messages.c.conversation_id == bindparam("conversation_id"),
        messages.c.cmid == bindparam("cmid"),
    )
)
_find_by_key = statement(
    select(messages).where(
        messages.c.shop_id == bindparam("shop_id"), messages.c.idempotency_key == bindparam("key")
    )
)
_find_undelivered = statement(
    select(messages).where(
        messages.c.conversation_id == bindparam("conversation_id"),
        messages.c.status.in_(["queued", "failed"]),
        messages.c.random_id == bindparam("random_id"),
    )
)
_next_queued = statement(
    select(messages.c.id)
    .where(
        messages.c.shop_id == bindparam("shop_id"),
        messages.c.conversation_id == bindparam("conversation_id"),
        messages.c.status == "queued",
        messages.c.failure.not_in(HELD_FAILURES),
    )
    .order_by(messages.c.position, messages.c.id)
    .limit(2)
)
_shop_of_connection = (
    select(connections.c.shop_id)
    .where(connections.c.id == bindparam("connection_id"))
    .scalar_subquery()
)
_list_queued = statement(
    select(messages.c.id, messages.c.shop_id)
    .join(conversations, conversations.c.id == messages.c.conversation_id)
    .where(
        messages.c.shop_id == _shop_of_connection,
        messages.c.status == "queued",
        conversations.c.connection_id == bindparam("connection_id"),
    )
)
_list_for_conversation = statement(
    select(messages)
    .where(
        messages.c.conversation_id == bindparam("conversation_id"),
        messages.c.position < bindparam("before_position"),
    )
    .order_by(messages.c.position.desc(), messages.c.id.desc())
    .limit(bindparam("limit"))
)
_list_bodies = statement(
    select(messages.c.id, messages.c.position, messages.c.body_encrypted)
    .where(
        messages.c.conversation_id == bindparam("conversation_id"),
        tuple_(messages.c.position, messages.c.id)
        < tuple_(bindparam("before_position"), bindparam("before_id")),
    )
    .order_by(messages.c.position.desc(), messages.c.id.desc())
    .limit(bindparam("limit"))
)
_max_cmid = statement(
    select(func.max(messages.c.cmid).label("cmid")).where(
        messages.c.conversation_id == bindparam("conversation_id")
    )
)


async def get(tx: Tx, message_id: str) -> Message | None:
    """Return the message, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=message_id)
    return _from_row(row) if row else None


async def find_by_cmid(tx: Tx, conversation_id: str, cmid: int) -> Message | None:
    """Return the message with this VK number in the conversation, or None."""
    row = await tx.fetch_one(_find_by_cmid, conversation_id=conversation_id, cmid=cmid)
    return _from_row(row) if row else None


async def find_by_key(tx: Tx, shop_id: str, key: str) -> Message | None:
    """Return the outgoing message with this idempotency key, or None."""
    row = await tx.fetch_one(_find_by_key, shop_id=shop_id, key=key)
    return _from_row(row) if row else None


async def find_undelivered(tx: Tx, conversation_id: str, random_id: int) -> Message | None:
    """Return the undelivered message with this `random_id`, or None."""
    row = await tx.fetch_one(
        _find_undelivered, conversation_id=conversation_id, random_id=random_id
    )
    return _from_row(row) if row else None


async def next_queued(tx: Tx, shop_id: str, conversation_id: str) -> list[str]:
    """Return the ids of the next two queued messages: the one to send now and its successor.

    Messages that flood control delays are left out: each is retried at its own time.
    """
    rows = await tx.fetch_all(_next_queued, shop_id=shop_id, conversation_id=conversation_id)
    return [str(r["id"]) for r in rows]


async def list_queued(tx: Tx, connection_id: str) -> list[tuple[str, str]]:
    """Return (message id, shop id) of a community's queued messages, the oldest first."""
    rows = await tx.fetch_all(_list_queued, connection_id=connection_id)
    return sorted((r["id"], r["shop_id"]) for r in rows)


async def list_for_conversation(
    tx: Tx, conversation_id: str, *, before_position: int = MAX_INT, limit: int
) -> list[Message]:
    """Return messages with a position smaller than `before_position`, the newest first."""
    rows = await tx.fetch_all(
        _list_for_conversation,
        conversation_id=conversation_id,
        before_position=before_position,
        limit=limit,
    )
    return [_from_row(r) for r in rows]


async def list_bodies(
    tx: Tx, conversation_id: str, before_position: int | None, before_id: str, limit: int
) -> list[tuple[str, int, str]]:
    """Return (id, position, encrypted body) of messages, the newest first.

    `before_position` None: from the newest one.
    """
    rows = await tx.fetch_all(
        _list_bodies,
        conversation_id=conversation_id,
        before_position=MAX_INT if before_position is None else before_position,
        before_id=before_id or MAX_ID,
        limit=limit,
    )
    return [(row["id"], row["position"], row["body_encrypted"]) for row in rows]


async def max_cmid(tx: Tx, conversation_id: str) -> int:
    """Return the greatest VK message number (cmid) stored in a conversation; 0 without one."""
    row = await tx.fetch_one(_max_cmid, conversation_id=conversation_id)
    return int(row["cmid"] or 0) if row else 0
