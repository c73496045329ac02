"""The receipt as a PDF file."""

from sigma.documents.pdf import receipt_source
from sigma.domain.errors import RefusedError
from sigma.services.checkout.checkout import PublicPayment
from sigma.services.context import Context
from sigma.texts import Translator


async def render(ctx: Context, public: PublicPayment, locale: str) -> bytes:
    """Return the receipt of a captured payment, with its refunds, as PDF bytes.

    Drawn outside the event loop, and again only when its content has changed. Raises
    RefusedError("payment_not_captured").
    """
    if public.receipt is None:
        raise RefusedError("payment_not_captured", status=str(public.payment.status))
    translator = Translator(locale, public.shop.tz)
    link = f"{ctx.settings.base_url}/r/{public.receipt.token}"
    source = receipt_source(
        public.receipt, public.refunds, translator, link, public.receipt_answers
    )
    return await ctx.pdf_cache.render(source)
