"""Export everything about a client: one ZIP with JSON for programs, HTML and CSV for people."""

import asyncio
import io
import json
import zipfile
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from sigma.documents.client_export import Section, render_export
from sigma.domain.accounts.member import Member
from sigma.domain.accounts.shop import Shop
from sigma.domain.audit.deed import Deed
from sigma.domain.billing.answers import Answers, Consent
from sigma.domain.billing.mail import Mail
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import MessageBody
from sigma.domain.messaging.vk_order import VkOrder
from sigma.domain.money import Money
from sigma.domain.reminders.reminder import InvoiceRecipient
from sigma.services.context import Context
from sigma.services.conversations import message_codec, order_codec
from sigma.services.personal_data.clients import ClientData, CustomerCard, gather
from sigma.services.platform import audit_log
from sigma.services.platform.audit_log import csv_lines
from sigma.store.accounts import shops
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import Tx
from sigma.store.messaging import messages
from sigma.store.paging import MAX_INT
from sigma.store.personal_data import clients
from sigma.texts import Translator
from sigma.texts.answers import answer_text, question_label

PAGE_SIZE = 200
UNREADABLE = "unreadable"  # in place of a value that no key decrypts
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Record = dict[str, Any]


async def export(
    ctx: Context, member: Member, subject_id: str, chosen: Collection[str], locale: str
) -> bytes:
    """Return a ZIP with everything that the chosen identifiers find.

    Raises RefusedError like `gather`. The export is recorded in the audit log.
    """
    async with ctx.db.read() as tx:
        data = await gather(ctx, tx, member, subject_id, chosen)
        shop = await shops.get(tx, member.shop_id)
        assert shop is not None, "the shop of a member exists"
        document = await _document(ctx, tx, data, shop, locale)
    counts = {name: len(value) for name, value in document.items() if isinstance(value, list)}
    await audit_log.record_alone(ctx, member, Deed.CLIENT_EXPORTED, subject_id, **counts)
    return await asyncio.to_thread(_pack, document, locale, shop.tz)


async def _document(ctx: Context, tx: Tx, data: ClientData, shop: Shop, locale: str) -> Record:
    """Return the export as JSON values."""
    translator = Translator(locale, shop.tz)
    return {
        "shop": {"name": shop.name, "seller": shop.seller.full_name, "inn": shop.seller.inn},
        "exported_at": _time(ctx.now_us()),
        "identifiers": [{"kind": str(one.kind), "value": one.label} for one in data.identifiers],
        "cards": [_card(one) for one in data.cards],
        **_billing(ctx, data),
        "answers": [_answers(one, data.values[one.id], translator) for one in data.answers],
        "consents": [_consent(ctx, one) for one in data.consents],
        "letters": [_letter(one) for one in data.mails],
        "invoice_recipients": [_recipient(ctx, one) for one in data.recipients],
        "conversations": [
            {
                "id": one.id,
                "vk_id": one.peer_id,
                "name": one.name,
                "photo": one.photo_url,
                "created_at": _time(one.created_at_us),
            }
            for one in data.conversations
        ],
        "messages": [
            record
            for conversation in data.conversations
            for record in await _messages(ctx, tx, conversation)
        ],
        "orders": [_order(ctx, one) for one in data.orders],
        "acquirer_notices": [
            {
                "event": event,
                "received_at": _time(received_at_us),
                "body": _decrypt(ctx, body, EncryptedColumn.ACQUIRER_NOTICE_BODY, notice_id),
            }
            for notice_id, received_at_us, event, body in await clients.list_notices(
                tx, data.payments
            )
        ],
    }


def _billing(ctx: Context, data: ClientData) -> Record:
    """Return invoices, payments, refunds and receipts."""
    numbers = {invoice.id: invoice.number for invoice in data.invoices}
    return {
        "invoices": [
            {
                "id": one.id,
                "number": one.number,
                "title": one.title,
                "description": one.description,
                "amount": _money(one.amount),
                "status": str(one.status),
                "created_at": _time(one.created_at_us),
                "metadata": dict(one.metadata),
            }
            for one in data.invoices
        ],
        "payments": [
            {
                "id": one.id,
                "invoice": numbers.get(one.invoice_id),
                "amount": _money(one.amount),
                "status": str(one.status),
                "method": msgspec.to_builtins(one.method) if one.method else None,
                "created_at": _time(one.created_at_us),
                "captured_at": _time(one.captured_at_us),
                "acquirer": one.provider,
                "acquirer_id": one.provider_id,
            }
            for one in data.payments
        ],
        "refunds": [
            {
                "id": one.id,
                "payment": one.payment_id,
                "amount": _money(one.amount),
                "status": str(one.status),
                "reason": one.reason,
                "created_at": _time(one.created_at_us),
            }
            for one in data.refunds
        ],
        "receipts": [
            {
                "payment": one.payment_id,
                "url": f"{ctx.settings.base_url}/r/{one.token}",
                "created_at": _time(one.created_at_us),
                **one.body,
            }
            for one in data.receipts
        ],
    }


