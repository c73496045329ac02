"""Erase a client's data. What accounting needs stays, without the client's contacts."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import msgspec

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.audit.deed import Deed
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Status as PaymentStatus
from sigma.domain.billing.question import Question
from sigma.domain.billing.refund import Status as RefundStatus
from sigma.domain.change import Change
from sigma.domain.customers.customer import IdentityKind
from sigma.domain.errors import Problem, validation_error
from sigma.domain.personal_data.erasure import (
    ContactScrubber,
    Erasure,
    Reason,
    contact_scrubber,
)
from sigma.domain.time_units import DAY_US
from sigma.services.contact_hashes import contact_hashes
from sigma.services.context import Context
from sigma.services.conversations import order_codec
from sigma.services.conversations.change_feed import notify_changed
from sigma.services.exports import exports
from sigma.services.personal_data import waiting_imports
from sigma.services.personal_data.clients import (
    ClientData,
    IdentifierKind,
    gather,
    read_recipient,
)
from sigma.services.platform import audit_log
from sigma.services.platform.erased_peers import peer_hash
from sigma.services.platform.search_tokens import invoice_tokens, payment_tokens
from sigma.store import changes
from sigma.store.billing import invoices
from sigma.store.engine.interface import Tx
from sigma.store.lists import tokens
from sigma.store.personal_data import erasing, erasures

# A payment that was begun earlier is not going on any more.
UNFINISHED_US = DAY_US
PAGE_SIZE = 200


async def erase(ctx: Context, member: Member, subject_id: str, chosen: Collection[str]) -> Erasure:
    """Erase everything that the chosen identifiers find, in one transaction; irreversible.

    Deleted: the customer's card, answers, evidence of consents, conversations with messages, orders
    and VK events, mail details, bodies of acquirer notices, browsers, search words. Left for
    accounting: invoices, payments, refunds, receipts, the ledger, without the client's name,
    address and phone. Raises
    RefusedError: "forbidden", "not_found", "validation" when nothing is chosen or while a payment
    or refund is going on.
    """
    member.require(Permission.PERSONAL_DATA)
    async with ctx.db.read() as tx:
        data = await gather(ctx, tx, member, subject_id, chosen)
    _require_finished(data, ctx.now_us())
    # First: the erasure deletes the contacts that are looked for here.
    await _scrub_responses(ctx, member.shop_id, _scrubber(ctx, data))
    async with ctx.db.write() as tx:
        # Read again: money moves under the lock of its invoice.
        for invoice in sorted(data.invoices, key=lambda one: one.id):
            await invoices.lock(tx, invoice.id)
        data = await gather(ctx, tx, member, subject_id, chosen)
        _require_finished(data, ctx.now_us())
        erasure = await _erase(ctx, tx, member, data)
        await audit_log.record(
            ctx, tx, member, Deed.CLIENT_ERASED, erasure.id, **dict(erasure.counts)
        )
    # Again: an export that was requested meanwhile may have read the data before the COMMIT.
    async with ctx.db.write() as tx:
        await exports.discard_all(tx, member.shop_id, ctx.now_us())
    await notify_changed(ctx)
    return erasure


def _require_finished(data: ClientData, now_us: int) -> None:
    is_busy = any(
        payment.status is PaymentStatus.AUTHORIZED
        or (not payment.is_final and now_us - payment.created_at_us < UNFINISHED_US)
        for payment in data.payments
    ) or any(refund.status is RefundStatus.PENDING for refund in data.refunds)
    if is_busy:
        raise validation_error(Problem("", "client_busy"))


def _scrubber(ctx: Context, data: ClientData) -> ContactScrubber:
    contents = [order_codec.decrypt_content(ctx.cipher, order) for order in data.orders]
    orders = [content for content in contents if content is not None]
    return contact_scrubber(
        names={
            *data.contacts("name"),
            *(card.name for card in data.cards if card.name),
            *(one.name for one in data.conversations),
            *(content.recipient_name for content in orders),
        },
        emails=_emails(ctx, data),
        phones=_phones(data) | {content.recipient_phone for content in orders},
    )


def _emails(ctx: Context, data: ClientData) -> set[str]:
    return {
        *data.contacts("email"),
        *_card_contacts(data, IdentityKind.EMAIL),
        *_chosen_labels(data, IdentifierKind.EMAIL),
        *filter(None, (read_recipient(ctx, one) for one in data.recipients)),
    }


def _phones(data: ClientData) -> set[str]:
    return {
        *data.contacts("phone"),
        *_card_contacts(data, IdentityKind.PHONE),
        *_chosen_labels(data, IdentifierKind.PHONE),
    }


def _chosen_labels(data: ClientData, kind: IdentifierKind) -> set[str]:
    return {one.label for one in data.identifiers if one.kind is kind and one.hashes}


def _card_contacts(data: ClientData, kind: IdentityKind) -> set[str]:
    found = (contact for card in data.cards for contact in card.contacts)
    return {value for one, value in found if one is kind and value}


async def _erase(ctx: Context, tx: Tx, member: Member, data: ClientData) -> Erasure:
    now_us = ctx.now_us()
    scrubber = _scrubber(ctx, data)
    scrubbed = _scrubbed_rows(data, scrubber)
    await changes.write(tx, Change(scrubbed), now_us)
    await _reindex(ctx, tx, data, scrubbed, now_us)
    counts = await erasing.erase_payments(tx, [one.id for one in data.payments], now_us)
    counts["mails"] += await erasing.erase_recipients(tx, [one.id for one in data.recipients])
    counts["notices"] = await erasing.erase_notices(tx, data.notice_ids)
    counts |= {"messages": 0, "conversations": len(data.conversations), "orders": len(data.orders)}
    counts["import_rows"] = await _refuse_import_rows(ctx, tx, member.shop_id, data)
    peers = []
    for conversation in data.conversations:
        counts["messages"] += await erasing.erase_conversation(tx, conversation)
        hashed = peer_hash(ctx, conversation.connection_id, conversation.peer_id)
        peers.append(erasures.add_peer(hashed, now_us))
    counts["customers"] = await _erase_customers(ctx, tx, member.shop_id, data)
    for op in peers:
        await tx.write_all([op])
    erasure = Erasure(
        id=ctx.new_id("era", member.shop_id),
        shop_id=member.shop_id,
        erased_at_us=now_us,
        actor=member.actor,
        reason=Reason.REQUEST.value,
        counts=counts,
    )
    await erasures.add(tx, erasure)
    # A stored file may have the client's data; it cannot be searched for them.
    await exports.discard_all(tx, member.shop_id, now_us)
    return erasure


async def _refuse_import_rows(ctx: Context, tx: Tx, shop_id: str, data: ClientData) -> int:
    """Refuse rows of imports that would create invoices for the client after the erasure."""
    vk_ids = {one.peer_id for one in data.conversations}
    vk_ids |= {int(value) for value in _card_contacts(data, IdentityKind.VK) if value.isdecimal()}
    vk_ids |= {
        int(one.value)
        for one in data.identifiers
        if one.kind is IdentifierKind.VK_USER and one.value.isdecimal()
    }
    contacts = contact_scrubber(emails=_emails(ctx, data), phones=_phones(data))
    return await waiting_imports.refuse_of_client(ctx, tx, shop_id, contacts, vk_ids)


async def _reindex(
    ctx: Context, tx: Tx, data: ClientData, scrubbed: tuple[Any, ...], now_us: int
) -> None:
    """Let lists find the payments by the texts of their invoices only, as they are now."""
    invoice_by_id = {one.id: one for one in (*data.invoices, *scrubbed) if isinstance(one, Invoice)}
    found = [invoice_tokens(ctx.cipher, invoice) for invoice in invoice_by_id.values()]
    found += [
        payment_tokens(ctx.cipher, one, invoice_by_id[one.invoice_id], {}, ())
        for one in data.payments
        if one.invoice_id in invoice_by_id
    ]
    await tokens.remove(tx, [*invoice_by_id, *(one.id for one in data.payments)])
    await changes.write(tx, Change(search_tokens=tuple(found)), now_us)


async def _erase_customers(ctx: Context, tx: Tx, shop_id: str, data: ClientData) -> int:
    """Erase the cards that were chosen, and the chosen contacts of other cards."""
    for one in data.identifiers:
        hashes = one.hashes
        if one.kind is IdentifierKind.VK_USER:
            hashes = tuple(contact_hashes(ctx.cipher, shop_id, one.kind.value, one.value))
        if one.kind not in (IdentifierKind.CUSTOMER, IdentifierKind.PAYMENT):
            for hashed in hashes:
                await erasing.erase_identity(tx, shop_id, one.kind.value, hashed)
    return await erasing.erase_customers(tx, [card.customer.id for card in data.cards])


def _scrubbed_rows(data: ClientData, scrubber: ContactScrubber) -> tuple[Any, ...]:
    """Return the rows that change: without contacts and without the conversation."""
    erased = {conversation.id for conversation in data.conversations}
    rows: list[Any] = []
    for invoice in data.invoices:
        changed = _scrub_invoice(invoice, scrubber)
        if invoice.conversation_id in erased:
            changed = replace(changed, conversation_id=None)
        rows.append(changed)
    rows += [replace(one, questions=_scrub(one.questions, scrubber)) for one in data.answers]
    rows += [replace(refund, reason=scrubber.text(refund.reason)) for refund in data.refunds]
    rows += [replace(receipt, body=scrubber.value(receipt.body)) for receipt in data.receipts]
    stored: tuple[Any, ...] = (*data.invoices, *data.answers, *data.refunds, *data.receipts)
    before = {row.id: row for row in stored}
    return tuple(row for row in rows if row != before[row.id])


def _scrub_invoice(invoice: Invoice, scrubber: ContactScrubber) -> Invoice:
    return replace(
        invoice,
        title=scrubber.text(invoice.title),
        description=scrubber.text(invoice.description),
        items=tuple(replace(item, name=scrubber.text(item.name)) for item in invoice.items),
        metadata={key: scrubber.text(value) for key, value in invoice.metadata.items()},
        questions=_scrub(invoice.questions, scrubber),
        return_url=scrubber.text(invoice.return_url),
    )


def _scrub(questions: tuple[Question, ...], scrubber: ContactScrubber) -> tuple[Question, ...]:
    """Return the questions without contacts in the seller's texts."""
    return tuple(
        replace(
            one,
            label=scrubber.text(one.label),
            hint=scrubber.text(one.hint),
            options=tuple(map(scrubber.text, one.options)),
        )
        for one in questions
    )


async def _scrub_responses(ctx: Context, shop_id: str, scrubber: ContactScrubber) -> None:
    """Remove contacts from stored API responses, which are otherwise deleted after three days."""
    after_key = ""
    while True:
        async with ctx.db.read() as tx:
            page = await erasing.list_responses(tx, shop_id, after_key, PAGE_SIZE)
        for key, body in page:
            try:
                value = msgspec.json.decode(body)
            except msgspec.DecodeError:
                continue
            if (scrubbed := scrubber.value(value)) != value:
                async with ctx.db.write() as tx:
                    text = msgspec.json.encode(scrubbed).decode()
                    await erasing.save_response(tx, shop_id, key, text)
        if len(page) < PAGE_SIZE:
            return
        after_key = page[-1][0]
