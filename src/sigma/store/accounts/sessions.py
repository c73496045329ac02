"""Cabinet sessions. Only the hashes of their secrets are stored."""

from typing import Any

from sqlalchemy import bindparam, insert, literal_column, select, update
from sqlalchemy import delete as delete_from

from sigma.domain.accounts.member import Role
from sigma.domain.accounts.session import Proof, Proofs, StoredSession
from sigma.store.engine.interface import Row, Tx
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
        sessions.c.used_at_us > bindparam("used_after_us"),
    )
)
_list_open = statement(
    select(sessions)
    .where(
        sessions.c.user_id == bindparam("user_id"),
        sessions.c.is_pending == literal_column("0"),
        sessions.c.expires_at_us > bindparam("now_us"),
        sessions.c.used_at_us > bindparam("used_after_us"),
    )
    .order_by(sessions.c.used_at_us.desc())
)
_record_use = statement(
    update(sessions)
    .where(sessions.c.secret_hash == bindparam("key_secret_hash"))
    .values(used_at_us=bindparam("used_at_us"), address=bindparam("address"))
)
_renew = statement(
    update(sessions)
    .where(sessions.c.secret_hash == bindparam("key_secret_hash"))
    .values(
        secret_hash=bindparam("secret_hash"),
        authenticated_at_us=bindparam("authenticated_at_us"),
        used_at_us=bindparam("used_at_us"),
        proofs=bindparam("proofs"),
    )
)
_list_proofs = statement(
    select(sessions.c.secret_hash, sessions.c.proofs).where(
        sessions.c.user_id == bindparam("user_id")
    )
)
_set_proofs = statement(
    update(sessions)
    .where(sessions.c.secret_hash == bindparam("key_secret_hash"))
    .values(proofs=bindparam("proofs"))
)
_delete_by_id = statement(
    delete_from(sessions).where(
        sessions.c.user_id == bindparam("user_id"), sessions.c.id == bindparam("id")
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
    .values(shop_id=bindparam("new_shop_id"))
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


def _from_row(row: Row) -> StoredSession:
    fields = column_values(sessions, row, "proofs", "is_pending")
    return StoredSession(proofs=_parse_proofs(row), is_pending=bool(row["is_pending"]), **fields)


def _parse_proofs(row: Row) -> Proofs:
    return frozenset(Proof(name) for name in row["proofs"].split(",") if name)


def _proofs_text(proofs: Proofs) -> str:
    return ",".join(sorted(proofs))


async def add(tx: Tx, session: StoredSession) -> None:
    """Insert a session."""
    values: dict[str, Any] = field_values(session)
    values["proofs"] = _proofs_text(session.proofs)
    values["is_pending"] = int(session.is_pending)
    for name in ("used_at_us", "authenticated_at_us"):
        values[name] = values[name] or session.created_at_us
    await tx.execute(_insert, **values)


async def find(
    tx: Tx, secret_hash: str, now_us: int, used_after_us: int = 0
) -> tuple[StoredSession, Role] | None:
    """Return a session not expired at `now_us`, with the member's current role, or None.

    It must have been used after `used_after_us`. It may be pending.
    """
    values = {"secret_hash": secret_hash, "now_us": now_us, "used_after_us": used_after_us}
    row = await tx.fetch_one(_find, **values)
    return (_from_row(row), Role(row["role"])) if row else None


async def list_open(tx: Tx, user_id: str, now_us: int, used_after_us: int) -> list[StoredSession]:
    """Return the open sessions of a user, the last used first."""
    values = {"user_id": user_id, "now_us": now_us, "used_after_us": used_after_us}
    return [_from_row(row) for row in await tx.fetch_all(_list_open, **values)]


async def record_use(tx: Tx, secret_hash: str, address: str, now_us: int) -> None:
    """Record when and from where a session was last used."""
    values = {"key_secret_hash": secret_hash, "address": address, "used_at_us": now_us}
    await tx.execute(_record_use, **values)


async def renew(tx: Tx, old_secret_hash: str, session: StoredSession) -> bool:
    """Give a session a new secret, its proofs and times. Returns False when it has ended."""
    values = {
        "key_secret_hash": old_secret_hash,
        "secret_hash": session.secret_hash,
        "authenticated_at_us": session.authenticated_at_us,
        "used_at_us": session.used_at_us,
        "proofs": _proofs_text(session.proofs),
    }
    return await tx.execute(_renew, **values) == 1


async def limit_proofs(tx: Tx, user_id: str, valid: Proofs) -> None:
    """Remove the proofs that do not count any more from the sessions of a user."""
    for row in await tx.fetch_all(_list_proofs, user_id=user_id):
        proofs = _parse_proofs(row)
        if not proofs <= valid:
            text = _proofs_text(proofs & valid)
            await tx.execute(_set_proofs, key_secret_hash=row["secret_hash"], proofs=text)


async def delete_by_id(tx: Tx, user_id: str, session_id: str) -> bool:
    """Delete one session of a user. Returns False when the user has no such session."""
    return await tx.execute(_delete_by_id, user_id=user_id, id=session_id) == 1


async def delete(tx: Tx, secret_hash: str) -> bool:
    """Delete one session (sign out). Returns False when it has ended before."""
    return await tx.execute(_delete, secret_hash=secret_hash) == 1


async def delete_others(tx: Tx, user_id: str, except_secret_hash: str) -> None:
    """Delete all sessions of a user except the one with `except_secret_hash`."""
    await tx.execute(_delete_others, user_id=user_id, except_secret_hash=except_secret_hash)


async def delete_of_member(tx: Tx, user_id: str, shop_id: str) -> None:
    """Delete the sessions of a user whose current shop is this one."""
    await tx.execute(_delete_of_member, user_id=user_id, shop_id=shop_id)


async def switch_shop(tx: Tx, secret_hash: str, shop_id: str) -> None:
    """Make a shop the current one of a session."""
    await tx.execute(_switch_shop, key_secret_hash=secret_hash, new_shop_id=shop_id)


async def delete_all(tx: Tx, user_id: str) -> None:
    """Delete all sessions of a user."""
    await tx.execute(_delete_others, user_id=user_id, except_secret_hash="")


async def delete_expired(tx: Tx, now_us: int, limit: int) -> int:
    """Delete up to `limit` sessions that have expired at `now_us`; return how many."""
    return await tx.execute(_delete_expired, now_us=now_us, limit=limit)
