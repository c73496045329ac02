"""Dialogs and their messages as rows, and the lists and searches of them."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, func, literal_column, select

from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import Message, Status
from sigma.store.billing.invoices import fold
from sigma.store.engine.interface import Op, Row, Tx
from sigma.store.engine.row_codec import codec, columns, plain
from sigma.store.engine.statements import in_list, insert_ignore, statement
from sigma.store.schema.messaging_tables import conversation_words, conversations, messages

_FLAGS = ("last_out", "unanswered", "by_hand")


def _to_row(conversation: Conversation) -> dict[str, Any]:
    searched = f"{conversation.name} id{conversation.peer_id}"
    return plain(conversation) | {"search": fold(searched)}


def from_row(row: Row) -> Conversation:
    """A dialog from its columns."""
    return Conversation(
        last_out=bool(row["last_out"]),
        unanswered=bool(row["unanswered"]),
        by_hand=bool(row["by_hand"]),
        **columns(conversations, row, "search", *_FLAGS),
    )


def _message(row: Row) -> Message:
    return Message(
        out=bool(row["out"]),
        status=Status(row["status"]),
        **columns(messages, row, "out", "status"),
    )


CODEC = codec(conversations, _to_row, from_row)
MESSAGE = codec(messages, plain, _message)

_lock = statement(
    select(conversations).where(conversations.c.id == bindparam("id")).with_for_update()
)
_by_peer = statement(
    select(conversations).where(
        conversations.c.connection_id == bindparam("connection_id"),
        conversations.c.peer_id == bindparam("peer_id"),
    )
)
_word = statement(insert_ignore(conversation_words, "shop_id", "word", "conversation_id"))
_changed = statement(
    select(conversations)
    .where(
        conversations.c.shop_id == bindparam("shop_id"),
        conversations.c.changed_at > bindparam("since"),
    )
    .order_by(conversations.c.changed_at)
    .limit(bindparam("limit"))
)
_counts = statement(
    select(
        select(func.count())
        .select_from(conversations)
        .where(
            conversations.c.shop_id == bindparam("shop_id"),
            conversations.c.unread > literal_column("0"),
        )
        .scalar_subquery()
        .label("unread"),
        select(func.count())
        .select_from(conversations)
        .where(
            conversations.c.shop_id == bindparam("shop_id"),
            conversations.c.unanswered == literal_column("1"),
        )
        .scalar_subquery()
        .label("unanswered"),
    )
)
_by_cmid = statement(
    select(messages).where(
        messages.c.conversation_id == bindparam("conversation_id"),
        messages.c.cmid == bindparam("cmid"),
    )
)
_by_key = statement(
    select(messages).where(
        messages.c.shop_id == bindparam("shop_id"), messages.c.key == bindparam("key")
    )
)
_by_random_id = statement(
    select(messages).where(
        messages.c.conversation_id == bindparam("conversation_id"),
        messages.c.status.in_(["queued", "failed"]),
        messages.c.random_id == bindparam("random_id"),
    )
)
_queued_in = statement(
    select(messages.c.id)
    .where(
        messages.c.conversation_id == bindparam("conversation_id"), messages.c.status == "queued"
    )
    .order_by(messages.c.place, messages.c.id)
    .limit(2)
)
_queued = statement(
    select(messages.c.id, messages.c.shop_id)
    .join(conversations, conversations.c.id == messages.c.conversation_id)
    .where(
        conversations.c.connection_id == bindparam("connection_id"), messages.c.status == "queued"
    )
    .order_by(messages.c.id)
)
_page = statement(
    select(messages)
    .where(
        messages.c.conversation_id == bindparam("conversation_id"),
        messages.c.place < bindparam("before"),
    )
    .order_by(messages.c.place.desc(), messages.c.id.desc())
    .limit(bindparam("limit"))
)
_newest_cmid = statement(
    select(func.max(messages.c.cmid).label("cmid")).where(
        messages.c.conversation_id == bindparam("conversation_id")
    )
)

LAST_PLACE = 2**62


_by_ids = statement(select(conversations).where(in_list(conversations.c.id, "ids")))


async def get(tx: Tx, conversation_id: str) -> Conversation | None:
    """The dialog, or None."""
    row = await tx.fetch_one(CODEC.by_id, id=conversation_id)
    return from_row(row) if row else None


async def by_ids(tx: Tx, ids: Iterable[str]) -> dict[str, Conversation]:
    """Several dialogs at once."""
    found = [from_row(r) for r in await tx.fetch_all(_by_ids, ids=list(ids))]
    return {conversation.id: conversation for conversation in found}


async def lock(tx: Tx, conversation_id: str) -> Conversation:
    """The dialog, locked until the transaction ends: its messages are told one after another."""
    row = await tx.fetch_one(_lock, id=conversation_id)
    assert row is not None, "whoever locks a dialog has seen it"
    return from_row(row)


async def by_peer(tx: Tx, connection_id: str, peer_id: int) -> Conversation | None:
    """The dialog of a community with one person."""
    row = await tx.fetch_one(_by_peer, connection_id=connection_id, peer_id=peer_id)
    return from_row(row) if row else None


async def changed(tx: Tx, shop_id: str, since: int, limit: int = 50) -> list[Conversation]:
    """What changed after a moment (UTC microseconds), the earliest first."""
    rows = await tx.fetch_all(_changed, shop_id=shop_id, since=since, limit=limit)
    return [from_row(r) for r in rows]


async def counts(tx: Tx, shop_id: str) -> dict[str, int]:
    """How many dialogs are unread and how many unanswered."""
    row = await tx.fetch_one(_counts, shop_id=shop_id)
    assert row is not None, "counting answers with a row"
    return {"unread": int(row["unread"]), "unanswered": int(row["unanswered"])}


def index_words(shop_id: str, conversation_id: str, words: Iterable[int]) -> list[Op]:
    """The writes that make a message's words findable. Known ones change nothing."""
    return [
        Op(
            _word,
            {"shop_id": shop_id, "word": word, "conversation_id": conversation_id},
            expect=None,
        )
        for word in words
    ]


