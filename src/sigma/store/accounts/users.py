"""Users. Only the hashes of their passwords are stored."""

from sqlalchemy import bindparam, func, select

from sigma.domain.accounts.member import User
from sigma.store.engine.interface import Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.account_tables import users

CODEC = build_codec(users, field_values, lambda row: User(**column_values(users, row)))

_count = statement(select(func.count().label("n")).select_from(users))
_list_page = statement(
    select(users)
    .where(users.c.id > bindparam("after_id"))
    .order_by(users.c.id)
    .limit(bindparam("limit"))
)
_lock = statement(select(users).where(users.c.id == bindparam("id")).with_for_update())
_find_by_login = statement(select(users).where(users.c.login == bindparam("login")))


async def count(tx: Tx) -> int:
    """Return the number of users of this installation."""
    row = await tx.fetch_one(_count)
    return int(row["n"]) if row else 0


async def get(tx: Tx, user_id: str) -> User | None:
    """Return the user, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=user_id)
    return CODEC.from_row(row) if row else None


async def lock(tx: Tx, user_id: str) -> User | None:
    """Return the user, locked until the transaction ends, or None.

    The lock of the user's sessions and second factors: who opens a session sees a password that
    another transaction has changed, or is seen by it.
    """
    row = await tx.fetch_one(_lock, id=user_id)
    return CODEC.from_row(row) if row else None


async def find_by_login(tx: Tx, login: str) -> User | None:
    """Return the user with this e-mail (in lower case), or None."""
    row = await tx.fetch_one(_find_by_login, login=login)
    return CODEC.from_row(row) if row else None


async def list_page(tx: Tx, *, after_id: str, limit: int) -> list[User]:
    """Return the users of the installation after an id, the oldest first."""
    rows = await tx.fetch_all(_list_page, after_id=after_id, limit=limit)
    return [CODEC.from_row(row) for row in rows]


async def save(tx: Tx, user: User) -> None:
    """Save a new or changed user. Raises StaleError, ConflictError("uq_users_login")."""
    await tx.write_all([CODEC.save(user)])
