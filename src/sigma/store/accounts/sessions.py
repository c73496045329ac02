"""Cabinet sessions. Only the hashes of their secrets are stored."""

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy import delete as delete_from

from sigma.domain.accounts.member import Role
from sigma.domain.accounts.session import StoredSession
from sigma.store.engine.interface import Tx
from sigma.store.engine.row_codec import column_values, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.account_tables import members, sessions

_insert = statement(insert(sessions))
_find = statement(
    select(sessions, members.c.role)
    .join(
        members,
        (members.c.user_id == sessions.c.user_id) & (members.c.shop_id == sessions.c.shop_id),
    )
    .where(
        sessions.c.secret_hash == bindparam("secret_hash"),
        sessions.c.expires_at_us > bindparam("now_us"),
    )
)
_delete = statement(delete_from(sessions).where(sessions.c.secret_hash == bindparam("secret_hash")))
_delete_others = statement(
    delete_from(sessions).where(
        sessions.c.user_id == bindparam("user_id"),
        sessions.c.secret_hash != bindparam("except_secret_hash"),
    )
)
_delete_of_member = statement(
    delete_from(sessions).where(
        sessions.c.user_id == bindparam("user_id"), sessions.c.shop_id == bindparam("shop_id")
    )
)
_switch_shop = statement(
    update(sessions)
    .where(sessions.c.secret_hash == bindparam("key_secret_hash"))
    .values(shop_id=bindparam("new_shop_id"), csrf_token=bindparam("new_csrf_token"))
)
_delete_expired = statement(
    delete_from(sessions).where(
        sessions.c.secret_hash.in_(
            select(sessions.c.secret_hash)
            .where(sessions.c.expires_at_us <= bindparam("now_us"))
            .limit(bindparam("limit"))
        )
    )
)


async def add(tx: Tx, session: StoredSession) -> None:
    """Insert a session."""
    await tx.execute(_insert, **field_values(session))


async def find(tx: Tx, secret_hash: str, now_us: int) -> tuple[StoredSession, Role] | None:
    """Return a session not expired at `now_us`, with the member's current role, or None."""
    row = await tx.fetch_one(_find, secret_hash=secret_hash, now_us=now_us)
    return (StoredSession(**column_values(sessions, row)), Role(row["role"])) if row else None


async def delete(tx: Tx, secret_hash: str) -> None:
    """Delete one session (sign out)."""
    await tx.execute(_delete, secret_hash=secret_hash)


async def delete_others(tx: Tx, user_id: str, except_secret_hash: str) -> None:
    """Delete all sessions of a user except the one with `except_secret_hash`."""
    await tx.execute(_delete_others, user_id=user_id, except_secret_hash=except_secret_hash)


async def delete_of_member(tx: Tx, user_id: str, shop_id: str) -> None:
    """Delete the sessions of a user whose current shop is this one."""
    await tx.execute(_delete_of_member, user_id=user_id, shop_id=shop_id)


async def switch_shop(tx: Tx, secret_hash: str, shop_id: str, csrf_token: str) -> None:
    """Make a shop the current one of a session, with a new token for its forms."""
    values = {"new_shop_id": shop_id, "new_csrf_token": csrf_token}
    await tx.execute(_switch_shop, key_secret_hash=secret_hash, **values)


async def delete_expired(tx: Tx, now_us: int, limit: int) -> int:
    """Delete up to `limit` sessions that have expired at `now_us`; return how many."""
    return await tx.execute(_delete_expired, now_us=now_us, limit=limit)
