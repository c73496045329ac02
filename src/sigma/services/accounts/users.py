"""Users: the first owner, sign-in and sign-out, passwords, language.

Sessions are stored in the database; the browser holds the session's secret in a cookie.
"""

import secrets
from dataclasses import dataclass, replace

from sigma.domain.accounts.member import Member, Role, User
from sigma.domain.accounts.session import StoredSession
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.question import parse_email
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.limits import (
    OLD_PASSWORD,
    SIGN_IN_ACCOUNT,
    SIGN_IN_ADDRESS,
    SIGN_IN_ADDRESS_IN_FLOOD,
    SIGN_IN_ALL,
    SIGN_IN_DEVICE,
    GrowingDelay,
    Limit,
)
from sigma.domain.text_cleaning import clean_text
from sigma.domain.time_units import DAY_US
from sigma.services.accounts.devices import device_cookie, find_device
from sigma.services.accounts.tokens import hash_token
from sigma.services.context import Context
from sigma.services.limits import client_network
from sigma.services.security_log import SecurityEvent, record
from sigma.store import changes
from sigma.store.accounts import members, sessions, shops, users
from sigma.store.engine.interface import Tx

MIN_PASSWORD, MAX_PASSWORD = 10, 200  # characters
EXPIRED_PER_SIGN_IN = 100  # expired sessions deleted by a sign-in; the hourly cleanup deletes all


@dataclass(frozen=True, slots=True)
class NewSession:
    """A new session. `secret` goes into the browser's cookie; only its hash is stored.

    `device`: value of another cookie, by which later sign-ins know the browser.
    """

    secret: str
    user: User
    shop: Shop
    device: str


@dataclass(frozen=True, slots=True)
class Session:
    """The signed-in user of a request. `csrf` is the token that every form must contain."""

    user: User
    member: Member
    shop: Shop
    csrf: str
    secret_hash: str

    @property
    def locale(self) -> str:
        """The user's language, "ru" or "en"."""
        return self.user.locale


async def needs_owner(ctx: Context) -> bool:
    """Return whether no user exists yet."""
    async with ctx.db.read() as tx:
        return await users.count(tx) == 0


async def create_first_owner(
    ctx: Context, *, login: str, password: str, name: str, shop_name: str, locale: str = "ru"
) -> NewSession:
    """Create the first shop and its owner, and sign the owner in.

    Raises RefusedError: "validation", or "forbidden" when a user exists already.
    """
    email = _require_valid_owner(login, password, shop_name)
    # Checked before the costly hash, so that strangers cannot make Sigma compute hashes.
    if not await needs_owner(ctx):
        raise RefusedError("forbidden")
    password_hash = await ctx.passwords.hash(password)
    now_us, shop_id = ctx.now_us(), ctx.new_id("shp")
    shop = Shop(id=shop_id, name=shop_name.strip(), created_at_us=now_us, locale=locale)
    user = User(ctx.new_id("usr", shop_id), email, password_hash, name.strip(), locale, now_us)
    async with ctx.db.write() as tx:
        # claim_first_shop() lets only one of several concurrent requests create the owner.
        if not await shops.claim_first_shop(tx) or await users.count(tx):
            raise RefusedError("forbidden")
        await changes.write(tx, Change((shop,)), now_us)
        await users.save(tx, user)
        await members.add(tx, shop_id, user.id, Role.OWNER, now_us)
        secret = await _create_session(ctx, tx, user.id, shop_id)
    return NewSession(secret, user, shop, device_cookie(ctx, "", email, password_hash))


def _require_valid_owner(login: str, password: str, shop_name: str) -> str:
    problems = []
    email = parse_email(login)
    if not email:
        problems.append(Problem("login", "email"))
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        problems.append(Problem("password", "password_length", {"min": MIN_PASSWORD}))
    if not clean_text(shop_name):
        problems.append(Problem("shop_name", "required"))
    if len(shop_name) > 100:
        problems.append(Problem("shop_name", "too_long", {"max": 100}))
    if problems:
        raise validation_error(*problems)
    return (email or "").lower()


async def sign_in(
    ctx: Context, login: str, password: str, *, ip: str, device: str = "", former: str = ""
) -> NewSession:
    """Sign a user in by e-mail and password, and end the `former` session of this browser.

    `ip` and `device` (the cookie of an earlier sign-in) decide which limits of failures hold: a
    known device has a counter of its own. A successful sign-in forgets the failures of its known
    device, never those of strangers. Raises RefusedError: "unauthorized", "forbidden" for a user
    without a shop, "too_many_requests" above a limit or when too many sign-ins wait.
    """
    login = login.strip().lower()
    async with ctx.db.read() as tx:
        user = await users.find_by_login(tx, login)
    device_id = find_device(ctx, device, login, user.password_hash) if user else None
    try:
        ctx.passwords.require_capacity(is_known=device_id is not None)
        counted = await _count_sign_in(ctx, login, ip, device_id)
    except RefusedError:
        record(SecurityEvent.SIGN_IN_LIMITED, ip=ip)
        raise
    try:
        is_valid = await ctx.passwords.verify(
            user.password_hash if user else None,
            password[: MAX_PASSWORD + 1],
            is_known=device_id is not None,
        )
    except RefusedError:  # the queue has filled up meanwhile: nothing was tried
        await _undo_sign_in(ctx, counted)
        record(SecurityEvent.SIGN_IN_LIMITED, ip=ip)
        raise
    if user is None or not is_valid:
        record(SecurityEvent.SIGN_IN_FAILED, ip=ip, user_id=user.id if user else "")
        raise RefusedError("unauthorized")
    if device_id is not None:
        await ctx.limiter.clear(SIGN_IN_DEVICE, f"{login} {device_id}")
    else:
        await _undo_sign_in(ctx, counted)
    async with ctx.db.write() as tx:
        membership = await members.find_first(tx, user.id)
        if membership is None:
            record(SecurityEvent.SIGN_IN_FAILED, ip=ip, user_id=user.id)
            raise RefusedError("forbidden")
        shop = await shops.get(tx, membership[0])
        assert shop is not None, "the shop of a member exists"
        await sessions.delete_expired(tx, ctx.now_us(), EXPIRED_PER_SIGN_IN)
        if former:
            await sessions.delete(tx, hash_token(former))
        secret = await _create_session(ctx, tx, user.id, shop.id)
    record(SecurityEvent.SIGN_IN, ip=ip, user_id=user.id, shop_id=shop.id)
    return NewSession(secret, user, shop, device_cookie(ctx, device, login, user.password_hash))


