"""What members have chosen: one row for each member of a shop who has chosen something."""

from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, select

from sigma.domain.accounts.member import Role
from sigma.domain.notifications.kind import Kind, Way
from sigma.domain.notifications.preferences import Choice, Preferences, QuietHours
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, encode_json, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.account_tables import members
from sigma.store.schema.notification_tables import notification_settings as table

MAX_MEMBERS = 1000  # of one shop


def _to_row(preferences: Preferences) -> dict[str, Any]:
    quiet = preferences.quiet
    return field_values(preferences, "choices", "quiet") | {
        "choices": encode_json(sorted(f"{kind}:{way}" for kind, way in preferences.choices)),
        "quiet_from_min": quiet.from_min if quiet else 0,
        "quiet_until_min": quiet.until_min if quiet else 0,
        "quiet_tz": quiet.tz if quiet else "",
        "has_sound": int(preferences.has_sound),
    }


def _from_row(row: Row) -> Preferences:
    quiet = None
    if row["quiet_tz"]:
        quiet = QuietHours(row["quiet_from_min"], row["quiet_until_min"], row["quiet_tz"])
    choices = frozenset(_choice(text) for text in msgspec.json.decode(row["choices"]))
    plain = column_values(
        table,
        row,
        *("choices", "quiet_from_min", "quiet_until_min", "quiet_tz", "has_sound"),
    )
    return Preferences(choices=choices, quiet=quiet, has_sound=bool(row["has_sound"]), **plain)


def _choice(text: str) -> Choice:
    kind, _, way = text.partition(":")
    return Kind(kind), Way(way)


CODEC = build_codec(table, _to_row, _from_row)

_is_member = (table.c.shop_id == bindparam("shop_id"), table.c.user_id == bindparam("user_id"))
_find = select(table).where(*_is_member)
_find_statement = statement(_find)
_lock = statement(_find.with_for_update())
_list_for_shop = statement(
    select(table, members.c.role)
    .join(members, (members.c.shop_id == table.c.shop_id) & (members.c.user_id == table.c.user_id))
    .where(table.c.shop_id == bindparam("shop_id"))
    .limit(MAX_MEMBERS)
)
_remove = statement(delete(table).where(*_is_member))


async def find(tx: Tx, shop_id: str, user_id: str) -> Preferences | None:
    """Return what a member has chosen, None for one who has chosen nothing yet."""
    row = await tx.fetch_one(_find_statement, shop_id=shop_id, user_id=user_id)
    return _from_row(row) if row else None


async def lock(tx: Tx, shop_id: str, user_id: str) -> Preferences | None:
    """Return what a member has chosen, locked until the transaction ends."""
    row = await tx.fetch_one(_lock, shop_id=shop_id, user_id=user_id)
    return _from_row(row) if row else None


async def list_for_shop(tx: Tx, shop_id: str) -> list[tuple[Preferences, Role]]:
    """Return what the present members of a shop have chosen, with their roles."""
    rows = await tx.fetch_all(_list_for_shop, shop_id=shop_id)
    return [(_from_row(row), Role(row["role"])) for row in rows]


async def remove(tx: Tx, shop_id: str, user_id: str) -> None:
    """Forget what somebody who has left the team had chosen."""
    await tx.execute(_remove, shop_id=shop_id, user_id=user_id)
