"""What an invoice's card and a receipt say in a dialog: text always, a button where it is shown."""

from sigma.channels.vk import keyboard
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.payment import Payment
from sigma.domain.messaging.card import Face, Look
from sigma.domain.messaging.conversation import Conversation
from sigma.domain.messaging.message import Body
from sigma.texts import Words

TO_PAY = (Face.ISSUED, Face.OPENED)


def card_body(
    invoice: Invoice,
    shop: Shop,
    look: Look,
    url: str,
    conversation: Conversation,
) -> Body:
    """The card. `url` leads to the payment page, or to the receipt; empty when there is neither.

    The link to pay is always in the text too: not every app shows buttons.
    """
    face, paid = look.face, look.paid
    words = Words(shop.locale, shop.tz)
    lines = [
        words.t("cards.head", number=invoice.number, title=invoice.title),
        words.t("cards.sum", sum=invoice.amount),
    ]
    if face in TO_PAY:
        if invoice.expires_at is not None:
            lines.append(words.t("cards.until", moment=words.datetime(invoice.expires_at)))
        lines.append(words.t("cards.pay_link", url=url))
        button = words.t("cards.pay_button", sum=invoice.amount)
    else:
        button = words.t("cards.receipt_button") if url else ""
        moment = words.datetime(paid.captured_at) if paid and paid.captured_at else ""
        lines.append(words.t(f"cards.face_{face}", moment=moment, back=look.back or ""))
    if face is Face.OPENED:
        lines.append(words.t("cards.face_opened"))
    return Body(text="\n".join(lines), keyboard=_button(button, url, conversation))


def receipt_body(payment: Payment, shop: Shop, url: str, conversation: Conversation) -> Body:
    """The thanks with the receipt's link."""
    words = Words(shop.locale, shop.tz)
    text = words.t("cards.receipt", sum=payment.amount, url=url)
    return Body(text=text, keyboard=_button(words.t("cards.receipt_button"), url, conversation))


def reminder_body(invoice: Invoice, shop: Shop, url: str, conversation: Conversation) -> Body:
    """A person reminds of an invoice that waits."""
    words = Words(shop.locale, shop.tz)
    text = words.t("board.reminder", title=invoice.title, sum=invoice.amount, url=url)
    label = words.t("cards.pay_button", sum=invoice.amount)
    return Body(text=text, keyboard=_button(label, url, conversation))


def known_body(invoice: Invoice, shop: Shop, url: str, conversation: Conversation) -> Body:
    """A client who chose a service again gets the invoice that already waits."""
    words = Words(shop.locale, shop.tz)
    text = words.t("auto.invoice_again", title=invoice.title, url=url)
    label = words.t("cards.pay_button", sum=invoice.amount)
    return Body(text=text, keyboard=_button(label, url, conversation))


def _button(label: str, url: str, conversation: Conversation) -> dict[str, object] | None:
    """A button that opens a link, unless the client's app has told that it shows none."""
    if not label or (conversation.buttons and "open_link" not in conversation.buttons.split(",")):
        return None
    try:
        return keyboard.inline([[keyboard.open_link(keyboard.shortened(label), url)]])
    except ValueError:
        return None  # an address that VK would not take: the text has it
