"""Invitations into the teams of shops. Only the hashes of their tokens are stored."""

from sqlalchemy import bindparam, delete, select, update

from sigma.domain.accounts.invitation import Invitation
from sigma.domain.accounts.member import Role
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.account_tables import invitations


def _from_row(row: Row) -> Invitation:
    return Invitation(role=Role(row["role"]), **column_values(invitations, row, "role"))


CODEC = build_codec(invitations, field_values, _from_row)

_is_open = (invitations.c.accepted_at_us.is_(None), invitations.c.revoked_at_us.is_(None))
_find = statement(select(invitations).where(invitations.c.token_hash == bindparam("token_hash")))
_lock = statement(select(invitations).where(invitations.c.id == bindparam("id")).with_for_update())
_list_open = statement(
    select(invitations)
    .where(
        invitations.c.shop_id == bindparam("shop_id"),
        *_is_open,
        invitations.c.expires_at_us > bindparam("now_us"),
    )
    .order_by(invitations.c.id.desc())
    .limit(bindparam("limit"))
)
_revoke_for_login = statement(
    update(invitations)
    .where(
        invitations.c.shop_id == bindparam("key_shop_id"),
        invitations.c.login == bindparam("key_login"),
        *_is_open,
        invitations.c.expires_at_us > bindparam("now_us"),
    )
    .values(revoked_at_us=bindparam("new_revoked_at_us"), version=invitations.c.version + 1)
)


_delete_expired = statement(
    delete(invitations).where(
        invitations.c.id.in_(
            select(invitations.c.id)
            .where(invitations.c.expires_at_us <= bindparam("before_us"))
            .limit(bindparam("limit"))
        )
    )
)


async def get(tx: Tx, invitation_id: str) -> Invitation | None:
    """Return the invitation, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=invitation_id)
    return _from_row(row) if row else None


async def find_by_token(tx: Tx, token_hash: str) -> Invitation | None:
    """Return the invitation with this token hash, or None."""
    row = await tx.fetch_one(_find, token_hash=token_hash)
    return _from_row(row) if row else None


async def lock(tx: Tx, invitation_id: str) -> Invitation | None:
    """Return the invitation, locked until the transaction ends, or None."""
    row = await tx.fetch_one(_lock, id=invitation_id)
    return _from_row(row) if row else None


async def list_open(tx: Tx, shop_id: str, now_us: int, limit: int) -> list[Invitation]:
    """Return the shop's invitations that can be accepted at `now_us`, the newest first."""
    rows = await tx.fetch_all(_list_open, shop_id=shop_id, now_us=now_us, limit=limit)
    return [_from_row(row) for row in rows]


async def revoke_for_login(tx: Tx, shop_id: str, login: str, now_us: int) -> int:
    """Revoke the open invitations of an address; return how many they were."""
    return await tx.execute(
        _revoke_for_login,
        key_shop_id=shop_id,
        key_login=login,
        now_us=now_us,
        new_revoked_at_us=now_us,
    )


async def delete_expired(tx: Tx, before_us: int, limit: int) -> int:
    """Delete up to `limit` invitations that expired before a time, in any state; return how many.

    The members who accepted one stay.
    """
    return await tx.execute(_delete_expired, before_us=before_us, limit=limit)
