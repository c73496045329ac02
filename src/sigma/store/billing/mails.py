"""Mails."""

from sqlalchemy import bindparam, func, select

from sigma.domain.billing.mail import Mail, Status
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.tables import mails


def _from_row(row: Row) -> Mail:
    return Mail(status=Status(row["status"]), **column_values(mails, row, "status"))


CODEC = build_codec(mails, field_values, _from_row)


_list_for_payment = statement(
    select(mails).where(mails.c.payment_id == bindparam("payment_id")).order_by(mails.c.id)
)
_last_number = statement(
    select(func.coalesce(func.max(mails.c.number), 0).label("n")).where(
        mails.c.kind == bindparam("kind"), mails.c.subject_key == bindparam("subject_key")
    )
)


async def get(tx: Tx, mail_id: str) -> Mail | None:
    """Return the mail, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=mail_id)
    return _from_row(row) if row else None


async def list_for_payment(tx: Tx, payment_id: str) -> tuple[Mail, ...]:
    """Return all mails about a payment, the oldest first."""
    return tuple(_from_row(r) for r in await tx.fetch_all(_list_for_payment, payment_id=payment_id))


async def last_number(tx: Tx, kind: str, subject_key: str) -> int:
    """Return the highest `number` of the mails of this kind and `subject_key`; 0 without mails."""
    row = await tx.fetch_one(_last_number, kind=kind, subject_key=subject_key)
    return int(row["n"]) if row else 0
