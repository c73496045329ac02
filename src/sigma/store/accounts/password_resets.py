"""Requests for a new password. Only the hashes of their tokens are stored."""

from sqlalchemy import bindparam, select
from sqlalchemy import delete as delete_from

from sigma.domain.accounts.password_reset import PasswordReset
from sigma.store.engine.interface import Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.account_tables import password_resets

CODEC = build_codec(
    password_resets, field_values, lambda row: PasswordReset(**column_values(password_resets, row))
)

_find = statement(
    select(password_resets).where(
        password_resets.c.token_hash == bindparam("token_hash"),
        password_resets.c.expires_at_us > bindparam("now_us"),
    )
)
_delete = statement(delete_from(password_resets).where(password_resets.c.id == bindparam("id")))
_delete_expired = statement(
    delete_from(password_resets).where(
        password_resets.c.id.in_(
            select(password_resets.c.id)
            .where(password_resets.c.expires_at_us <= bindparam("now_us"))
            .limit(bindparam("limit"))
        )
    )
)


async def get(tx: Tx, reset_id: str) -> PasswordReset | None:
    """Return the request, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=reset_id)
    return CODEC.from_row(row) if row else None


async def find(tx: Tx, token_hash: str, now_us: int) -> PasswordReset | None:
    """Return the request whose link has this token, unless it has expired."""
    row = await tx.fetch_one(_find, token_hash=token_hash, now_us=now_us)
    return CODEC.from_row(row) if row else None


async def delete(tx: Tx, reset_id: str) -> bool:
    """Delete a request. Returns False when it is gone: its link was used."""
    return await tx.execute(_delete, id=reset_id) == 1


async def delete_expired(tx: Tx, now_us: int, limit: int) -> int:
    """Delete up to `limit` requests that have expired at `now_us`; return how many."""
    return await tx.execute(_delete_expired, now_us=now_us, limit=limit)
