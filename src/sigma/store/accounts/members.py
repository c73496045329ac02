"""Members: the users of a shop with their roles; a user may be a member of several shops."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select, update

from sigma.domain.accounts.member import Role, User
from sigma.store.accounts import users as user_rows
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.statements import in_list, statement, upsert
from sigma.store.schema.account_tables import former_members, members, users
from sigma.store.schema.tables import shops
from sigma.store.search_text import like_pattern


@dataclass(frozen=True, slots=True)
class TeamMember:
    """A member with the data of the user. `joined_at_us`: UTC microseconds."""

    user_id: str
    login: str
    name: str
    role: Role
    joined_at_us: int


@dataclass(frozen=True, slots=True)
class OwnShop:
    """A shop of a user, and the user's role there."""

    shop_id: str
    name: str
    role: Role


_of_shop = members.c.shop_id == bindparam("shop_id")
_is_user = members.c.user_id == bindparam("user_id")
_insert = statement(insert(members))
_find_earliest_membership = statement(
    select(members.c.shop_id, members.c.role)
    .where(_is_user)
    .order_by(members.c.created_at_us)
    .limit(1)
)
_find_owner = statement(
    select(users)
    .join(members, members.c.user_id == users.c.id)
    .where(_of_shop, members.c.role == "owner")
    .order_by(members.c.created_at_us)
    .limit(1)
)
_names = select(users.c.id, users.c.name, users.c.login)
_list_names = statement(
    _names.join(members, members.c.user_id == users.c.id)
    .where(_of_shop)
    .union_all(
        _names.join(former_members, former_members.c.user_id == users.c.id).where(
            former_members.c.shop_id == bindparam("shop_id")
        )
    )
)
_team = (
    select(users.c.login, users.c.name, members)
    .join(members, members.c.user_id == users.c.id)
    .where(_of_shop)
)
_list_team = statement(
    _team.where(members.c.user_id > bindparam("after_id"))
    .order_by(members.c.user_id)
    .limit(bindparam("limit"))
)
_find_team_member = statement(_team.where(_is_user))
_find_role = statement(select(members.c.role).where(_of_shop, _is_user))
_list_roles = statement(
    select(members.c.user_id, members.c.shop_id, members.c.role).where(
        in_list(members.c.user_id, "ids")
    )
)
_find_owner_ids = statement(
    select(members.c.user_id).where(_of_shop, members.c.role == "owner").limit(1000)
)
_list_with_roles = statement(
    select(members.c.user_id, members.c.role)
    .where(_of_shop, in_list(members.c.role, "roles"))
    .limit(1000)
)
_set_role = statement(
    update(members)
    .where(
        members.c.shop_id == bindparam("key_shop_id"), members.c.user_id == bindparam("key_user_id")
    )
    .values(role=bindparam("new_role"))
)
_remove = statement(delete(members).where(_of_shop, _is_user))
_record_leaving = statement(upsert(former_members, ["shop_id", "user_id"], ["left_at_us"]))
_forget_leaving = statement(
    delete(former_members).where(
        former_members.c.shop_id == bindparam("shop_id"),
        former_members.c.user_id == bindparam("user_id"),
    )
)
_own_shops = (
    select(shops.c.id, shops.c.name, members.c.role)
    .join(members, members.c.shop_id == shops.c.id)
    .where(_is_user, members.c.shop_id > bindparam("after_id"))
    .order_by(members.c.shop_id)
)
_list_own_shops = statement(_own_shops.limit(bindparam("limit")))
_search_own_shops = statement(
    _own_shops.where(shops.c.search.like(bindparam("pattern"), escape="\\")).limit(
        bindparam("limit")
    )
)
_find_own_shop = statement(
    select(shops.c.id, shops.c.name, members.c.role)
    .join(members, members.c.shop_id == shops.c.id)
    .where(_is_user, _of_shop)
)


def _team_member(row: Row) -> TeamMember:
    return TeamMember(
        row["user_id"], row["login"], row["name"], Role(row["role"]), row["created_at_us"]
    )


def _own_shop(row: Row) -> OwnShop:
    return OwnShop(row["id"], row["name"], Role(row["role"]))


async def add(tx: Tx, shop_id: str, user_id: str, role: Role, now_us: int) -> None:
    """Make a user a member of a shop. Raises ConflictError for a member."""
    values = {"shop_id": shop_id, "user_id": user_id, "role": role, "created_at_us": now_us}
    await tx.execute(_insert, **values)
    await tx.execute(_forget_leaving, shop_id=shop_id, user_id=user_id)


