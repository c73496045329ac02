"""The search index of payments and invoices: keyed hashes of words per subject."""

from collections.abc import Iterable

from sqlalchemy import BigInteger, bindparam, cast, delete, literal_column, select

from sigma.domain.change import SearchTokens
from sigma.store.engine.interface import Op, Tx
from sigma.store.engine.statements import in_list, insert_on_conflict, json_items, statement
from sigma.store.schema.list_tables import list_tokens

_items = json_items("token_hashes")
_insert = statement(
    insert_on_conflict(list_tokens)
    .from_select(
        ["token_hash", "created_at_us", "subject_id"],
        select(
            cast(_items.c.value, BigInteger),
            cast(bindparam("created_at_us"), BigInteger),
            bindparam("subject_id", type_=list_tokens.c.subject_id.type),
        ).where(literal_column("1") == literal_column("1")),  # SQLite needs a WHERE before ON
    )
    .on_conflict_do_nothing(index_elements=["token_hash", "created_at_us", "subject_id"])
)
_delete = statement(delete(list_tokens).where(in_list(list_tokens.c.subject_id, "ids")))


def add_op(tokens: SearchTokens) -> Op:
    """Return the write that adds the tokens of a subject to the index; existing ones stay."""
    values = {
        "token_hashes": list(tokens.token_hashes),
        "created_at_us": tokens.created_at_us,
        "subject_id": tokens.subject_id,
    }
    return Op(_insert, values, expected_rows=None)


async def remove(tx: Tx, subject_ids: Iterable[str]) -> None:
    """Delete all tokens of payments or invoices from the index."""
    await tx.execute(_delete, ids=list(subject_ids))
