"""The search index of messages: keyed hashes of word stems per conversation."""

from collections.abc import Iterable

from sqlalchemy import bindparam, delete

from sigma.store.engine.interface import Op, Tx
from sigma.store.engine.statements import in_list, insert_ignore, statement
from sigma.store.schema.messaging_tables import search_tokens

_insert = statement(insert_ignore(search_tokens, "shop_id", "token_hash", "conversation_id"))


_delete = statement(
    delete(search_tokens).where(
        search_tokens.c.shop_id == bindparam("shop_id"),
        in_list(search_tokens.c.token_hash, "token_hashes"),
        search_tokens.c.conversation_id == bindparam("conversation_id"),
    )
)


_delete_all = statement(
    delete(search_tokens).where(
        search_tokens.c.shop_id == bindparam("shop_id"),
        search_tokens.c.conversation_id == bindparam("conversation_id"),
    )
)


async def remove_all(tx: Tx, shop_id: str, conversation_id: str) -> None:
    """Delete a conversation from the search index."""
    await tx.execute(_delete_all, shop_id=shop_id, conversation_id=conversation_id)


async def remove(tx: Tx, shop_id: str, conversation_id: str, token_hashes: Iterable[int]) -> None:
    """Delete token hashes of a conversation from the search index."""
    await tx.execute(
        _delete,
        shop_id=shop_id,
        conversation_id=conversation_id,
        token_hashes=sorted(token_hashes),
    )


def add(shop_id: str, conversation_id: str, token_hashes: Iterable[int]) -> list[Op]:
    """Return the writes that add token hashes to the search index; existing ones stay."""
    return [
        Op(
            _insert,
            {"shop_id": shop_id, "token_hash": token_hash, "conversation_id": conversation_id},
            expected_rows=None,
        )
        for token_hash in token_hashes
    ]
