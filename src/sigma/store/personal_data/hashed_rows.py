"""Rows with keyed hashes that are made anew after the hash key was renewed, page by page."""

from typing import Any

from sqlalchemy import Select, Table, bindparam, select, update

from sigma.domain.billing.answers import Answers
from sigma.domain.customers.customer import Customer, Identity
from sigma.domain.reminders.reminder import InvoiceRecipient
from sigma.store.billing import answers as answer_rows
from sigma.store.billing import invoice_recipients as recipient_rows
from sigma.store.customers import customers as customer_rows
from sigma.store.customers import identities as identity_rows
from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import in_list, statement
from sigma.store.schema.customer_tables import customer_identities, customers
from sigma.store.schema.list_tables import list_tokens
from sigma.store.schema.messaging_tables import conversations
from sigma.store.schema.reminder_tables import invoice_recipients
from sigma.store.schema.tables import answers, invoices, payments

PAGE_SIZE = 100


def _page(query: Select[Any], table: Table) -> Select[Any]:
    return (
        query.where(table.c.id > bindparam("after_id"))
        .order_by(table.c.id)
        .limit(bindparam("limit"))
    )


_answers = statement(_page(select(answers), answers))
_recipients = statement(_page(select(invoice_recipients), invoice_recipients))
_conversations = statement(
    _page(select(conversations.c.id, conversations.c.shop_id), conversations)
)
_identities = statement(_page(select(customer_identities), customer_identities))
_customers = statement(_page(select(customers), customers))
_invoices = statement(_page(select(invoices.c.id), invoices))
_payments = statement(_page(select(payments.c.id), payments))
_set_identity_hash = statement(
    update(customer_identities)
    .where(
        customer_identities.c.id == bindparam("key_id"),
        customer_identities.c.identity_hash == bindparam("before"),
    )
    .values(identity_hash=bindparam("after"))
)
_list_tokens = statement(
    select(list_tokens.c.subject_id, list_tokens.c.token_hash).where(
        in_list(list_tokens.c.subject_id, "ids")
    )
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


async def list_identities(tx: Tx, after_id: str) -> list[Identity]:
    """Return the contacts of customers of all shops after an id, at most PAGE_SIZE."""
    rows = await tx.fetch_all(_identities, after_id=after_id, limit=PAGE_SIZE)
    return [identity_rows.from_row(row) for row in rows]


async def set_identity_hash(tx: Tx, identity_id: str, before: str, after: str) -> bool:
    """Replace the hash of a contact; return False when it has another one now."""
    return bool(
        await tx.execute(_set_identity_hash, key_id=identity_id, before=before, after=after)
    )


async def list_customers(tx: Tx, after_id: str) -> list[Customer]:
    """Return the customers of all shops after an id, at most PAGE_SIZE."""
    rows = await tx.fetch_all(_customers, after_id=after_id, limit=PAGE_SIZE)
    return [customer_rows.from_row(row) for row in rows]


async def list_invoice_ids(tx: Tx, after_id: str) -> list[str]:
    """Return the ids of the invoices of all shops after an id, at most PAGE_SIZE."""
    rows = await tx.fetch_all(_invoices, after_id=after_id, limit=PAGE_SIZE)
    return [row["id"] for row in rows]


async def list_payment_ids(tx: Tx, after_id: str) -> list[str]:
    """Return the ids of the payments of all shops after an id, at most PAGE_SIZE."""
    rows = await tx.fetch_all(_payments, after_id=after_id, limit=PAGE_SIZE)
    return [row["id"] for row in rows]


async def list_token_hashes(tx: Tx, subject_ids: list[str]) -> dict[str, set[int]]:
    """Return the hashes that lists find payments or invoices by, by their id."""
    found: dict[str, set[int]] = {subject_id: set() for subject_id in subject_ids}
    for row in await tx.fetch_all(_list_tokens, ids=subject_ids):
        found[row["subject_id"]].add(row["token_hash"])
    return found
