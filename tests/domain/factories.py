"""Factories of domain objects with default values, and an in-memory store for changes."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sigma.domain.accounts.shop import Seller, SellerKind, Shop
from sigma.domain.billing import invoice as invoices
from sigma.domain.billing import payment as payments
from sigma.domain.billing import refund as refunds
from sigma.domain.billing.invoice import Draft, Invoice
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.payment import Payment
from sigma.domain.billing.receipt import Receipt
from sigma.domain.billing.refund import Refund
from sigma.domain.change import Change
from sigma.domain.ledger import Account, Entry
from sigma.domain.money import Money

NOW_US = 1_795_500_000_000_000  # 24 November 2026, UTC microseconds
HOUR_US = 3_600_000_000

SHOP = Shop(
    id="shp_1",
    name="Студия",
    created_at_us=NOW_US,
    seller=Seller(
        kind=SellerKind.IP,
        full_name="ИП Проверкин Пётр Петрович",
        inn="500100732259",
        ogrn="325774600000039",
        phone="+7 916 123-45-67",
        email="shop@example.com",
        refund_terms="Вернём деньги в течение 10 дней.",
    ),
)


class SequentialIds:
    """Return sequential ids: inv_1, evt_2, …"""

    def __init__(self) -> None:
        self._numbers: Iterator[int] = itertools.count(1)

    def __call__(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers)}"


def draft(**more: Any) -> Draft:
    defaults: dict[str, Any] = {"title": "Маникюр", "amount": Money(150_000)}
    return Draft(**(defaults | more))


def invoice(**more: Any) -> Invoice:
    """Return an open invoice for 1500 ₽ that takes one payment."""
    defaults: dict[str, Any] = {
        "id": "inv_1",
        "shop_id": SHOP.id,
        "number": 1,
        "token": "token-of-invoice",
        "status": invoices.Status.OPEN,
        "title": "Маникюр",
        "amount": Money(150_000),
        "created_at_us": NOW_US,
        "version": 1,
    }
    return Invoice(**(defaults | more))


def payment(**more: Any) -> Payment:
    """Return a pending payment: the client is at the bank."""
    defaults: dict[str, Any] = {
        "id": "pay_1",
        "shop_id": SHOP.id,
        "invoice_id": "inv_1",
        "connection_id": "con_1",
        "provider": "yookassa",
        "operation_key": "op_1",
        "token": "token-of-payment",
        "amount": Money(150_000),
        "status": payments.Status.PENDING,
        "created_at_us": NOW_US,
        "provider_id": "bank-1",
        "version": 1,
    }
    return Payment(**(defaults | more))


def payment_reply(event: str = "captured", **more: Any) -> payments.PaymentReply:
    """Return the bank's reply about a payment of 1500 ₽."""
    defaults: dict[str, Any] = {
        "provider_id": "bank-1",
        "event": payments.Event(event),
        "amount": Money(150_000),
    }
    return payments.PaymentReply(**(defaults | more))


@dataclass
class InMemoryStore:
    """An in-memory store for changes, with the version checks and unique keys of the database."""

    rows: dict[str, Any] = field(default_factory=dict)
    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    unique_keys: set[tuple[Any, ...]] = field(default_factory=set)
    jobs: list[tuple[str, str]] = field(default_factory=list)

    def write(self, change: Change) -> None:
        """Write a change. Fails for a duplicate row, a stale version or a taken unique key."""
        ids = [row.id for row in change.rows]
        assert len(ids) == len(set(ids)), f"a row is written twice in one change: {ids}"
        for row in change.rows:
            stored = self.rows.get(row.id)
            assert row.version == (stored.version if stored else 0), "stale version"
            if not stored:
                for key in _unique_keys(row):
                    assert key not in self.unique_keys, f"key already exists: {key}"
                    self.unique_keys.add(key)
            self.rows[row.id] = replace(row, version=row.version + 1)
        for entry in change.entries:
            assert (entry.kind, entry.subject_id) not in self.entries, "entry booked twice"
            self.entries[entry.kind, entry.subject_id] = entry
        self.jobs += [(job.kind, job.subject_id) for job in change.jobs]

    def list_of(self, kind: type) -> list[Any]:
        """Return the stored rows of a class."""
        return [row for row in self.rows.values() if isinstance(row, kind)]

    def refunds(self) -> tuple[Refund, ...]:
        return tuple(self.list_of(Refund))

    def is_refund_due(self, payment_id: str) -> bool:
        """Whether the captured money was booked as due for refund."""
        postings = self.entries["capture", payment_id].postings
        return any(posting.account is Account.REFUNDS_DUE for posting in postings)

    def balance(self, account: Account) -> int:
        """Return the balance of an account in minor units."""
        return sum(
            posting.amount.minor
            for entry in self.entries.values()
            for posting in entry.postings
            if posting.account is account
        )


def _unique_keys(row: Any) -> list[tuple[Any, ...]]:
    if isinstance(row, Mail):
        return [("mail", row.kind, row.subject_key, row.number)]
    if isinstance(row, Receipt):
        return [("receipt", row.payment_id)]
    return []


def settle(
    current: Payment,
    for_invoice: Invoice,
    bank_reply: payments.PaymentReply,
    now_us: int = NOW_US,
    ids: SequentialIds | None = None,
) -> Change:
    """Settle a payment with the bank's reply; return the change without writing it."""
    return payments.settle(current, for_invoice, SHOP, bank_reply, now_us, ids or SequentialIds())


def captured_payment(**more: Any) -> Payment:
    return payment(status=payments.Status.CAPTURED, captured_at_us=NOW_US, **more)


def refund(**more: Any) -> Refund:
    """Return a pending refund of 500 ₽."""
    defaults: dict[str, Any] = {
        "id": "ref_1",
        "shop_id": SHOP.id,
        "payment_id": "pay_1",
        "invoice_id": "inv_1",
        "connection_id": "con_1",
        "operation_key": "op_2",
        "amount": Money(50_000),
        "status": refunds.Status.PENDING,
        "created_at_us": NOW_US,
        "created_by": "usr_1",
        "version": 1,
    }
    return Refund(**(defaults | more))


def refund_reply(event: str = "succeeded", **more: Any) -> refunds.RefundReply:
    defaults: dict[str, Any] = {
        "provider_id": "bank-r1",
        "event": refunds.Event(event),
        "amount": Money(50_000),
    }
    return refunds.RefundReply(**(defaults | more))
