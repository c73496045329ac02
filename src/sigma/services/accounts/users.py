"""People: the first owner, signing in and out, passwords. Sessions live on the server; the browser
holds a secret.
"""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass, replace

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from sigma.domain.accounts.member import Member, Role, User
from sigma.domain.accounts.shop import Shop
from sigma.domain.billing.question import read_email
from sigma.domain.change import Change
from sigma.domain.errors import Problem, Refused, invalid
from sigma.services.context import DAY, MINUTE, Context
from sigma.store import changes
from sigma.store.accounts import shops, users
from sigma.store.accounts.users import SessionRow
from sigma.store.engine.interface import Tx

MIN_PASSWORD, MAX_PASSWORD = 10, 200
TRIES, PAUSE = 8, 10 * MINUTE

_hasher = PasswordHasher()  # argon2id, the library's RFC 9106 defaults
_NOBODY = _hasher.hash(secrets.token_hex())  # an unknown login must take as long as a known one


@dataclass(frozen=True, slots=True)
class Signed:
    """A fresh session; `secret` goes into the browser's cookie and is stored nowhere."""

    secret: str
    user: User
    shop: Shop


@dataclass(frozen=True, slots=True)
class Session:
    """Who is at the browser. `csrf` is the token its forms must carry."""

    user: User
    member: Member
    shop: Shop
    csrf: str
    secret_hash: str

    @property
    def locale(self) -> str:
        """The language of the person, "ru" or "en"."""
        return self.user.locale


async def needs_owner(ctx: Context) -> bool:
    """Whether nobody is here yet."""
    async with ctx.db.read() as tx:
        return await users.count(tx) == 0


async def first_owner(
    ctx: Context, *, login: str, password: str, name: str, shop_name: str, locale: str = "ru"
) -> Signed:
    """Makes the first shop and its owner and signs him in.

    Raises Refused("forbidden") when there is one already.
    """
    email = _check(login, password, shop_name)
    password_hash = await asyncio.to_thread(_hasher.hash, password)
    now, shop_id = ctx.now(), ctx.new_id("shp")
    shop = Shop(id=shop_id, name=shop_name.strip(), created_at=now, locale=locale)
    user = User(ctx.new_id("usr", shop_id), email, password_hash, name.strip(), locale, now)
    async with ctx.db.write() as tx:
        if not await shops.claim_first(tx) or await users.count(
            tx
        ):  # one, even if two come at once
            raise Refused("forbidden")
        await changes.write(tx, Change((shop,)), now)
        await users.save(tx, user)
        await users.add_member(tx, shop_id, user.id, Role.OWNER, now)
        secret = await _new_session(ctx, tx, user.id, shop_id)
    return Signed(secret, user, shop)


def _check(login: str, password: str, shop_name: str) -> str:
    problems = []
    email = read_email(login)
    if not email:
        problems.append(Problem("login", "email"))
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        problems.append(Problem("password", "password_length", {"min": MIN_PASSWORD}))
    if not shop_name.strip():
        problems.append(Problem("shop_name", "required"))
    if len(shop_name) > 100:
        problems.append(Problem("shop_name", "too_long", {"max": 100}))
    if problems:
        raise invalid(*problems)
    return (email or "").lower()


async def sign_in(ctx: Context, login: str, password: str, *, ip: str) -> Signed:
    """Raises Refused("unauthorized"), or "too_many_requests" for a while after many failures."""
    login = login.strip().lower()
    who = ctx.sealer.mark(f"{login} {ip}")
    count, until = ctx.tries.get(who, (0, 0))
    now = ctx.now()
    if until <= now:
        count = 0
    if count >= TRIES:
        raise Refused("too_many_requests", minutes=-(-(until - now) // MINUTE))
    if len(ctx.tries) > 10_000:
        ctx.tries.clear()
    ctx.tries[who] = (count + 1, now + PAUSE)  # before anything is waited for: many come at once
    async with ctx.db.read() as tx:
        user = await users.by_login(tx, login)
    good = await asyncio.to_thread(_verify, user.password_hash if user else _NOBODY, password)
    if user is None or not good:
        raise Refused("unauthorized")
    ctx.tries.pop(who, None)
    async with ctx.db.write() as tx:
        place = await users.membership(tx, user.id)
        if place is None:
            raise Refused("forbidden")
        shop = await shops.get(tx, place[0])
        assert shop is not None, "a member's shop exists"
        await users.end_old(tx, now)
        secret = await _new_session(ctx, tx, user.id, shop.id)
    return Signed(secret, user, shop)


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password[: MAX_PASSWORD + 1])
    except (VerifyMismatchError, InvalidHashError):
        return False


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


async def _new_session(ctx: Context, tx: Tx, user_id: str, shop_id: str) -> str:
    secret = secrets.token_urlsafe(32)
    now = ctx.now()
    until = now + ctx.settings.session_days * DAY
    csrf = secrets.token_urlsafe(24)
    await users.add_session(tx, SessionRow(_hash(secret), user_id, shop_id, csrf, now, until))
    return secret


async def session(ctx: Context, secret: str) -> Session | None:
    """Who a cookie belongs to; None when it is unknown or its time is over."""
    if not secret:
        return None
    async with ctx.db.read() as tx:
        found = await users.session(tx, _hash(secret), ctx.now())
        if found is None:
            return None
        row, role = found
        user = await users.get(tx, row.user_id)
        shop = await shops.get(tx, row.shop_id)
    if user is None or shop is None:
        return None
    return Session(user, Member(user.id, shop.id, role), shop, row.csrf, row.secret_hash)


async def sign_out(ctx: Context, secret: str) -> None:
    """Ends a session."""
    async with ctx.db.write() as tx:
        await users.end_session(tx, _hash(secret))


async def set_locale(ctx: Context, session: Session, locale: str) -> None:
    """Remembers a person's language."""
    if locale not in ("ru", "en"):
        raise invalid(Problem("locale", "choose"))
    async with ctx.db.write() as tx:
        await users.save(tx, replace(session.user, locale=locale))


async def change_password(ctx: Context, session: Session, old: str, new: str) -> None:
    """Changes a password and signs the person out everywhere else. Raises Refused("validation")."""
    if not await asyncio.to_thread(_verify, session.user.password_hash, old):
        raise invalid(Problem("old", "password_wrong"))
    if not MIN_PASSWORD <= len(new) <= MAX_PASSWORD:
        raise invalid(Problem("new", "password_length", {"min": MIN_PASSWORD}))
    password_hash = await asyncio.to_thread(_hasher.hash, new)
    async with ctx.db.write() as tx:
        await users.save(tx, replace(session.user, password_hash=password_hash))
        await users.end_others(tx, session.user.id, session.secret_hash)
