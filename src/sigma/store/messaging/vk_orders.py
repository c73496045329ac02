"""VK orders."""

from sqlalchemy import bindparam, func, select

from sigma.domain.messaging.vk_order import COMPLETED_STATUS, VkOrder
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import statement
from sigma.store.schema.messaging_tables import vk_orders


def _from_row(row: Row) -> VkOrder:
    return VkOrder(**column_values(vk_orders, row))


CODEC = build_codec(vk_orders, field_values, _from_row)


_list_for_conversation = statement(
    select(vk_orders)
    .where(vk_orders.c.conversation_id == bindparam("conversation_id"))
    .order_by(vk_orders.c.id.desc())
    .limit(bindparam("limit"))
)
_find_by_vk_id = statement(
    select(vk_orders).where(
        vk_orders.c.connection_id == bindparam("connection_id"),
        vk_orders.c.vk_user_id == bindparam("vk_user_id"),
        vk_orders.c.vk_order_id == bindparam("vk_order_id"),
    )
)
_find_for_invoice = statement(
    select(vk_orders).where(vk_orders.c.invoice_id == bindparam("invoice_id"))
)
# Orders that VK may still change: not completed, cancelled or returned.
_oldest_open = statement(
    select(func.min(vk_orders.c.created_at_us).label("created_at_us")).where(
        vk_orders.c.connection_id == bindparam("connection_id"),
        vk_orders.c.status < COMPLETED_STATUS,
    )
)


async def get(tx: Tx, order_id: str) -> VkOrder | None:
    """Return the VK order, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=order_id)
    return _from_row(row) if row else None


async def find_by_vk_id(
    tx: Tx, connection_id: str, vk_user_id: int, vk_order_id: int
) -> VkOrder | None:
    """Return the VK order with these ids in VK, or None."""
    row = await tx.fetch_one(
        _find_by_vk_id, connection_id=connection_id, vk_user_id=vk_user_id, vk_order_id=vk_order_id
    )
    return _from_row(row) if row else None


async def find_for_invoice(tx: Tx, invoice_id: str) -> VkOrder | None:
    """Return the VK order of an invoice, or None."""
    row = await tx.fetch_one(_find_for_invoice, invoice_id=invoice_id)
    return _from_row(row) if row else None


async def list_for_conversation(tx: Tx, conversation_id: str, limit: int) -> list[VkOrder]:
    """Return the VK orders of a conversation, the newest first."""
    rows = await tx.fetch_all(_list_for_conversation, conversation_id=conversation_id, limit=limit)
    return [_from_row(r) for r in rows]


async def oldest_open_at_us(tx: Tx, connection_id: str) -> int | None:
    """Return when a community's oldest order that is not final was received, or None."""
    row = await tx.fetch_one(_oldest_open, connection_id=connection_id)
    return row["created_at_us"] if row else None