async def find_earliest_membership(tx: Tx, user_id: str) -> tuple[str, Role] | None:
    """Return the id of the shop that the user joined first and the role there, or None."""
    row = await tx.fetch_one(_find_earliest_membership, user_id=user_id)
    return (row["shop_id"], Role(row["role"])) if row else None


async def find_role(tx: Tx, shop_id: str, user_id: str) -> Role | None:
    """Return the role of a user in a shop, None when the user is not a member."""
    row = await tx.fetch_one(_find_role, shop_id=shop_id, user_id=user_id)
    return Role(row["role"]) if row else None


async def find_owner(tx: Tx, shop_id: str) -> User | None:
    """Return the shop's first owner, who gets the mails about problems; None without an owner."""
    row = await tx.fetch_one(_find_owner, shop_id=shop_id)
    return user_rows.CODEC.from_row(row) if row else None


async def find_owner_ids(tx: Tx, shop_id: str) -> set[str]:
    """Return the user ids of the shop's owners."""
    return {row["user_id"] for row in await tx.fetch_all(_find_owner_ids, shop_id=shop_id)}


async def list_with_roles(tx: Tx, shop_id: str, roles: Collection[Role]) -> dict[str, Role]:
    """Return the members of a shop who have one of these roles, up to 1,000: user id → role."""
    rows = await tx.fetch_all(_list_with_roles, shop_id=shop_id, roles=[*map(str, roles)])
    return {row["user_id"]: Role(row["role"]) for row in rows}


async def list_names(tx: Tx, shop_id: str) -> dict[str, str]:
    """Return the display names of a shop's members by user id, also of those who have left.

    A display name is the user's name, or the part of the login before "@".
    """
    rows = await tx.fetch_all(_list_names, shop_id=shop_id)
    return {r["id"]: r["name"] or r["login"].partition("@")[0] for r in rows}


async def list_team(tx: Tx, shop_id: str, *, limit: int, after_id: str) -> list[TeamMember]:
    """Return the members of a shop after a user id, in the order of their accounts."""
    rows = await tx.fetch_all(_list_team, shop_id=shop_id, limit=limit, after_id=after_id)
    return [_team_member(row) for row in rows]


async def find_team_member(tx: Tx, shop_id: str, user_id: str) -> TeamMember | None:
    """Return a member of a shop, or None."""
    row = await tx.fetch_one(_find_team_member, shop_id=shop_id, user_id=user_id)
    return _team_member(row) if row else None


async def list_roles(tx: Tx, user_ids: list[str]) -> dict[str, dict[str, Role]]:
    """Return the roles of users: user id → shop id → role, the oldest shop first."""
    roles: dict[str, dict[str, Role]] = {}
    rows = await tx.fetch_all(_list_roles, ids=user_ids)
    for row in sorted(rows, key=lambda row: str(row["shop_id"])):
        roles.setdefault(row["user_id"], {})[row["shop_id"]] = Role(row["role"])
    return roles


async def set_role(tx: Tx, shop_id: str, user_id: str, role: Role) -> None:
    """Change the role of a member."""
    await tx.execute(_set_role, key_shop_id=shop_id, key_user_id=user_id, new_role=role)


async def remove(tx: Tx, shop_id: str, user_id: str, now_us: int) -> None:
    """Remove a member; the name stays for the shop's history."""
    await tx.execute(_remove, shop_id=shop_id, user_id=user_id)
    await tx.execute(_record_leaving, shop_id=shop_id, user_id=user_id, left_at_us=now_us)


async def list_own_shops(
    tx: Tx, user_id: str, *, limit: int, after_id: str = "", query: str = ""
) -> list[OwnShop]:
    """Return the shops of a user after a shop id, the oldest first; `query`: a part of the name."""
    values: dict[str, object] = {"user_id": user_id, "limit": limit, "after_id": after_id}
    if query:
        rows = await tx.fetch_all(_search_own_shops, pattern=like_pattern(query), **values)
    else:
        rows = await tx.fetch_all(_list_own_shops, **values)
    return [_own_shop(row) for row in rows]


async def find_own_shop(tx: Tx, user_id: str, shop_id: str) -> OwnShop | None:
    """Return a shop of a user, None when the user is not a member of it."""
    row = await tx.fetch_one(_find_own_shop, user_id=user_id, shop_id=shop_id)
    return _own_shop(row) if row else None
