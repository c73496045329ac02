"""Identities of customers: a VK id, e-mail address or phone belongs to one customer of a shop."""

from collections.abc import Iterable

from sqlalchemy import bindparam, select

from sigma.domain.customers.customer import Identity, IdentityKind
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import in_list, insert_ignore, statement
from sigma.store.schema.customer_tables import customer_identities


def from_row(row: Row) -> Identity:
    """Return the identity of a row."""
    return Identity(
        kind=IdentityKind(row["kind"]), **column_values(customer_identities, row, "kind")
    )


CODEC = build_codec(customer_identities, field_values, from_row)

_by_hash = select(customer_identities).where(
    customer_identities.c.shop_id == bindparam("shop_id"),
    customer_identities.c.kind == bindparam("kind"),
    customer_identities.c.identity_hash == bindparam("identity_hash"),
)
_find = statement(_by_hash)
_lock = statement(_by_hash.with_for_update())
_claim = statement(insert_ignore(customer_identities, "shop_id", "kind", "identity_hash"))
_list_for_customers = statement(
    select(customer_identities)
    .where(in_list(customer_identities.c.customer_id, "ids"))
    .order_by(customer_identities.c.id)
)
_lock_of_customers = statement(
    select(customer_identities)
    .where(in_list(customer_identities.c.customer_id, "ids"))
    .order_by(customer_identities.c.id)
    .with_for_update()
)


async def find(tx: Tx, shop_id: str, kind: IdentityKind, identity_hash: str) -> Identity | None:
    """Return the identity with this keyed hash, or None."""
    row = await tx.fetch_one(_find, shop_id=shop_id, kind=kind, identity_hash=identity_hash)
    return from_row(row) if row else None


async def lock(tx: Tx, shop_id: str, kind: IdentityKind, identity_hash: str) -> Identity | None:
    """Return the identity, locked until the transaction ends, or None.

    While it is locked, it stays with its customer.
    """
    row = await tx.fetch_one(_lock, shop_id=shop_id, kind=kind, identity_hash=identity_hash)
    return from_row(row) if row else None


async def claim(tx: Tx, identity: Identity) -> bool:
    """Add an identity; return False when somebody else has it.

    On PostgreSQL it waits for a transaction that is adding the same one.
    """
    return bool(await tx.execute(_claim, **field_values(identity) | {"version": 1}))


async def list_for_customers(tx: Tx, customer_ids: Iterable[str]) -> list[Identity]:
    """Return the identities of customers, the oldest first."""
    rows = await tx.fetch_all(_list_for_customers, ids=sorted(set(customer_ids)))
    return [from_row(row) for row in rows]


async def lock_of_customers(tx: Tx, customer_ids: Iterable[str]) -> list[Identity]:
    """Return the identities of customers, locked until the transaction ends."""
    rows = await tx.fetch_all(_lock_of_customers, ids=sorted(set(customer_ids)))
    return [from_row(row) for row in rows]
