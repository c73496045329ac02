"""The receipt /r/{token}: payment, seller and refunds, as a page and as a PDF."""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from sigma.domain.billing.mail import Status as MailStatus
from sigma.domain.billing.payment import REFUND_REASONS
from sigma.domain.errors import RefusedError
from sigma.services.checkout import checkout
from sigma.services.checkout import receipt_pdf as checkout_receipt_pdf
from sigma.services.checkout.checkout import PublicPayment
from sigma.services.context import Context
from sigma.texts import Translator
from sigma.texts.receipt_view import build_receipt_view
from sigma.web.checkout.page_context import LONG_AMOUNT_CHARS
from sigma.web.checkout.responses import (
    CLIENT_HEADERS,
    ClientRequest,
    Ctx,
    client_page,
    invoice_not_found_page,
    redirect,
    translator_for,
)
from sigma.web.checkout.return_link import return_link


@get("/r/{token:str}")
async def receipt_page(request: ClientRequest, ctx: Ctx, token: FromPath[str]) -> Response[Any]:
    """Show the receipt; a path that ends in ".pdf" returns the file."""
    if token.endswith(".pdf"):
        return await receipt_file(request, ctx, token.removesuffix(".pdf"))
    try:
        view = await checkout.get_public(ctx, token)
    except RefusedError:
        return invoice_not_found_page(request)
    if view.receipt is None:  # not captured
        return redirect(f"/i/{view.invoice.token}/wait/{token}")
    translator = translator_for(request, view.shop)
    receipt_view = build_receipt_view(view.receipt, view.refunds, translator, view.receipt_answers)
    return client_page(
        request,
        "checkout/receipt.html",
        translator,
        view.shop,
        receipt_view=receipt_view,
        is_long_amount=len(receipt_view.amount) > LONG_AMOUNT_CHARS,
        mail_text=_mail_text(view, translator),
        mail_failed=view.mail is not None and view.mail.status is MailStatus.FAILED,
        attention=_attention_text(view, translator),
        pdf_url=f"/r/{token}.pdf",
        shop_url=return_link(
            receipt_view.return_url,
            invoice=view.invoice.id,
            payment=view.payment.id,
            status=str(view.payment.status),
        ),
    )


async def receipt_file(request: ClientRequest, ctx: Context, token: str) -> Response[Any]:
    """Return the receipt as a PDF, named after the invoice number."""
    try:
        view = await checkout.get_public(ctx, token)
    except RefusedError:
        return invoice_not_found_page(request)
    if view.receipt is None:
        return redirect(f"/i/{view.invoice.token}/wait/{token}")
    translator = translator_for(request, view.shop)
    name = translator.t("receipt.file_name", number=view.invoice.number)
    return Response(
        await checkout_receipt_pdf.render(ctx, view, translator.locale),
        media_type="application/pdf",
        headers={**CLIENT_HEADERS, "content-disposition": f'inline; filename="{name}"'},
    )


def _mail_text(view: PublicPayment, translator: Translator) -> str:
    """Return the delivery state of the receipt mail as a sentence."""
    if view.mail is None:
        return translator.t("receipt.mail_none")
    if view.mail.status is MailStatus.SENT:
        return translator.t("receipt.mail_sent", to=view.mail.recipient_masked)
    return translator.t(f"receipt.mail_{view.mail.status}")


def _attention_text(view: PublicPayment, translator: Translator) -> str:
    """Return why the payer gets the money back; "" unless a refund is due."""
    reason = view.payment.attention
    if reason not in REFUND_REASONS:
        return ""
    return translator.t(f"receipt.attention.{reason}", sum=view.payment.amount)


HANDLERS = [receipt_page]