def _card(card: CustomerCard) -> Record:
    """Return the name, contacts and notes of a customer."""
    details = card.details
    return {
        "id": card.customer.id,
        "created_at": _time(card.customer.created_at_us),
        "name": UNREADABLE if card.name is None else card.name,
        "contacts": [
            {"kind": kind.value, "value": UNREADABLE if value is None else value}
            for kind, value in card.contacts
        ],
        "notes": details.notes if details else UNREADABLE,
        "tags": list(details.tags) if details else UNREADABLE,
        "photo": card.customer.photo_url,
    }


def _consent(ctx: Context, consent: Consent) -> Record:
    column = EncryptedColumn.CONSENT_EVIDENCE
    return {
        "payment": consent.payment_id,
        "purpose": consent.purpose,
        "given_at": _time(consent.given_at_us),
        "version": consent.text_version,
        "sha256": consent.text_sha256,
        "text": consent.text,
        "evidence": _decrypt(ctx, consent.evidence_encrypted, column, consent.id),
    }


def _letter(mail: Mail) -> Record:
    return {
        "payment": mail.payment_id,
        "kind": mail.kind,
        "status": str(mail.status),
        "recipient": mail.recipient_masked,
        "server_reply": mail.server_reply,
        "created_at": _time(mail.created_at_us),
        "sent_at": _time(mail.sent_at_us),
    }


def _recipient(ctx: Context, recipient: InvoiceRecipient) -> Record:
    column = EncryptedColumn.INVOICE_RECIPIENT_EMAIL
    return {
        "invoice": recipient.invoice_id,
        "email": _decrypt(ctx, recipient.email_encrypted, column, recipient.id),
        "sent_at": _time(recipient.sent_at_us),
        "opened_at": _time(recipient.opened_at_us),
    }


def _order(ctx: Context, order: VkOrder) -> Record:
    content = order_codec.decrypt_content(ctx.cipher, order)
    return {
        "id": order.display_id,
        "created_at": _time(order.created_at_us),
        "content": msgspec.to_builtins(content) if content else UNREADABLE,
    }


def _answers(answers: Answers, values: dict[str, Any] | None, translator: Translator) -> Record:
    return {
        "payment": answers.payment_id,
        "given_at": _time(answers.created_at_us),
        "erased_at": _time(answers.erased_at_us),
        "answers": UNREADABLE
        if values is None
        else [
            {
                "key": question.key,
                "question": question_label(question, translator),
                "value": values.get(question.key),
                "text": answer_text(question, values.get(question.key), translator),
            }
            for question in answers.questions
        ],
    }


async def _messages(ctx: Context, tx: Tx, conversation: Conversation) -> list[Record]:
    """Return the messages of a conversation, the oldest first."""
    records: list[Record] = []
    before_position = MAX_INT
    while True:
        page = await messages.list_for_conversation(
            tx, conversation.id, before_position=before_position, limit=PAGE_SIZE
        )
        for one in page:
            before_position = one.position
            body: MessageBody | None
            try:
                body = message_codec.decrypt_body(ctx.cipher, one.id, one.body_encrypted)
            except DecryptionError:
                body = None
            records.append(
                {
                    "conversation": conversation.id,
                    "at": _time(one.written_at_us),
                    "from": "shop" if one.is_outgoing else "client",
                    "status": str(one.status),
                    "text": body.text if body else UNREADABLE,
                    "content": msgspec.to_builtins(body) if body else None,
                }
            )
        if len(page) < PAGE_SIZE:
            return records[::-1]


def _decrypt(ctx: Context, ciphertext: str, column: EncryptedColumn, row_id: str) -> Any:
    """Return a decrypted value; None for an erased one."""
    if not ciphertext:
        return None
    try:
        return ctx.cipher.decrypt(ciphertext, column, row_id)
    except DecryptionError:
        return UNREADABLE


def _time(at_us: int | None) -> str | None:
    """Return a time as RFC 3339 in UTC, to the second; None for none."""
    if not at_us:
        return None
    return (_EPOCH + timedelta(seconds=at_us // 1_000_000)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _money(amount: Money) -> Record:
    return {"value": amount.to_decimal_text(), "currency": amount.currency}


def _pack(document: Record, locale: str, tz: str) -> bytes:
    """Return the ZIP. Runs in a thread."""
    translator = Translator(locale, tz)
    sections = [
        Section(name, value)
        for name, value in document.items()
        if isinstance(value, list) and value
    ]
    files = {
        "client.json": json.dumps(document, ensure_ascii=False, indent=1),
        "client.html": render_export(document, sections, translator),
        # The byte order mark: spreadsheet programs recognize UTF-8 by it.
        "payments.csv": "\ufeff" + _table(document["payments"]),
        "messages.csv": "\ufeff" + _table(document["messages"], "at", "from", "status", "text"),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def _table(records: list[Record], *columns: str) -> str:
    names = list(columns or (records[0] if records else ("id",)))
    rows = [[_cell(record.get(name)) for name in names] for record in records]
    return csv_lines([names, *rows])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
