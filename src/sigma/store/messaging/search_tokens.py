"""The search index of messages: keyed hashes of word stems per conversation."""

from collections.abc import Iterable

from sigma.store.engine.interface import Op
from sigma.store.engine.statements import insert_ignore, statement
from sigma.store.schema.messaging_tables import search_tokens

_insert = statement(insert_ignore(search_tokens, "shop_id", "token_hash", "conversation_id"))


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
