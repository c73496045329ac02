"""Mail settings of the shop: sender name, reply address, own SMTP server, test mail."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.billing.mail import Status
from sigma.domain.errors import RefusedError
from sigma.services.accounts import shops
from sigma.services.accounts.users import Session
from sigma.services.billing import mails
from sigma.services.context import Context
from sigma.web.cabinet.guards import RECENT_AUTHENTICATION, WebRequest
from sigma.web.cabinet.responses import (
    read_form_values,
    redirect,
    refusal_texts,
    render_cabinet_page,
    translator_for,
)
from sigma.web.forms import first_value
from sigma.web.retry_after import retry_after_headers

MAX_ANSWER_LENGTH = 300  # characters of the server's answer: it is stored in the flash cookie


@get("/settings/mail")
async def mail_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Show the mail settings."""
    shop = await shops.get(ctx, session.member)
    values = {"from_name": shop.mail_from_name, "reply_to": shop.mail_reply_to}
    return _form_page(request, ctx, session, values, {})


@post("/settings/mail", opt=RECENT_AUTHENTICATION)
async def save_mail(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Save the settings. An empty `smtp_url` keeps the stored server; `forget_smtp` removes it."""
    form_data = await read_form_values(request)
    values = {name: first_value(form_data, name) for name in ("from_name", "reply_to")}
    smtp_url = (
        "" if first_value(form_data, "forget_smtp") else first_value(form_data, "smtp_url") or None
    )
    try:
        await shops.save_mail(
            ctx, session.member, **values, smtp_url=smtp_url, origin=session.origin
        )
    except RefusedError as error:
        if error.code != "validation":
            raise
        return _form_page(
            request, ctx, session, values, refusal_texts(translator_for(session), error), 422
        )
    return redirect("/settings/mail", "settings.done_mail")


@post("/settings/mail/test")
async def send_test_mail(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Send a test mail to the current user and show the mail server's answer."""
    try:
        mail = await mails.send_test(ctx, session.member)
    except RefusedError as error:
        if error.code != "mail_limit":
            raise
        shop = await shops.get(ctx, session.member)
        values = {"from_name": shop.mail_from_name, "reply_to": shop.mail_reply_to}
        texts = refusal_texts(translator_for(session), error)
        response = _form_page(request, ctx, session, values, texts, error.http_status)
        response.headers.update(retry_after_headers(error))
        return response
    to, answer = mail.recipient_masked, mail.server_reply[:MAX_ANSWER_LENGTH]
    if mail.status is Status.SENT:
        return redirect("/settings/mail", "settings.done_test_sent", to=to, answer=answer)
    if mail.server_reply in ("no_server", "no_connection"):
        return redirect("/settings/mail", f"settings.done_test_{mail.server_reply}", tone="bad")
    tone, state = ("bad", "failed") if mail.status is Status.FAILED else ("wait", "queued")
    return redirect(
        "/settings/mail", f"settings.done_test_{state}", tone=tone, to=to, answer=answer
    )


def _form_page(
    request: WebRequest,
    ctx: Context,
    session: Session,
    values: dict[str, str],
    errors: dict[str, str],
    status: int = 200,
) -> Response[Any]:
    return render_cabinet_page(
        request,
        session,
        "cabinet/settings/mail.html",
        section="settings",
        status=status,
        errors=errors,
        values=values,
        own_server=bool(session.shop.smtp_url_encrypted),
        has_server=ctx.mailer_factory("") is not None,
        mail_from=ctx.settings.mail_from,
    )


HANDLERS = [mail_page, save_mail, send_test_mail]
