"""The only way to write a decision: its rows, its entries and its jobs, all of them or none."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import insert

from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.answers import Answers, Consent
from sigma.domain.billing.connection import Connection, Notice
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.domain.catalogue.service import Service
from sigma.domain.change import Change, Happening
from sigma.domain.ledger import Entry
from sigma.domain.messaging.card import Card, Order
from sigma.domain.messaging.community import Community
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import Message
from sigma.store import idempotency, jobs
from sigma.store.accounts import shops
from sigma.store.billing import connections, invoices, mails, payments, refunds
from sigma.store.catalogue import services
from sigma.store.catalogue.services import Photo
from sigma.store.engine.interface import Database, Op, Tx
from sigma.store.engine.statements import statement
from sigma.store.idempotency import Answered
from sigma.store.messaging import cards, communities, conversations
from sigma.store.schema.tables import ledger

_SAVE: dict[type, Callable[[Any], Op]] = {
    Shop: shops.CODEC.save,
    Connection: connections.CODEC.save,
    Invoice: invoices.CODEC.save,
    Payment: payments.CODEC.save,
    Answers: payments.ANSWERS.save,
    Consent: payments.CONSENT.save,
    Receipt: payments.RECEIPT.save,
    Refund: refunds.CODEC.save,
    Mail: mails.CODEC.save,
    Happening: mails.HAPPENING.save,
    Notice: connections.NOTICE.save,
    Community: communities.CODEC.save,
    Conversation: conversations.CODEC.save,
    Message: conversations.MESSAGE.save,
    Service: services.CODEC.save,
    Photo: services.PHOTO.save,
    Card: cards.CODEC.save,
    Order: cards.ORDER.save,
}

_line = statement(insert(ledger))


def _book(entry: Entry) -> list[Op]:
    return [
        Op(
            _line,
            {
                "shop_id": entry.shop_id,
                "kind": entry.kind,
                "subject": entry.subject,
                "line": n,
                "account": line.account,
                "amount_minor": line.amount.minor,
                "currency": line.amount.currency,
                "at": entry.at,
            },
        )
        for n, line in enumerate(entry.lines)
    ]


def operations(change: Change, now: int, answered: Answered | None) -> tuple[list[Op], str | None]:
    """The writes of a change, and the channel to wake when its work is due now."""
    ops = [_SAVE[type(thing)](thing) for thing in change.saved]
    for entry in change.entries:
        ops += _book(entry)
    promised = {(job.kind, job.subject): job for job in change.jobs}
    ops += [jobs.promise(job, now) for job in promised.values()]
    if answered is not None:
        ops.append(idempotency.remember(answered))
    soon = any(job.due_at <= now for job in promised.values())
    return ops, jobs.CHANNEL if soon else None


async def write(tx: Tx, change: Change, now: int, answered: Answered | None = None) -> None:
    """Writes a whole change inside a transaction.

    Raises Stale when a row was changed since it was read, Conflict when a unique key was there
    first.
    """
    ops, wake = operations(change, now, answered)
    if ops:
        await tx.write_all(ops, wake)


async def commit(db: Database, change: Change, now: int, answered: Answered | None = None) -> None:
    """Writes a whole change as one transaction of its own, in one round trip."""
    ops, wake = operations(change, now, answered)
    await db.commit(ops, wake)
