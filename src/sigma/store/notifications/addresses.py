"""Where ways reach members: VK pages, Telegram chats, browsers."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, select

from sigma.domain.notifications.address import Address
from sigma.domain.notifications.kind import Way
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.notification_tables import notification_addresses as table

MAX_ROWS = 100


def _from_row(row: Row) -> Address:
    return Address(way=Way(row["way"]), **column_values(table, row, "way"))


CODEC = build_codec(table, field_values, _from_row)

_is_member = (table.c.shop_id == bindparam("shop_id"), table.c.user_id == bindparam("user_id"))
_list_for_member = statement(
    select(table).where(*_is_member).order_by(table.c.way, table.c.id).limit(MAX_ROWS)
)
_list_for_way = statement(
    select(table)
    .where(*_is_member, table.c.way == bindparam("way"), table.c.address_encrypted != "")
    .order_by(table.c.id)
    .limit(MAX_ROWS)
)
_list_linked = statement(
    select(table.c.user_id, table.c.way)
    .where(table.c.shop_id == bindparam("shop_id"), table.c.address_encrypted != "")
    .distinct()
    .limit(4000)
)
_find_by_code = statement(
    select(table).where(table.c.code_hash == bindparam("code_hash"), table.c.code_hash != "")
)
_list_by_hash = statement(
    select(table)
    .where(
        table.c.shop_id == bindparam("shop_id"),
        table.c.address_hash == bindparam("address_hash"),
        table.c.address_hash != "",
    )
    .limit(MAX_ROWS)
)
_list_everywhere = statement(
    select(table)
    .where(table.c.address_hash == bindparam("address_hash"), table.c.address_hash != "")
    .limit(MAX_ROWS)
)
_remove = statement(delete(table).where(*_is_member, table.c.id == bindparam("id")))
_remove_unlinked = statement(
    delete(table).where(
        *_is_member, table.c.way == bindparam("way"), table.c.address_encrypted == ""
    )
)
_remove_all = statement(delete(table).where(*_is_member))


async def list_for_member(tx: Tx, shop_id: str, user_id: str) -> list[Address]:
    """Return the addresses of a member in a shop, also those whose code still waits."""
    rows = await tx.fetch_all(_list_for_member, shop_id=shop_id, user_id=user_id)
    return [_from_row(row) for row in rows]


async def list_for_way(tx: Tx, shop_id: str, user_id: str, way: Way) -> list[Address]:
    """Return the linked addresses of a member by one way, the oldest first."""
    rows = await tx.fetch_all(_list_for_way, shop_id=shop_id, user_id=user_id, way=way)
    return [_from_row(row) for row in rows]


async def list_linked(tx: Tx, shop_id: str) -> set[tuple[str, Way]]:
    """Return which members of a shop can be reached by which ways: user id and way."""
    rows = await tx.fetch_all(_list_linked, shop_id=shop_id)
    return {(row["user_id"], Way(row["way"])) for row in rows}


async def find_by_code(tx: Tx, code_hash: str) -> Address | None:
    """Return the address that waits for a code, also an expired one."""
    row = await tx.fetch_one(_find_by_code, code_hash=code_hash)
    return _from_row(row) if row else None


async def list_by_hash(tx: Tx, shop_id: str, address_hashes: Sequence[str]) -> list[Address]:
    """Return the addresses of a shop with the same VK page, chat or browser, of all members.

    `address_hashes`: those that it may have, by today's and earlier keys.
    """
    found: list[Address] = []
    for address_hash in address_hashes:
        rows = await tx.fetch_all(_list_by_hash, shop_id=shop_id, address_hash=address_hash)
        found += [_from_row(row) for row in rows]
    return found


async def list_everywhere(tx: Tx, address_hashes: Sequence[str]) -> list[Address]:
    """Return the addresses with the same chat or browser of all shops, see `list_by_hash`."""
    found: list[Address] = []
    for address_hash in address_hashes:
        rows = await tx.fetch_all(_list_everywhere, address_hash=address_hash)
        found += [_from_row(row) for row in rows]
    return found


async def remove(tx: Tx, shop_id: str, user_id: str, address_id: str) -> bool:
    """Delete an address of a member. Returns False when there is none."""
    return await tx.execute(_remove, shop_id=shop_id, user_id=user_id, id=address_id) == 1


async def remove_unlinked(tx: Tx, shop_id: str, user_id: str, way: Way) -> None:
    """Delete what waits for a code: only the newest code of a way is valid."""
    await tx.execute(_remove_unlinked, shop_id=shop_id, user_id=user_id, way=way)


async def remove_all(tx: Tx, shop_id: str, user_id: str) -> None:
    """Delete all addresses of somebody who has left the team."""
    await tx.execute(_remove_all, shop_id=shop_id, user_id=user_id)
