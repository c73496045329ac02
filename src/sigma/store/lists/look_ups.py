"""Look-ups of a search: invoices and payments by number and by ids of other systems."""

from collections.abc import Sequence

from sqlalchemy import bindparam, select

from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import in_list, statement
from sigma.store.lists.reading import Selection, list_ids
from sigma.store.schema.messaging_tables import conversations
from sigma.store.schema.tables import connections, invoices, payments, refunds

_invoice_by_number = statement(
    select(invoices.c.id).where(
        invoices.c.shop_id == bindparam("shop_id"), invoices.c.number == bindparam("number")
    )
)
_payment_by_id = statement(
    select(payments.c.id).where(
        payments.c.id == bindparam("id"), payments.c.shop_id == bindparam("shop_id")
    )
)
_payment_of_refund = statement(
    select(refunds.c.payment_id.label("id")).where(
        refunds.c.id == bindparam("id"), refunds.c.shop_id == bindparam("shop_id")
    )
)
_payments_of_acquirer = statement(
    select(payments.c.id)
    .select_from(connections)
    .join(payments, payments.c.connection_id == connections.c.id)
    .where(
        connections.c.shop_id == bindparam("shop_id"),
        payments.c.provider_id == bindparam("external_id"),
    )
)
_payments_of_refunds = statement(
    select(refunds.c.payment_id.label("id"))
    .select_from(connections)
    .join(refunds, refunds.c.connection_id == connections.c.id)
    .where(
        connections.c.shop_id == bindparam("shop_id"),
        refunds.c.provider_id == bindparam("external_id"),
    )
)
_conversation_ids = statement(
    select(conversations.c.id)
    .select_from(connections)
    .join(conversations, conversations.c.connection_id == connections.c.id)
    .where(
        connections.c.shop_id == bindparam("shop_id"),
        conversations.c.peer_id == bindparam("peer_id"),
    )
)
_payments_of_conversations = statement(
    select(payments.c.id)
    .where(payments.c.conversation_id.is_not(None), in_list(payments.c.conversation_id, "ids"))
    .order_by(payments.c.id.desc())
    .limit(bindparam("limit"))
)
_invoices_of_conversations = statement(
    select(invoices.c.id)
    .where(invoices.c.conversation_id.is_not(None), in_list(invoices.c.conversation_id, "ids"))
    .order_by(invoices.c.id.desc())
    .limit(bindparam("limit"))
)
_payments_of_invoices = statement(
    select(payments.c.id)
    .where(in_list(payments.c.invoice_id, "ids"))
    .order_by(payments.c.id.desc())
    .limit(bindparam("limit"))
)
_invoices_of_payments = statement(
    select(payments.c.invoice_id.label("id")).where(in_list(payments.c.id, "ids"))
)


async def invoice_by_number(tx: Tx, shop_id: str, number: int) -> str | None:
    """Return the id of the shop's invoice with this number, or None."""
    row = await tx.fetch_one(_invoice_by_number, shop_id=shop_id, number=number)
    return row["id"] if row else None


async def payments_by_external_id(tx: Tx, shop_id: str, text: str) -> list[str]:
    """Return payments with this id of Sigma (also of a refund) or of an acquirer."""
    if text.startswith("pay_"):
        rows = await tx.fetch_all(_payment_by_id, id=text, shop_id=shop_id)
    elif text.startswith("ref_"):
        rows = await tx.fetch_all(_payment_of_refund, id=text, shop_id=shop_id)
    else:
        rows = await tx.fetch_all(_payments_of_acquirer, shop_id=shop_id, external_id=text)
        rows += await tx.fetch_all(_payments_of_refunds, shop_id=shop_id, external_id=text)
    return [row["id"] for row in rows]


async def payments_by_vk_id(tx: Tx, shop_id: str, vk_id: int, limit: int) -> list[str]:
    """Return the latest payments of a VK user: of their conversations, and of invoices there."""
    ids = await _conversations_of(tx, shop_id, vk_id)
    if not ids:
        return []
    rows = await tx.fetch_all(_payments_of_conversations, ids=ids, limit=limit)
    invoice_ids = await _fetch_invoices(tx, ids, limit)
    rows += await tx.fetch_all(_payments_of_invoices, ids=invoice_ids, limit=limit)
    return list(dict.fromkeys(row["id"] for row in rows))


async def invoices_by_vk_id(tx: Tx, shop_id: str, vk_id: int, limit: int) -> list[str]:
    """Return the latest invoices that were issued in the conversations of a VK user."""
    ids = await _conversations_of(tx, shop_id, vk_id)
    return await _fetch_invoices(tx, ids, limit) if ids else []


async def _conversations_of(tx: Tx, shop_id: str, vk_id: int) -> list[str]:
    rows = await tx.fetch_all(_conversation_ids, shop_id=shop_id, peer_id=vk_id)
    return [row["id"] for row in rows]


async def _fetch_invoices(tx: Tx, conversation_ids: list[str], limit: int) -> list[str]:
    rows = await tx.fetch_all(_invoices_of_conversations, ids=conversation_ids, limit=limit)
    return [row["id"] for row in rows]


async def invoices_of_payments(tx: Tx, payment_ids: Sequence[str]) -> list[str]:
    """Return the invoices of payments."""
    if not payment_ids:
        return []
    rows = await tx.fetch_all(_invoices_of_payments, ids=list(payment_ids))
    return list(dict.fromkeys(row["id"] for row in rows))


async def latest_ids(tx: Tx, selection: Selection, limit: int) -> Sequence[str]:
    """Return the first ids of a selection; what lies beyond a window is left out."""
    page = await list_ids(tx, selection, limit=limit)
    return page.ids if page else ()
