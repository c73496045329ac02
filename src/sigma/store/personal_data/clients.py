"""What is stored about one client: found by conversations, payments and contacts."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, select

from sigma.domain.billing.answers import Answers, Consent
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.vk_order import VkOrder
from sigma.domain.reminders.reminder import InvoiceRecipient
from sigma.store.billing import answers as answer_rows
from sigma.store.billing import invoice_recipients as recipient_rows
from sigma.store.billing import invoices as invoice_rows
from sigma.store.billing import mails as mail_rows
from sigma.store.billing import payments as payment_rows
from sigma.store.billing import receipts as receipt_rows
from sigma.store.billing import refunds as refund_rows
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.statements import Statement, in_list, statement
from sigma.store.messaging import conversations as conversation_rows
from sigma.store.messaging import vk_orders as order_rows
from sigma.store.schema.messaging_tables import conversations, vk_orders
from sigma.store.schema.reminder_tables import invoice_recipients
from sigma.store.schema.tables import (
    acquirer_notices,
    answers,
    connections,
    consents,
    invoices,
    mails,
    payments,
    receipts,
    refunds,
)

CHUNK = 500  # ids in one statement

_peer_conversations = statement(
    select(conversations)
    .join(connections, connections.c.id == conversations.c.connection_id)
    .where(
        connections.c.shop_id == bindparam("shop_id"),
        conversations.c.peer_id == bindparam("peer_id"),
    )
)
_payments_of_conversations = statement(
    select(payments).where(
        payments.c.conversation_id.is_not(None), in_list(payments.c.conversation_id, "ids")
    )
)
_invoices_of_conversations = statement(
    select(invoices).where(
        invoices.c.conversation_id.is_not(None), in_list(invoices.c.conversation_id, "ids")
    )
)
_payments_by_id = statement(select(payments).where(in_list(payments.c.id, "ids")))
_invoices_by_id = statement(select(invoices).where(in_list(invoices.c.id, "ids")))
_answers = statement(select(answers).where(in_list(answers.c.payment_id, "ids")))
_consents = statement(select(consents).where(in_list(consents.c.payment_id, "ids")))
_mails = statement(select(mails).where(in_list(mails.c.payment_id, "ids")))
_receipts = statement(select(receipts).where(in_list(receipts.c.payment_id, "ids")))
_refunds = statement(select(refunds).where(in_list(refunds.c.payment_id, "ids")))
_orders = statement(select(vk_orders).where(in_list(vk_orders.c.conversation_id, "ids")))
_recipients_of_invoices = statement(
    select(invoice_recipients).where(in_list(invoice_recipients.c.invoice_id, "ids"))
)
_recipients_by_email = statement(
    select(invoice_recipients)
    .where(
        invoice_recipients.c.shop_id == bindparam("shop_id"),
        invoice_recipients.c.email_hash != "",
        invoice_recipients.c.email_hash == bindparam("email_hash"),
        invoice_recipients.c.id > bindparam("after_id"),
    )
    .order_by(invoice_recipients.c.id)
    .limit(bindparam("limit"))
)
_notices = statement(
    select(
        acquirer_notices.c.id,
        acquirer_notices.c.received_at_us,
        acquirer_notices.c.event,
        acquirer_notices.c.body_encrypted,
    ).where(
        acquirer_notices.c.connection_id == bindparam("connection_id"),
        in_list(acquirer_notices.c.object_id, "ids"),
    )
)


def _by_contact(column: Any) -> Statement:
    return statement(
        select(answers.c.id, answers.c.payment_id)
        .where(
            answers.c.shop_id == bindparam("shop_id"),
            column != "",
            column == bindparam("hash"),
            answers.c.id > bindparam("after_id"),
        )
        .order_by(answers.c.id)
        .limit(bindparam("limit"))
    )


_BY_CONTACT = {
    "email": _by_contact(answers.c.email_hash),
    "phone": _by_contact(answers.c.phone_hash),
}


async def _fetch(tx: Tx, stmt: Statement, ids: Iterable[str]) -> list[Row]:
    """Run a statement with a list of ids, in chunks."""
    rows: list[Row] = []
    found = sorted(set(ids))
    for start in range(0, len(found), CHUNK):
        rows += await tx.fetch_all(stmt, ids=found[start : start + CHUNK])
    return rows


async def list_conversations(tx: Tx, shop_id: str, peer_id: int) -> list[Conversation]:
    """Return a shop's conversations with one VK user, one for each community."""
    rows = await tx.fetch_all(_peer_conversations, shop_id=shop_id, peer_id=peer_id)
    return [conversation_rows.from_row(row) for row in rows]


