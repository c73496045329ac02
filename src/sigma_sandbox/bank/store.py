"""What the bank remembers: shops, payments, refunds, receipts, idempotence keys, deliveries."""

import heapq
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from sigma_sandbox.bank.cards import Card
from sigma_sandbox.faults import Control, Effect
from sigma_sandbox.persistence import Vault
from sigma_sandbox.time_util import DAY, SECOND, Clock

Json = dict[str, Any]

EVENTS = (
    "payment.waiting_for_capture",
    "payment.succeeded",
    "payment.canceled",
    "refund.succeeded",
)
YEAR_2000 = 946_684_800 * SECOND
KEY_LIFE = DAY
MAX_FINISHED_DELIVERIES = 2000


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant. Comes to be when a program first signs in or sets its notification URL."""

    id: str
    created_at: int
    name: str | None = None
    notification_url: str | None = None
    events: list[str] = msgspec.field(default_factory=lambda: list(EVENTS))


class Challenge(msgspec.Struct, frozen=True):
    """A card waiting for its 3-D Secure code; `reason` is the refusal that follows a right code."""

    card: Card
    reason: str | None
    tries: int = 0


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """One payment, sums in minor units, moments in UTC microseconds."""

    id: str
    shop_id: str
    status: str
    amount: int
    currency: str
    capture: bool
    created_at: int
    return_url: str
    confirm_before: int
    locale: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}
    receipt: Json | None = None
    customer_id: str | None = None
    challenge: Challenge | None = None
    card: Card | None = None
    method_id: str | None = None
    three_ds: bool = False
    rrn: str | None = None
    auth_code: str | None = None
    hold_until: int | None = None
    captured_at: int | None = None
    refunded: int = 0
    canceled_at: int | None = None
    cancel_party: str | None = None
    cancel_reason: str | None = None


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """One refund. `polls_left` GETs answer pending (negative: until told), then `outcome`."""

    id: str
    shop_id: str
    payment_id: str
    status: str
    amount: int
    currency: str
    created_at: int
    description: str | None = None
    receipt: Json | None = None
    polls_left: int = 0
    outcome: str = "succeeded"
    cancel_reason: str | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A simulated fiscal receipt; it is registered at `registers_at`."""

    id: str
    shop_id: str
    type: str
    payment_id: str
    refund_id: str | None = None
    body: Json
    created_at: int
    registers_at: int
    number: int


class Key(msgspec.Struct, frozen=True):
    """An idempotence key that was used: what was asked, and which object answered."""

    shop_id: str
    key: str
    fingerprint: str
    object_id: str
    at: int