Counted = list[tuple[Limit | GrowingDelay, str]]


async def _count_sign_in(ctx: Context, login: str, ip: str, device_id: str | None) -> Counted:
    """Count an attempt as a failure; return what to uncount when it succeeds.

    Raises RefusedError("too_many_requests").
    """
    limiter = ctx.limiter
    if device_id is not None:
        subject = f"{login} {device_id}"
        await limiter.require_after_delay(SIGN_IN_DEVICE, subject)
        return [(SIGN_IN_DEVICE, subject)]
    # The attempt stays counted for the address when a limit below refuses it. So a flood from one
    # address soon ends at this limit.
    network = client_network(ip)
    await limiter.require(SIGN_IN_ADDRESS, network)
    if await limiter.is_allowed(SIGN_IN_ALL, ""):
        shared: tuple[Limit | GrowingDelay, str] = (SIGN_IN_ALL, "")
    else:
        await limiter.require_after_delay(SIGN_IN_ADDRESS_IN_FLOOD, network)
        shared = (SIGN_IN_ADDRESS_IN_FLOOD, network)
    try:
        await limiter.require_after_delay(SIGN_IN_ACCOUNT, login)
    except RefusedError:
        await limiter.undo(*shared)  # nothing was tried: others must not wait for it
        raise
    return [(SIGN_IN_ADDRESS, network), shared, (SIGN_IN_ACCOUNT, login)]


async def _undo_sign_in(ctx: Context, counted: Counted) -> None:
    for limit, subject in counted:
        await ctx.limiter.undo(limit, subject)


async def _create_session(ctx: Context, tx: Tx, user_id: str, shop_id: str) -> str:
    secret = secrets.token_urlsafe(32)
    now_us = ctx.now_us()
    expires_at_us = now_us + ctx.settings.session_days * DAY_US
    csrf = secrets.token_urlsafe(24)
    await sessions.add(
        tx, StoredSession(hash_token(secret), user_id, shop_id, csrf, now_us, expires_at_us)
    )
    return secret


async def find_session(ctx: Context, secret: str) -> Session | None:
    """Return the session of a cookie's secret, or None when it is unknown or expired."""
    if not secret:
        return None
    async with ctx.db.read() as tx:
        row_and_role = await sessions.find(tx, hash_token(secret), ctx.now_us())
        if row_and_role is None:
            return None
        row, role = row_and_role
        user = await users.get(tx, row.user_id)
        shop = await shops.get(tx, row.shop_id)
    if user is None or shop is None:
        return None
    return Session(user, Member(user.id, shop.id, role), shop, row.csrf_token, row.secret_hash)


async def sign_out(ctx: Context, session: Session, *, ip: str) -> None:
    """End a session."""
    async with ctx.db.write() as tx:
        await sessions.delete(tx, session.secret_hash)
    record(SecurityEvent.SIGN_OUT, ip=ip, user_id=session.user.id, shop_id=session.shop.id)


async def set_locale(ctx: Context, session: Session, locale: str) -> None:
    """Store the user's language, "ru" or "en". Raises RefusedError("validation")."""
    if locale not in ("ru", "en"):
        raise validation_error(Problem("locale", "choose"))
    async with ctx.db.write() as tx:
        await users.save(tx, replace(session.user, locale=locale))


async def change_password(
    ctx: Context, session: Session, old: str, new: str, *, ip: str = "", device: str = ""
) -> str:
    """Change the password; end the user's other sessions and forget the known devices.

    Returns the new cookie of this device; `device` is the one that it sent. Raises RefusedError:
    "validation", "too_many_requests" after several wrong old passwords.
    """
    await ctx.limiter.require_after_delay(OLD_PASSWORD, session.secret_hash)
    try:
        is_valid = await ctx.passwords.verify(
            session.user.password_hash, old[: MAX_PASSWORD + 1], is_known=True
        )
    except RefusedError:
        await ctx.limiter.undo(OLD_PASSWORD, session.secret_hash)
        raise
    who = {"ip": ip, "user_id": session.user.id, "shop_id": session.shop.id}
    if not is_valid:
        record(SecurityEvent.PASSWORD_CHANGE_FAILED, **who)
        raise validation_error(Problem("old", "password_wrong"))
    await ctx.limiter.clear(OLD_PASSWORD, session.secret_hash)
    if not MIN_PASSWORD <= len(new) <= MAX_PASSWORD:
        raise validation_error(Problem("new", "password_length", {"min": MIN_PASSWORD}))
    password_hash = await ctx.passwords.hash(new, is_known=True)
    async with ctx.db.write() as tx:
        await users.save(tx, replace(session.user, password_hash=password_hash))
        await sessions.delete_others(tx, session.user.id, session.secret_hash)
    record(SecurityEvent.PASSWORD_CHANGED, **who)
    return device_cookie(ctx, device, session.user.login, password_hash)
