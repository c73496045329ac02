"""The bank's objects and their storage. Amounts in minor units, times in UTC microseconds."""

import heapq
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from sigma_sandbox.bank.cards import MaskedCard
from sigma_sandbox.faults import Effect, FaultRules
from sigma_sandbox.persistence import ObjectStore
from sigma_sandbox.time_util import DAY_US, SECOND_US, Clock

Json = dict[str, Any]

EVENTS = (
    "payment.waiting_for_capture",
    "payment.succeeded",
    "payment.canceled",
    "refund.succeeded",
)
YEAR_2000_US = 946_684_800 * SECOND_US
KEY_TTL_US = DAY_US
MAX_FINISHED_DELIVERIES = 2000


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant, created at its first API call or when its settings are first saved."""

    id: str
    created_at_us: int
    name: str | None = None
    notification_url: str | None = None
    events: list[str] = msgspec.field(default_factory=lambda: list(EVENTS))


class Challenge(msgspec.Struct, frozen=True):
    """A card waiting for its 3-D Secure code.

    `decline_reason`: the payment is canceled with it even after a correct code; None: it succeeds.
    `failed_attempts`: wrong codes entered so far.
    """

    card: MaskedCard
    decline_reason: str | None
    failed_attempts: int = 0


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment. `status` is that of the API: pending, waiting_for_capture, succeeded, canceled.

    `amount_minor` becomes the captured amount after a partial capture. `confirm_until_us` is the
    deadline of the pending state, `hold_until_us` of waiting_for_capture.
    """

    id: str
    shop_id: str
    status: str
    amount_minor: int
    currency: str
    capture: bool
    created_at_us: int
    return_url: str
    confirm_until_us: int
    locale: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}
    receipt: Json | None = None
    customer_id: str | None = None
    challenge: Challenge | None = None
    card: MaskedCard | None = None
    method_id: str | None = None
    is_three_ds_passed: bool = False
    rrn: str | None = None
    auth_code: str | None = None
    hold_until_us: int | None = None
    captured_at_us: int | None = None
    refunded_minor: int = 0
    canceled_at_us: int | None = None
    cancel_party: str | None = None
    cancel_reason: str | None = None


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """A refund. `status`: pending, succeeded, canceled.

    The next `polls_left` reads return pending, then the refund is settled with `outcome`:
    "succeeded" or a cancellation reason. Negative: pending until settled by `/bank/test`.
    """

    id: str
    shop_id: str
    payment_id: str
    status: str
    amount_minor: int
    currency: str
    created_at_us: int
    description: str | None = None
    receipt: Json | None = None
    polls_left: int = 0
    outcome: str = "succeeded"
    cancel_reason: str | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A simulated fiscal receipt. It counts as registered from `registered_at_us` on."""

    id: str
    shop_id: str
    type: str
    payment_id: str
    refund_id: str | None = None
    body: Json
    created_at_us: int
    registered_at_us: int
    number: int


class IdempotencyKey(msgspec.Struct, frozen=True):
    """A used idempotency key: SHA-256 of endpoint and body, and the id of the created object."""

    shop_id: str
    key: str
    fingerprint: str
    object_id: str
    created_at_us: int


class DeliveryAttempt(msgspec.Struct, frozen=True):
    """One POST of a notice. `result`: HTTP status, or the class name of the network error."""

    attempted_at_us: int
    result: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A notice to a merchant. `state`: waiting, delivered, given_up. `body` is the JSON to send."""

    id: str
    shop_id: str
    url: str
    event: str
    object_id: str
    body: str
    created_at_us: int
    state: str = "waiting"
    attempts: list[DeliveryAttempt] = []


