"""The link in the dialog: it carries a signed mark of its card. The browser that first opens it is
the client's, so its payments are told to be the client's own; any other's are only not proven.
"""

import hmac

from sigma.domain.card import Card
from sigma.domain.invoice import Invoice
from sigma.services.context import Context
from sigma.store import cards
from sigma.store.contract import Tx

PARAM = "d"  # in the address of the payment page
_MARK = 22  # hex digits: 88 bits


def link(ctx: Context, invoice: Invoice, card_id: str) -> str:
    """The address of the payment page as it is sent into a dialog."""
    return f"{ctx.settings.base_url}/i/{invoice.token}?{PARAM}={card_id}.{_signature(ctx, card_id)}"


def _signature(ctx: Context, card_id: str) -> str:
    return ctx.sealer.mark(f"card:{card_id}")[:_MARK]


def card_id_of(ctx: Context, mark: str) -> str | None:
    """The card that a mark proves; None for anything forged or damaged."""
    card_id, _, signature = mark.partition(".")
    if not card_id.startswith("crd_") or len(card_id) > 60:
        return None
    good = hmac.compare_digest(signature.encode(), _signature(ctx, card_id).encode())
    return card_id if good else None


async def card_of(ctx: Context, tx: Tx, invoice_id: str, mark: str) -> Card | None:
    """The card of this very invoice that a mark proves."""
    card_id = card_id_of(ctx, mark)
    card = await cards.get(tx, card_id) if card_id else None
    return card if card is not None and card.invoice_id == invoice_id else None


async def dialog_of(tx: Tx, invoice_id: str, payer: str) -> str | None:
    """The dialog whose client pays: this is the browser that first opened the dialog's link.
    `payer` is the hash of the browser's secret.
    """
    if not payer:
        return None
    found = await cards.of_invoice(tx, invoice_id)
    return next((card.conversation_id for card in found if card.payer == payer), None)
