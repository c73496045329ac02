"""Rows with keyed hashes that are made anew after the hash key was renewed, page by page."""

from sqlalchemy import bindparam, select

from sigma.domain.billing.answers import Answers
from sigma.domain.billing.reminder import InvoiceRecipient
from sigma.store.billing import answers as answer_rows
from sigma.store.billing import invoice_recipients as recipient_rows
from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import statement
from sigma.store.schema.messaging_tables import conversations
from sigma.store.schema.reminder_tables import invoice_recipients
from sigma.store.schema.tables import answers

PAGE_SIZE = 100

_answers = statement(
    select(answers)
    .where(answers.c.id > bindparam("after_id"))
    .order_by(answers.c.id)
    .limit(bindparam("limit"))
)
_recipients = statement(
    select(invoice_recipients)
    .where(invoice_recipients.c.id > bindparam("after_id"))
    .order_by(invoice_recipients.c.id)
    .limit(bindparam("limit"))
)
_conversations = statement(
    select(conversations.c.id, conversations.c.shop_id)
    .where(conversations.c.id > bindparam("after_id"))
    .order_by(conversations.c.id)
    .limit(bindparam("limit"))
)


async def list_answers(tx: Tx, after_id: str) -> list[Answers]:
    """Return the answers of all shops after an id, at most PAGE_SIZE."""
    rows = await tx.fetch_all(_answers, after_id=after_id, limit=PAGE_SIZE)
    return [answer_rows.CODEC.from_row(row) for row in rows]


async def list_recipients(tx: Tx, after_id: str) -> list[InvoiceRecipient]:
    """Return the recipients of invoices of all shops after an id, at most PAGE_SIZE."""
    rows = await tx.fetch_all(_recipients, after_id=after_id, limit=PAGE_SIZE)
    return [recipient_rows.from_row(row) for row in rows]


async def list_conversations(tx: Tx, after_id: str) -> list[tuple[str, str]]:
    """Return (id, shop id) of the conversations after an id, at most PAGE_SIZE."""
    rows = await tx.fetch_all(_conversations, after_id=after_id, limit=PAGE_SIZE)
    return [(row["id"], row["shop_id"]) for row in rows]
