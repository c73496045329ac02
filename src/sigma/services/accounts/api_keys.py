"""API keys: the secret is returned once and stored as a hash; keys can be revoked.

A key acts with the rights that its maker has at the moment of the request, cut to its scopes.
"""

import secrets

from sigma.domain.accounts.api_key import (
    MAX_LIFETIME_DAYS,
    ApiKey,
    check_scopes,
    expiry_us,
    parse_networks,
)
from sigma.domain.accounts.member import ALL_SCOPES, Member, Permission, Scope
from sigma.domain.accounts.names import check_name
from sigma.domain.accounts.security_notice import NoticeKind
from sigma.domain.audit.deed import Deed
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.origin import Origin
from sigma.domain.text_cleaning import clean_text
from sigma.domain.time_units import MINUTE_US
from sigma.services.accounts.tokens import hash_token
from sigma.services.context import Context
from sigma.services.platform import audit_log, security_notices
from sigma.store.accounts import api_keys, members
from sigma.store.engine.interface import Tx

KEY_PREFIX = "sk_"


async def create(
    ctx: Context,
    member: Member,
    name: str,
    *,
    scopes: tuple[Scope, ...] = ALL_SCOPES,
    lifetime_days: int | None = None,
    networks: str = "",
    origin: Origin | None = None,
) -> tuple[ApiKey, str]:
    """Create a key of the acting member. Returns it and its secret, which cannot be read again.

    `lifetime_days` None: it does not expire. `networks`: see `parse_networks`; empty: any address.
    `origin`: where the request comes from; None sends no mails about it (seeds).
    Raises RefusedError: "forbidden", "validation".
    """
    member.require(Permission.KEYS)
    name = clean_text(name)
    scopes = tuple(scope for scope in Scope if scope in scopes)
    allowed = parse_networks(networks)
    problems = [*check_name("name", name), *check_scopes(member, scopes)]
    if isinstance(allowed, Problem):
        problems.append(allowed)
    if lifetime_days is not None and not 1 <= lifetime_days <= MAX_LIFETIME_DAYS:
        problems.append(Problem("lifetime", "range", {"min": 1, "max": MAX_LIFETIME_DAYS}))
    if problems or isinstance(allowed, Problem):
        raise validation_error(*problems)
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    now_us = ctx.now_us()
    key = ApiKey(
        id=ctx.new_id("key", member.shop_id),
        shop_id=member.shop_id,
        name=name,
        prefix=secret[:9],
        secret_hash=hash_token(secret),
        scopes=scopes,
        created_by=member.actor,
        created_at_us=now_us,
        expires_at_us=expiry_us(lifetime_days, now_us),
        allowed_networks=allowed,
    )
    async with ctx.db.write() as tx:
        await api_keys.add(tx, key)
        await security_notices.announce_by(ctx, tx, NoticeKind.KEY_CREATED, member, origin, name)
        await audit_log.record(
            ctx, tx, member, Deed.KEY_CREATED, key.id, name=name, prefix=key.prefix
        )
    return key, secret


async def list_for_shop(ctx: Context, member: Member) -> list[ApiKey]:
    """Return the shop's keys, newest first, including revoked ones."""
    member.require(Permission.KEYS)
    async with ctx.db.read() as tx:
        return await api_keys.list_for_shop(tx, member.shop_id)


async def list_with_makers(ctx: Context, member: Member) -> tuple[list[ApiKey], dict[str, str]]:
    """Return the shop's keys like `list_for_shop`, and the names of members by user id."""
    keys = await list_for_shop(ctx, member)
    async with ctx.db.read() as tx:
        return keys, await members.list_names(tx, member.shop_id)


async def list_made_by(ctx: Context, user_id: str) -> list[ApiKey]:
    """Return the active keys that a user has made, in all shops, the newest first."""
    async with ctx.db.read() as tx:
        return await api_keys.list_made_by(tx, user_id)


async def revoke(ctx: Context, member: Member, key_id: str) -> None:
    """Revoke a key; it stops working at once. Raises RefusedError("not_found")."""
    member.require(Permission.KEYS)
    async with ctx.db.write() as tx:
        if not await api_keys.revoke(tx, member.shop_id, key_id, ctx.now_us()):
            raise RefusedError("not_found", what="key")
        await audit_log.record(ctx, tx, member, Deed.KEY_REVOKED, key_id)


async def revoke_made_by(
    ctx: Context,
    tx: Tx,
    user_id: str,
    *,
    actor: str,
    origin: Origin,
    shop_id: str | None = None,
    since_us: int = 0,
) -> None:
    """Revoke the active keys that a user has made since then: in one shop, or in all (None).

    The one way in which keys end with their maker's membership or password. `actor` and `origin`:
    who ends them, for the audit log of each shop.
    """
    made = [
        key
        for key in await api_keys.list_made_by(tx, user_id)
        if key.created_at_us >= since_us and shop_id in (None, key.shop_id)
    ]
    now_us = ctx.now_us()
    for key in sorted(made, key=lambda one: (one.shop_id, one.id)):  # locks in one order
        await api_keys.revoke(tx, key.shop_id, key.id, now_us)
        await audit_log.record_for_chain(
            ctx, tx, key.shop_id, actor, origin, Deed.KEY_REVOKED, key.id, name=key.name
        )


async def authenticate(ctx: Context, secret: str, *, ip: str = "") -> Member:
    """Return the member that a key acts as: the role is that of its maker at this moment.

    Raises RefusedError: "unauthorized" for an unknown or revoked key and for one whose maker has
    left the shop, "key_expired", "address_not_allowed" when requests from `ip` are not allowed.
    """
    if not secret.startswith(KEY_PREFIX) or len(secret) > 100:
        raise RefusedError("unauthorized")
    async with ctx.db.read() as tx:
        found = await api_keys.find(tx, hash_token(secret))
    if found is None or found.role is None:
        raise RefusedError("unauthorized")
    key, now_us = found.key, ctx.now_us()
    if key.is_expired(now_us):
        raise RefusedError("key_expired")
    if not key.allows_address(ip):
        raise RefusedError("address_not_allowed")
    if now_us - key.used_at_us > 10 * MINUTE_US:  # limit the writes
        async with ctx.db.write() as tx:
            await api_keys.record_use(tx, key.id, now_us)
    return Member(key.id, key.shop_id, found.role, found.refund_limits, frozenset(key.scopes))
