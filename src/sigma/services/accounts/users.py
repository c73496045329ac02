"""Users: the first owner, sign-in and sign-out, sessions, passwords, language.

Sessions are stored in the database; the browser holds the session's secret in a cookie.
"""

import asyncio
import contextlib
import secrets
from dataclasses import dataclass, replace

from sigma.domain.accounts.member import Member, Role, User
from sigma.domain.accounts.password import (
    MAX_PASSWORD,
    check_password,
    normalize_password,
    own_words,
)
from sigma.domain.accounts.second_factor import choices, meets_rule
from sigma.domain.accounts.security_notice import NoticeKind
from sigma.domain.accounts.session import (
    PENDING_US,
    USE_INTERVAL_US,
    Proof,
    Proofs,
    RequestOrigin,
    StoredSession,
    idle_limit_us,
    is_recent,
)
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.question import parse_email
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.limits import (
    SIGN_IN_ACCOUNT,
    SIGN_IN_ADDRESS,
    SIGN_IN_ALL,
    SIGN_IN_DEVICE,
    GrowingDelay,
    Limit,
)
from sigma.domain.text_cleaning import clean_text
from sigma.domain.time_units import DAY_US
from sigma.services.accounts.devices import device_cookie, find_device
from sigma.services.accounts.tokens import hash_token
from sigma.services.context import OUTAGE_ERRORS, Context
from sigma.services.limits import client_network
from sigma.services.platform import security_notices
from sigma.services.security_log import SecurityEvent, record
from sigma.store import changes
from sigma.store.accounts import administrators, members, second_factors, sessions, shops, users
from sigma.store.engine.interface import Tx

EXPIRED_PER_SIGN_IN = 100  # expired sessions deleted by a sign-in; the hourly cleanup deletes all

NOWHERE = RequestOrigin()  # the command line, seeds
_PASSWORD: Proofs = frozenset({Proof.PASSWORD})


@dataclass(frozen=True, slots=True)
class NewSession:
    """A new session. `secret` goes into the browser's cookie; only its hash is stored.

    `device`: value of another cookie, by which later sign-ins know the browser; "" while the
    second step is missing (`is_pending`): until then the session opens nothing.
    """

    secret: str
    user: User
    shop: Shop
    device: str
    is_pending: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """The signed-in user of a request. `csrf` is the token that every form must contain.

    `authenticated_at_us`: when the person last proved who they are, by `proofs`. `address` is that
    of this request.
    """

    user: User
    member: Member
    shop: Shop
    csrf: str
    secret_hash: str
    id: str = ""
    authenticated_at_us: int = 0
    proofs: Proofs = frozenset()
    address: str = ""
    device_name: str = ""
    used_at_us: int = 0

    @property
    def locale(self) -> str:
        """The user's language, "ru" or "en"."""
        return self.user.locale

    @property
    def origin(self) -> RequestOrigin:
        """Where the request comes from, for notices by mail."""
        return RequestOrigin(self.address, self.device_name)

    @property
    def meets_shop_rule(self) -> bool:
        """Whether the person has signed in as the shop demands it."""
        return meets_rule(self.shop.second_factor_rule, self.proofs)

    def is_recent(self, now_us: int) -> bool:
        """Return whether the person proved who they are in the last ten minutes."""
        return is_recent(self.authenticated_at_us, now_us)


async def needs_owner(ctx: Context) -> bool:
    """Return whether no user exists yet."""
    async with ctx.db.read() as tx:
        return await users.count(tx) == 0


async def create_first_owner(
    ctx: Context,
    *,
    login: str,
    password: str,
    name: str,
    shop_name: str,
    locale: str = "ru",
    origin: RequestOrigin = NOWHERE,
) -> NewSession:
    """Create the first shop and its owner, and sign the owner in.

    The owner also becomes an administrator of the installation.

    Raises RefusedError: "validation", or "forbidden" when a user exists already.
    """
    password = normalize_password(password)
    email = await _require_valid_owner(login, password, name, shop_name)
    if not await needs_owner(ctx):  # before the hash, which anybody could order for nothing
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
        await administrators.add(tx, user.id, now_us)
        secret = await create_session(ctx, tx, user.id, shop_id, _PASSWORD, origin)
    return NewSession(secret, user, shop, device_cookie(ctx, "", email))


