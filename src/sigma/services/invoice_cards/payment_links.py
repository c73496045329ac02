"""The link in the dialog: it carries a signed mark of its card. The browser that first opens it is
the client's, so its payments are told to be the client's own; any other's are only not proven.
"""

import base64
import hmac
import re

from sigma.domain.billing.invoice import Invoice
from sigma.domain.messaging.card import Card
from sigma.services.context import Context
from sigma.store.engine.interface import Tx
from sigma.store.messaging import cards

PARAM = "d"  # in the address of the payment page
_MARK = re.compile(r"[A-Za-z0-9_-]{16}", re.ASCII)  # 96 bits, short enough for a chat


def link(ctx: Context, invoice: Invoice, card_id: str) -> str:
    """The address of the payment page as it is sent into a dialog."""
    return f"{ctx.settings.base_url}/i/{invoice.token}?{PARAM}={mark_of(ctx, card_id)}"


def mark_of(ctx: Context, card_id: str) -> str:
    """What only we can say of a card."""
    signed = bytes.fromhex(ctx.sealer.mark(f"card:{card_id}")[:24])
    return base64.urlsafe_b64encode(signed).decode()


def looks_right(mark: str) -> bool:
    """Whether it can be a mark at all: what cannot costs no look into the database."""
    return _MARK.fullmatch(mark) is not None


async def card_of(ctx: Context, tx: Tx, invoice_id: str, mark: str) -> Card | None:
    """The card of this very invoice that a mark proves; None for anything forged or damaged."""
    if not looks_right(mark):
        return None
    for card in await cards.of_invoice(tx, invoice_id):
        if hmac.compare_digest(mark.encode(), mark_of(ctx, card.id).encode()):
            return card
    return None


async def dialog_of(tx: Tx, invoice_id: str, payer: str) -> str | None:
    """The dialog whose client pays: this is the browser that first opened the dialog's link.
    `payer` is the hash of the browser's secret.
    """
    if not payer:
        return None
    found = await cards.of_invoice(tx, invoice_id)
    return next((card.conversation_id for card in found if card.payer == payer), None)
