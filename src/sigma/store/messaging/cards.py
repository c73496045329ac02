"""Invoice cards."""

from collections.abc import Iterable

from sqlalchemy import bindparam, func, select, union

from sigma.domain.messaging.card import Card, CardState
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import in_list, statement
from sigma.store.schema.messaging_tables import cards, conversations, vk_orders
from sigma.store.schema.tables import connections, jobs


def _from_row(row: Row) -> Card:
    return Card(state=CardState(row["state"]), **column_values(cards, row, "state"))


CODEC = build_codec(cards, field_values, _from_row)

_list_for_invoice = statement(
    select(cards).where(cards.c.invoice_id == bindparam("invoice_id")).order_by(cards.c.id)
)
_lock = statement(select(cards).where(cards.c.id == bindparam("id")).with_for_update())
_list_for_conversation = statement(
    select(cards)
    .where(cards.c.conversation_id == bindparam("conversation_id"))
    .order_by(cards.c.id.desc())
)
_find_for_invoices = statement(
    select(cards).where(
        in_list(cards.c.invoice_id, "invoice_ids"),
        cards.c.conversation_id == bindparam("conversation_id"),
    )
)
_shop_id = (
    select(connections.c.shop_id)
    .where(connections.c.id == bindparam("connection_id"))
    .scalar_subquery()
)
_cards_of_community = (
    select(cards.c.invoice_id, cards.c.shop_id)
    .join(conversations, conversations.c.id == cards.c.conversation_id)
    # coalesce() keeps SQLite from walking all conversations of the community.
    .where(func.coalesce(conversations.c.connection_id, "") == bindparam("connection_id"))
)
_list_outdated = statement(
    union(
        _cards_of_community.join(jobs, jobs.c.subject_id == cards.c.invoice_id).where(
            jobs.c.shop_id == _shop_id, jobs.c.kind == "card.refresh"
        ),
        _cards_of_community.where(
            cards.c.shop_id == _shop_id,
            cards.c.message_fingerprint == "",
            cards.c.message_id.is_not(None),
        ),
        select(vk_orders.c.invoice_id, vk_orders.c.shop_id).where(
            vk_orders.c.connection_id == bindparam("connection_id"),
            vk_orders.c.invoice_id.is_not(None),
            # A range, because LIKE does not use an index: ";" is the character after ":".
            vk_orders.c.vk_payment_status > "rejected:",
            vk_orders.c.vk_payment_status < "rejected;",
        ),
    )
)


async def get(tx: Tx, card_id: str) -> Card | None:
    """Return the card, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=card_id)
    return _from_row(row) if row else None


async def lock(tx: Tx, card_id: str) -> Card:
    """Return the card, locked until the transaction ends. The card must exist."""
    row = await tx.fetch_one(_lock, id=card_id)
    assert row is not None, f"cannot lock an unknown card: {card_id}"
    return _from_row(row)


async def list_for_invoice(tx: Tx, invoice_id: str) -> list[Card]:
    """Return the cards of an invoice, one per conversation, the oldest first; usually one."""
    return [_from_row(r) for r in await tx.fetch_all(_list_for_invoice, invoice_id=invoice_id)]


async def list_for_conversation(tx: Tx, conversation_id: str) -> list[Card]:
    """Return all cards of a conversation, the newest first."""
    rows = await tx.fetch_all(_list_for_conversation, conversation_id=conversation_id)
    return [_from_row(r) for r in rows]


async def find_for_invoices(
    tx: Tx, conversation_id: str, invoice_ids: Iterable[str]
) -> dict[str, Card]:
    """Return the cards of these invoices in a conversation by invoice id, where there is one."""
    rows = await tx.fetch_all(
        _find_for_invoices, conversation_id=conversation_id, invoice_ids=list(invoice_ids)
    )
    return {row["invoice_id"]: _from_row(row) for row in rows}


async def list_outdated(tx: Tx, connection_id: str) -> list[tuple[str, str]]:
    """Return (invoice id, shop id) of a community's invoices with outdated cards or VK orders.

    A card is outdated when a refresh job exists or the content of its message is unknown; a VK
    order when VK refused its payment status.
    """
    rows = await tx.fetch_all(_list_outdated, connection_id=connection_id)
    return [(row["invoice_id"], row["shop_id"]) for row in rows]
