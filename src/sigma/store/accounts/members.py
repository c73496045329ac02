"""Members: the users of a shop with their roles."""

from sqlalchemy import bindparam, insert, select

from sigma.domain.accounts.member import Role, User
from sigma.store.accounts import users as user_rows
from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import statement
from sigma.store.schema.account_tables import members, users

_insert = statement(insert(members))
_find_first = statement(
    select(members.c.shop_id, members.c.role)
    .where(members.c.user_id == bindparam("user_id"))
    .order_by(members.c.created_at_us)
    .limit(1)
)
_find_owner = statement(
    select(users)
    .join(members, members.c.user_id == users.c.id)
    .where(members.c.shop_id == bindparam("shop_id"), members.c.role == "owner")
    .order_by(members.c.created_at_us)
    .limit(1)
)
_list_names = statement(
    select(users.c.id, users.c.name, users.c.login)
    .join(members, members.c.user_id == users.c.id)
    .where(members.c.shop_id == bindparam("shop_id"))
)


async def add(tx: Tx, shop_id: str, user_id: str, role: Role, now_us: int) -> None:
    """Make a user a member of a shop."""
    values = {"shop_id": shop_id, "user_id": user_id, "role": role, "created_at_us": now_us}
    await tx.execute(_insert, **values)


async def find_first(tx: Tx, user_id: str) -> tuple[str, Role] | None:
    """Return the id of the shop that the user joined first and the role there, or None."""
    row = await tx.fetch_one(_find_first, user_id=user_id)
    return (row["shop_id"], Role(row["role"])) if row else None


async def find_owner(tx: Tx, shop_id: str) -> User | None:
    """Return the shop's first owner, who gets the mails about problems; None without an owner."""
    row = await tx.fetch_one(_find_owner, shop_id=shop_id)
    return user_rows.CODEC.from_row(row) if row else None


async def list_names(tx: Tx, shop_id: str) -> dict[str, str]:
    """Return the display names of a shop's members by user id.

    A display name is the user's name, or the part of the login before "@".
    """
    rows = await tx.fetch_all(_list_names, shop_id=shop_id)
    return {r["id"]: r["name"] or r["login"].partition("@")[0] for r in rows}
