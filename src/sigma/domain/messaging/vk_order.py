"""Orders of a community's advanced shop in VK."""

from dataclasses import dataclass, replace

from sigma.domain.billing.invoice import Invoice, Status
from sigma.domain.change import Change, Job, NewId, TimelineEvent
from sigma.domain.errors import Problem, validation_error
from sigma.domain.messaging.card import CardContent, CardState
from sigma.domain.money import Money, MoneyError

PAID, RETURNED, REJECTED_PREFIX = "paid", "returned", "rejected:"
# VK's values of `status`: 0 new, 1 agreed, 2 assembling, 3 delivering, 4 completed, 5, 6.
COMPLETED_STATUS, CANCELED_STATUS, RETURNED_STATUS = 4, 5, 6
STATUS_COUNT = 7
PREVIEW_ITEMS = 5  # VK's order object holds at most this many of the order's items


@dataclass(frozen=True, slots=True)
class OrderItem:
    """One position of an order. `price`: of one piece, as VK writes it; `variant`: "M, red"."""

    item_id: int
    title: str = ""
    quantity: int = 1
    price: str = ""
    variant: str = ""


@dataclass(frozen=True, slots=True)
class OrderContent:
    """What an order contains. It is personal data, so it is stored encrypted.

    `item_count`: the number of items that VK says the order has. `has_all_items`: `items` came from
    VK's whole list. `total`: the sum as VK writes it, for a currency that Sigma does not know.
    `seller_note`: seen by the seller only. `placed_at_us`: UTC microseconds, 0 if unknown.
    """

    items: tuple[OrderItem, ...] = ()
    item_count: int = 0
    has_all_items: bool = False
    total: str = ""
    comment: str = ""
    recipient_name: str = ""
    recipient_phone: str = ""
    address: str = ""
    delivery: str = ""
    seller_note: str = ""
    note_for_client: str = ""
    track_number: str = ""
    track_url: str = ""
    placed_at_us: int = 0

    @property
    def is_incomplete(self) -> bool:
        """Whether the order has more items than are known.

        VK does not say whether `item_count` counts positions or pieces, so both must explain it.
        """
        if self.has_all_items or len(self.items) >= self.item_count:
            return False
        pieces = sum(item.quantity for item in self.items)
        return pieces < self.item_count or len(self.items) >= PREVIEW_ITEMS


def with_known_items(content: OrderContent, known: OrderContent | None) -> OrderContent:
    """Return VK's content with the whole list of items that is stored already.

    VK's order object has the first items only. The stored list is dropped when it contradicts them:
    it was changed in VK and is read again.
    """
    if known is None or not known.has_all_items or known.item_count != content.item_count:
        return content
    if known.items[: len(content.items)] != content.items:
        return content
    return replace(content, items=known.items, has_all_items=True)


@dataclass(frozen=True, slots=True)
class VkOrder:
    """An order in VK's advanced shop. `body_encrypted` decrypts to an OrderContent.

    `amount_minor`: hundredths of `currency`, which may be one that Sigma does not know; empty when
    VK's sum is unreadable. `status`: VK's number, see STATUS_COUNT.
    `vk_payment_status` is the payment status last sent to VK: empty, not_paid, paid, returned, or
    "rejected:<code>" when VK refused it with that error code.
    """

    id: str
    shop_id: str
    connection_id: str
    conversation_id: str
    vk_order_id: int
    vk_user_id: int
    display_id: str
    amount_minor: int
    currency: str
    body_encrypted: str
    created_at_us: int
    status: int = 0
    invoice_id: str | None = None
    vk_payment_status: str = ""
    version: int = 0

    @property
    def amount(self) -> Money | None:
        """The sum, or None when Sigma does not know its currency."""
        try:
            return Money(self.amount_minor, self.currency)
        except MoneyError:
            return None

    @property
    def is_final(self) -> bool:
        """Whether VK does not change the order any more."""
        return self.status >= COMPLETED_STATUS

    @property
    def is_canceled(self) -> bool:
        """Whether the order was cancelled or its goods were returned."""
        return self.status in (CANCELED_STATUS, RETURNED_STATUS)

    @property
    def can_be_invoiced(self) -> bool:
        """Whether an invoice can be issued: the order is not cancelled and its sum is positive."""
        return not self.is_canceled and self.amount is not None and self.amount_minor > 0


def record_received(order: VkOrder, new_id: NewId, *, is_incomplete: bool = False) -> Change:
    """Record an order that is new to Sigma. `is_incomplete`: request the rest of its items."""
    event = TimelineEvent(
        new_id("evt"), order.shop_id, order.id, "vk_order.received", order.created_at_us
    )
    return Change((order, event), jobs=(items_job(order),) if is_incomplete else ())


def record_changed(
    order: VkOrder,
    changed: VkOrder,
    *,
    is_same_content: bool,
    is_incomplete: bool,
    new_id: NewId,
    now_us: int,
) -> Change:
    """Record VK's change of a stored order; empty when nothing differs.

    `changed`: the order with VK's sum, status and content. `is_same_content`: its decrypted content
    equals the stored one; the ciphertexts always differ. `is_incomplete`: request its items.
    """
    if is_same_content:
        changed = replace(changed, body_encrypted=order.body_encrypted)
    if changed == order:
        return Change()
    change = Change((changed,), jobs=(items_job(order),) if is_incomplete else ())
    if changed.status == order.status:
        return change
    event = TimelineEvent(
        new_id("evt"),
        order.shop_id,
        order.id,
        "vk_order.status_changed",
        now_us,
        detail={"status": changed.status},
    )
    return change + Change((event,))


def items_job(order: VkOrder) -> Job:
    """Return the job that reads all items of an order from VK."""
    return Job("vk_order.fetch_items", order.id, order.shop_id)


def link_invoice(order: VkOrder, invoice: Invoice, other: Invoice | None, now_us: int) -> Change:
    """Link the order to an invoice. `other`: the invoice that it is linked to already.

    Raises RefusedError("validation") when the order is cancelled, and when `other` is paid or still
    payable.
    """
    if order.is_canceled:
        raise validation_error(Problem("order", "order_canceled"))
    if other is not None:
        is_payable = other.status is Status.OPEN and not other.is_expired(now_us)
        if is_payable or other.paid_count:
            raise validation_error(Problem("order", "order_invoiced", {"number": other.number}))
    return Change((replace(order, invoice_id=invoice.id),))


def payment_status(content: CardContent) -> str | None:
    """Return the payment status that VK must show for the invoice; None before a payment."""
    if content.payment is None:
        return None
    return RETURNED if content.state is CardState.REFUNDED else PAID


def record_reported(order: VkOrder, vk_payment_status: str) -> Change:
    """Record the payment status sent to VK; empty when it is known already."""
    if order.vk_payment_status == vk_payment_status:
        return Change()
    return Change((replace(order, vk_payment_status=vk_payment_status),))
