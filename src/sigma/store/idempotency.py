"""Stored responses by idempotency key: a repeated request gets the response of the first one."""

from sqlalchemy import bindparam, delete, insert, select, tuple_

from sigma.domain.idempotency import StoredResponse
from sigma.store.engine.interface import Op, Tx
from sigma.store.engine.row_codec import column_values, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.platform_tables import idempotency_records

UNIQUE_KEY = "pk_idempotency_records"  # violated when a request is repeated

_insert = statement(insert(idempotency_records))
_get = statement(
    select(idempotency_records).where(
        idempotency_records.c.shop_id == bindparam("shop_id"),
        idempotency_records.c.key == bindparam("key"),
    )
)
_delete_older = statement(
    delete(idempotency_records).where(
        tuple_(idempotency_records.c.shop_id, idempotency_records.c.key).in_(
            select(idempotency_records.c.shop_id, idempotency_records.c.key)
            .where(idempotency_records.c.created_at_us < bindparam("before_us"))
            .limit(bindparam("limit"))
        )
    )
)


def store_response(response: StoredResponse) -> Op:
    """Return the write of a response. Execute it in the transaction of the request's work."""
    return Op(_insert, field_values(response))


async def get(tx: Tx, shop_id: str, key: str) -> StoredResponse | None:
    """Return the response stored under this key, or None."""
    row = await tx.fetch_one(_get, shop_id=shop_id, key=key)
    return StoredResponse(**column_values(idempotency_records, row)) if row else None


async def delete_older(tx: Tx, before_us: int, limit: int) -> int:
    """Delete up to `limit` responses stored before `before_us`; return how many."""
    return await tx.execute(_delete_older, before_us=before_us, limit=limit)
