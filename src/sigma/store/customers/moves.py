"""Merges and splits: what rows customers have, their locks, and the trace."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Table, bindparam, insert, select, union, update

from sigma.domain.customers.moves import Move, MoveKind
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, encode_json, field_values
from sigma.store.engine.statements import Statement, in_list, statement
from sigma.store.schema.customer_tables import (
    customer_identities,
    customer_moved_rows,
    customer_moves,
)
from sigma.store.schema.messaging_tables import conversations
from sigma.store.schema.tables import answers, invoices, payments

CHUNK: Final = 500  # ids in one statement
# The tables whose rows belong to a customer.
TABLES: Final[dict[str, Table]] = {
    table.name: table for table in (customer_identities, invoices, payments, conversations)
}
RowIds = dict[str, list[str]]  # table → ids


def _to_row(move: Move) -> dict[str, Any]:
    return field_values(move, "counts") | {"counts": encode_json(move.counts)}


def _from_row(row: Row) -> Move:
    return Move(
        kind=MoveKind(row["kind"]),
        counts=msgspec.json.decode(row["counts"]),
        **column_values(customer_moves, row, "kind", "counts"),
    )


CODEC = build_codec(customer_moves, _to_row, _from_row)

_ids_of_customer: dict[str, Statement] = {
    name: statement(
        select(table.c.id)
        .where(table.c.customer_id.is_not(None), table.c.customer_id == bindparam("customer_id"))
        .order_by(table.c.id)
    )
    for name, table in TABLES.items()
}
_set_customer: dict[str, Statement] = {
    name: statement(
        update(table)
        .where(
            in_list(table.c.id, "ids"),
            table.c.customer_id.is_not(None),
            table.c.customer_id == bindparam("from_id"),
        )
        .values(customer_id=bindparam("to_id"), version=table.c.version + 1)
    )
    for name, table in TABLES.items()
}
_record_rows: dict[str, Statement] = {
    name: statement(
        insert(customer_moved_rows).from_select(
            ["move_id", "row_id"],
            select(bindparam("move_id", type_=table.c.id.type), table.c.id).where(
                in_list(table.c.id, "ids")
            ),
        )
    )
    for name, table in TABLES.items()
}
_list_recorded = statement(
    select(customer_moved_rows.c.row_id)
    .where(customer_moved_rows.c.move_id == bindparam("move_id"))
    .order_by(customer_moved_rows.c.row_id)
)
# Payments may be of an invoice that somebody else was issued: its lock is theirs too.
_invoice_ids = union(
    select(invoices.c.id).where(
        invoices.c.customer_id.is_not(None), in_list(invoices.c.customer_id, "customer_ids")
    ),
    select(payments.c.invoice_id).where(
        payments.c.customer_id.is_not(None), in_list(payments.c.customer_id, "customer_ids")
    ),
)
_list_invoice_ids = statement(_invoice_ids)
_list_conversation_ids = statement(
    select(conversations.c.id).where(
        conversations.c.customer_id.is_not(None),
        in_list(conversations.c.customer_id, "customer_ids"),
    )
)
_lock_invoices = statement(
    select(invoices.c.id)
    .where(in_list(invoices.c.id, "ids"))
    .order_by(invoices.c.id)
    .with_for_update()
)
_lock_conversations = statement(
    select(conversations.c.id)
    .where(in_list(conversations.c.id, "ids"))
    .order_by(conversations.c.id)
    .with_for_update()
)
_payment_contacts = statement(
    select(
        payments.c.id,
        payments.c.invoice_id,
        conversations.c.peer_id,
        answers.c.email_hash,
        answers.c.phone_hash,
    )
    .outerjoin(conversations, conversations.c.id == payments.c.conversation_id)
    .outerjoin(answers, answers.c.payment_id == payments.c.id)
    .where(payments.c.customer_id.is_not(None), payments.c.customer_id == bindparam("customer_id"))
    .order_by(payments.c.id, answers.c.id)
)
_invoice_peers = statement(
    select(invoices.c.id, conversations.c.peer_id)
    .outerjoin(conversations, conversations.c.id == invoices.c.conversation_id)
    .where(invoices.c.customer_id.is_not(None), invoices.c.customer_id == bindparam("customer_id"))
    .order_by(invoices.c.id)
)
_conversation_peers = statement(
    select(conversations.c.id, conversations.c.peer_id, conversations.c.name)
    .where(
        conversations.c.customer_id.is_not(None),
        conversations.c.customer_id == bindparam("customer_id"),
    )
    .order_by(conversations.c.id)
)
_lock_move = statement(
    select(customer_moves).where(customer_moves.c.id == bindparam("id")).with_for_update()
)


def _list_moves_statement() -> Statement:
    sides = [
        select(customer_moves.c.id)
        .where(column == bindparam("customer_id"))
        .order_by(customer_moves.c.id.desc())
        .limit(bindparam("limit"))
        .subquery()
        for column in (customer_moves.c.from_id, customer_moves.c.to_id)
    ]
    found = union(*(select(side.c.id) for side in sides)).subquery()
    return statement(
        select(customer_moves)
        .join(found, found.c.id == customer_moves.c.id)
        .order_by(customer_moves.c.id.desc())
        .limit(bindparam("limit"))
    )


_list_moves = _list_moves_statement()


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    found = sorted(set(ids))
    for start in range(0, len(found), CHUNK):
        yield found[start : start + CHUNK]


async def lock_rows(tx: Tx, customer_ids: list[str]) -> set[str]:
    """Lock the invoices and conversations of customers; return their ids.

    Every other transaction takes these locks before those of contacts and customers.
    """
    invoice_ids, conversation_ids = await list_locked_ids(tx, customer_ids)
    for ids in _chunks(invoice_ids):
        await tx.fetch_all(_lock_invoices, ids=ids)
    for ids in _chunks(conversation_ids):
        await tx.fetch_all(_lock_conversations, ids=ids)
    return {*invoice_ids, *conversation_ids}


async def list_locked_ids(tx: Tx, customer_ids: list[str]) -> tuple[list[str], list[str]]:
    """Return the ids of the invoices and of the conversations whose locks a move needs."""
    invoice_rows = await tx.fetch_all(_list_invoice_ids, customer_ids=customer_ids)
    conversation_rows = await tx.fetch_all(_list_conversation_ids, customer_ids=customer_ids)
    return [row["id"] for row in invoice_rows], [row["id"] for row in conversation_rows]


async def rows_of(tx: Tx, customer_id: str) -> RowIds:
    """Return the ids of all rows of a customer, by table."""
    return {
        name: [row["id"] for row in await tx.fetch_all(stmt, customer_id=customer_id)]
        for name, stmt in _ids_of_customer.items()
    }


async def move_rows(tx: Tx, rows: Mapping[str, list[str]], from_id: str, to_id: str) -> int:
    """Give rows of one customer to another one; return how many. Rows of others stay."""
    count = 0
    for name, row_ids in rows.items():
        for ids in _chunks(row_ids):
            count += await tx.execute(_set_customer[name], ids=ids, from_id=from_id, to_id=to_id)
    return count


async def record_rows(tx: Tx, move_id: str, rows: Mapping[str, list[str]]) -> None:
    """Remember which rows a move moved. The move is stored before."""
    for name, row_ids in rows.items():
        for ids in _chunks(row_ids):
            await tx.execute(_record_rows[name], ids=ids, move_id=move_id)


async def recorded_rows(tx: Tx, move_id: str) -> RowIds:
    """Return the rows that a move moved, under each table: ids of other tables match nothing."""
    ids = [row["row_id"] for row in await tx.fetch_all(_list_recorded, move_id=move_id)]
    return dict.fromkeys(TABLES, ids)


async def payment_contacts(tx: Tx, customer_id: str) -> dict[str, tuple[str, int | None, str, str]]:
    """Return payment id → (invoice id, VK user of its conversation, hash of e-mail, of phone).

    The contacts are those of the latest answers.
    """
    rows = await tx.fetch_all(_payment_contacts, customer_id=customer_id)
    return {
        row["id"]: (
            row["invoice_id"], row["peer_id"], row["email_hash"] or "", row["phone_hash"] or ""
        )
        for row in rows
    }  # fmt: skip


async def invoice_peers(tx: Tx, customer_id: str) -> dict[str, int | None]:
    """Return invoice id → VK user of the conversation that it was issued in, or None."""
    rows = await tx.fetch_all(_invoice_peers, customer_id=customer_id)
    return {row["id"]: row["peer_id"] for row in rows}


async def conversation_peers(tx: Tx, customer_id: str) -> dict[str, tuple[int, str]]:
    """Return conversation id → (VK user, name of the profile)."""
    rows = await tx.fetch_all(_conversation_peers, customer_id=customer_id)
    return {row["id"]: (row["peer_id"], row["name"]) for row in rows}


async def get(tx: Tx, move_id: str) -> Move | None:
    """Return the move, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=move_id)
    return _from_row(row) if row else None


async def lock(tx: Tx, move_id: str) -> Move | None:
    """Return the move, locked until the transaction ends, or None."""
    row = await tx.fetch_one(_lock_move, id=move_id)
    return _from_row(row) if row else None


async def list_for_customer(tx: Tx, customer_id: str, limit: int = 50) -> list[Move]:
    """Return the latest moves from or to a customer, the newest first."""
    rows = await tx.fetch_all(_list_moves, customer_id=customer_id, limit=limit)
    return [_from_row(row) for row in rows]
