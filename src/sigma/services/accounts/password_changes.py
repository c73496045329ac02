"""A user's own password: change it, with everything that ends then."""

import asyncio
from dataclasses import replace

from sigma.domain.accounts.member import User
from sigma.domain.accounts.password import (
    MAX_PASSWORD,
    check_password,
    normalize_password,
    own_words,
)
from sigma.domain.accounts.security_notice import NoticeKind
from sigma.domain.accounts.session import Proof
from sigma.domain.accounts.shop import Shop
from sigma.domain.audit.deed import Deed
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.limits import OLD_PASSWORD
from sigma.domain.origin import Origin
from sigma.services.accounts import api_keys
from sigma.services.accounts.devices import device_cookie
from sigma.services.accounts.users import NewSession, Session, renew_session
from sigma.services.context import Context
from sigma.services.platform import audit_log, security_notices
from sigma.services.security_log import SecurityEvent, record
from sigma.store.accounts import sessions, users
from sigma.store.engine.interface import Tx


async def change_password(
    ctx: Context,
    session: Session,
    old: str,
    new: str,
    *,
    device: str = "",
    revoke_keys_since_us: int | None = None,
) -> NewSession:
    """Change the password; end the user's other sessions, void open links for a new one and forget
    the known devices.

    Returns the new secret of this session and the new cookie of this device; `device` is the one
    that it sent.
    `revoke_keys_since_us`: API keys that the user has made since then stop working too. Raises
    RefusedError: "validation", "too_many_requests" after several wrong old passwords.
    """
    await require_password(ctx, session, old, "old", SecurityEvent.PASSWORD_CHANGE_FAILED)
    new = normalize_password(new)
    await require_good_password(session.user, session.shop, new, "new")
    password_hash = await ctx.passwords.hash(new, is_known=True)
    async with ctx.db.write() as tx:
        await store_password(
            ctx, tx, session.user, password_hash, revoke_keys_since_us, session.member.origin
        )
        await sessions.delete_others(tx, session.user.id, session.secret_hash)
        await security_notices.announce(
            ctx,
            tx,
            NoticeKind.PASSWORD_CHANGED,
            shop_id=session.shop.id,
            user_id=session.user.id,
            origin=session.origin,
        )
        await audit_log.record(ctx, tx, session.member, Deed.PASSWORD_CHANGED, session.user.id)
        secret = await renew_session(ctx, tx, session, frozenset({Proof.PASSWORD}))
    _record(SecurityEvent.PASSWORD_CHANGED, session)
    cookie = device_cookie(ctx, device, session.user.login, password_hash)
    return NewSession(secret, session.user, session.shop, cookie)


def _record(event: SecurityEvent, session: Session) -> None:
    record(event, ip=session.address, user_id=session.user.id, shop_id=session.shop.id)


async def require_good_password(user: User, shop: Shop, password: str, field: str) -> None:
    """Raise RefusedError("validation") for a password that a user may not choose.

    `password` in NFC.
    """
    words = own_words(user.login, user.name, shop.name)
    # In a thread: a long password takes a tenth of a second.
    if problem := await asyncio.to_thread(check_password, password, words, field):
        raise validation_error(problem)


async def store_password(
    ctx: Context,
    tx: Tx,
    user: User,
    password_hash: str,
    revoke_keys_since_us: int | None,
    origin: Origin,
) -> None:
    """Save a new password, which voids the open links for one; revoke keys made since then."""
    now_us = ctx.now_us()
    await users.save(tx, replace(user, password_hash=password_hash, password_changed_at_us=now_us))
    if revoke_keys_since_us is not None:
        await api_keys.revoke_made_by(
            ctx, tx, user.id, actor=user.id, origin=origin, since_us=revoke_keys_since_us
        )


async def require_password(
    ctx: Context, session: Session, password: str, field: str, failure: SecurityEvent
) -> None:
    """Raise RefusedError("validation") unless this is the user's password.

    `failure`: how a wrong one is recorded. Raises RefusedError("too_many_requests") after several
    wrong ones in this session.
    """
    await ctx.limiter.require_after_delay(OLD_PASSWORD, session.id)
    try:
        is_valid = await ctx.passwords.verify(
            session.user.password_hash,
            normalize_password(password[: MAX_PASSWORD + 1]),
            is_known=True,
        )
    except RefusedError:
        await ctx.limiter.undo(OLD_PASSWORD, session.id)
        raise
    if not is_valid:
        _record(failure, session)
        await audit_log.record_alone(ctx, session.member, Deed.IDENTITY_REFUSED, session.user.id)
        raise validation_error(Problem(field, "password_wrong"))
    await ctx.limiter.clear(OLD_PASSWORD, session.id)
