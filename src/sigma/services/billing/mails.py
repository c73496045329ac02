"""Mails to clients and owners. Recipient and content are determined when the mail is sent.

One row is one e-mail with one Message-ID.
"""

from dataclasses import dataclass
from email.utils import parseaddr
from urllib.parse import urlsplit

import msgspec

from sigma.channels.email import Mailer, MailRejectedError, OutgoingMail
from sigma.documents.mails import (
    MailBody,
    attention_mail,
    invitation_mail,
    receipt_mail,
    refund_mail,
    trial_mail,
)
from sigma.domain.accounts.invitation import InvitationState
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.shop import Shop
from sigma.domain.audit.deed import Deed
from sigma.domain.billing import mail as domain
from sigma.domain.billing.mail import Attachment, Mail, Status, mask_email
from sigma.domain.change import Change, Job
from sigma.domain.errors import RefusedError
from sigma.domain.limits import RECEIPT_MAILS_PAYMENT
from sigma.domain.time_units import MINUTE_US
from sigma.services.answer_codec import decrypt_values
from sigma.services.billing import invoice_mails
from sigma.services.billing.payment_views import receipt_answers
from sigma.services.billing.payments import get as get_payment
from sigma.services.context import Context
from sigma.services.invitation_links import find_inviter, invitation_url
from sigma.services.platform import account_mails, audit_log, mail_limits
from sigma.store import changes
from sigma.store.accounts import invitations, members, shops, users
from sigma.store.billing import answers as answer_rows
from sigma.store.billing import mails, payments, receipts, refunds
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.engine.interface import Tx
from sigma.texts import Translator

MAX_ATTEMPTS = 8  # over about two hours; then the mail has failed


@dataclass(frozen=True, slots=True)
class MailContent:
    """What a recipient reads. It is stored, encrypted, while it may or may not have been sent."""

    recipient: str
    from_name: str
    reply_to: str
    body: MailBody


async def send(ctx: Context, mail_id: str) -> int | None:
    """Job mail.send: send a queued mail.

    Returns when to try again (UTC microseconds), None when it is sent or has failed for good.
    Delivery is at least once: after a crash between the SMTP server's acceptance and our commit
    the mail is sent again, with the same Message-ID and the same words: they are stored before
    the first attempt, and until it is known whether the server has accepted them. Raises
    DecryptionError: the mail stays queued until the key is back. Raises CircuitOpenError while the
    server does not respond: then no attempt is counted.
    """
    async with ctx.db.read() as tx:
        mail = await mails.get(tx, mail_id)
        if mail is None or mail.status is not Status.QUEUED:
            return None
        shop = await shops.get(tx, mail.shop_id)
        assert shop is not None, "the shop of a mail is never deleted"
        stored = await mails.get_content(tx, mail_id)
        content = _decode(ctx, mail, stored) if stored else await _render(ctx, tx, mail, shop)
        mailer = await _find_mailer(ctx, tx, mail, shop) if content else None
    if mail.kind in invoice_mails.KINDS and (
        reason := await invoice_mails.cancel_reason(ctx, mail)
    ):
        return await _record_attempt(ctx, domain.mark_canceled(mail, reason))
    if content is None:
        return await _record_attempt(
            ctx, domain.mark_rejected(mail, "", "no_address", is_permanent=True)
        )
    masked_to = mask_email(content.recipient)
    if mailer is None:
        return await _record_attempt(
            ctx, domain.mark_rejected(mail, masked_to, "no_server", is_permanent=True)
        )
    try:
        answer = await _send_guarded(ctx, mailer, mail, content, is_stored=bool(stored))
    except MailRejectedError as error:
        is_final = error.is_permanent or mail.attempts + 1 >= MAX_ATTEMPTS
        return await _record_attempt(
            ctx,
            domain.mark_rejected(mail, masked_to, error.reply, is_permanent=is_final),
            may_have_arrived=error.is_outcome_unknown,
        )
    return await _record_attempt(ctx, domain.mark_sent(mail, masked_to, answer, ctx.now_us()))


async def _send_guarded(
    ctx: Context, mailer: Mailer, mail: Mail, content: MailContent, *, is_stored: bool
) -> str:
    """Send through the circuit breaker of the mail server. Raises MailRejectedError,
    CircuitOpenError.

    A test mail is always tried: an owner who has mended the settings awaits the result.
    """

    async def compose_and_send() -> str:
        if not is_stored:
            await ctx.db.commit([mails.insert_content(mail, _encode(ctx, mail, content))])
        return await mailer.send(await _to_outgoing(ctx, mail, content))

    if ctx.job is None:
        return await compose_and_send()
    return await ctx.circuits.call(
        mailer.destination,
        compose_and_send,  # draws no PDF while the server does not respond
        lane=ctx.lane,
        now_us=ctx.now_us,
        is_response=lambda error: isinstance(error, MailRejectedError) and error.is_from_server,
    )


