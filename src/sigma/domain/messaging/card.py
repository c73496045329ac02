"""The invoice card: the message in a conversation that shows an invoice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sigma.domain.billing.invoice import Invoice, reminder_jobs, timeline_event
from sigma.domain.billing.invoice import Status as InvoiceStatus
from sigma.domain.billing.payment import Payment
from sigma.domain.change import Change, Job, NewId
from sigma.domain.money import Money


class CardState(StrEnum):
    """What a card shows to the client."""

    ISSUED = "issued"
    OPENED = "opened"
    PAID = "paid"
    PART_REFUNDED = "part_refunded"
    REFUNDED = "refunded"
    VOID = "void"
    EXPIRED = "expired"
    FULL = "full"  # other clients have used up `max_payments`


@dataclass(frozen=True, slots=True)
class Card:
    """One invoice in one conversation. `message_id` is the message that shows it now.

    `state` is what the client sees. `message_fingerprint` is the CardContent.fingerprint that the
    message in VK certainly shows. It is empty while that is not known; the card is then refreshed.
    `opened_at_us`: when the client first opened the payment link (UTC microseconds).
    """

    id: str
    shop_id: str
    invoice_id: str
    conversation_id: str
    created_at_us: int
    created_by: str
    message_id: str | None = None
    state: CardState = CardState.ISSUED
    opened_at_us: int | None = None
    message_fingerprint: str = ""
    payer_hash: str = ""  # hash of the secret of the browser that first opened the payment link
    version: int = 0


@dataclass(frozen=True, slots=True)
class CapturedPayment:
    """A captured payment and the sum of its successful refunds (minor units)."""

    payment: Payment
    refunded_minor: int = 0

    @property
    def has_balance(self) -> bool:
        """Whether part of the payment is not refunded."""
        return self.refunded_minor < self.payment.amount.minor


@dataclass(frozen=True, slots=True)
class CardContent:
    """What a card must show.

    `payment`: the payment whose receipt it links to. `refunded`: the refunds of the payments that
    are not fully refunded, None when there are none.
    """

    state: CardState
    payment: Payment | None = None
    refunded: Money | None = None

    @property
    def fingerprint(self) -> str:
        """The identity of the content: equal fingerprints look the same to the client."""
        parts = (
            self.state,
            self.payment.id if self.payment else "",
            self.refunded.minor if self.refunded else 0,
        )
        return ":".join(map(str, parts))


def card_content(
    invoice: Invoice,
    captured_payments: Sequence[CapturedPayment],
    opened_at_us: int | None,
    now_us: int,
) -> CardContent:
    """Return what a card must show.

    `captured_payments`: the captured payments of this card's client, oldest first. Fully refunded
    payments are ignored when another one is left (the client paid twice and one was refunded).
    `opened_at_us`, `now_us`: UTC microseconds.
    """
    if remaining := [one for one in captured_payments if one.has_balance]:
        refunded = Money(sum(one.refunded_minor for one in remaining), invoice.amount.currency)
        state = CardState.PART_REFUNDED if refunded else CardState.PAID
        return CardContent(state, remaining[-1].payment, refunded or None)
    if captured_payments:
        return CardContent(CardState.REFUNDED, captured_payments[-1].payment)
    if invoice.status is InvoiceStatus.VOID:
        return CardContent(CardState.VOID)
    if invoice.is_fully_paid:
        return CardContent(CardState.FULL)
    if invoice.status is InvoiceStatus.EXPIRED or invoice.is_expired(now_us):
        return CardContent(CardState.EXPIRED)
    return CardContent(CardState.OPENED if opened_at_us else CardState.ISSUED)


def refresh_job(invoice_id: str, shop_id: str) -> Job:
    """Return the job that brings all cards of an invoice, its receipts and VK order up to date."""
    return Job("card.refresh", invoice_id, shop_id)


def refresh_jobs(cards: Iterable[Card]) -> tuple[Job, ...]:
    """Return the jobs that refresh these cards."""
    return tuple(refresh_job(card.invoice_id, card.shop_id) for card in cards)


def mark_opened(
    card: Card, invoice: Invoice, payer_hash: str, now_us: int, new_id: NewId
) -> Change:
    """Record that the card's payment link was opened; empty when that is already recorded.

    `payer_hash`: hash of the browser's secret, or empty. The first browser is bound to the client.
    """
    updated = replace(
        card,
        opened_at_us=card.opened_at_us or now_us,
        payer_hash=card.payer_hash or payer_hash,
    )
    if updated == card:
        return Change()
    if card.opened_at_us is not None:
        return Change((updated,))
    event = timeline_event(invoice, "opened", now_us, new_id, "client")
    jobs = (*refresh_jobs([card]), *reminder_jobs(invoice, now_us))
    return Change((updated, event), jobs=jobs)


def is_current(card: Card, content: CardContent) -> bool:
    """Return whether the message in VK certainly shows this content."""
    return card.message_fingerprint == content.fingerprint


def with_content(card: Card, content: CardContent, message_id: str | None = None) -> Card:
    """Return the card whose message shows this content. `message_id`: of a new message."""
    return replace(
        card,
        message_id=message_id or card.message_id,
        state=content.state,
        message_fingerprint=content.fingerprint,
    )


def without_fingerprint(card: Card) -> Card:
    """Return the card whose text in VK is not known, so that it is refreshed again."""
    return replace(card, message_fingerprint="")


def needs_new_message(content: CardContent, *, is_edited: bool) -> bool:
    """Return whether the content must be sent as a new message because VK refused the edit.

    The state OPENED is never sent as a new message: it tells the client nothing new.
    """
    return not is_edited and content.state is not CardState.OPENED
