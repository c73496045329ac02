"""Acquirer notices."""

from sqlalchemy import bindparam, delete, select, update

from sigma.domain.billing.acquirer_notice import AcquirerNotice
from sigma.store.engine.interface import Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import statement
from sigma.store.paging import MAX_ID
from sigma.store.schema.tables import acquirer_notices

CODEC = build_codec(
    acquirer_notices,
    field_values,
    lambda row: AcquirerNotice(**column_values(acquirer_notices, row)),
)

_mark_processed = statement(
    update(acquirer_notices)
    .where(acquirer_notices.c.id == bindparam("key_id"))
    .values(processed_at_us=bindparam("processed_at_us"), delete_at_us=bindparam("delete_at_us"))
)
_delete_old = statement(
    delete(acquirer_notices).where(
        acquirer_notices.c.id.in_(
            select(acquirer_notices.c.id)
            .where(
                acquirer_notices.c.delete_at_us.is_not(None),
                acquirer_notices.c.delete_at_us <= bindparam("now_us"),
            )
            .limit(bindparam("limit"))
        )
    )
)
_list_for_object = statement(
    select(acquirer_notices)
    .where(
        acquirer_notices.c.connection_id == bindparam("connection_id"),
        acquirer_notices.c.object_id == bindparam("object_id"),
        acquirer_notices.c.id < bindparam("before_id"),
    )
    .order_by(acquirer_notices.c.id.desc())
    .limit(bindparam("limit"))
)


async def get(tx: Tx, notice_id: str) -> AcquirerNotice | None:
    """Return the notice, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=notice_id)
    return CODEC.from_row(row) if row else None


async def mark_processed(tx: Tx, notice_id: str, now_us: int, delete_at_us: int) -> None:
    """Record when a notice was processed, and when to delete it."""
    await tx.execute(
        _mark_processed, key_id=notice_id, processed_at_us=now_us, delete_at_us=delete_at_us
    )


async def delete_old(tx: Tx, now_us: int, limit: int) -> int:
    """Delete up to `limit` notices whose `delete_at_us` has passed; return how many."""
    return await tx.execute(_delete_old, now_us=now_us, limit=limit)


async def list_for_object(
    tx: Tx, connection_id: str, object_id: str, *, before_id: str = "", limit: int
) -> list[AcquirerNotice]:
    """Return notices about one object of the acquirer, the newest first.

    Only notices with ids smaller than `before_id`.
    """
    rows = await tx.fetch_all(
        _list_for_object,
        connection_id=connection_id,
        object_id=object_id,
        before_id=before_id or MAX_ID,
        limit=limit,
    )
    return [CODEC.from_row(r) for r in rows]
