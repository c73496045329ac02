"""The receipt /r/{token}: what was paid, to whom, and what came back; as a page and as a PDF."""

from typing import Any

from litestar import Response, get
from litestar.params import FromPath

from sigma.domain.billing.mail import Status as MailStatus
from sigma.domain.billing.payment import RETURNABLE
from sigma.domain.errors import Refused
from sigma.services.checkout import checkout
from sigma.services.checkout import receipt_pdf as checkout_receipt_pdf
from sigma.services.checkout.checkout import Seen
from sigma.services.context import Context
from sigma.texts import Words
from sigma.texts.receipt_view import slip
from sigma.web.checkout.page_context import LONG_SUM
from sigma.web.checkout.responses import (
    HEADERS,
    ClientRequest,
    Ctx,
    client_page,
    go,
    missing,
    words_for,
)
from sigma.web.checkout.return_link import return_link


@get("/r/{token:str}")
async def receipt(request: ClientRequest, ctx: Ctx, token: FromPath[str]) -> Response[Any]:
    """The page; an address that ends in ".pdf" is the file."""
    if token.endswith(".pdf"):
        return await receipt_pdf(request, ctx, token.removesuffix(".pdf"))
    try:
        seen = await checkout.seen(ctx, token)
    except Refused:
        return missing(request)
    if seen.receipt is None:  # not paid, or not yet
        return go(f"/i/{seen.invoice.token}/wait/{token}")
    words = words_for(request, seen.shop)
    shown = slip(seen.receipt, seen.refunds, words)
    return client_page(
        request,
        "checkout/receipt.html",
        words,
        seen.shop,
        slip=shown,
        sum=shown.sum,
        sum_is_long=len(shown.sum) > LONG_SUM,
        mailed=_mailed(seen, words),
        mail_failed=seen.mail is not None and seen.mail.status is MailStatus.FAILED,
        attention=_attention(seen, words),
        pdf_url=f"/r/{token}.pdf",
        shop_url=return_link(
            shown.return_url,
            invoice=seen.invoice.id,
            payment=seen.payment.id,
            status=str(seen.payment.status),
        ),
    )


async def receipt_pdf(request: ClientRequest, ctx: Context, token: str) -> Response[Any]:
    """The file, named after the invoice."""
    try:
        seen = await checkout.seen(ctx, token)
    except Refused:
        return missing(request)
    if seen.receipt is None:
        return go(f"/i/{seen.invoice.token}/wait/{token}")
    words = words_for(request, seen.shop)
    name = words.t("receipt.file_name", number=seen.invoice.number)
    return Response(
        checkout_receipt_pdf.pdf(ctx, seen, words.locale),
        media_type="application/pdf",
        headers={**HEADERS, "content-disposition": f'inline; filename="{name}"'},
    )


def _mailed(seen: Seen, words: Words) -> str:
    """What became of the letter, in one sentence."""
    if seen.mail is None:
        return words.t("receipt.mail_none")
    if seen.mail.status is MailStatus.SENT:
        return words.t("receipt.mail_sent", to=seen.mail.to_masked)
    return words.t(f"receipt.mail_{seen.mail.status}")


def _attention(seen: Seen, words: Words) -> str:
    """Why the seller owes this money back, kindly; empty when all is well."""
    why = seen.payment.attention
    if why not in RETURNABLE:
        return ""
    return words.t(f"receipt.attention.{why}", sum=seen.payment.amount)


HANDLERS = [receipt]
