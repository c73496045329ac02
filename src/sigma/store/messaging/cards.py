"""Invoices in dialogs, and the orders of VK's own shop, as rows."""

from typing import Any

import msgspec
from sqlalchemy import and_, bindparam, or_, select, union

from sigma.domain.change import Job
from sigma.domain.messaging.card import Card, Face, Order
from sigma.store.engine.interface import Op, Row, Tx
from sigma.store.engine.row_codec import amount, codec, columns, encode, plain
from sigma.store.engine.statements import statement, upsert
from sigma.store.schema.messaging_tables import auto_answers, cards, conversations, orders
from sigma.store.schema.tables import jobs


def _card(row: Row) -> Card:
    return Card(face=Face(row["face"]), **columns(cards, row, "face"))


def _order_row(order: Order) -> dict[str, Any]:
    return plain(order, "amount") | {
        "amount_minor": order.amount.minor,
        "currency": order.amount.currency,
    }


def _order(row: Row) -> Order:
    return Order(amount=amount(row), **columns(orders, row, "amount_minor", "currency"))


CODEC = codec(cards, plain, _card)
ORDER = codec(orders, _order_row, _order)

_of_invoice = statement(
    select(cards).where(cards.c.invoice_id == bindparam("invoice_id")).order_by(cards.c.id)
)
_lock = statement(select(cards).where(cards.c.id == bindparam("id")).with_for_update())
_of_conversation = statement(
    select(cards)
    .where(cards.c.conversation_id == bindparam("conversation_id"))
    .order_by(cards.c.id.desc())
    .limit(50)
)
_waits = and_(jobs.c.kind == "card.refresh", jobs.c.subject == cards.c.invoice_id)
_behind = statement(
    union(
        select(cards.c.invoice_id, cards.c.shop_id)
        .join(conversations, conversations.c.id == cards.c.conversation_id)
        .outerjoin(jobs, _waits)
        .where(
            conversations.c.connection_id == bindparam("connection_id"),
            or_(
                jobs.c.subject.is_not(None),
                and_(cards.c.shown == "", cards.c.message_id.is_not(None)),
            ),
        ),
        select(orders.c.invoice_id, orders.c.shop_id).where(
            orders.c.connection_id == bindparam("connection_id"),
            orders.c.invoice_id.is_not(None),
            orders.c.told.like("no:%"),
        ),
    )
)
_orders_of = statement(
    select(orders)
    .where(orders.c.conversation_id == bindparam("conversation_id"))
    .order_by(orders.c.id.desc())
    .limit(50)
)
_order_by_vk = statement(
    select(orders).where(
        orders.c.connection_id == bindparam("connection_id"),
        orders.c.vk_user_id == bindparam("vk_user_id"),
        orders.c.vk_order_id == bindparam("vk_order_id"),
    )
)
_order_of_invoice = statement(select(orders).where(orders.c.invoice_id == bindparam("invoice_id")))
_auto = statement(select(auto_answers).where(auto_answers.c.id == bindparam("id")))
_save_auto = statement(upsert(auto_answers, ["id"], ["body"]))


async def get(tx: Tx, card_id: str) -> Card | None:
    """The card, or None."""
    row = await tx.fetch_one(CODEC.by_id, id=card_id)
    return _card(row) if row else None


async def lock(tx: Tx, card_id: str) -> Card:
    """The card, locked until the transaction ends."""
    row = await tx.fetch_one(_lock, id=card_id)
    assert row is not None, "whoever locks a card has seen it"
    return _card(row)


async def of_invoice(tx: Tx, invoice_id: str) -> list[Card]:
    """The dialogs' cards of an invoice, the oldest first; mostly one."""
    return [_card(r) for r in await tx.fetch_all(_of_invoice, invoice_id=invoice_id)]


async def of_conversation(tx: Tx, conversation_id: str) -> list[Card]:
    """The cards of a dialog, the newest first."""
    rows = await tx.fetch_all(_of_conversation, conversation_id=conversation_id)
    return [_card(r) for r in rows]


async def anew(tx: Tx, conversation_id: str) -> tuple[Job, ...]:
    """The work of a dialog in which we may write again: its cards say what they could not."""
    found = await of_conversation(tx, conversation_id)
    return tuple(Job("card.refresh", card.invoice_id, card.shop_id) for card in found)


async def behind(tx: Tx, connection_id: str) -> tuple[Job, ...]:
    """The work that waits for a community: cards that say something old, orders that VK did not
    take.
    """
    rows = await tx.fetch_all(_behind, connection_id=connection_id)
    return tuple(Job("card.refresh", row["invoice_id"], row["shop_id"]) for row in rows)


async def order(tx: Tx, order_id: str) -> Order | None:
    """The order, or None."""
    row = await tx.fetch_one(ORDER.by_id, id=order_id)
    return _order(row) if row else None


async def order_by_vk(
    tx: Tx, connection_id: str, vk_user_id: int, vk_order_id: int
) -> Order | None:
    """The order by VK's own numbers."""
    row = await tx.fetch_one(
        _order_by_vk, connection_id=connection_id, vk_user_id=vk_user_id, vk_order_id=vk_order_id
    )
    return _order(row) if row else None


async def orders_of(tx: Tx, conversation_id: str) -> list[Order]:
    """The orders of a dialog's client, the newest first."""
    rows = await tx.fetch_all(_orders_of, conversation_id=conversation_id)
    return [_order(r) for r in rows]


async def order_of_invoice(tx: Tx, invoice_id: str) -> Order | None:
    """The order that an invoice is for."""
    row = await tx.fetch_one(_order_of_invoice, invoice_id=invoice_id)
    return _order(row) if row else None


async def auto_answers_of(tx: Tx, shop_id: str) -> dict[str, Any]:
    """What a shop lets Sigma answer by itself; empty when nobody has said."""
    row = await tx.fetch_one(_auto, id=shop_id)
    found: dict[str, Any] = msgspec.json.decode(row["body"]) if row else {}
    return found


def save_auto_answers(shop_id: str, body: dict[str, Any]) -> Op:
    """The write of a shop's automatic answers."""
    return Op(_save_auto, {"id": shop_id, "body": encode(body), "version": 1})
