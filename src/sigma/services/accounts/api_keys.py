"""Keys of programs: shown once, stored as a hash, revocable."""

import hashlib
import secrets

from sigma.domain.accounts.member import Member, Permission, Role
from sigma.domain.errors import Problem, Refused, invalid
from sigma.services.context import MINUTE, Context
from sigma.store.accounts import users
from sigma.store.accounts.users import ApiKey

PREFIX = "sk_"


def _hash(secret: str) -> str:
    # The secret has 256 random bits of its own: a plain hash is enough and costs a request nothing.
    return hashlib.sha256(secret.encode()).hexdigest()


async def create(ctx: Context, member: Member, name: str) -> tuple[ApiKey, str]:
    """A new key and its secret, which nobody can read again."""
    member.must(Permission.SETTINGS)
    if not name.strip() or len(name) > 100:
        raise invalid(Problem("name", "required" if not name.strip() else "too_long", {"max": 100}))
    secret = PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        id=ctx.new_id("key", member.shop_id),
        shop_id=member.shop_id,
        name=name.strip(),
        prefix=secret[:9],
        secret_hash=_hash(secret),
        role=Role.ADMIN,
        created_at=ctx.now(),
    )
    async with ctx.db.write() as tx:
        await users.add_key(tx, key)
    return key, secret


async def listing(ctx: Context, member: Member) -> list[ApiKey]:
    """The shop's keys, the newest first, revoked ones too."""
    member.must(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        return await users.keys(tx, member.shop_id)


async def revoke(ctx: Context, member: Member, key_id: str) -> None:
    """Ends a key at once. Raises Refused("not_found")."""
    member.must(Permission.SETTINGS)
    async with ctx.db.write() as tx:
        if not await users.revoke_key(tx, member.shop_id, key_id, ctx.now()):
            raise Refused("not_found", what="key")


async def authenticate(ctx: Context, secret: str) -> Member:
    """The program behind a key. Raises Refused("unauthorized")."""
    if not secret.startswith(PREFIX) or len(secret) > 100:
        raise Refused("unauthorized")
    async with ctx.db.read() as tx:
        key = await users.key(tx, _hash(secret))
    if key is None:
        raise Refused("unauthorized")
    now = ctx.now()
    if now - key.used_at > 10 * MINUTE:  # "last used" is for people: minutes are exact enough
        async with ctx.db.write() as tx:
            await users.mark_used(tx, key.id, now)
    return Member(key.id, key.shop_id, key.role)
