"""View models of VK orders beside a conversation."""

from dataclasses import dataclass

from sigma.domain.billing.invoice import Invoice, Status
from sigma.domain.messaging.vk_order import (
    CANCELED_STATUS,
    COMPLETED_STATUS,
    RETURNED_STATUS,
    STATUS_COUNT,
    OrderContent,
    VkOrder,
)
from sigma.services.conversations.conversation_page import ConversationPage
from sigma.texts import Translator
from sigma.web.cabinet.inbox.message_text import safe_url

_TONES = {COMPLETED_STATUS: "good", CANCELED_STATUS: "bad", RETURNED_STATUS: "quiet"}
_ICONS = {RETURNED_STATUS: "undo"}


@dataclass(frozen=True, slots=True)
class OrderView:
    """A VK order. `total`: its sum in any currency. `facts`: (label, value) of what is filled in.

    `can_be_invoiced`: see VkOrder, and it has no invoice yet. `warning`: what the seller
    must do because the order has changed, or empty.
    """

    order: VkOrder
    content: OrderContent
    is_unreadable: bool
    total: str
    status: str
    tone: str
    icon: str | None
    facts: list[tuple[str, str]]
    track_url: str
    can_be_invoiced: bool
    warning: str


def order_views(page: ConversationPage, translator: Translator) -> list[OrderView]:
    """Return the views of a conversation's VK orders, the newest first."""
    open_invoices = {
        invoice.id: invoice for invoice, _ in page.invoices if invoice.status is Status.OPEN
    }
    return [
        _order_view(
            one.order, one.content, open_invoices.get(one.order.invoice_id or ""), translator
        )
        for one in page.orders
    ]


def _order_view(
    order: VkOrder, content: OrderContent | None, invoice: Invoice | None, translator: Translator
) -> OrderView:
    known = content or OrderContent()
    names = (
        *("comment", "recipient_name", "recipient_phone", "delivery", "address"),
        *("track_number", "note_for_client", "seller_note"),
    )
    facts = [(translator.t(f"inbox.order_{n}"), getattr(known, n)) for n in names]
    return OrderView(
        order=order,
        content=known,
        is_unreadable=content is None,
        total=_total(order, known, translator),
        status=_status_name(order.status, translator),
        tone=_TONES.get(order.status, "wait"),
        icon=_ICONS.get(order.status),
        facts=[(label, value) for label, value in facts if value],
        track_url=safe_url(known.track_url),
        can_be_invoiced=order.can_be_invoiced and not order.invoice_id,
        warning=_warning(order, invoice, translator),
    )


def _total(order: VkOrder, content: OrderContent, translator: Translator) -> str:
    """Return the sum; in a currency that Sigma does not know as a number with the currency's code.

    VK's own text is the fallback for a sum that is not a number.
    """
    if order.amount is not None:
        return translator.money(order.amount, short=True)
    if not order.currency:
        return content.total
    number = translator.number(f"{order.amount_minor // 100}.{order.amount_minor % 100:02}")
    return f"{number}\u00a0{order.currency}"


def _status_name(status: int, translator: Translator) -> str:
    if status < STATUS_COUNT:
        return translator.t(f"inbox.order_status.{status}")
    return translator.t("inbox.order_status.other", status=str(status))


def _warning(order: VkOrder, invoice: Invoice | None, translator: Translator) -> str:
    if invoice is None:
        return ""
    if order.is_canceled:
        return translator.t("inbox.order_canceled_invoice", number=invoice.number)
    if order.amount is not None and order.amount != invoice.amount:
        return translator.t("inbox.order_other_amount", number=invoice.number)
    return ""
