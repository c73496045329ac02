"""API keys. Only the hashes of their secrets are stored."""

from dataclasses import dataclass

import msgspec
from sqlalchemy import bindparam, insert, select, update

from sigma.domain.accounts.api_key import COMMAND_LINE, ApiKey
from sigma.domain.accounts.member import RefundLimits, Role, Scope
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import column_values, encode_json, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.account_tables import api_keys, members
from sigma.store.schema.tables import shops

_scopes = msgspec.json.Decoder(tuple[str, ...])
_networks = msgspec.json.Decoder(tuple[str, ...])
_refund_limits = msgspec.json.Decoder(RefundLimits)


@dataclass(frozen=True, slots=True)
class KeyWithRights:
    """A key, the role of its maker at this moment, and the refund limits of the shop.

    `role` is None when the maker is no member of the shop any more.
    """

    key: ApiKey
    role: Role | None
    refund_limits: RefundLimits


_insert = statement(insert(api_keys))
_list_for_shop = statement(
    select(api_keys)
    .where(api_keys.c.shop_id == bindparam("shop_id"))
    .order_by(api_keys.c.id.desc())
)
_with_rights = (
    select(api_keys, members.c.role, shops.c.refund_limits)
    .join(shops, shops.c.id == api_keys.c.shop_id)
    .outerjoin(
        members,
        (members.c.shop_id == api_keys.c.shop_id) & (members.c.user_id == api_keys.c.created_by),
    )
    .where(api_keys.c.revoked_at_us.is_(None))
)
_find = statement(_with_rights.where(api_keys.c.secret_hash == bindparam("secret_hash")))
_find_by_id = statement(
    _with_rights.where(api_keys.c.id == bindparam("id"), api_keys.c.shop_id == bindparam("shop_id"))
)
_revoke = statement(
    update(api_keys)
    .where(
        api_keys.c.id == bindparam("key_id"),
        api_keys.c.shop_id == bindparam("key_shop_id"),
        api_keys.c.revoked_at_us.is_(None),
    )
    .values(revoked_at_us=bindparam("revoked_at_us"))
)
_list_made_by = statement(
    select(api_keys)
    .where(api_keys.c.created_by == bindparam("user_id"), api_keys.c.revoked_at_us.is_(None))
    .order_by(api_keys.c.id.desc())
)
_record_use = statement(
    update(api_keys)
    .where(api_keys.c.id == bindparam("key_id"))
    .values(used_at_us=bindparam("used_at_us"))
)


def _from_row(row: Row) -> ApiKey:
    return ApiKey(
        # A scope of a newer version is not granted: the key has less rights, never more.
        scopes=tuple(Scope(name) for name in _scopes.decode(row["scopes"]) if name in set(Scope)),
        allowed_networks=_networks.decode(row["allowed_networks"]),
        **column_values(api_keys, row, "scopes", "allowed_networks"),
    )


async def add(tx: Tx, key: ApiKey) -> None:
    """Insert an API key."""
    lists = {name: encode_json(getattr(key, name)) for name in ("scopes", "allowed_networks")}
    await tx.execute(_insert, **field_values(key) | lists)


async def list_for_shop(tx: Tx, shop_id: str) -> list[ApiKey]:
    """Return a shop's API keys, the newest first, including revoked ones."""
    return [_from_row(row) for row in await tx.fetch_all(_list_for_shop, shop_id=shop_id)]


async def find(tx: Tx, secret_hash: str) -> KeyWithRights | None:
    """Return the API key with this secret hash; None when unknown or revoked.

    A key from the command line has the role of an owner: no member made it.
    """
    return _rights(await tx.fetch_one(_find, secret_hash=secret_hash))


async def find_by_id(tx: Tx, shop_id: str, key_id: str) -> KeyWithRights | None:
    """Return a shop's API key like `find`; None when unknown or revoked."""
    return _rights(await tx.fetch_one(_find_by_id, id=key_id, shop_id=shop_id))


def _rights(row: Row | None) -> KeyWithRights | None:
    if row is None:
        return None
    key = _from_row(row)
    role = Role.OWNER if key.created_by == COMMAND_LINE else row["role"] and Role(row["role"])
    return KeyWithRights(key, role or None, _refund_limits.decode(row["refund_limits"]))


async def revoke(tx: Tx, shop_id: str, key_id: str, now_us: int) -> bool:
    """Revoke an API key. Return False when the shop has no such active key."""
    values = {"key_id": key_id, "key_shop_id": shop_id, "revoked_at_us": now_us}
    return await tx.execute(_revoke, **values) == 1


async def list_made_by(tx: Tx, user_id: str) -> list[ApiKey]:
    """Return the active keys that a user has made, in all shops, the newest first."""
    return [_from_row(row) for row in await tx.fetch_all(_list_made_by, user_id=user_id)]


async def record_use(tx: Tx, key_id: str, now_us: int) -> None:
    """Record when an API key was last used."""
    await tx.execute(_record_use, key_id=key_id, used_at_us=now_us)
