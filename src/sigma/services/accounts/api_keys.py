"""API keys: the secret is returned once and stored as a hash; keys can be revoked."""

import secrets

from sigma.domain.accounts.api_key import ApiKey
from sigma.domain.accounts.member import Member, Permission, Role
from sigma.domain.audit.deed import Deed
from sigma.domain.bank_cards import contains_card_number
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.text_cleaning import clean_text
from sigma.domain.time_units import MINUTE_US
from sigma.services.accounts.tokens import hash_token
from sigma.services.context import Context
from sigma.services.platform import audit_log
from sigma.store.accounts import api_keys

KEY_PREFIX = "sk_"


async def create(ctx: Context, member: Member, name: str) -> tuple[ApiKey, str]:
    """Create an admin key. Returns it and its secret, which cannot be read again.

    Raises RefusedError("validation").
    """
    member.require(Permission.SETTINGS)
    name = clean_text(name)
    if not name or len(name) > 100:
        raise validation_error(Problem("name", "too_long" if name else "required", {"max": 100}))
    if contains_card_number(name):
        raise validation_error(Problem("name", "card_number"))
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        id=ctx.new_id("key", member.shop_id),
        shop_id=member.shop_id,
        name=name,
        prefix=secret[:9],
        secret_hash=hash_token(secret),
        role=Role.ADMIN,
        created_at_us=ctx.now_us(),
    )
    async with ctx.db.write() as tx:
        await api_keys.add(tx, key)
        await audit_log.record(
            ctx, tx, member, Deed.KEY_CREATED, key.id, name=name, prefix=key.prefix
        )
    return key, secret


async def list_for_shop(ctx: Context, member: Member) -> list[ApiKey]:
    """Return the shop's keys, newest first, including revoked ones."""
    member.require(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        return await api_keys.list_for_shop(tx, member.shop_id)


async def revoke(ctx: Context, member: Member, key_id: str) -> None:
    """Revoke a key; it stops working at once. Raises RefusedError("not_found")."""
    member.require(Permission.SETTINGS)
    async with ctx.db.write() as tx:
        if not await api_keys.revoke(tx, member.shop_id, key_id, ctx.now_us()):
            raise RefusedError("not_found", what="key")
        await audit_log.record(ctx, tx, member, Deed.KEY_REVOKED, key_id)


async def authenticate(ctx: Context, secret: str) -> Member:
    """Return the member that a key acts as. Raises RefusedError("unauthorized")."""
    if not secret.startswith(KEY_PREFIX) or len(secret) > 100:
        raise RefusedError("unauthorized")
    async with ctx.db.read() as tx:
        key = await api_keys.find(tx, hash_token(secret))
    if key is None:
        raise RefusedError("unauthorized")
    now_us = ctx.now_us()
    if now_us - key.used_at_us > 10 * MINUTE_US:  # limit the writes
        async with ctx.db.write() as tx:
            await api_keys.record_use(tx, key.id, now_us)
    return Member(key.id, key.shop_id, key.role)
