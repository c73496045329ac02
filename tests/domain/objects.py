"""Domain objects for pure tests: what matters is named, the rest is usual."""

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

NOW = 1_795_500_000_000_000  # 24 November 2026, UTC microseconds
HOUR = 3_600_000_000

SHOP = Shop(
    id="shp_1",
    name="Студия",
    created_at=NOW,
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


class NewIds:
    """Ids that count: inv_1, evt_2, …"""

    def __init__(self) -> None:
        self._numbers: Iterator[int] = itertools.count(1)

    def __call__(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers)}"


def draft(**more: Any) -> Draft:
    usual: dict[str, Any] = {"title": "Маникюр", "amount": Money(150_000)}
    return Draft(**(usual | more))


def invoice(**more: Any) -> Invoice:
    """An open invoice for 1 500 ₽ that one payment fills."""
    usual: dict[str, Any] = {
        "id": "inv_1",
        "shop_id": SHOP.id,
        "number": 1,
        "token": "token-of-invoice",
        "status": invoices.Status.OPEN,
        "title": "Маникюр",
        "amount": Money(150_000),
        "created_at": NOW,
        "version": 1,
    }
    return Invoice(**(usual | more))


def payment(**more: Any) -> Payment:
    """A payment whose client is at the bank."""
    usual: dict[str, Any] = {
        "id": "pay_1",
        "shop_id": SHOP.id,
        "invoice_id": "inv_1",
        "connection_id": "con_1",
        "provider": "yookassa",
        "operation_key": "op_1",
        "token": "token-of-payment",
        "amount": Money(150_000),
        "status": payments.Status.PENDING,
        "created_at": NOW,
        "provider_id": "bank-1",
        "version": 1,
    }
    return Payment(**(usual | more))


def reply(event: str = "captured", **more: Any) -> payments.Reply:
    """The bank's word, with our amount unless said otherwise."""
    usual: dict[str, Any] = {
        "provider_id": "bank-1",
        "event": payments.Event(event),
        "amount": Money(150_000),
    }
    return payments.Reply(**(usual | more))


@dataclass
class Books:
    """What a store keeps of decisions: rows by id, with the unique keys that a database has."""

    rows: dict[str, Any] = field(default_factory=dict)
    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    keys: set[tuple[Any, ...]] = field(default_factory=set)
    jobs: list[tuple[str, str]] = field(default_factory=list)

    def write(self, change: Change) -> None:
        """All of it; a row twice in one decision or a key that is taken is a fault."""
        ids = [thing.id for thing in change.saved]
        assert len(ids) == len(set(ids)), f"a row is written twice in one decision: {ids}"
        for thing in change.saved:
            stored = self.rows.get(thing.id)
            assert thing.version == (stored.version if stored else 0), "a stale row"
            if not stored:
                for key in _unique(thing):
                    assert key not in self.keys, f"already exists: {key}"
                    self.keys.add(key)
            self.rows[thing.id] = replace(thing, version=thing.version + 1)
        for entry in change.entries:
            assert (entry.kind, entry.subject) not in self.entries, "booked twice"
            self.entries[entry.kind, entry.subject] = entry
        self.jobs += [(job.kind, job.subject) for job in change.jobs]

    def of(self, kind: type) -> list[Any]:
        return [row for row in self.rows.values() if isinstance(row, kind)]

    def refunds(self) -> tuple[Refund, ...]:
        return tuple(self.of(Refund))

    def owed(self, payment_id: str) -> bool:
        """Whether a payment was booked as money to give back."""
        lines = self.entries["capture", payment_id].lines
        return any(line.account is Account.OWED for line in lines)

    def balance(self, account: Account) -> int:
        return sum(
            line.amount.minor
            for entry in self.entries.values()
            for line in entry.lines
            if line.account is account
        )


def _unique(thing: Any) -> list[tuple[Any, ...]]:
    if isinstance(thing, Mail):
        return [("mail", thing.kind, thing.subject, thing.number)]
    if isinstance(thing, Receipt):
        return [("receipt", thing.payment_id)]
    return []


def settled(
    paid: Payment, of: Invoice, answer: payments.Reply, now: int = NOW, ids: NewIds | None = None
) -> Change:
    return payments.settle(paid, of, SHOP, answer, now, ids or NewIds())


def captured(**more: Any) -> Payment:
    return payment(status=payments.Status.CAPTURED, captured_at=NOW, **more)


def refund(**more: Any) -> Refund:
    """A refund of 500 ₽ that the bank has not answered yet."""
    usual: dict[str, Any] = {
        "id": "ref_1",
        "shop_id": SHOP.id,
        "payment_id": "pay_1",
        "invoice_id": "inv_1",
        "connection_id": "con_1",
        "operation_key": "op_2",
        "amount": Money(50_000),
        "status": refunds.Status.PENDING,
        "created_at": NOW,
        "created_by": "usr_1",
        "version": 1,
    }
    return Refund(**(usual | more))


def refund_reply(event: str = "succeeded", **more: Any) -> refunds.Reply:
    usual: dict[str, Any] = {
        "provider_id": "bank-r1",
        "event": refunds.Event(event),
        "amount": Money(50_000),
    }
    return refunds.Reply(**(usual | more))
