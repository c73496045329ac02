"""Message search index: keyed hashes of word stems.

Search works over the hashes; the table does not reveal the words without the encryption key.
"""

from sigma.domain.messaging.message import search_stems
from sigma.store.encryption import Cipher, HashPurpose
from sigma.store.engine.interface import Tx
from sigma.store.messaging import search_tokens


def token_hash(cipher: Cipher, shop_id: str, stem: str) -> int:
    """Return the keyed hash of one stem from `search_stems`, less than 2^60 (fits BIGINT)."""
    return int(cipher.keyed_hash(HashPurpose.SEARCH_WORD, shop_id, stem)[:15], 16)


def query_hashes(cipher: Cipher, shop_id: str, text: str) -> list[int]:
    """Return the hashes of the stems of a text, without duplicates."""
    return [token_hash(cipher, shop_id, word) for word in search_stems(text)]


async def index_message(
    tx: Tx, cipher: Cipher, shop_id: str, conversation_id: str, text: str
) -> None:
    """Add the stems of a text to the index, in the transaction that writes the message."""
    ops = search_tokens.add(shop_id, conversation_id, query_hashes(cipher, shop_id, text))
    # PostgreSQL prepares one statement per batch size: powers of two keep their number small.
    while ops:
        batch_size = 1 << (min(len(ops), 32).bit_length() - 1)
        await tx.write_all(ops[:batch_size])
        ops = ops[batch_size:]
