"""Suggestions that two customers are one person."""

from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import insert_ignore, statement
from sigma.store.schema.customer_tables import customer_suggestions

_add = statement(insert_ignore(customer_suggestions, "customer_id", "other_id"))


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
