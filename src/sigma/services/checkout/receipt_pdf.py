"""The receipt as a PDF file."""

from sigma.documents.pdf import receipt_pdf
from sigma.domain.errors import RefusedError
from sigma.services.checkout.checkout import PublicPayment
from sigma.services.context import Context
from sigma.texts import Translator


def render(ctx: Context, public: PublicPayment, locale: str) -> bytes:
    """Render the receipt of a captured payment, with its refunds, as PDF bytes.

    Raises RefusedError("payment_not_captured").
    """
    if public.receipt is None:
        raise RefusedError("payment_not_captured", status=str(public.payment.status))
    translator = Translator(locale, public.shop.tz)
    link = f"{ctx.settings.base_url}/r/{public.receipt.token}"
    return receipt_pdf(public.receipt, public.refunds, translator, link)
