"""Erase what is stored about one client. Every statement runs in the transaction of the erasure."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Table, bindparam, delete, or_, select, update

from sigma.domain.messaging.conversation import Conversation
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.statements import Statement, in_list, statement
from sigma.store.personal_data.shredding import ERASED_ANSWERS, ERASED_CONSENT, ERASED_MAIL
from sigma.store.schema.customer_tables import (
    customer_identities,
    customer_suggestions,
    customer_tokens,
    customers,
)
from sigma.store.schema.messaging_tables import (
    cards,
    conversations,
    messages,
    search_tokens,
    vk_events,
    vk_orders,
)
from sigma.store.schema.platform_tables import idempotency_records
from sigma.store.schema.reminder_tables import invoice_recipients, reminders
from sigma.store.schema.tables import (
    acquirer_notices,
    answers,
    consents,
    invoices,
    jobs,
    mail_contents,
    mails,
    payments,
)

CHUNK = 500  # ids in one statement


def _blank(table: Table, **values: Any) -> Statement:
    changed = values | {"version": table.c.version + 1}
    return statement(update(table).where(in_list(table.c.payment_id, "ids")).values(changed))


def _delete_of_conversation(table: Table) -> Statement:
    return statement(delete(table).where(table.c.conversation_id == bindparam("conversation_id")))


_blank_answers = _blank(answers, **ERASED_ANSWERS, payer_hash="")
_blank_consents = _blank(consents, **ERASED_CONSENT)
_blank_mails = _blank(mails, **ERASED_MAIL)
# Words of mails that wait for the mail server, with their recipients.
_delete_mail_contents = statement(
    delete(mail_contents).where(
        mail_contents.c.id.in_(select(mails.c.id).where(in_list(mails.c.payment_id, "ids")))
    )
)
# Letters with invoices, and reminders by e-mail, belong to a recipient and not to a payment.
_letters = or_(
    mails.c.kind == "invoice",
    mails.c.kind == "reminder",
) & or_(
    in_list(mails.c.subject_key, "ids"),
    mails.c.subject_key.in_(select(reminders.c.id).where(in_list(reminders.c.target_id, "ids"))),
)
_blank_letters = statement(
    update(mails).where(_letters).values(**ERASED_MAIL, version=mails.c.version + 1)
)
_delete_letter_contents = statement(
    delete(mail_contents).where(mail_contents.c.id.in_(select(mails.c.id).where(_letters)))
)
_delete_letter_jobs = statement(
    delete(jobs).where(
        jobs.c.kind == "mail.send", jobs.c.subject_id.in_(select(mails.c.id).where(_letters))
    )
)
_delete_reminders = statement(delete(reminders).where(in_list(reminders.c.target_id, "ids")))
_delete_recipients = statement(
    delete(invoice_recipients).where(in_list(invoice_recipients.c.id, "ids"))
)
_blank_notices = statement(
    update(acquirer_notices)
    .where(in_list(acquirer_notices.c.id, "ids"))
    .values(body_encrypted="", version=acquirer_notices.c.version + 1)
)
# The nonce becomes the payment's id: browser, invoice and nonce are unique together.
_forget_browsers = statement(
    update(payments)
    .where(in_list(payments.c.id, "ids"))
    .values(
        payer_hash="",
        form_nonce=payments.c.id,
        confirmation_url="",
        has_email=0,
        customer_id=None,
        version=payments.c.version + 1,
    )
)
_unlink_payments = statement(
    update(payments)
    .where(
        payments.c.conversation_id.is_not(None),
        payments.c.conversation_id == bindparam("key_conversation_id"),
    )
    .values(conversation_id=None, version=payments.c.version + 1)
)
_delete_message_jobs = statement(
    delete(jobs).where(
        jobs.c.kind.in_(["message.send", "message.complete", "auto_reply.send"]),
        jobs.c.subject_id.in_(
            select(messages.c.id).where(messages.c.conversation_id == bindparam("conversation_id"))
        ),
    )
)
_delete_order_jobs = statement(
    delete(jobs).where(
        jobs.c.kind == "vk_order.fetch_items",
        jobs.c.subject_id.in_(
            select(vk_orders.c.id).where(
                vk_orders.c.conversation_id == bindparam("conversation_id")
            )
        ),
    )
)
_delete_conversation_jobs = statement(
    delete(jobs).where(
        jobs.c.kind.in_(
            ["conversation.catch_up", "conversation.mark_read", "profile.fetch", "vk_event.process"]
        ),
        in_list(jobs.c.subject_id, "ids"),
    )
)
_forget_customer = {
    table.name: statement(
        update(table)
        .where(table.c.customer_id.is_not(None), in_list(table.c.customer_id, "ids"))
        .values(customer_id=None, version=table.c.version + 1)
    )
    for table in (invoices, payments, conversations)
}
_delete_identities = statement(
    delete(customer_identities).where(
        customer_identities.c.shop_id == bindparam("shop_id"),
        customer_identities.c.kind == bindparam("kind"),
        customer_identities.c.identity_hash == bindparam("identity_hash"),
    )
)
# In this order: customers are what the others refer to. Moves have ids only, and stay.
_delete_customers = (
    statement(delete(customer_tokens).where(in_list(customer_tokens.c.customer_id, "ids"))),
    statement(
        delete(customer_suggestions).where(
            or_(
                in_list(customer_suggestions.c.customer_id, "ids"),
                in_list(customer_suggestions.c.other_id, "ids"),
            )
        )
    ),
    statement(delete(customers).where(in_list(customers.c.id, "ids"))),
)
_delete_own_identities = statement(
    delete(customer_identities).where(in_list(customer_identities.c.customer_id, "ids"))
)
# In this order: the last ones are what the others refer to.
_DELETES = (
    _delete_message_jobs,
    _delete_order_jobs,
    _delete_of_conversation(cards),
    _delete_of_conversation(vk_orders),
    _delete_of_conversation(search_tokens),
)
_delete_messages = _delete_of_conversation(messages)
_delete_events = statement(
    delete(vk_events).where(
        vk_events.c.connection_id == bindparam("connection_id"),
        vk_events.c.conversation_key == bindparam("conversation_key"),
    )
)
_delete_conversation = statement(delete(conversations).where(conversations.c.id == bindparam("id")))
_list_responses = statement(
    select(idempotency_records.c.key, idempotency_records.c.body)
    .where(
        idempotency_records.c.shop_id == bindparam("shop_id"),
        idempotency_records.c.key > bindparam("after_key"),
    )
    .order_by(idempotency_records.c.key)
    .limit(bindparam("limit"))
)
_save_response = statement(
    update(idempotency_records)
    .where(
        idempotency_records.c.shop_id == bindparam("key_shop_id"),
        idempotency_records.c.key == bindparam("key_key"),
    )
    .values(body=bindparam("body"))
)


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    found = sorted(set(ids))
    for start in range(0, len(found), CHUNK):
        yield found[start : start + CHUNK]


async def erase_payments(tx: Tx, payment_ids: Iterable[str], now_us: int) -> dict[str, int]:
    """Erase answers, evidence of consents and mail details of payments, and forget their browsers.

    Returns the number of rows by kind.
    """
    counts = {"answers": 0, "evidence": 0, "mails": 0, "payments": 0}
    for ids in _chunks(payment_ids):
        counts["answers"] += await tx.execute(_blank_answers, ids=ids, now_us=now_us)
        counts["evidence"] += await tx.execute(_blank_consents, ids=ids)
        await tx.execute(_delete_mail_contents, ids=ids)
        counts["mails"] += await tx.execute(_blank_mails, ids=ids)
        counts["payments"] += await tx.execute(_forget_browsers, ids=ids)
    return counts


async def erase_customers(tx: Tx, customer_ids: Iterable[str]) -> int:
    """Delete customers with names, contacts, notes and search words; return how many.

    Their invoices, payments and conversations belong to nobody then.
    """
    count = 0
    for ids in _chunks(customer_ids):
        # First: a payment form that has found the customer holds the locks of the contacts.
        await tx.execute(_delete_own_identities, ids=ids)
        for stmt in _forget_customer.values():
            await tx.execute(stmt, ids=ids)
        *others, delete_customers = _delete_customers
        for stmt in others:
            await tx.execute(stmt, ids=ids)
        count += await tx.execute(delete_customers, ids=ids)
    return count


async def erase_identity(tx: Tx, shop_id: str, kind: str, identity_hash: str) -> None:
    """Delete a contact of a customer; its owner keeps the card."""
    await tx.execute(_delete_identities, shop_id=shop_id, kind=kind, identity_hash=identity_hash)


async def erase_recipients(tx: Tx, recipient_ids: Iterable[str]) -> int:
    """Erase e-mail addresses that invoices were sent to, with their letters; return how many."""
    count = 0
    for ids in _chunks(recipient_ids):
        await tx.execute(_delete_letter_contents, ids=ids)
        await tx.execute(_delete_letter_jobs, ids=ids)
        await tx.execute(_blank_letters, ids=ids)
        await tx.execute(_delete_reminders, ids=ids)
        count += await tx.execute(_delete_recipients, ids=ids)
    return count


async def erase_notices(tx: Tx, notice_ids: Iterable[str]) -> int:
    """Erase the bodies of acquirer notices; return how many. Their digests stay."""
    return sum([await tx.execute(_blank_notices, ids=ids) for ids in _chunks(notice_ids)])


async def erase_conversation(tx: Tx, conversation: Conversation) -> int:
    """Delete a conversation with all that belongs to it; return the number of messages."""
    key = f"peer:{conversation.peer_id}"
    await tx.execute(
        _delete_conversation_jobs,
        ids=[conversation.id, f"{conversation.connection_id}:{key}"],
    )
    for stmt in _DELETES:
        await tx.execute(stmt, conversation_id=conversation.id)
    count = await tx.execute(_delete_messages, conversation_id=conversation.id)
    await tx.execute(_delete_events, connection_id=conversation.connection_id, conversation_key=key)
    await tx.execute(_unlink_payments, key_conversation_id=conversation.id)
    await tx.execute(_delete_conversation, id=conversation.id)
    return count


async def list_responses(tx: Tx, shop_id: str, after_key: str, limit: int) -> list[tuple[str, str]]:
    """Return (idempotency key, stored API response) of a shop, in the order of the keys."""
    rows: list[Row] = await tx.fetch_all(
        _list_responses, shop_id=shop_id, after_key=after_key, limit=limit
    )
    return [(row["key"], row["body"]) for row in rows]


async def save_response(tx: Tx, shop_id: str, key: str, body: str) -> None:
    """Replace the body of a stored API response."""
    await tx.execute(_save_response, key_shop_id=shop_id, key_key=key, body=body)
