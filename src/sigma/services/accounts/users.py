"""Users: sign-in and sign-out, sessions, passwords, language.

Sessions are stored in the database; the browser holds the session's secret in a cookie.
"""

import contextlib
import secrets
from dataclasses import dataclass, replace

from sigma.domain.accounts.form_token import form_token
from sigma.domain.accounts.member import Member, User
from sigma.domain.accounts.second_factor import (
    SecondFactorRule,
    choices,
    effective_rule,
    meets_rule,
)
from sigma.domain.accounts.security_notice import NoticeKind
from sigma.domain.accounts.session import (
    PENDING_US,
    USE_INTERVAL_US,
    Proof,
    Proofs,
    StoredSession,
    idle_limit_us,
    is_recent,
)
from sigma.domain.accounts.shop import Shop
from sigma.domain.audit.deed import Deed
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.origin import NO_ORIGIN, Origin
from sigma.domain.time_units import DAY_US
from sigma.services.accounts.devices import device_cookie, find_device
from sigma.services.accounts.logins import verify_password
from sigma.services.accounts.tokens import hash_token
from sigma.services.context import OUTAGE_ERRORS, Context
from sigma.services.platform import audit_log, security_notices
from sigma.services.security_log import SecurityEvent, record
from sigma.store.accounts import members, second_factors, sessions, shops, users
from sigma.store.engine.interface import Tx

SESSION_CHARS = 12  # of a session's hash, by which the audit log tells sessions apart
EXPIRED_PER_SIGN_IN = 100  # expired sessions deleted by a sign-in; the hourly cleanup deletes all

BY_PASSWORD: Proofs = frozenset({Proof.PASSWORD})


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
    """The signed-in user of a request. Tokens of its forms are made with `form_key`.

    `authenticated_at_us`: when the person last proved who they are, by `proofs`. `address` is that
    of this request. `second_factor_rule`: what shop and installation demand together.
    """

    user: User
    member: Member
    shop: Shop
    form_key: str
    secret_hash: str
    id: str = ""
    authenticated_at_us: int = 0
    proofs: Proofs = frozenset()
    address: str = ""
    device_name: str = ""
    used_at_us: int = 0
    second_factor_rule: SecondFactorRule = SecondFactorRule.OPTIONAL

    @property
    def csrf(self) -> str:
        """The token that every form of the current shop must contain."""
        return form_token(self.form_key, self.shop.id)

    @property
    def locale(self) -> str:
        """The user's language, "ru" or "en"."""
        return self.user.locale

    @property
    def origin(self) -> Origin:
        """Where the request comes from, for notices by mail."""
        return Origin(self.address, self.device_name, self.secret_hash[:SESSION_CHARS])

    @property
    def meets_shop_rule(self) -> bool:
        """Whether the person has signed in as the shop, or the installation, demands it."""
        return meets_rule(self.second_factor_rule, self.proofs)

    def is_recent(self, now_us: int) -> bool:
        """Return whether the person proved who they are in the last ten minutes."""
        return is_recent(self.authenticated_at_us, now_us)


def with_session(origin: Origin, secret: str) -> Origin:
    """Return the origin of a request that has opened the session with this secret."""
    return replace(origin, session=hash_token(secret)[:SESSION_CHARS])


async def sign_in(
    ctx: Context,
    login: str,
    password: str,
    *,
    ip: str,
    device: str = "",
    earlier_secret: str = "",
    origin: Origin = NO_ORIGIN,
) -> NewSession:
    """Sign a user in by e-mail and password, and end the earlier session of this browser.

    With a second factor the new session is pending.

    `ip` and `device` (the cookie of an earlier sign-in) decide which limits of failures hold: a
    known device has a counter of its own. A successful sign-in forgets the failures of its known
    device, never those of strangers. Raises RefusedError: "unauthorized", "forbidden" for a user
    without a shop, "too_many_requests" above a limit or when too many sign-ins wait.
    """
    origin = replace(origin, address=ip)
    user, device = await verify_password(ctx, login, password, origin, device=device)
    return await open_session(
        ctx, user, BY_PASSWORD, origin, device=device, earlier_secret=earlier_secret
    )


async def open_session(
    ctx: Context,
    user: User,
    proofs: Proofs,
    origin: Origin,
    *,
    device: str = "",
    earlier_secret: str = "",
    replaces: str = "",
) -> NewSession:
    """Open a session for somebody who has shown these proofs; a pending one if a step is missing.

    `earlier_secret`: the secret of an earlier session of this browser, which ends. `replaces`: the
    secret hash of the pending session that this one finishes. Raises RefusedError("forbidden") for
    a user without a shop, "unauthorized" when the session that it replaces has ended, or the
    password was changed since it was verified.
    """
    async with ctx.db.write() as tx:
        current = await users.lock(tx, user.id)
        if current is None or current.password_hash != user.password_hash:
            raise RefusedError("unauthorized")
        membership = await members.find_earliest_membership(tx, user.id)
        if membership is None:
            record(SecurityEvent.SIGN_IN_FAILED, ip=origin.address, user_id=user.id)
            raise RefusedError("forbidden")
        shop = await shops.get(tx, membership[0])
        assert shop is not None, "the shop of a member exists"
        await sessions.delete_expired(tx, ctx.now_us(), EXPIRED_PER_SIGN_IN)
        if replaces and not await sessions.delete(tx, replaces):
            raise RefusedError("unauthorized")
        if earlier_secret:
            await sessions.delete(tx, hash_token(earlier_secret))
        factors = await second_factors.list_kinds(tx, user.id)
        is_pending = proofs == BY_PASSWORD and bool(choices(shop.second_factor_rule, factors))
        secret = await create_session(
            ctx, tx, user.id, shop.id, proofs, origin, is_pending=is_pending
        )
        if is_pending:
            return NewSession(secret, user, shop, "", is_pending=True)
        is_known = find_device(ctx, device, user.login, user.password_hash) is not None
        if not is_known:
            await security_notices.announce(
                ctx, tx, NoticeKind.NEW_DEVICE, shop_id=shop.id, user_id=user.id, origin=origin
            )
        member = Member(user.id, shop.id, membership[1], origin=with_session(origin, secret))
        by = ",".join(sorted(proofs))
        await audit_log.record(
            ctx, tx, member, Deed.SIGNED_IN, user.id, known_device=is_known, proofs=by
        )
    record(SecurityEvent.SIGN_IN, ip=origin.address, user_id=user.id, shop_id=shop.id)
    return NewSession(
        secret, user, shop, device_cookie(ctx, device, user.login, user.password_hash)
    )


async def create_session(
    ctx: Context,
    tx: Tx,
    user_id: str,
    shop_id: str,
    proofs: Proofs,
    origin: Origin,
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
        device_name=origin.agent,
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
        second_factor_rule=effective_rule(
            shop.second_factor_rule, is_required=ctx.settings.is_second_factor_required
        ),
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
        session.form_key,
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
        await audit_log.record(ctx, tx, session.member, Deed.SIGNED_OUT, session.user.id)
    record(SecurityEvent.SIGN_OUT, ip=ip, user_id=session.user.id, shop_id=session.shop.id)


async def set_locale(ctx: Context, session: Session, locale: str) -> None:
    """Store the user's language, "ru" or "en". Raises RefusedError("validation")."""
    if locale not in ("ru", "en"):
        raise validation_error(Problem("locale", "choose"))
    async with ctx.db.write() as tx:
        await users.save(tx, replace(session.user, locale=locale))
