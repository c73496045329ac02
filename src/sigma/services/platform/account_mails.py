"""Mails about somebody's own access: a link for a new password, a security notice."""

from dataclasses import dataclass

from sigma.documents.mails import MailBody, password_reset_mail, security_mail
from sigma.domain.accounts import team
from sigma.domain.accounts.invitation import Invitation
from sigma.domain.accounts.member import User
from sigma.domain.accounts.password_reset import PasswordReset
from sigma.domain.accounts.shop import Shop
from sigma.domain.accounts.team import MAIL_SERVER_ROLES
from sigma.domain.billing.mail import Mail
from sigma.services.context import Context
from sigma.services.platform import security_notices
from sigma.store.accounts import invitations, members, password_resets, users
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.engine.interface import Tx
from sigma.texts import Translator

KINDS = ("security", "password_reset")
# The installation's mail server sends these, if it has one.
INSTALLATION_KINDS = (*KINDS, "invitation")


@dataclass(frozen=True, slots=True)
class AccountMail:
    """A rendered mail and the user who gets it."""

    user: User
    body: MailBody


def password_reset_url(ctx: Context, token: str) -> str:
    """Return the link for a new password."""
    return f"{ctx.settings.base_url}/sign-in/reset/{token}"


def read_password_reset(ctx: Context, reset: PasswordReset) -> dict[str, str]:
    """Return the `login` and the `token` of a request for a new password.

    Raises DecryptionError.
    """
    column = EncryptedColumn.PASSWORD_RESET_CONTENT
    content: dict[str, str] = ctx.cipher.decrypt(reset.content_encrypted, column, reset.id)
    return content


async def may_pass_mail_server(ctx: Context, tx: Tx, mail: Mail) -> bool:
    """Return whether a mail about access may be sent by the shop's own mail server.

    False when somebody who may change the server could use the link in the mail for more than
    their own role allows. Raises DecryptionError.
    """
    secret_of: User | Invitation | None = None
    if mail.kind == "invitation":
        secret_of = await invitations.get(tx, mail.subject_key)
    elif mail.kind == "password_reset":
        reset = await password_resets.get(tx, mail.subject_key)
        login = read_password_reset(ctx, reset)["login"] if reset else ""
        secret_of = await users.find_by_login(tx, login)
    if secret_of is None:
        return True  # no link, or nothing to send any more
    editors = await members.list_with_roles(tx, mail.shop_id, MAIL_SERVER_ROLES)
    return team.may_pass_mail_server(secret_of, editors)


async def render(ctx: Context, tx: Tx, mail: Mail, shop: Shop) -> AccountMail | None:
    """Return the mail, or None when what it is about is gone. Raises DecryptionError."""
    if mail.kind == "password_reset":
        return await _render_password_reset(ctx, tx, mail, shop)
    notice_id, _, recipient_id = mail.subject_key.partition(":")
    read = await security_notices.read(ctx, tx, notice_id)
    recipient = await users.get(tx, recipient_id)
    if read is None or recipient is None:
        return None
    notice, detail = read
    actor = recipient if notice.user_id == recipient.id else await users.get(tx, notice.user_id)
    translator = Translator(recipient.locale, shop.tz)
    url = f"{ctx.settings.base_url}/settings/access"
    return AccountMail(recipient, security_mail(notice, detail, actor, shop, translator, url))


async def _render_password_reset(
    ctx: Context, tx: Tx, mail: Mail, shop: Shop
) -> AccountMail | None:
    reset = await password_resets.get(tx, mail.subject_key)
    if reset is None or reset.expires_at_us <= ctx.now_us():
        return None
    content = read_password_reset(ctx, reset)
    user = await users.find_by_login(tx, content["login"])
    if user is None or reset.is_void(user.password_changed_at_us):
        return None
    url = password_reset_url(ctx, content["token"])
    return AccountMail(user, password_reset_mail(url, Translator(user.locale, shop.tz)))
