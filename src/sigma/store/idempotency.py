"""Answers already given under an idempotency key, kept so that the same question gets the same
answer.
"""

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select

from sigma.store.engine.interface import Op, Tx
from sigma.store.engine.row_codec import columns, plain
from sigma.store.engine.statements import statement
from sigma.store.schema.tables import requests

KEY = "pk_requests"  # the unique key that tells a repeat


@dataclass(frozen=True, slots=True)
class Answered:
    """The first answer to a request. `fingerprint` is a hash of what was asked."""

    shop_id: str
    key: str
    fingerprint: str
    status: int
    body: str
    created_at: int


_insert = statement(insert(requests))
_get = statement(
    select(requests)
    .where(requests.c.shop_id == bindparam("shop_id"), requests.c.key == bindparam("key"))
    .with_for_update()
)
_forget = statement(delete(requests).where(requests.c.created_at < bindparam("before")))


def remember(answered: Answered) -> Op:
    """The write that keeps an answer, in the transaction of what it answers for."""
    return Op(_insert, plain(answered))


async def get(tx: Tx, shop_id: str, key: str) -> Answered | None:
    """The answer given before under this key, or None.

    In a `write` block it waits for whoever is giving the answer now.
    """
    row = await tx.fetch_one(_get, shop_id=shop_id, key=key)
    return Answered(**columns(requests, row)) if row else None


async def forget(tx: Tx, before: int) -> int:
    """Forgets answers given before a moment; returns how many."""
    return await tx.execute(_forget, before=before)
