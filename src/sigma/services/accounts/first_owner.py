"""The first owner of an installation, by the set-up page or the command line."""

import asyncio

from sigma.domain.accounts.member import Member, Role, User
from sigma.domain.accounts.names import check_name
from sigma.domain.accounts.password import check_password, normalize_password, own_words
from sigma.domain.accounts.shop import Shop
from sigma.domain.audit.deed import Deed
from sigma.domain.billing.question import parse_email
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.origin import NO_ORIGIN, Origin
from sigma.domain.text_cleaning import clean_text
from sigma.services.accounts.devices import device_cookie
from sigma.services.accounts.users import BY_PASSWORD, NewSession, create_session, with_session
from sigma.services.context import Context
from sigma.services.platform import audit_log
from sigma.store import changes
from sigma.store.accounts import administrators, members, shops, users


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
    origin: Origin = NO_ORIGIN,
) -> NewSession:
    """Create the first shop and its owner, and sign the owner in.

    The owner also becomes an administrator of the installation.

    Raises RefusedError: "validation", or "forbidden" when a user exists already.
    """
    name, shop_name = clean_text(name), clean_text(shop_name)
    password = normalize_password(password)
    email = await _require_valid_owner(login, password, name, shop_name)
    # Checked before the costly hash, so that strangers cannot make Sigma compute hashes.
    if not await needs_owner(ctx):
        raise RefusedError("forbidden")
    password_hash = await ctx.passwords.hash(password)
    now_us, shop_id = ctx.now_us(), ctx.new_id("shp")
    shop = Shop(id=shop_id, name=shop_name, created_at_us=now_us, locale=locale)
    user = User(ctx.new_id("usr", shop_id), email, password_hash, name, locale, now_us)
    async with ctx.db.write() as tx:
        # claim_first_shop() lets only one of several concurrent requests create the owner.
        if not await shops.claim_first_shop(tx) or await users.count(tx):
            raise RefusedError("forbidden")
        await changes.write(tx, Change((shop,)), now_us)
        await users.save(tx, user)
        await members.add(tx, shop_id, user.id, Role.OWNER, now_us)
        await administrators.add(tx, user.id, now_us)
        secret = await create_session(ctx, tx, user.id, shop_id, BY_PASSWORD, origin)
        owner = Member(user.id, shop_id, Role.OWNER, origin=with_session(origin, secret))
        await audit_log.record(ctx, tx, owner, Deed.OWNER_CREATED, user.id)
    return NewSession(secret, user, shop, device_cookie(ctx, "", email, password_hash))


async def _require_valid_owner(login: str, password: str, name: str, shop_name: str) -> str:
    problems = []
    email = parse_email(login)
    if not email:
        problems.append(Problem("login", "email"))
    words = own_words(login, name, shop_name)
    # In a thread: a long password takes a tenth of a second.
    if problem := await asyncio.to_thread(check_password, password, words):
        problems.append(problem)
    problems += check_name("shop_name", shop_name)
    problems += check_name("name", name, is_required=False)
    if problems:
        raise validation_error(*problems)
    return (email or "").lower()