async def list_payments(
    tx: Tx, *, conversation_ids: Iterable[str] = (), ids: Iterable[str] = ()
) -> list[Payment]:
    """Return payments of conversations, and those with these ids, the oldest first."""
    rows = await _fetch(tx, _payments_of_conversations, conversation_ids)
    rows += await _fetch(tx, _payments_by_id, ids)
    found = {row["id"]: payment_rows.CODEC.from_row(row) for row in rows}
    return [found[key] for key in sorted(found)]


async def list_payment_ids(tx: Tx, shop_id: str, kind: str, contact_hash: str) -> set[str]:
    """Return the ids of payments whose answers have this contact; `kind`: "email" or "phone"."""
    found: set[str] = set()
    after_id = ""
    while True:
        rows = await tx.fetch_all(
            _BY_CONTACT[kind], shop_id=shop_id, hash=contact_hash, after_id=after_id, limit=CHUNK
        )
        found.update(row["payment_id"] for row in rows)
        if len(rows) < CHUNK:
            return found
        after_id = rows[-1]["id"]


async def list_invoices(
    tx: Tx, *, conversation_ids: Iterable[str] = (), ids: Iterable[str] = ()
) -> list[Invoice]:
    """Return invoices of conversations, and those with these ids, the oldest first."""
    rows = await _fetch(tx, _invoices_of_conversations, conversation_ids)
    rows += await _fetch(tx, _invoices_by_id, ids)
    found = {row["id"]: invoice_rows.CODEC.from_row(row) for row in rows}
    return [found[key] for key in sorted(found)]


async def list_recipients(
    tx: Tx, shop_id: str, *, invoice_ids: Iterable[str] = (), email_hashes: Iterable[str] = ()
) -> list[InvoiceRecipient]:
    """Return to whom invoices were mailed: of these invoices, and with these addresses."""
    rows = await _fetch(tx, _recipients_of_invoices, invoice_ids)
    for email_hash in email_hashes:
        after_id = ""
        while True:
            page = await tx.fetch_all(
                _recipients_by_email,
                shop_id=shop_id,
                email_hash=email_hash,
                after_id=after_id,
                limit=CHUNK,
            )
            rows += page
            if len(page) < CHUNK:
                break
            after_id = page[-1]["id"]
    found = {row["id"]: recipient_rows.from_row(row) for row in rows}
    return [found[key] for key in sorted(found)]


async def list_answers(tx: Tx, payment_ids: Iterable[str]) -> list[Answers]:
    """Return all versions of the answers of payments, the oldest first."""
    rows = await _fetch(tx, _answers, payment_ids)
    return sorted((answer_rows.CODEC.from_row(row) for row in rows), key=lambda one: one.id)


async def list_consents(tx: Tx, payment_ids: Iterable[str]) -> list[Consent]:
    """Return the consents given with payments, the oldest first."""
    rows = await _fetch(tx, _consents, payment_ids)
    return sorted((answer_rows.CONSENT_CODEC.from_row(row) for row in rows), key=lambda one: one.id)


async def list_mails(tx: Tx, payment_ids: Iterable[str]) -> list[Mail]:
    """Return the mails about payments, the oldest first."""
    rows = await _fetch(tx, _mails, payment_ids)
    return sorted((mail_rows.CODEC.from_row(row) for row in rows), key=lambda one: one.id)


async def list_receipts(tx: Tx, payment_ids: Iterable[str]) -> list[Receipt]:
    """Return the receipts of payments, the oldest first."""
    rows = await _fetch(tx, _receipts, payment_ids)
    return sorted((receipt_rows.CODEC.from_row(row) for row in rows), key=lambda one: one.id)


async def list_refunds(tx: Tx, payment_ids: Iterable[str]) -> list[Refund]:
    """Return the refunds of payments, the oldest first."""
    rows = await _fetch(tx, _refunds, payment_ids)
    return sorted((refund_rows.CODEC.from_row(row) for row in rows), key=lambda one: one.id)


async def list_orders(tx: Tx, conversation_ids: Iterable[str]) -> list[VkOrder]:
    """Return the VK orders of conversations, the oldest first."""
    rows = await _fetch(tx, _orders, conversation_ids)
    return sorted((order_rows.CODEC.from_row(row) for row in rows), key=lambda one: one.id)


async def list_notices(
    tx: Tx, found_payments: Sequence[Payment]
) -> list[tuple[str, int, str, str]]:
    """Return (id, time in UTC microseconds, event, encrypted body) of notices about payments."""
    by_connection: dict[str, list[str]] = {}
    for payment in found_payments:
        if payment.provider_id is not None:
            by_connection.setdefault(payment.connection_id, []).append(payment.provider_id)
    rows: list[Row] = []
    for connection_id, ids in by_connection.items():
        for start in range(0, len(ids), CHUNK):
            rows += await tx.fetch_all(
                _notices, connection_id=connection_id, ids=ids[start : start + CHUNK]
            )
    columns = ("id", "received_at_us", "event", "body_encrypted")
    return sorted(tuple(row[name] for name in columns) for row in rows)
