"""Texts and buttons of invoice cards, receipts and reminders in a conversation."""

from sigma.channels.vk import keyboard
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.messaging.card import CardContent, CardState
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import MessageBody
from sigma.domain.reminders.reminder import ReminderKind
from sigma.texts import Translator
from sigma.texts.reminders import reminder_text

PAYABLE_STATES = (CardState.ISSUED, CardState.OPENED)


def card_body(
    invoice: Invoice,
    shop: Shop,
    content: CardContent,
    url: str,
    conversation: Conversation,
) -> MessageBody:
    """Return the card message.

    `url` is the payment page or the receipt; empty when there is neither. The payment link is also
    in the text, because not every VK app shows buttons.
    """
    state, paid = content.state, content.payment
    translator = Translator(shop.locale, shop.tz)
    text_lines = [
        translator.t("cards.head", number=invoice.number, title=invoice.title),
        translator.t("cards.sum", sum=invoice.amount),
    ]
    if state in PAYABLE_STATES:
        if invoice.expires_at_us is not None:
            text_lines.append(
                translator.t("cards.until", moment=translator.datetime(invoice.expires_at_us))
            )
        text_lines.append(translator.t("cards.pay_link", url=url))
        button = translator.t("cards.pay_button", sum=invoice.amount)
    else:
        button = translator.t("cards.receipt_button") if url else ""
        paid_at_text = (
            translator.datetime(paid.captured_at_us) if paid and paid.captured_at_us else ""
        )
        text_lines.append(
            translator.t(f"cards.status_{state}", moment=paid_at_text, back=content.refunded or "")
        )
    if state is CardState.OPENED:
        text_lines.append(translator.t("cards.status_opened"))
    return MessageBody(text="\n".join(text_lines), keyboard=_link_button(button, url, conversation))


def receipt_body(payment: Payment, shop: Shop, url: str, conversation: Conversation) -> MessageBody:
    """Return the thank-you message with the link to the receipt."""
    translator = Translator(shop.locale, shop.tz)
    text = translator.t("cards.receipt", sum=payment.amount, url=url)
    return MessageBody(
        text=text, keyboard=_link_button(translator.t("cards.receipt_button"), url, conversation)
    )


def reminder_body(
    invoice: Invoice,
    shop: Shop,
    url: str,
    conversation: Conversation,
    kind: ReminderKind | None = None,
    stop_url: str = "",
) -> MessageBody:
    """Return the reminder of an unpaid invoice: an operator's, or an automatic one of a kind.

    `stop_url`: the link that ends automatic reminders; the text then names the stop word too.
    """
    translator = Translator(shop.locale, shop.tz)
    if kind is None:
        text = translator.t("board.reminder", title=invoice.title, sum=invoice.amount, url=url)
    else:
        lines = [
            reminder_text(invoice, kind, translator),
            translator.t("reminders.pay", url=url),
            translator.t("reminders.stop_hint", url=stop_url),
        ]
        text = "\n".join(lines)
    label = translator.t("cards.pay_button", sum=invoice.amount)
    return MessageBody(text=text, keyboard=_link_button(label, url, conversation))


def open_invoice_body(
    invoice: Invoice, shop: Shop, url: str, conversation: Conversation
) -> MessageBody:
    """Return the reply to a client who chose a service that already has an unpaid invoice."""
    translator = Translator(shop.locale, shop.tz)
    text = translator.t("auto.invoice_again", title=invoice.title, url=url)
    label = translator.t("cards.pay_button", sum=invoice.amount)
    return MessageBody(text=text, keyboard=_link_button(label, url, conversation))


def _link_button(label: str, url: str, conversation: Conversation) -> dict[str, object] | None:
    """Return a link button; None without a label or when the client's app shows no link buttons."""
    if not label or (
        conversation.supported_buttons
        and "open_link" not in conversation.supported_buttons.split(",")
    ):
        return None
    try:
        return keyboard.inline_keyboard([[keyboard.link_button(keyboard.fit_label(label), url)]])
    except ValueError:
        return None  # VK does not accept this URL in a button; the text contains it
