"""A forgotten password: a link by mail that reveals nothing about who signs in here.

A request does the same for every address; a job finds out later whether somebody has it.
"""

import secrets
from dataclasses import dataclass

from sigma.domain.accounts.api_key import COMMAND_LINE
from sigma.domain.accounts.member import User
from sigma.domain.accounts.password import normalize_password
from sigma.domain.accounts.password_reset import RESET_TTL_US, PasswordReset
from sigma.domain.accounts.security_notice import NoticeKind
from sigma.domain.accounts.shop import Shop
from sigma.domain.audit.deed import Deed
from sigma.domain.audit.entry import INSTALLATION
from sigma.domain.billing.mail import Mail
from sigma.domain.change import Change, Job
from sigma.domain.errors import RefusedError
from sigma.domain.limits import PASSWORD_RESET_ACCOUNT, PASSWORD_RESET_ADDRESS
from sigma.domain.origin import NO_ORIGIN, Origin
from sigma.services.accounts.logins import check_login, normalize_login
from sigma.services.accounts.password_changes import require_good_password, store_password
from sigma.services.accounts.tokens import hash_token
from sigma.services.context import Context
from sigma.services.limits import client_network
from sigma.services.platform import audit_log, security_notices
from sigma.services.platform.account_mails import password_reset_url, read_password_reset
from sigma.services.security_log import SecurityEvent, record
from sigma.store import changes, jobs
from sigma.store.accounts import members, password_resets, sessions, shops, users
from sigma.store.encrypted_columns import EncryptedColumn
from sigma.store.engine.interface import Tx

MAX_TOKEN_CHARS = 100


@dataclass(frozen=True, slots=True)
class _Target:
    """The row of a link that works, its user and the user's first shop."""

    reset: PasswordReset
    user: User
    shop: Shop


async def request(ctx: Context, login: str, ip: str) -> None:
    """Ask for a link by mail. The same happens whether somebody has this address or not.

    Raises RefusedError: "validation" for what is no address, "too_many_requests".
    """
    email = check_login(login)
    await ctx.limiter.require(PASSWORD_RESET_ADDRESS, client_network(ip))
    await ctx.limiter.require(PASSWORD_RESET_ACCOUNT, email)
    reset, _ = _new_reset(ctx, email)
    job = Job("password_reset.start", reset.id, "")
    await changes.commit(ctx.db, Change((reset,), jobs=(job,)), ctx.now_us())
    await ctx.db.notify(jobs.CHANNEL)


def _new_reset(ctx: Context, login: str) -> tuple[PasswordReset, str]:
    token, reset_id, now_us = secrets.token_urlsafe(32), ctx.new_id("rst"), ctx.now_us()
    encrypted = ctx.cipher.encrypt(
        {"login": login, "token": token}, EncryptedColumn.PASSWORD_RESET_CONTENT, reset_id
    )
    expires_at_us = now_us + RESET_TTL_US
    return PasswordReset(reset_id, encrypted, hash_token(token), now_us, expires_at_us), token


async def start(ctx: Context, reset_id: str) -> None:
    """Job password_reset.start: queue the mail if somebody signs in with the address."""
    async with ctx.db.write() as tx:
        reset = await password_resets.get(tx, reset_id)
        if reset is None:
            return
        user = await users.find_by_login(tx, read_password_reset(ctx, reset)["login"])
        membership = await members.find_earliest_membership(tx, user.id) if user else None
        if membership is None:
            await password_resets.delete(tx, reset_id)
            return
        shop_id, now_us = membership[0], ctx.now_us()
        mail = Mail(ctx.new_id("mail", shop_id), shop_id, "password_reset", reset_id, "", now_us)
        job = Job("mail.send", mail.id, shop_id)
        await changes.write(tx, Change((mail,), jobs=(job,)), now_us)


async def create_link(ctx: Context, login: str) -> str:
    """Return a link for a new password, for the administrator of the server.

    Raises RefusedError("not_found") when the address has no account.
    """
    login = normalize_login(login)
    async with ctx.db.read() as tx:
        user = await users.find_by_login(tx, login)
        if user is None:
            raise RefusedError("not_found", what="user")
        membership = await members.find_earliest_membership(tx, user.id)
    reset, token = _new_reset(ctx, login)
    chain = membership[0] if membership else INSTALLATION
    async with ctx.db.write() as tx:
        await changes.write(tx, Change((reset,)), ctx.now_us())
        await audit_log.record_for_chain(
            ctx, tx, chain, COMMAND_LINE, NO_ORIGIN, Deed.RESET_LINK_CREATED, user.id
        )
    return password_reset_url(ctx, token)


async def _find(ctx: Context, tx: Tx, token: str) -> _Target | None:
    """Return what a link is for; None when it is unknown, used, expired or void."""
    if not token or len(token) > MAX_TOKEN_CHARS:
        return None
    reset = await password_resets.find(tx, hash_token(token), ctx.now_us())
    if reset is None:
        return None
    user = await users.find_by_login(tx, read_password_reset(ctx, reset)["login"])
    if user is None or reset.is_void(user.password_changed_at_us):
        return None
    membership = await members.find_earliest_membership(tx, user.id)
    shop = await shops.get(tx, membership[0]) if membership else None
    return _Target(reset, user, shop) if shop else None


async def find_user(ctx: Context, token: str) -> User | None:
    """Return the user of a link that works, or None."""
    async with ctx.db.read() as tx:
        target = await _find(ctx, tx, token)
    return target.user if target else None


async def finish(
    ctx: Context,
    token: str,
    password: str,
    origin: Origin,
    *,
    revoke_keys_since_us: int | None = None,
) -> None:
    """Set the new password and end all sessions. Opens no session: a second factor stays.

    Raises RefusedError: "not_found" for a link that does not work (any more), "validation".
    """
    async with ctx.db.read() as tx:
        target = await _find(ctx, tx, token)
    if target is None:
        raise RefusedError("not_found", what="link")
    password = normalize_password(password)
    await require_good_password(target.user, target.shop, password, "new")
    password_hash = await ctx.passwords.hash(password)
    async with ctx.db.write() as tx:
        current = await _find(ctx, tx, token)
        if current is None or not await password_resets.delete(tx, current.reset.id):
            raise RefusedError("not_found", what="link")
        await store_password(ctx, tx, current.user, password_hash, revoke_keys_since_us, origin)
        await sessions.delete_all(tx, current.user.id)
        await security_notices.announce(
            ctx,
            tx,
            NoticeKind.PASSWORD_RESET,
            shop_id=current.shop.id,
            user_id=current.user.id,
            origin=origin,
        )
        user_id, shop_id = current.user.id, current.shop.id
        await audit_log.record_for_chain(
            ctx, tx, shop_id, user_id, origin, Deed.PASSWORD_RESET, user_id
        )
    record(SecurityEvent.PASSWORD_RESET, ip=origin.address, user_id=user_id, shop_id=shop_id)
