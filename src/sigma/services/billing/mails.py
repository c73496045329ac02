"""Mails: what to say to whom is read at the moment of sending; one row is one message with one
Message-ID.
"""

from dataclasses import dataclass
from email.utils import parseaddr
from urllib.parse import urlsplit

from sigma.channels.email import MailRefused, Outgoing
from sigma.documents import MailBody, attention_mail, receipt_mail, refund_mail, test_mail
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing import mail as domain
from sigma.domain.billing.mail import Mail, Status, mask_email
from sigma.domain.change import Change, Job
from sigma.domain.errors import Refused
from sigma.services.billing.payments import get as get_payment
from sigma.services.context import MINUTE, Context
from sigma.store import changes
from sigma.store.accounts import shops, users
from sigma.store.billing import mails, payments, refunds
from sigma.store.engine.interface import Tx
from sigma.texts import Words

PATIENCE = 8  # tries over about four hours; then it has failed, with the server's last words


@dataclass(frozen=True, slots=True)
class _Letter:
    to: str
    body: MailBody
    shop: Shop
    locale: str


async def send(ctx: Context, mail_id: str) -> int | None:
    """Sends a queued mail.

    Returns when to try again (UTC microseconds), None when it is sent or has failed.

    A crash between the server's yes and our own note of it sends the same Message-ID again:
    better twice in one inbox than never.
    """
    async with ctx.db.read() as tx:
        mail = await mails.get(tx, mail_id)
        if mail is None or mail.status is not Status.QUEUED:
            return None
        letter = await _letter(ctx, tx, mail)
    if letter is None:
        return await _note(ctx, domain.refused(mail, "", "no_address", final=True))
    smtp_url = ctx.sealer.open(letter.shop.smtp_sealed) if letter.shop.smtp_sealed else ""
    mailer = ctx.mailers(smtp_url)
    masked = mask_email(letter.to)
    if mailer is None:
        return await _note(ctx, domain.refused(mail, masked, "no_server", final=True))
    try:
        answer = await mailer.send(_outgoing(ctx, mail, letter))
    except MailRefused as no:
        final = no.final or mail.attempts + 1 >= PATIENCE
        return await _note(ctx, domain.refused(mail, masked, no.answer, final=final))
    return await _note(ctx, domain.sent(mail, masked, answer, ctx.now()))


async def _note(ctx: Context, mail: Mail) -> int | None:
    """Writes what came of a try; the server's words are kept without the address."""
    await changes.commit(ctx.db, Change((mail,)), ctx.now())
    if mail.status is not Status.QUEUED:
        return None
    return ctx.now() + min(1 << (mail.attempts - 1), 120) * MINUTE


def _outgoing(ctx: Context, mail: Mail, letter: _Letter) -> Outgoing:
    host = urlsplit(ctx.settings.base_url).hostname or "localhost"
    return Outgoing(
        to=letter.to,
        from_address=parseaddr(ctx.settings.mail_from)[1],
        from_name=letter.shop.mail_from_name or letter.shop.name,
        reply_to=letter.shop.mail_reply_to or letter.shop.seller.email,
        subject=letter.body.subject,
        text=letter.body.text,
        html=letter.body.html,
        attachments=letter.body.attachments,
        message_id=f"<{mail.id}@{host}>",
    )


async def _letter(ctx: Context, tx: Tx, mail: Mail) -> _Letter | None:
    shop = await shops.get(tx, mail.shop_id)
    assert shop is not None, "a mail's shop is never deleted"
    if mail.kind in ("receipt", "refund"):
        return await _to_client(ctx, tx, mail, shop)
    owner = await users.owner(tx, shop.id)
    user = await users.get(tx, mail.subject) if mail.kind == "test" else owner
    if user is None:
        return None
    words = Words(user.locale, shop.tz)
    if mail.kind == "test":
        return _Letter(user.login, test_mail(shop, words), shop, user.locale)
    payment = await payments.get(tx, mail.payment_id)
    assert payment is not None, "an attention mail is about a payment"
    why = mail.subject.partition(":")[2]
    link = f"{ctx.settings.base_url}/payments/{payment.id}"
    return _Letter(user.login, attention_mail(payment, why, link, shop, words), shop, user.locale)


async def _to_client(ctx: Context, tx: Tx, mail: Mail, shop: Shop) -> _Letter | None:
    payment = await payments.get(tx, mail.payment_id)
    receipt = await payments.receipt(tx, mail.payment_id)
    assert payment is not None and receipt is not None, "a receipt is mailed after it is made"
    kept = await payments.answers_of(tx, payment.id)
    address = ctx.sealer.open(kept[-1].sealed).get("email") if kept else None
    if not address:
        return None
    words = Words(payment.locale, shop.tz)
    back = await refunds.of_payment(tx, payment.id)
    link = f"{ctx.settings.base_url}/r/{receipt.token}"
    if mail.kind == "receipt":
        body = receipt_mail(receipt, back, words, link)
    else:
        refund = next(r for r in back if r.id == mail.subject)
        body = refund_mail(receipt, refund, back, words, link)
    return _Letter(address, body, shop, payment.locale)


async def resend(ctx: Context, member: Member, payment_id: str) -> Mail:
    """Mails the receipt once more, as a row of its own. Raises Refused("mail_no_address")."""
    member.must(Permission.ISSUE)
    payment = await get_payment(ctx, member, payment_id)
    async with ctx.db.read() as tx:
        receipt = await payments.receipt(tx, payment_id)
        number = 1 + await mails.last_number(tx, "receipt", payment_id)
    if receipt is None:
        raise Refused("payment_not_captured", status=str(payment.status))
    if not payment.wants_mail:
        raise Refused("mail_no_address")
    return await _queue(ctx, payment.shop_id, "receipt", payment_id, payment_id, number)


async def send_test(ctx: Context, member: Member) -> Mail:
    """Mails a test letter to the member who asks for it."""
    member.must(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        number = 1 + await mails.last_number(tx, "test", member.actor)
    queued = await _queue(ctx, member.shop_id, "test", member.actor, "", number)
    await send(ctx, queued.id)
    async with ctx.db.read() as tx:
        tried = await mails.get(tx, queued.id)
    return tried or queued


async def _queue(
    ctx: Context, shop_id: str, kind: str, subject: str, payment_id: str, number: int
) -> Mail:
    now = ctx.now()
    mail = Mail(ctx.new_id("mail", shop_id), shop_id, kind, subject, payment_id, now, number)
    job = Job("mail.send", mail.id, shop_id)
    await changes.commit(ctx.db, Change((mail,), jobs=(job,)), now)
    return mail