def _encode(ctx: Context, mail: Mail, content: MailContent) -> str:
    return ctx.cipher.encrypt(content, EncryptedColumn.MAIL_CONTENT, mail.id)


def _decode(ctx: Context, mail: Mail, encrypted: str) -> MailContent:
    """Return stored content. Raises DecryptionError."""
    content = ctx.cipher.decrypt(encrypted, EncryptedColumn.MAIL_CONTENT, mail.id)
    return msgspec.convert(content, MailContent)


async def _find_mailer(ctx: Context, tx: Tx, mail: Mail, shop: Shop) -> Mailer | None:
    """Return the shop's own mail server, else that of the installation; None without any.

    Mails about access take the installation's server first: who may change the shop's server
    could read another person's link for a new password, or hide a notice. Raises DecryptionError.
    """
    if mail.kind in account_mails.INSTALLATION_KINDS:
        mailer = ctx.mailer_factory("")
        if mailer is not None or not await account_mails.may_pass_mail_server(ctx, tx, mail):
            return mailer
    return ctx.mailer_factory(smtp_url_of(ctx, shop))


def smtp_url_of(ctx: Context, shop: Shop) -> str:
    """Return the URL of the shop's own mail server, empty without one. Raises DecryptionError."""
    if not shop.smtp_url_encrypted:
        return ""
    column = EncryptedColumn.SHOP_SMTP_URL
    return str(ctx.cipher.decrypt(shop.smtp_url_encrypted, column, shop.id))


async def _record_attempt(
    ctx: Context, mail: Mail, *, may_have_arrived: bool = False
) -> int | None:
    """Store the result of an attempt. Returns when to try again (UTC microseconds), or None.

    A mail that has certainly not arrived is rendered anew at the next attempt.
    """
    ops, _ = changes.write_ops(Change((mail,)), ctx.now_us())
    if mail.status is not Status.QUEUED or not may_have_arrived:
        ops.append(mails.delete_content(mail))
    await ctx.db.commit(ops)
    if mail.status is not Status.QUEUED:
        return None
    return ctx.now_us() + min(1 << (mail.attempts - 1), 120) * MINUTE_US


async def _to_outgoing(ctx: Context, mail: Mail, content: MailContent) -> OutgoingMail:
    body = content.body
    attachments: tuple[Attachment, ...] = ()
    if body.pdf_source:  # drawn after the transaction, which must not wait for it
        pdf = await ctx.pdf_cache.render(body.pdf_source)
        attachments = (Attachment(body.pdf_name, "application/pdf", pdf),)
    host = urlsplit(ctx.settings.base_url).hostname or "localhost"
    return OutgoingMail(
        to=content.recipient,
        from_address=parseaddr(ctx.settings.mail_from)[1],
        from_name=content.from_name,
        reply_to=content.reply_to,
        subject=body.subject,
        text=body.text,
        html=body.html,
        attachments=attachments,
        unsubscribe_url=body.stop_url,
        message_id=f"<{mail.id}@{host}>",
    )


async def _render(ctx: Context, tx: Tx, mail: Mail, shop: Shop) -> MailContent | None:
    """Return what the mail says by the present state; None without a recipient."""
    if mail.kind in ("receipt", "refund"):
        return await _render_for_client(ctx, tx, mail, shop)
    if mail.kind in invoice_mails.KINDS:
        letter = await invoice_mails.render(ctx, tx, mail, shop)
        return _content(shop, letter.address, letter.body) if letter else None
    if mail.kind == "invitation":
        return await _render_invitation(ctx, tx, mail, shop)
    if mail.kind in account_mails.KINDS:
        if (own := await account_mails.render(ctx, tx, mail, shop)) is None:
            return None
        return _content(shop, own.user.login, own.body)
    owner = await members.find_owner(tx, shop.id)
    user = await users.get(tx, mail.subject_key) if mail.kind == "test" else owner
    if user is None:
        return None
    translator = Translator(user.locale, shop.tz)
    if mail.kind == "test":
        return _content(shop, user.login, trial_mail(shop, translator))
    payment = await payments.get(tx, mail.payment_id)
    assert payment is not None, "an attention mail names an existing payment"
    attention = mail.subject_key.partition(":")[2]
    link = f"{ctx.settings.base_url}/payments/{payment.id}"
    return _content(shop, user.login, attention_mail(payment, attention, link, shop, translator))


