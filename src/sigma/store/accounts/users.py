"""People, their places in shops, their sessions and the keys of programs, as rows.

Secrets are kept as hashes.
"""

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, insert, select, update

from sigma.domain.accounts.member import Role, User
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import codec, columns, plain
from sigma.store.engine.statements import statement
from sigma.store.schema.tables import api_keys, members, sessions, users


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A signed-in browser. `secret_hash` is of its cookie."""

    secret_hash: str
    user_id: str
    shop_id: str
    csrf: str
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A program's key. `prefix` is what a person may see of it again."""

    id: str
    shop_id: str
    name: str
    prefix: str
    secret_hash: str
    role: Role
    created_at: int
    used_at: int = 0
    revoked_at: int | None = None


USER = codec(users, plain, lambda row: User(**columns(users, row)))

_count = statement(select(func.count().label("n")).select_from(users))
_by_login = statement(select(users).where(users.c.login == bindparam("login")))
_add_member = statement(insert(members))
_membership = statement(
    select(members.c.shop_id, members.c.role)
    .where(members.c.user_id == bindparam("user_id"))
    .order_by(members.c.created_at)
    .limit(1)
)
_owner = statement(
    select(users)
    .join(members, members.c.user_id == users.c.id)
    .where(members.c.shop_id == bindparam("shop_id"), members.c.role == "owner")
    .order_by(members.c.created_at)
    .limit(1)
)
_add_session = statement(insert(sessions))
_session = statement(
    select(sessions, members.c.role)
    .join(
        members,
        (members.c.user_id == sessions.c.user_id) & (members.c.shop_id == sessions.c.shop_id),
    )
    .where(
        sessions.c.secret_hash == bindparam("secret_hash"), sessions.c.expires_at > bindparam("now")
    )
)
_end_session = statement(delete(sessions).where(sessions.c.secret_hash == bindparam("secret_hash")))
_end_others = statement(
    delete(sessions).where(
        sessions.c.user_id == bindparam("user_id"), sessions.c.secret_hash != bindparam("keep")
    )
)
_end_old = statement(delete(sessions).where(sessions.c.expires_at <= bindparam("now")))
_add_key = statement(insert(api_keys))
_keys = statement(
    select(api_keys)
    .where(api_keys.c.shop_id == bindparam("shop_id"))
    .order_by(api_keys.c.id.desc())
)
KEY_BY_SECRET = statement(
    select(api_keys).where(
        api_keys.c.secret_hash == bindparam("secret_hash"), api_keys.c.revoked_at.is_(None)
    )
)
_revoke = statement(
    update(api_keys)
    .where(
        api_keys.c.id == bindparam("key_id"),
        api_keys.c.shop_id == bindparam("key_shop"),
        api_keys.c.revoked_at.is_(None),
    )
    .values(revoked_at=bindparam("revoked_at"))
)
_used = statement(
    update(api_keys)
    .where(api_keys.c.id == bindparam("key_id"))
    .values(used_at=bindparam("used_at"))
)


async def count(tx: Tx) -> int:
    """How many people there are."""
    row = await tx.fetch_one(_count)
    return int(row["n"]) if row else 0


async def get(tx: Tx, user_id: str) -> User | None:
    """The user, or None."""
    row = await tx.fetch_one(USER.by_id, id=user_id)
    return USER.from_row(row) if row else None


async def by_login(tx: Tx, login: str) -> User | None:
    """The user with this e-mail, in lower case."""
    row = await tx.fetch_one(_by_login, login=login)
    return USER.from_row(row) if row else None


async def owner(tx: Tx, shop_id: str) -> User | None:
    """The shop's first owner: who is told when a person must look."""
    row = await tx.fetch_one(_owner, shop_id=shop_id)
    return USER.from_row(row) if row else None


async def save(tx: Tx, user: User) -> None:
    """Stores a user, new or changed. Raises Stale, Conflict("uq_users_login")."""
    await tx.write_all([USER.save(user)])


async def add_member(tx: Tx, shop_id: str, user_id: str, role: Role, now: int) -> None:
    """Gives a user a place in a shop."""
    values = {"shop_id": shop_id, "user_id": user_id, "role": role, "created_at": now}
    await tx.execute(_add_member, **values)


async def membership(tx: Tx, user_id: str) -> tuple[str, Role] | None:
    """The shop a user came to first, and the role there."""
    row = await tx.fetch_one(_membership, user_id=user_id)
    return (row["shop_id"], Role(row["role"])) if row else None


async def add_session(tx: Tx, session: SessionRow) -> None:
    """Remembers a signed-in browser."""
    await tx.execute(_add_session, **plain(session))


async def session(tx: Tx, secret_hash: str, now: int) -> tuple[SessionRow, Role] | None:
    """A session that is still good at `now`, with the member's present role."""
    row = await tx.fetch_one(_session, secret_hash=secret_hash, now=now)
    return (SessionRow(**columns(sessions, row)), Role(row["role"])) if row else None


async def end_session(tx: Tx, secret_hash: str) -> None:
    """Signs a browser out."""
    await tx.execute(_end_session, secret_hash=secret_hash)


async def end_others(tx: Tx, user_id: str, keep: str) -> None:
    """Signs a user out everywhere but here."""
    await tx.execute(_end_others, user_id=user_id, keep=keep)


async def end_old(tx: Tx, now: int) -> None:
    """Drops sessions whose time is over."""
    await tx.execute(_end_old, now=now)


async def add_key(tx: Tx, key: ApiKey) -> None:
    """Remembers a program's key."""
    await tx.execute(_add_key, **plain(key))


def _api_key(row: Row) -> ApiKey:
    return ApiKey(role=Role(row["role"]), **columns(api_keys, row, "role"))


async def keys(tx: Tx, shop_id: str) -> list[ApiKey]:
    """A shop's keys, the newest first, revoked ones too."""
    return [_api_key(row) for row in await tx.fetch_all(_keys, shop_id=shop_id)]


async def key(tx: Tx, secret_hash: str) -> ApiKey | None:
    """The key with this secret, unless revoked."""
    row = await tx.fetch_one(KEY_BY_SECRET, secret_hash=secret_hash)
    return _api_key(row) if row else None


async def revoke_key(tx: Tx, shop_id: str, key_id: str, now: int) -> bool:
    """Revokes a key; False when there is no such live key."""
    return await tx.execute(_revoke, key_id=key_id, key_shop=shop_id, revoked_at=now) == 1


async def mark_used(tx: Tx, key_id: str, now: int) -> None:
    """Remembers when a key was last used."""
    await tx.execute(_used, key_id=key_id, used_at=now)
