"""E-mail addresses that invoices were sent to."""

from typing import Any

from sqlalchemy import bindparam, select

from sigma.domain.billing.mail import Mail
from sigma.domain.reminders.reminder import InvoiceRecipient
from sigma.store.billing import mails as mail_rows
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import in_list, statement
from sigma.store.schema.reminder_tables import invoice_recipients
from sigma.store.schema.tables import answers, mails, payments


def from_row(row: Row) -> InvoiceRecipient:
    """Return the recipient of a row."""
    return InvoiceRecipient(**column_values(invoice_recipients, row))


def _to_row(recipient: InvoiceRecipient) -> dict[str, Any]:
    return field_values(recipient)


CODEC = build_codec(invoice_recipients, _to_row, from_row)

_list_for_invoice = statement(
    select(invoice_recipients)
    .where(invoice_recipients.c.invoice_id == bindparam("invoice_id"))
    .order_by(invoice_recipients.c.id)
)
_list_mails = statement(
    select(mails).where(
        mails.c.kind.in_(["invoice", "reminder"]), in_list(mails.c.subject_key, "subjects")
    )
)
# The latest answers with an e-mail of a conversation's payments.
_find_client_answers = statement(
    select(answers.c.id, answers.c.values_encrypted)
    .join(payments, payments.c.id == answers.c.payment_id)
    .where(
        payments.c.conversation_id.is_not(None),
        payments.c.conversation_id == bindparam("conversation_id"),
        answers.c.email_hash != "",
    )
    .order_by(payments.c.id.desc(), answers.c.id.desc())
    .limit(1)
)


async def get(tx: Tx, recipient_id: str) -> InvoiceRecipient | None:
    """Return the recipient, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=recipient_id)
    return from_row(row) if row else None


async def list_for_invoice(tx: Tx, invoice_id: str) -> list[InvoiceRecipient]:
    """Return the recipients of an invoice, the oldest first."""
    rows = await tx.fetch_all(_list_for_invoice, invoice_id=invoice_id)
    return [from_row(row) for row in rows]


async def list_mails(tx: Tx, subjects: list[str]) -> list[Mail]:
    """Return the letters about these recipients and reminders (ids), the oldest first."""
    rows = await tx.fetch_all(_list_mails, subjects=subjects)
    return sorted((mail_rows.CODEC.from_row(row) for row in rows), key=lambda mail: mail.id)


async def find_client_answers(tx: Tx, conversation_id: str) -> tuple[str, str] | None:
    """Return (id, ciphertext) of the latest answers of a conversation with an e-mail, or None."""
    row = await tx.fetch_one(_find_client_answers, conversation_id=conversation_id)
    return (row["id"], row["values_encrypted"]) if row else None
