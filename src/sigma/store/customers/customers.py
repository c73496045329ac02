"""Customers, and their search index."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from sigma.domain.customers.customer import Customer, NameSource
from sigma.store.engine.interface import Op, Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import in_list, insert_ignore, statement
from sigma.store.schema.customer_tables import customer_tokens, customers


def _to_row(customer: Customer) -> dict[str, Any]:
    return field_values(customer)


def from_row(row: Row) -> Customer:
    """Return the customer of a row."""
    return Customer(
        name_source=NameSource(row["name_source"]), **column_values(customers, row, "name_source")
    )


CODEC = build_codec(customers, _to_row, from_row)

_lock = statement(select(customers).where(customers.c.id == bindparam("id")).with_for_update())
_find_by_ids = statement(select(customers).where(in_list(customers.c.id, "ids")))
_delete = statement(delete(customers).where(customers.c.id == bindparam("id")))
# No new version: a later time is right whatever else has changed.
_touch = statement(
    update(customers)
    .where(
        customers.c.id == bindparam("key_id"), customers.c.last_activity_at_us < bindparam("at_us")
    )
    .values(last_activity_at_us=bindparam("at_us"))
)
_add_token = statement(insert_ignore(customer_tokens, "shop_id", "token_hash", "customer_id"))
_delete_tokens = statement(
    delete(customer_tokens).where(customer_tokens.c.customer_id == bindparam("customer_id"))
)


async def get(tx: Tx, customer_id: str) -> Customer | None:
    """Return the customer, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=customer_id)
    return from_row(row) if row else None


async def find_by_ids(tx: Tx, ids: Iterable[str]) -> dict[str, Customer]:
    """Return the customers with these ids, by id; unknown ids are left out."""
    rows = await tx.fetch_all(_find_by_ids, ids=sorted(set(ids)))
    return {row["id"]: from_row(row) for row in rows}


async def lock(tx: Tx, customer_id: str) -> Customer | None:
    """Return the customer, locked until the transaction ends, or None.

    Lock invoices, conversations and identities first: every transaction takes them in this order.
    """
    row = await tx.fetch_one(_lock, id=customer_id)
    return from_row(row) if row else None


def save(customer: Customer) -> Op:
    """Return the write of a customer."""
    return CODEC.save(customer)


async def remove(tx: Tx, customer_id: str) -> None:
    """Delete a customer that nothing refers to, with its words."""
    await tx.execute(_delete_tokens, customer_id=customer_id)
    await tx.execute(_delete, id=customer_id)


def touch(customer_id: str, at_us: int) -> Op:
    """Return the write of a later `last_activity_at_us`; an earlier time changes nothing."""
    return Op(_touch, {"key_id": customer_id, "at_us": at_us}, expected_rows=None)


async def index_words(tx: Tx, shop_id: str, customer_id: str, token_hashes: Iterable[int]) -> None:
    """Replace the words by which a customer is found."""
    await tx.execute(_delete_tokens, customer_id=customer_id)
    ops = [
        Op(
            _add_token,
            {"shop_id": shop_id, "token_hash": token_hash, "customer_id": customer_id},
            expected_rows=None,
        )
        for token_hash in sorted(set(token_hashes))
    ]
    # PostgreSQL prepares one statement per batch size: powers of two keep their number small.
    while ops:
        batch_size = 1 << (min(len(ops), 32).bit_length() - 1)
        await tx.write_all(ops[:batch_size])
        ops = ops[batch_size:]
