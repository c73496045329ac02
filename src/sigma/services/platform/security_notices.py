"""Mails to a person and to the owner of the shop about a change of somebody's access.

The one place that every such deed calls, in the transaction that writes it.
"""

from sigma.domain.accounts.member import Member
from sigma.domain.accounts.security_notice import NoticeDetail, NoticeKind, SecurityNotice
from sigma.domain.billing.mail import Mail
from sigma.domain.change import Change, Job
from sigma.domain.origin import Origin
from sigma.services.context import Context
from sigma.store import changes
from sigma.store.accounts import members, security_notices
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.engine.interface import Tx

COLUMN = EncryptedColumn.SECURITY_NOTICE_DETAIL


async def announce(
    ctx: Context,
    tx: Tx,
    kind: NoticeKind,
    *,
    shop_id: str,
    user_id: str,
    origin: Origin,
    subject: str = "",
) -> None:
    """Write a notice and queue its mails: to the person, and to the owner of the shop.

    `user_id` may be no user ("cli"): then only the owner gets a mail.
    """
    now_us = ctx.now_us()
    notice_id = ctx.new_id("sec", shop_id)
    detail = {
        "subject": subject,
        "address": origin.address,
        "device_name": origin.agent,
    }
    notice = SecurityNotice(
        notice_id, shop_id, user_id, kind, now_us, ctx.cipher.encrypt(detail, COLUMN, notice_id)
    )
    owner = await members.find_owner(tx, shop_id)
    recipients = dict.fromkeys([user_id, owner.id if owner else ""])
    mails = tuple(
        Mail(
            ctx.new_id("mail", shop_id), shop_id, "security", f"{notice_id}:{recipient}", "", now_us
        )
        for recipient in recipients
        if recipient.startswith("usr_")
    )
    jobs = tuple(Job("mail.send", mail.id, shop_id) for mail in mails)
    await changes.write(tx, Change((notice, *mails), jobs=jobs), now_us)


async def announce_by(
    ctx: Context,
    tx: Tx,
    kind: NoticeKind,
    member: Member,
    origin: Origin | None,
    subject: str = "",
) -> None:
    """Announce what a member has done. `origin` None: a seed, about which nobody gets a mail."""
    if origin is not None:
        shop_id, user_id = member.shop_id, member.actor
        await announce(
            ctx, tx, kind, shop_id=shop_id, user_id=user_id, origin=origin, subject=subject
        )


async def read(ctx: Context, tx: Tx, notice_id: str) -> tuple[SecurityNotice, NoticeDetail] | None:
    """Return a notice with its detail, or None when it was deleted. Raises DecryptionError."""
    notice = await security_notices.get(tx, notice_id)
    if notice is None:
        return None
    return notice, NoticeDetail(**ctx.cipher.decrypt(notice.detail_encrypted, COLUMN, notice.id))
