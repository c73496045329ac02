"""Deletion of personal data by date, in batches.

Rows stay where something refers to them; the personal data in them becomes empty.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, bindparam, delete, func, select, update
from sqlalchemy.sql.elements import ColumnElement

from sigma.domain.billing.answers import Answers
from sigma.domain.messaging.message import Message
from sigma.domain.personal_data.retention import DataKind
from sigma.store.billing import answers as answer_rows
from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import Statement, in_list, statement
from sigma.store.messaging import messages as message_rows
from sigma.store.schema.messaging_tables import conversations, messages
from sigma.store.schema.reminder_tables import invoice_recipients
from sigma.store.schema.tables import acquirer_notices, answers, consents, mails

# What an erased row of each table looks like; `now_us` is a parameter.
ERASED_ANSWERS: Mapping[str, Any] = {
    "values_encrypted": "",
    "email_hash": "",
    "phone_hash": "",
    "shred_at_us": None,
    "erased_at_us": bindparam("now_us"),
}
ERASED_CONSENT: Mapping[str, Any] = {"evidence_encrypted": ""}
ERASED_MAIL: Mapping[str, Any] = {"recipient_masked": "", "server_reply": ""}


def blank(
    table: Table, condition: ColumnElement[bool], order: Any, values: Mapping[str, Any]
) -> Statement:
    """Return an UPDATE of up to `limit` rows of a shop that match a condition."""
    batch = (
        select(table.c.id)
        .where(table.c.shop_id == bindparam("key_shop_id"), condition)
        .order_by(order, table.c.id)
        .limit(bindparam("limit"))
    )
    changed = dict(values) | {"version": table.c.version + 1}
    return statement(update(table).where(table.c.id.in_(batch)).values(changed))


_BY_DATE: Mapping[DataKind, Statement] = {
    DataKind.ANSWERS: blank(
        answers,
        (answers.c.values_encrypted != "") & (answers.c.created_at_us < bindparam("before_us")),
        answers.c.created_at_us,
        ERASED_ANSWERS,
    ),
    DataKind.EVIDENCE: blank(
        consents,
        (consents.c.evidence_encrypted != "") & (consents.c.given_at_us < bindparam("before_us")),
        consents.c.given_at_us,
        ERASED_CONSENT,
    ),
    DataKind.MAILS: blank(
        mails,
        (mails.c.recipient_masked != "") & (mails.c.created_at_us < bindparam("before_us")),
        mails.c.created_at_us,
        ERASED_MAIL,
    ),
}
_list_old_answers = statement(
    select(answers.c.payment_id)
    .where(
        answers.c.shop_id == bindparam("shop_id"),
        answers.c.values_encrypted != "",
        answers.c.created_at_us < bindparam("before_us"),
    )
    .order_by(answers.c.created_at_us, answers.c.id)
    .limit(bindparam("limit"))
)
# Addresses that invoices were sent to have the period of mails.
_blank_recipients = blank(
    invoice_recipients,
    (invoice_recipients.c.email_encrypted != "")
    & (invoice_recipients.c.sent_at_us < bindparam("before_us")),
    invoice_recipients.c.sent_at_us,
    {"email_encrypted": "", "email_hash": ""},
)
_delete_notices = statement(
    delete(acquirer_notices).where(
        acquirer_notices.c.id.in_(
            select(acquirer_notices.c.id)
            .where(
                acquirer_notices.c.shop_id == bindparam("shop_id"),
                acquirer_notices.c.id < bindparam("before_id"),
                acquirer_notices.c.processed_at_us.is_not(None),
            )
            .order_by(acquirer_notices.c.id)
            .limit(bindparam("limit"))
        )
    )
)
_list_due_answers = statement(
    select(answers)
    .where(
        answers.c.shop_id == bindparam("shop_id"),
        answers.c.shred_at_us.is_not(None),
        answers.c.shred_at_us <= bindparam("now_us"),
    )
    .order_by(answers.c.shred_at_us, answers.c.id)
    .limit(bindparam("limit"))
)
_next_due = statement(
    select(func.min(answers.c.shred_at_us).label("shred_at_us")).where(
        answers.c.shop_id == bindparam("shop_id"), answers.c.shred_at_us.is_not(None)
    )
)
_list_old_messages = statement(
    select(messages)
    .where(
        messages.c.shop_id == bindparam("shop_id"),
        messages.c.body_encrypted != "",
        messages.c.written_at_us < bindparam("before_us"),
    )
    .order_by(messages.c.written_at_us, messages.c.id)
    .limit(bindparam("limit"))
)
_blank_messages = statement(
    update(messages)
    .where(in_list(messages.c.id, "ids"))
    .values(body_encrypted="", version=messages.c.version + 1)
)
_blank_previews = statement(
    update(conversations)
    .where(in_list(conversations.c.id, "ids"), conversations.c.last_at_us < bindparam("before_us"))
    .values(preview_encrypted="", version=conversations.c.version + 1)
)


async def blank_old(
    tx: Tx, kind: DataKind, shop_id: str, *, before_us: int, now_us: int, limit: int
) -> int:
    """Delete answers, evidence or mail details before a time (UTC microseconds); return how many.

    At most `limit` rows of each table.
    """
    values: dict[str, Any] = {"key_shop_id": shop_id, "before_us": before_us, "limit": limit}
    if kind is DataKind.ANSWERS:
        values["now_us"] = now_us
    count = await tx.execute(_BY_DATE[kind], **values)
    if kind is DataKind.MAILS:
        count += await tx.execute(_blank_recipients, **values)
    return count


async def list_old_answers(tx: Tx, shop_id: str, before_us: int, limit: int) -> list[str]:
    """Return the payments whose answers `blank_old` deletes next."""
    rows = await tx.fetch_all(_list_old_answers, shop_id=shop_id, before_us=before_us, limit=limit)
    return list(dict.fromkeys(row["payment_id"] for row in rows))


async def delete_notices(tx: Tx, shop_id: str, before_id: str, limit: int) -> int:
    """Delete up to `limit` processed acquirer notices with lower ids; return how many."""
    return await tx.execute(_delete_notices, shop_id=shop_id, before_id=before_id, limit=limit)


async def list_due_answers(tx: Tx, shop_id: str, now_us: int, limit: int) -> list[Answers]:
    """Return answers of which one has a period of its own that is over."""
    rows = await tx.fetch_all(_list_due_answers, shop_id=shop_id, now_us=now_us, limit=limit)
    return [answer_rows.CODEC.from_row(row) for row in rows]


async def next_due_us(tx: Tx, shop_id: str) -> int | None:
    """Return when the next answer with a period of its own is due (UTC microseconds), or None."""
    row = await tx.fetch_one(_next_due, shop_id=shop_id)
    return row["shred_at_us"] if row else None


async def list_old_messages(tx: Tx, shop_id: str, before_us: int, limit: int) -> list[Message]:
    """Return messages with a body that were written before a time (UTC microseconds)."""
    rows = await tx.fetch_all(_list_old_messages, shop_id=shop_id, before_us=before_us, limit=limit)
    return [message_rows.CODEC.from_row(row) for row in rows]


async def blank_messages(tx: Tx, message_ids: list[str]) -> None:
    """Delete the bodies of messages."""
    await tx.execute(_blank_messages, ids=message_ids)


async def blank_previews(tx: Tx, conversation_ids: list[str], before_us: int) -> None:
    """Delete the previews of conversations whose last message is older than a time."""
    await tx.execute(_blank_previews, ids=conversation_ids, before_us=before_us)
