"""How the shop's mail goes out: name, reply address, own server, and a test letter to see it."""

from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.response import Response

from sigma.domain.billing.mail import Status
from sigma.domain.errors import Refused
from sigma.services.accounts import shops
from sigma.services.accounts.users import Session
from sigma.services.billing import mails
from sigma.services.context import Context
from sigma.web.cabinet.guards import WebRequest
from sigma.web.cabinet.responses import cabinet_page, go, posted, refusal, words_of
from sigma.web.forms import one

MAX_SHOWN = 300  # characters of a server's answer: it travels in a cookie


@get("/settings/mail")
async def mail_page(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """The form of mail."""
    shop = await shops.get(ctx, session.member)
    typed = {"from_name": shop.mail_from_name, "reply_to": shop.mail_reply_to}
    return _form(request, ctx, session, typed, {})


@post("/settings/mail")
async def save_mail(
    request: WebRequest, ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Stores it. An empty server keeps the stored one; the switch «own server off» removes it."""
    given = await posted(request)
    typed = {name: one(given, name) for name in ("from_name", "reply_to")}
    smtp_url = "" if one(given, "forget_smtp") else one(given, "smtp_url") or None
    try:
        await shops.save_mail(ctx, session.member, **typed, smtp_url=smtp_url)
    except Refused as refused:
        if refused.code != "validation":
            raise
        return _form(request, ctx, session, typed, refusal(words_of(session), refused), 422)
    return go("/settings/mail", "settings.done_mail")


@post("/settings/mail/test")
async def send_test(
    ctx: NamedDependency[Context], session: NamedDependency[Session]
) -> Response[Any]:
    """Sends a letter to the person who asks, and tells what the mail server said."""
    mail = await mails.send_test(ctx, session.member)
    to, answer = mail.to_masked, mail.answer[:MAX_SHOWN]
    if mail.status is Status.SENT:
        return go("/settings/mail", "settings.done_test_sent", to=to, answer=answer)
    if mail.answer == "no_server":
        return go("/settings/mail", "settings.done_test_no_server", tone="bad")
    tone, word = ("bad", "failed") if mail.status is Status.FAILED else ("wait", "queued")
    return go("/settings/mail", f"settings.done_test_{word}", tone=tone, to=to, answer=answer)


def _form(
    request: WebRequest,
    ctx: Context,
    session: Session,
    typed: dict[str, str],
    errors: dict[str, str],
    status: int = 200,
) -> Response[Any]:
    return cabinet_page(
        request,
        session,
        "cabinet/settings/mail.html",
        place="settings",
        status=status,
        errors=errors,
        typed=typed,
        own_server=bool(session.shop.smtp_sealed),
        has_server=ctx.mailers("") is not None,
        mail_from=ctx.settings.mail_from,
    )


HANDLERS = [mail_page, save_mail, send_test]