class Try(msgspec.Struct, frozen=True):
    """One POST of a notice; `answer` is the HTTP status or what broke."""

    at: int
    answer: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A notice on its way. `state`: waiting, delivered, given_up."""

    id: str
    shop_id: str
    url: str
    event: str
    object_id: str
    body: str
    created_at: int
    state: str = "waiting"
    tries: list[Try] = []


class Bank:
    """The bank's books in memory, written through to the vault. No rules live here."""

    def __init__(self, base_url: str, vault: Vault, control: Control, clock: Clock) -> None:
        self.base_url = base_url.rstrip("/")
        self.control = control
        self.on_event: Callable[[Shop, str, Json], None] = lambda shop, event, thing: None
        self.together = vault.together
        self._vault = vault
        self._clock = clock
        self.shops = {s.id: s for s in vault.load(Shop)}
        self.payments = {p.id: p for p in vault.load(Payment)}
        self.refunds = {r.id: r for r in vault.load(Refund)}
        self.receipts = {r.id: r for r in vault.load(Receipt)}
        self.deliveries = {d.id: d for d in vault.load(Delivery)}
        self._keys = {(k.shop_id, k.key): k for k in vault.load(Key)}
        self._by_shop: dict[str, list[str]] = {}
        self._refunds_of: dict[str, list[str]] = {}
        self._deadlines: dict[str, list[tuple[int, str]]] = {}
        for payment in self.payments.values():
            self._index(payment)
        for refund in self.refunds.values():
            self._refunds_of.setdefault(refund.payment_id, []).append(refund.id)

    def now(self, shop_id: str | None = None) -> int:
        """The bank's time for a shop, UTC microseconds, with the offset told to /control."""
        return self._clock() + (self.control.peek(Effect.CLOCK_OFFSET_S, shop_id) or 0) * SECOND

    def shop(self, shop_id: str) -> Shop:
        """The shop by id, opened on first sight."""
        if shop_id not in self.shops:
            self.put_shop(Shop(id=shop_id, created_at=self._clock()))
        return self.shops[shop_id]

    def put_shop(self, shop: Shop) -> None:
        """Write a shop."""
        self.shops[shop.id] = shop
        self._vault.put(shop.id, shop)

    def put_payment(self, payment: Payment) -> Payment:
        """Write a payment and remember when it must expire."""
        known = payment.id in self.payments
        self.payments[payment.id] = payment
        self._vault.put(payment.id, payment)
        if not known:
            self._index(payment)
        elif payment.status == "waiting_for_capture":
            self._watch(payment)
        return payment

    def put_refund(self, refund: Refund) -> Refund:
        """Write a refund."""
        if refund.id not in self.refunds:
            self._refunds_of.setdefault(refund.payment_id, []).append(refund.id)
        self.refunds[refund.id] = refund
        self._vault.put(refund.id, refund)
        return refund

    def put_receipt(self, receipt: Receipt) -> Receipt:
        """Write a receipt."""
        self.receipts[receipt.id] = receipt
        self._vault.put(receipt.id, receipt)
        return receipt

    def put_delivery(self, delivery: Delivery) -> Delivery:
        """Write a notice's progress; the oldest finished ones are dropped when there are many."""
        self.deliveries[delivery.id] = delivery
        self._vault.put(delivery.id, delivery)
        if len(self.deliveries) > MAX_FINISHED_DELIVERIES:
            done = next((d for d in self.deliveries.values() if d.state != "waiting"), None)
            if done is not None:
                del self.deliveries[done.id]
                self._vault.forget(Delivery, done.id)
        return delivery

    def put_key(self, key: Key) -> None:
        """Remember an idempotence key."""
        self._keys[key.shop_id, key.key] = key
        self._vault.put(f"{key.shop_id}/{key.key}", key)

    def key(self, shop_id: str, key: str) -> Key | None:
        """The key's first use, while it is younger than a day."""
        used = self._keys.get((shop_id, key))
        if used is None or self.now(shop_id) - used.at >= KEY_LIFE:
            return None
        return used

    def payments_of(self, shop_id: str) -> Iterator[Payment]:
        """A shop's payments in the order they were made."""
        return (self.payments[one] for one in self._by_shop.get(shop_id, []))

    def refunds_of(self, payment_id: str) -> Iterator[Refund]:
        """A payment's refunds in the order they were made."""
        return (self.refunds[one] for one in self._refunds_of.get(payment_id, []))

    def due(self, shop_id: str) -> Iterator[Payment]:
        """Payments of the shop whose term has come; each term is given out once."""
        waiting = self._deadlines.get(shop_id, [])
        now = self.now(shop_id)
        while waiting and waiting[0][0] <= now:
            yield self.payments[heapq.heappop(waiting)[1]]

    def new_id(self, shop_id: str, middle: str = "000f-5000-8000") -> str:
        """An id like YooKassa's: seconds since 2000, a fixed middle, twelve random digits."""
        seconds = (self.now(shop_id) - YEAR_2000) // SECOND
        return f"{seconds & 0xFFFFFFFF:08x}-{middle}-{secrets.token_hex(6)}"

    def _index(self, payment: Payment) -> None:
        self._by_shop.setdefault(payment.shop_id, []).append(payment.id)
        self._watch(payment)

    def _watch(self, payment: Payment) -> None:
        terms = {"pending": payment.confirm_before, "waiting_for_capture": payment.hold_until}
        term = terms.get(payment.status)
        if term is not None:
            heap = self._deadlines.setdefault(payment.shop_id, [])
            heapq.heappush(heap, (term, payment.id))
