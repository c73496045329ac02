"""Payment links in conversations: each carries the signature of its card.

The browser that first opens such a link is bound to the client; a payment from that browser is
attributed to the client's conversation. Payments from other browsers are not attributed.
"""

import base64
import re

from sigma.domain.billing.invoice import Invoice
from sigma.domain.messaging.card import Card
from sigma.services.context import Context
from sigma.store.encryption import SIGNATURE_BYTES, HashPurpose, SignaturePurpose
from sigma.store.engine.interface import Tx
from sigma.store.messaging import cards

SIGNATURE_PARAM = "d"  # query parameter of the payment page
# URL-safe base64. A multiple of three bytes: no padding, and one spelling of each signature.
_SIGNATURE = re.compile(rf"[A-Za-z0-9_-]{{{SIGNATURE_BYTES * 4 // 3}}}", re.ASCII)


def payment_link(ctx: Context, invoice: Invoice, card_id: str) -> str:
    """Return the URL of the payment page with the card's signature."""
    return f"{ctx.settings.base_url}/i/{invoice.token}?{SIGNATURE_PARAM}={sign(ctx, card_id)}"


def sign(ctx: Context, card_id: str) -> str:
    """Return the link signature of a card: HMAC-SHA256 of its id, 144 bits, URL-safe base64."""
    return base64.urlsafe_b64encode(
        ctx.cipher.sign(SignaturePurpose.PAYMENT_LINK, card_id)
    ).decode()


def is_well_formed(signature: str) -> bool:
    """Check the format (24 URL-safe characters); cheap, before any database access."""
    return _SIGNATURE.fullmatch(signature) is not None


async def verify(ctx: Context, tx: Tx, invoice_id: str, signature: str) -> Card | None:
    """Return the card of this invoice that the signature belongs to, or None if it is invalid."""
    if not is_well_formed(signature):
        return None
    raw = base64.urlsafe_b64decode(signature)
    for card in await cards.list_for_invoice(tx, invoice_id):
        if ctx.cipher.is_signature(raw, SignaturePurpose.PAYMENT_LINK, card.id):
            return card
    return None


def hash_browser(ctx: Context, browser_secret: str) -> str:
    """Return the hash by which the browser of a payer is known; "" without its secret."""
    return ctx.cipher.keyed_hash(HashPurpose.PAYER, browser_secret) if browser_secret else ""


async def payer_conversation(tx: Tx, invoice_id: str, payer_hash: str) -> str | None:
    """Return the id of the conversation whose link this browser was the first to open, or None.

    `payer_hash` is the keyed hash of the browser's secret.
    """
    if not payer_hash:
        return None
    invoice_cards = await cards.list_for_invoice(tx, invoice_id)
    return next(
        (card.conversation_id for card in invoice_cards if card.payer_hash == payer_hash), None
    )