def _content(shop: Shop, recipient: str, body: MailBody) -> MailContent:
    return MailContent(
        recipient,
        from_name=shop.mail_from_name or shop.name,
        reply_to=shop.mail_reply_to or shop.seller.email,
        body=body,
    )


async def _render_invitation(ctx: Context, tx: Tx, mail: Mail, shop: Shop) -> MailContent | None:
    """Render the mail of an invitation; None when it cannot be accepted any more."""
    invitation = await invitations.get(tx, mail.subject_key)
    is_open = invitation and invitation.state_at(ctx.now_us()) is InvitationState.OPEN
    if invitation is None or not is_open:
        return None
    user = await users.find_by_login(tx, invitation.login)
    translator = Translator(user.locale if user else shop.locale, shop.tz)
    inviter = await find_inviter(tx, invitation)
    body = invitation_mail(invitation, inviter, invitation_url(ctx, invitation), shop, translator)
    return _content(shop, invitation.login, body)


async def _render_for_client(ctx: Context, tx: Tx, mail: Mail, shop: Shop) -> MailContent | None:
    payment = await payments.get(tx, mail.payment_id)
    receipt = await receipts.find_for_payment(tx, mail.payment_id)
    assert payment is not None and receipt is not None, (
        "a receipt mail is queued only after the receipt is stored"
    )
    versions = await answer_rows.list_for_payment(tx, payment.id)
    address = decrypt_values(ctx.cipher, versions[-1]).get("email") if versions else None
    if not isinstance(address, str) or not address:
        return None
    translator = Translator(payment.locale, shop.tz)
    earlier_refunds = await refunds.list_for_payment(tx, payment.id)
    answers = await receipt_answers(ctx, tx, payment.id)
    link = f"{ctx.settings.base_url}/r/{receipt.token}"
    if mail.kind == "receipt":
        body = receipt_mail(receipt, earlier_refunds, translator, link, answers)
    else:
        refund = next(r for r in earlier_refunds if r.id == mail.subject_key)
        body = refund_mail(receipt, refund, earlier_refunds, translator, link, answers)
    return _content(shop, address, body)


async def resend(ctx: Context, member: Member, payment_id: str) -> Mail:
    """Queue another e-mail with the receipt.

    Raises RefusedError: "not_found", "payment_not_captured", "mail_no_address", "mail_limit".
    """
    member.require(Permission.ISSUE)
    payment = await get_payment(ctx, member, payment_id)
    async with ctx.db.read() as tx:
        receipt = await receipts.find_for_payment(tx, payment_id)
        number = 1 + await mails.last_number(tx, "receipt", payment_id)
    if receipt is None:
        raise RefusedError("payment_not_captured", status=str(payment.status))
    if not payment.has_email:
        raise RefusedError("mail_no_address")
    await mail_limits.require(ctx, payment.shop_id, payment_id=payment_id)
    await audit_log.record_alone(ctx, member, Deed.RECEIPT_RESENT, payment_id)
    return await _enqueue(ctx, payment.shop_id, "receipt", payment_id, payment_id, number)


async def resend_wait_us(ctx: Context, member: Member, payment_id: str) -> int:
    """Return how long the receipt of a payment cannot be sent again by hand; 0: it can be."""
    shop_limit = mail_limits.shop_limit(ctx)
    return max(
        await ctx.limiter.wait_us(RECEIPT_MAILS_PAYMENT, payment_id),
        await ctx.limiter.wait_us(shop_limit, member.shop_id),
    )


async def send_test(ctx: Context, member: Member) -> Mail:
    """Send a test mail to the acting member at once. Returns the mail with its result.

    Raises RefusedError("mail_limit").
    """
    member.require(Permission.SETTINGS)
    await mail_limits.require(ctx, member.shop_id)
    async with ctx.db.read() as tx:
        number = 1 + await mails.last_number(tx, "test", member.actor)
    queued = await _enqueue(ctx, member.shop_id, "test", member.actor, "", number)
    await send(ctx, queued.id)
    async with ctx.db.read() as tx:
        tried = await mails.get(tx, queued.id)
    return tried or queued


async def _enqueue(
    ctx: Context, shop_id: str, kind: str, subject: str, payment_id: str, number: int
) -> Mail:
    now_us = ctx.now_us()
    mail = Mail(ctx.new_id("mail", shop_id), shop_id, kind, subject, payment_id, now_us, number)
    job = Job("mail.send", mail.id, shop_id)
    await changes.commit(ctx.db, Change((mail,), jobs=(job,)), now_us)
    return mail
