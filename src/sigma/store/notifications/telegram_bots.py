"""The Telegram bots of shops, one each."""

from sqlalchemy import bindparam, delete, select

from sigma.domain.notifications.telegram_bot import TelegramBot
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.notification_tables import telegram_bots as table


def _from_row(row: Row) -> TelegramBot:
    return TelegramBot(**column_values(table, row))


CODEC = build_codec(table, field_values, _from_row)

_find = select(table).where(table.c.shop_id == bindparam("shop_id"))
_find_statement = statement(_find)
_lock = statement(_find.with_for_update())
_remove = statement(delete(table).where(table.c.shop_id == bindparam("shop_id")))


async def find(tx: Tx, shop_id: str) -> TelegramBot | None:
    """Return the bot of a shop, or None."""
    row = await tx.fetch_one(_find_statement, shop_id=shop_id)
    return _from_row(row) if row else None


async def lock(tx: Tx, shop_id: str) -> TelegramBot | None:
    """Return the bot of a shop, locked until the transaction ends."""
    row = await tx.fetch_one(_lock, shop_id=shop_id)
    return _from_row(row) if row else None


async def remove(tx: Tx, shop_id: str) -> bool:
    """Delete the bot of a shop. Returns False when there is none."""
    return await tx.execute(_remove, shop_id=shop_id) == 1
