"""Suggestions that two customers are one person."""

from sqlalchemy import bindparam, select, update

from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import insert_ignore, statement
from sigma.store.schema.customer_tables import customer_suggestions

_add = statement(insert_ignore(customer_suggestions, "customer_id", "other_id"))

_get = statement(select(customer_suggestions).where(customer_suggestions.c.id == bindparam("id")))
_dismiss = statement(
    update(customer_suggestions)
    .where(
        customer_suggestions.c.id == bindparam("key_id"),
        customer_suggestions.c.dismissed_at_us.is_(None),
    )
    .values(
        dismissed_at_us=bindparam("now_us"),
        dismissed_by=bindparam("actor"),
        version=customer_suggestions.c.version + 1,
    )
)


async def find_shop(tx: Tx, suggestion_id: str) -> tuple[str, str] | None:
    """Return (shop id, customer id) of a suggestion, or None."""
    row = await tx.fetch_one(_get, id=suggestion_id)
    return (row["shop_id"], row["customer_id"]) if row else None


async def dismiss(tx: Tx, suggestion_id: str, actor: str, now_us: int) -> bool:
    """Record that they are two people; return False when somebody did before.

    The row stays, so that the same contact does not suggest it again.
    """
    return bool(await tx.execute(_dismiss, key_id=suggestion_id, actor=actor, now_us=now_us))


async def add(
    tx: Tx, suggestion_id: str, shop_id: str, ids: tuple[str, str], reason: str, now_us: int
) -> None:
    """Suggest that two customers are one person, unless that was suggested before."""
    customer_id, other_id = sorted(ids)
    await tx.execute(
        _add,
        id=suggestion_id,
        shop_id=shop_id,
        customer_id=customer_id,
        other_id=other_id,
        reason=reason,
        created_at_us=now_us,
        dismissed_at_us=None,
        dismissed_by="",
        version=1,
    )
