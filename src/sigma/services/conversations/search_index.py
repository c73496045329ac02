"""Message search index: keyed hashes of word stems.

Search works over the hashes; the table does not reveal the words without the encryption key.
"""

from sigma.domain.messaging.message import all_texts, search_stems
from sigma.services.conversations.message_codec import decrypt_body
from sigma.store.encryption import Cipher, DecryptionError, HashPurpose
from sigma.store.engine.interface import Tx
from sigma.store.messaging import messages, search_tokens

PAGE_SIZE = 200  # messages read at once while looking for words that are still used


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


async def reindex_edit(
    tx: Tx, cipher: Cipher, shop_id: str, conversation_id: str, old_text: str, new_text: str
) -> None:
    """Index the new text of a message, and forget the words that only its old text had.

    Call it after the new body is written, in the same transaction, under the conversation's lock.
    """
    await index_message(tx, cipher, shop_id, conversation_id, new_text)
    removed = set(query_hashes(cipher, shop_id, old_text))
    removed -= set(query_hashes(cipher, shop_id, new_text))
    await forget(tx, cipher, shop_id, conversation_id, removed)


async def forget(
    tx: Tx, cipher: Cipher, shop_id: str, conversation_id: str, token_hashes: set[int]
) -> None:
    """Remove words from the index, except those that stored messages of the conversation have.

    Reads messages, the newest first, until every word is found. One that cannot be decrypted now
    may have any word: then nothing is removed.
    """
    unused, before_position, before_id = set(token_hashes), None, ""
    while unused:
        page = await messages.list_bodies(
            tx, conversation_id, before_position, before_id, PAGE_SIZE
        )
        for message_id, position, ciphertext in page:
            before_position, before_id = position, message_id
            if not ciphertext or not unused:
                continue
            try:
                text = all_texts(decrypt_body(cipher, message_id, ciphertext))
            except DecryptionError:
                return
            unused -= set(query_hashes(cipher, shop_id, text))
        if len(page) < PAGE_SIZE:
            break
    if unused:
        await search_tokens.remove(tx, shop_id, conversation_id, unused)