async def message(tx: Tx, message_id: str) -> Message | None:
    """The message, or None."""
    row = await tx.fetch_one(MESSAGE.by_id, id=message_id)
    return _message(row) if row else None


async def by_cmid(tx: Tx, conversation_id: str, cmid: int) -> Message | None:
    """The message with VK's number in a dialog."""
    row = await tx.fetch_one(_by_cmid, conversation_id=conversation_id, cmid=cmid)
    return _message(row) if row else None


async def by_key(tx: Tx, shop_id: str, key: str) -> Message | None:
    """The message of one wish of ours."""
    row = await tx.fetch_one(_by_key, shop_id=shop_id, key=key)
    return _message(row) if row else None


async def open_one(tx: Tx, conversation_id: str, random_id: int) -> Message | None:
    """Ours with this guard against sending twice, that VK has not told us it has."""
    row = await tx.fetch_one(_by_random_id, conversation_id=conversation_id, random_id=random_id)
    return _message(row) if row else None


async def queued_in(tx: Tx, conversation_id: str) -> list[str]:
    """The message that goes next in a dialog, and the one after it: nothing is overtaken."""
    rows = await tx.fetch_all(_queued_in, conversation_id=conversation_id)
    return [str(r["id"]) for r in rows]


async def queued_of(tx: Tx, connection_id: str) -> list[tuple[str, str]]:
    """All messages that wait in a community's dialogs, with their shop, the oldest first."""
    rows = await tx.fetch_all(_queued, connection_id=connection_id)
    return [(r["id"], r["shop_id"]) for r in rows]


async def messages_before(
    tx: Tx, conversation_id: str, *, before: int = LAST_PLACE, limit: int
) -> list[Message]:
    """A dialog from its end upwards: the newest first, those whose place is under `before`."""
    rows = await tx.fetch_all(_page, conversation_id=conversation_id, before=before, limit=limit)
    return [_message(r) for r in rows]


async def newest_cmid(tx: Tx, conversation_id: str) -> int:
    """The greatest number of VK that we have seen in a dialog; 0 when none."""
    row = await tx.fetch_one(_newest_cmid, conversation_id=conversation_id)
    return int(row["cmid"] or 0) if row else 0
