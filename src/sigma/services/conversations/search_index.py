"""Words of dialogs as keyed hashes: search finds them, and who reads the table learns none."""

from sigma.domain.messaging.message import words_of
from sigma.store.encryption import Sealer
from sigma.store.engine.interface import Tx
from sigma.store.messaging import conversations


def mark(sealer: Sealer, shop_id: str, word: str) -> int:
    """The hash of one beginning of a word, as `words_of` gives it; under 2^60."""
    return int(sealer.mark(f"word:{shop_id}:{word}")[:15], 16)


def marks(sealer: Sealer, shop_id: str, text: str) -> list[int]:
    """The hashes of all words of a text."""
    return [mark(sealer, shop_id, word) for word in words_of(text)]


async def index(tx: Tx, sealer: Sealer, shop_id: str, conversation_id: str, text: str) -> None:
    """Makes a text findable, in the transaction that writes it."""
    ops = conversations.index_words(shop_id, conversation_id, marks(sealer, shop_id, text))
    # PostgreSQL prepares a statement for each number of writes: powers of two are few.
    while ops:
        some = 1 << (min(len(ops), 32).bit_length() - 1)
        await tx.write_all(ops[:some])
        ops = ops[some:]