class Bank:
    """All bank objects in memory, written through to the object store. Holds no business rules.

    `on_event(shop, event, object_json)` is called after each change that merchants are notified of.
    """

    def __init__(
        self, base_url: str, object_store: ObjectStore, faults: FaultRules, clock: Clock
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.faults = faults
        self.on_event: Callable[[Shop, str, Json], None] = lambda shop, event, body: None
        self.transaction = object_store.transaction
        self._object_store = object_store
        self._clock = clock
        self.shops = {s.id: s for s in object_store.list_all(Shop)}
        self.payments = {p.id: p for p in object_store.list_all(Payment)}
        self.refunds = {r.id: r for r in object_store.list_all(Refund)}
        self.receipts = {r.id: r for r in object_store.list_all(Receipt)}
        self.deliveries = {d.id: d for d in object_store.list_all(Delivery)}
        self._keys = {(k.shop_id, k.key): k for k in object_store.list_all(IdempotencyKey)}
        self._payment_ids_by_shop: dict[str, list[str]] = {}
        self._refund_ids_by_payment: dict[str, list[str]] = {}
        self._deadlines: dict[str, list[tuple[int, str]]] = {}
        for payment in self.payments.values():
            self._index(payment)
        for refund in self.refunds.values():
            self._refund_ids_by_payment.setdefault(refund.payment_id, []).append(refund.id)

    def now_us(self, shop_id: str | None = None) -> int:
        """Return the bank's time for a shop in UTC microseconds, with CLOCK_OFFSET_S applied."""
        return self._clock() + (self.faults.peek(Effect.CLOCK_OFFSET_S, shop_id) or 0) * SECOND_US

    def get_or_create_shop(self, shop_id: str) -> Shop:
        """Return the shop with this id; create it if it does not exist."""
        if shop_id not in self.shops:
            self.put_shop(Shop(id=shop_id, created_at_us=self._clock()))
        return self.shops[shop_id]

    def put_shop(self, shop: Shop) -> None:
        """Store a shop."""
        self.shops[shop.id] = shop
        self._object_store.put(shop.id, shop)

    def put_payment(self, payment: Payment) -> Payment:
        """Store a payment and schedule its expiry."""
        is_new = payment.id not in self.payments
        self.payments[payment.id] = payment
        self._object_store.put(payment.id, payment)
        if is_new:
            self._index(payment)
        elif payment.status == "waiting_for_capture":
            self._schedule_expiry(payment)
        return payment

    def put_refund(self, refund: Refund) -> Refund:
        """Store a refund."""
        if refund.id not in self.refunds:
            self._refund_ids_by_payment.setdefault(refund.payment_id, []).append(refund.id)
        self.refunds[refund.id] = refund
        self._object_store.put(refund.id, refund)
        return refund

    def delete_payment(self, payment: Payment) -> None:
        """Delete a payment; its refunds stay."""
        del self.payments[payment.id]
        self._payment_ids_by_shop[payment.shop_id].remove(payment.id)
        self._object_store.delete(Payment, payment.id)

    def delete_refund(self, refund: Refund) -> None:
        """Delete a refund."""
        del self.refunds[refund.id]
        self._refund_ids_by_payment[refund.payment_id].remove(refund.id)
        self._object_store.delete(Refund, refund.id)

    def put_receipt(self, receipt: Receipt) -> Receipt:
        """Store a receipt."""
        self.receipts[receipt.id] = receipt
        self._object_store.put(receipt.id, receipt)
        return receipt

    def put_delivery(self, delivery: Delivery) -> Delivery:
        """Store a delivery. Above the limit the oldest finished delivery is deleted."""
        self.deliveries[delivery.id] = delivery
        self._object_store.put(delivery.id, delivery)
        if len(self.deliveries) > MAX_FINISHED_DELIVERIES:
            finished = next((d for d in self.deliveries.values() if d.state != "waiting"), None)
            if finished is not None:
                del self.deliveries[finished.id]
                self._object_store.delete(Delivery, finished.id)
        return delivery

    def put_key(self, key: IdempotencyKey) -> None:
        """Store a used idempotency key."""
        self._keys[key.shop_id, key.key] = key
        self._object_store.put(f"{key.shop_id}/{key.key}", key)

    def find_key(self, shop_id: str, key: str) -> IdempotencyKey | None:
        """Return the stored key if it was used within the last 24 hours, else None."""
        stored = self._keys.get((shop_id, key))
        if stored is None or self.now_us(shop_id) - stored.created_at_us >= KEY_TTL_US:
            return None
        return stored

    def list_payments(self, shop_id: str) -> Iterator[Payment]:
        """Return a shop's payments in order of creation."""
        return (
            self.payments[payment_id] for payment_id in self._payment_ids_by_shop.get(shop_id, [])
        )

    def list_refunds(self, payment_id: str) -> Iterator[Refund]:
        """Return a payment's refunds in order of creation."""
        return (
            self.refunds[refund_id] for refund_id in self._refund_ids_by_payment.get(payment_id, [])
        )

    def pop_due(self, shop_id: str) -> Iterator[Payment]:
        """Pop the shop's payments whose deadline has passed; each deadline is returned once.

        The payment may have another status by now: the caller must check it.
        """
        heap = self._deadlines.get(shop_id, [])
        now_us = self.now_us(shop_id)
        while heap and heap[0][0] <= now_us:
            due = self.payments.get(heapq.heappop(heap)[1])
            if due is not None:  # a lost payment has no deadline
                yield due

    def new_id(self, shop_id: str, middle: str = "000f-5000-8000") -> str:
        """Return an id like YooKassa's: hex seconds since 2000, `middle`, 12 random hex digits."""
        seconds = (self.now_us(shop_id) - YEAR_2000_US) // SECOND_US
        return f"{seconds & 0xFFFFFFFF:08x}-{middle}-{secrets.token_hex(6)}"

    def _index(self, payment: Payment) -> None:
        self._payment_ids_by_shop.setdefault(payment.shop_id, []).append(payment.id)
        self._schedule_expiry(payment)

    def _schedule_expiry(self, payment: Payment) -> None:
        deadlines = {
            "pending": payment.confirm_until_us,
            "waiting_for_capture": payment.hold_until_us,
        }
        deadline_us = deadlines.get(payment.status)
        if deadline_us is not None:
            heap = self._deadlines.setdefault(payment.shop_id, [])
            heapq.heappush(heap, (deadline_us, payment.id))
