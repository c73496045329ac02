"""Administrators of the installation: they create shops and set quotas."""

from sqlalchemy import bindparam, delete, select

from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import in_list, insert_ignore, statement
from sigma.store.schema.account_tables import administrators

_add = statement(insert_ignore(administrators, "user_id"))
_remove = statement(delete(administrators).where(administrators.c.user_id == bindparam("user_id")))
_filter_ids = statement(
    select(administrators.c.user_id).where(in_list(administrators.c.user_id, "ids"))
)
_find = statement(
    select(administrators.c.user_id).where(administrators.c.user_id == bindparam("user_id"))
)


async def add(tx: Tx, user_id: str, now_us: int) -> None:
    """Make a user an administrator of the installation; nothing changes for one."""
    await tx.execute(_add, user_id=user_id, created_at_us=now_us)


async def remove(tx: Tx, user_id: str) -> bool:
    """Take the right from an administrator. Returns False for who is none."""
    return await tx.execute(_remove, user_id=user_id) == 1


async def filter_ids(tx: Tx, user_ids: list[str]) -> set[str]:
    """Return those of the users who administer the installation."""
    return {row["user_id"] for row in await tx.fetch_all(_filter_ids, ids=user_ids)}


async def is_administrator(tx: Tx, user_id: str) -> bool:
    """Return whether the user administers the installation."""
    return await tx.fetch_one(_find, user_id=user_id) is not None
