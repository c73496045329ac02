"""Notices about changes of somebody's access."""

from sqlalchemy import bindparam, select
from sqlalchemy import delete as delete_from

from sigma.domain.accounts.security_notice import NoticeKind, SecurityNotice
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.account_tables import security_notices


def _from_row(row: Row) -> SecurityNotice:
    fields = column_values(security_notices, row, "kind")
    return SecurityNotice(kind=NoticeKind(row["kind"]), **fields)


CODEC = build_codec(security_notices, field_values, _from_row)

_delete_old = statement(
    delete_from(security_notices).where(
        security_notices.c.id.in_(
            select(security_notices.c.id)
            .where(security_notices.c.occurred_at_us <= bindparam("before_us"))
            .limit(bindparam("limit"))
        )
    )
)


async def get(tx: Tx, notice_id: str) -> SecurityNotice | None:
    """Return the notice, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=notice_id)
    return _from_row(row) if row else None


async def delete_old(tx: Tx, before_us: int, limit: int) -> int:
    """Delete up to `limit` notices from before then; return how many."""
    return await tx.execute(_delete_old, before_us=before_us, limit=limit)
