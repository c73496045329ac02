"""The receipt as a file."""

from sigma.documents import receipt_pdf
from sigma.domain.errors import Refused
from sigma.services.checkout.checkout import Seen
from sigma.services.context import Context
from sigma.texts import Words


def pdf(ctx: Context, seen: Seen, locale: str) -> bytes:
    """The PDF of a paid payment's receipt, with its refunds so far.

    Raises Refused("payment_not_captured").
    """
    if seen.receipt is None:
        raise Refused("payment_not_captured", status=str(seen.payment.status))
    words = Words(locale, seen.shop.tz)
    link = f"{ctx.settings.base_url}/r/{seen.receipt.token}"
    return receipt_pdf(seen.receipt, seen.refunds, words, link)
