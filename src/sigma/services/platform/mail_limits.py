"""Limits of the mails that members send by hand."""

from sigma.domain.limits import (
    INVOICE_MAILS_INVOICE,
    MANUAL_MAILS_SHOP,
    RECEIPT_MAILS_PAYMENT,
    Limit,
    too_many_requests,
    with_amount,
)
from sigma.services.context import Context


def shop_limit(ctx: Context) -> Limit:
    """Return the limit of all mails by hand of a shop."""
    return with_amount(MANUAL_MAILS_SHOP, ctx.settings.manual_mails_per_day)


async def require(
    ctx: Context, shop_id: str, *, payment_id: str = "", invoice_id: str = ""
) -> None:
    """Count a mail that a member sends by hand. Raises RefusedError("mail_limit").

    Mails that follow from a payment or refund are not limited: each of them is sent once.
    """
    limit, subject = (
        (RECEIPT_MAILS_PAYMENT, payment_id) if payment_id else (INVOICE_MAILS_INVOICE, invoice_id)
    )
    if subject:
        usage = await ctx.limiter.count(limit, subject)
        if usage.is_exceeded:
            raise too_many_requests(usage.wait_us, "mail_limit")
    usage = await ctx.limiter.count(shop_limit(ctx), shop_id)
    if usage.is_exceeded:
        if subject:
            await ctx.limiter.undo(limit, subject)
        raise too_many_requests(usage.wait_us, "mail_limit")