async def _require_valid_owner(login: str, password: str, name: str, shop_name: str) -> str:
    problems = []
    email = parse_email(login)
    if not email:
        problems.append(Problem("login", "email"))
    words = own_words(login, name, shop_name)
    # In a thread: a long password takes a tenth of a second.
    if problem := await asyncio.to_thread(check_password, password, words):
        problems.append(problem)
    if not clean_text(shop_name):
        problems.append(Problem("shop_name", "required"))
    if len(shop_name) > 100:
        problems.append(Problem("shop_name", "too_long", {"max": 100}))
    if problems:
        raise validation_error(*problems)
    return (email or "").lower()


async def sign_in(
    ctx: Context,
    login: str,
    password: str,
    *,
    ip: str,
    device: str = "",
    device_name: str = "",
    former: str = "",
) -> NewSession:
    """Sign a user in by e-mail and password, and end the `former` session of this browser.

    With a second factor the new session is pending.

    `ip` and `device` (the cookie of an earlier sign-in) decide which limits of failures hold: a
    known device has a counter of its own. A successful sign-in forgets the failures of its known
    device, never those of strangers. Raises RefusedError: "unauthorized", "forbidden" for a user
    without a shop, "too_many_requests" above a limit or when too many sign-ins wait.
    """
    login = login.strip().lower()
    device_id = find_device(ctx, device, login)
    try:
        ctx.passwords.require_capacity(is_known=device_id is not None)
        counted = await _count_sign_in(ctx, login, ip, device_id)
    except RefusedError:
        record(SecurityEvent.SIGN_IN_LIMITED, ip=ip)
        raise
    async with ctx.db.read() as tx:
        user = await users.find_by_login(tx, login)
    try:
        is_valid = await ctx.passwords.verify(
            user.password_hash if user else None,
            normalize_password(password[: MAX_PASSWORD + 1]),
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
    origin = RequestOrigin(ip, device_name)
    return await open_session(ctx, user, _PASSWORD, origin, device=device, former=former)


async def open_session(
    ctx: Context,
    user: User,
    proofs: Proofs,
    origin: RequestOrigin,
    *,
    device: str = "",
    former: str = "",
    replaces: str = "",
) -> NewSession:
    """Open a session for somebody who has shown these proofs; a pending one if a step is missing.

    `former`: secret of an earlier session of this browser, which ends. `replaces`: secret hash of
    the pending session that this one finishes. Raises RefusedError("forbidden") for
    a user without a shop, "unauthorized" when the session that it replaces has ended.
    """
    async with ctx.db.write() as tx:
        membership = await members.find_first(tx, user.id)
        if membership is None:
            record(SecurityEvent.SIGN_IN_FAILED, ip=origin.address, user_id=user.id)
            raise RefusedError("forbidden")
        shop = await shops.get(tx, membership[0])
        assert shop is not None, "the shop of a member exists"
        await sessions.delete_expired(tx, ctx.now_us(), EXPIRED_PER_SIGN_IN)
        if replaces and not await sessions.delete(tx, replaces):
            raise RefusedError("unauthorized")
        if former:
            await sessions.delete(tx, hash_token(former))
        factors = await second_factors.list_kinds(tx, user.id)
        is_pending = proofs == _PASSWORD and bool(choices(shop.second_factor_rule, factors))
        secret = await create_session(
            ctx, tx, user.id, shop.id, proofs, origin, is_pending=is_pending
        )
        if not is_pending and find_device(ctx, device, user.login) is None:
            await security_notices.announce(
                ctx, tx, NoticeKind.NEW_DEVICE, shop_id=shop.id, user_id=user.id, origin=origin
            )
    if is_pending:
        return NewSession(secret, user, shop, "", is_pending=True)
    record(SecurityEvent.SIGN_IN, ip=origin.address, user_id=user.id, shop_id=shop.id)
    return NewSession(secret, user, shop, device_cookie(ctx, device, user.login))


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
    # An address also pays for attempts that the next limits refuse: a flood ends at the first.
    network = client_network(ip)
    await limiter.require(SIGN_IN_ADDRESS, network)
    await limiter.require(SIGN_IN_ALL, "")
    try:
        await limiter.require_after_delay(SIGN_IN_ACCOUNT, login)
    except RefusedError:
        await limiter.undo(SIGN_IN_ALL, "")  # nothing was tried: others must not wait for it
        raise
    return [(SIGN_IN_ADDRESS, network), (SIGN_IN_ALL, ""), (SIGN_IN_ACCOUNT, login)]


async def _undo_sign_in(ctx: Context, counted: Counted) -> None:
    for limit, subject in counted:
        await ctx.limiter.undo(limit, subject)


async def create_session(
    ctx: Context,
    tx: Tx,
    user_id: str,
    shop_id: str,
    proofs: Proofs,
    origin: RequestOrigin,
    *,
    is_pending: bool = False,
) -> str:
    """Insert a session; return its secret. A pending one lives for ten minutes."""
    secret = secrets.token_urlsafe(32)
    now_us = ctx.now_us()
    lifetime_us = PENDING_US if is_pending else ctx.settings.session_days * DAY_US
    row = StoredSession(
        hash_token(secret),
        user_id,
        shop_id,
        csrf_token=secrets.token_urlsafe(24),
        created_at_us=now_us,
        expires_at_us=now_us + lifetime_us,
        id=ctx.new_id("ses"),
        proofs=proofs,
        address=origin.address,
        device_name=origin.device_name,
        is_pending=is_pending,
    )
    await sessions.add(tx, row)
    return secret


def used_after_us(ctx: Context) -> int:
    """Return since when an open session must have been used."""
    return ctx.now_us() - idle_limit_us(ctx.settings.session_idle_hours)


async def find_session(ctx: Context, secret: str) -> Session | None:
    """Return the session of a cookie's secret; None when unknown, expired, idle or pending."""
    return await _find_session(ctx, secret, is_pending=False)


async def find_pending_session(ctx: Context, secret: str) -> Session | None:
    """Return the session of a cookie's secret if only its second step is missing, or None."""
    return await _find_session(ctx, secret, is_pending=True)


async def _find_session(ctx: Context, secret: str, *, is_pending: bool) -> Session | None:
    if not secret:
        return None
    async with ctx.db.read() as tx:
        row_and_role = await sessions.find(tx, hash_token(secret), ctx.now_us(), used_after_us(ctx))
        if row_and_role is None or row_and_role[0].is_pending != is_pending:
            return None
        row, role = row_and_role
        user = await users.get(tx, row.user_id)
        shop = await shops.get(tx, row.shop_id)
    if user is None or shop is None:
        return None
    return Session(
        user,
        Member(user.id, shop.id, role, shop.refund_limits),
        shop,
        row.csrf_token,
        row.secret_hash,
        id=row.id,
        authenticated_at_us=row.authenticated_at_us,
        proofs=row.proofs,
        address=row.address,
        device_name=row.device_name,
        used_at_us=row.used_at_us,
    )


async def renew_session(ctx: Context, tx: Tx, session: Session, proofs: Proofs) -> str:
    """Give a session a new secret, which is returned, after its person has shown these proofs.

    Raises RefusedError("unauthorized") when it has ended meanwhile.
    """
    secret, now_us = secrets.token_urlsafe(32), ctx.now_us()
    row = StoredSession(
        hash_token(secret),
        session.user.id,
        session.shop.id,
        session.csrf,
        created_at_us=0,  # stays as it is, like all that is not named below
        expires_at_us=0,
        used_at_us=now_us,
        authenticated_at_us=now_us,
        proofs=session.proofs | proofs,
    )
    if not await sessions.renew(tx, session.secret_hash, row):
        raise RefusedError("unauthorized")
    return secret


async def record_use(ctx: Context, session: Session, address: str) -> Session:
    """Record that a person uses the session, at most every few minutes or from a new address.

    A database that cannot be written does not keep the person from reading.
    """
    is_due = ctx.now_us() - session.used_at_us >= USE_INTERVAL_US
    if is_due or address != session.address:
        with contextlib.suppress(*OUTAGE_ERRORS):
            async with ctx.db.write() as tx:
                await sessions.record_use(tx, session.secret_hash, address, ctx.now_us())
    return replace(session, address=address)


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
