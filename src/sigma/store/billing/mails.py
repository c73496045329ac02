"""Mails, and the content of those that may have been sent."""

from sqlalchemy import bindparam, delete, func, insert, select

from sigma.domain.billing.mail import Mail, Status
from sigma.store.engine.interface import Op, Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.tables import mail_contents, mails


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
_get_content = statement(
    select(mail_contents.c.body_encrypted).where(mail_contents.c.id == bindparam("id"))
)
_insert_content = statement(insert(mail_contents))
_delete_content = statement(delete(mail_contents).where(mail_contents.c.id == bindparam("id")))


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


async def get_content(tx: Tx, mail_id: str) -> str:
    """Return the encrypted content of a mail that may have been sent, "" without one."""
    row = await tx.fetch_one(_get_content, id=mail_id)
    return str(row["body_encrypted"]) if row else ""


def insert_content(mail: Mail, body_encrypted: str) -> Op:
    """Return the write of a mail's content, before it is sent for the first time."""
    values = {"id": mail.id, "shop_id": mail.shop_id, "version": 1}
    return Op(_insert_content, values | {"body_encrypted": body_encrypted})


def delete_content(mail: Mail) -> Op:
    """Return the deletion of a mail's content, if there is any."""
    return Op(_delete_content, {"id": mail.id}, expected_rows=None)
