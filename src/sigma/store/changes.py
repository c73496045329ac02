"""Write a `Change` atomically, all of its parts. Money is written only here."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import insert

from sigma.domain.accounts.invitation import Invitation
from sigma.domain.accounts.password_reset import PasswordReset
from sigma.domain.accounts.second_factor import AuthenticatorApp, Passkey, RecoveryCode
from sigma.domain.accounts.security_notice import SecurityNotice
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.acquirer_notice import AcquirerNotice
from sigma.domain.billing.answers import Answers, Consent
from sigma.domain.billing.connection import Connection
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.domain.catalogue.photo import Photo
from sigma.domain.catalogue.service import Service
from sigma.domain.change import Change, Job, TimelineEvent
from sigma.domain.customers.customer import Customer
from sigma.domain.customers.moves import Move
from sigma.domain.exports.export import Export, FilePart
from sigma.domain.invoice_imports.batch import Batch, BatchRow
from sigma.domain.ledger import Entry
from sigma.domain.messaging.card import Card
from sigma.domain.messaging.community import Community
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import Message
from sigma.domain.messaging.vk_event import VkEvent
from sigma.domain.messaging.vk_order import VkOrder
from sigma.domain.notifications.address import Address
from sigma.domain.notifications.event import announce_jobs
from sigma.domain.notifications.notification import Delivery
from sigma.domain.notifications.preferences import Preferences
from sigma.domain.notifications.telegram_bot import TelegramBot
from sigma.domain.reconciliation.difference import Difference
from sigma.domain.reconciliation.run import Run
from sigma.domain.reminders.reminder import InvoiceRecipient, Reminder
from sigma.store import idempotency, jobs
from sigma.store.accounts import (
    invitations,
    password_resets,
    second_factors,
    security_notices,
    shops,
)
from sigma.store.billing import (
    acquirer_notices,
    answers,
    connections,
    invoice_recipients,
    invoices,
    mails,
    payments,
    receipts,
    refunds,
    reminders,
    timeline,
)
from sigma.store.catalogue import photos, services
from sigma.store.customers import customers
from sigma.store.customers import moves as customer_moves
from sigma.store.engine.interface import Database, Op, Tx
from sigma.store.engine.statements import statement
from sigma.store.exports import exports
from sigma.store.invoice_imports import imports
from sigma.store.lists import refunded_payments, tokens
from sigma.store.messaging import (
    cards,
    communities,
    conversations,
    messages,
    vk_events,
    vk_orders,
)
from sigma.store.notifications import addresses, deliveries, preferences, telegram_bots
from sigma.store.reconciliation import differences
from sigma.store.reconciliation import runs as reconciliation_runs
from sigma.store.reports import totals
from sigma.store.schema.tables import ledger

_SAVE_OPS: dict[type, Callable[[Any], Op]] = {
    Shop: shops.CODEC.save,
    Invitation: invitations.CODEC.save,
    Connection: connections.CODEC.save,
    Invoice: invoices.CODEC.save,
    Payment: payments.CODEC.save,
    Answers: answers.CODEC.save,
    Consent: answers.CONSENT_CODEC.save,
    Receipt: receipts.CODEC.save,
    Refund: refunds.CODEC.save,
    Mail: mails.CODEC.save,
    InvoiceRecipient: invoice_recipients.CODEC.save,
    Reminder: reminders.CODEC.save,
    TimelineEvent: timeline.CODEC.save,
    AcquirerNotice: acquirer_notices.CODEC.save,
    Community: communities.CODEC.save,
    Conversation: conversations.CODEC.save,
    Message: messages.CODEC.save,
    Service: services.CODEC.save,
    Photo: photos.CODEC.save,
    Card: cards.CODEC.save,
    VkEvent: vk_events.CODEC.save,
    VkOrder: vk_orders.CODEC.save,
    Run: reconciliation_runs.CODEC.save,
    Difference: differences.CODEC.save,
    Passkey: second_factors.PASSKEY_CODEC.save,
    AuthenticatorApp: second_factors.APP_CODEC.save,
    RecoveryCode: second_factors.CODE_CODEC.save,
    PasswordReset: password_resets.CODEC.save,
    SecurityNotice: security_notices.CODEC.save,
    Customer: customers.CODEC.save,
    Move: customer_moves.CODEC.save,
    Preferences: preferences.CODEC.save,
    Address: addresses.CODEC.save,
    Delivery: deliveries.CODEC.save,
    TelegramBot: telegram_bots.CODEC.save,
    Export: exports.CODEC.save,
    FilePart: exports.PART_CODEC.save,
    Batch: imports.CODEC.save,
    BatchRow: imports.ROW_CODEC.save,
}

LISTS_CHANNEL = "lists"  # notified after a change of an invoice, a payment or a refund

_insert_posting = statement(insert(ledger))


def _ledger_ops(entry: Entry) -> list[Op]:
    return [
        Op(
            _insert_posting,
            {
                "shop_id": entry.shop_id,
                "kind": entry.kind,
                "subject_id": entry.subject_id,
                "line_number": n,
                "account": posting.account,
                "amount_minor": posting.amount.minor,
                "currency": posting.amount.currency,
                "booked_at_us": entry.booked_at_us,
                "origin": entry.origin,
            },
        )
        for n, posting in enumerate(entry.postings)
    ]


def write_ops(change: Change, now_us: int) -> tuple[list[Op], list[str]]:
    """Return the writes of a change, and the channels to notify after the COMMIT.

    Workers are notified when one of its jobs is due now, open lists when it has a row of theirs.
    """
    ops = [_SAVE_OPS[type(row)](row) for row in change.rows]
    ops += refunded_payments.sum_ops(row for row in change.rows if isinstance(row, Refund))
    ops += [tokens.add_op(one) for one in change.search_tokens]
    for entry in change.entries:
        ops += _ledger_ops(entry)
    # PostgreSQL cannot write a row twice in one batch: of equal jobs the one due first is enqueued,
    # as `jobs.enqueue` would decide for two batches. 0 means at once.
    unique_jobs: dict[tuple[str, str], Job] = {}
    for job in (*change.jobs, *announce_jobs(change)):
        earlier = unique_jobs.setdefault((job.kind, job.subject_id), job)
        if job.due_at_us < earlier.due_at_us:
            unique_jobs[job.kind, job.subject_id] = job
    ops += [jobs.enqueue(job, now_us) for job in unique_jobs.values()]
    ops += totals.add_ops(change.tallies)
    if change.response is not None:
        ops.append(idempotency.store_response(change.response))
    is_due = any(job.due_at_us <= now_us for job in unique_jobs.values())
    is_listed = any(isinstance(row, (Invoice, Payment, Refund)) for row in change.rows)
    wakes = ((jobs.CHANNEL, is_due), (LISTS_CHANNEL, is_listed))
    return ops, [channel for channel, is_woken in wakes if is_woken]


async def write(tx: Tx, change: Change, now_us: int) -> None:
    """Write a change inside a transaction.

    Raises StaleError when a row was changed since it was read, ConflictError when a unique key
    exists; both may be raised at the end of the transaction.
    """
    ops, channels = write_ops(change, now_us)
    if ops:
        await tx.write_all(ops, channels)


async def commit(db: Database, change: Change, now_us: int) -> None:
    """Write a change as one transaction in one round trip. Raises like `write`."""
    ops, channels = write_ops(change, now_us)
    await db.commit(ops, channels)
