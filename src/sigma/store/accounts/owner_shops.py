"""Which shop an object belongs to, by the prefix of its id."""

from sqlalchemy import bindparam, select

from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import statement
from sigma.store.schema.account_tables import api_keys
from sigma.store.schema.catalogue_tables import services
from sigma.store.schema.messaging_tables import cards, conversations, messages
from sigma.store.schema.reconciliation_tables import differences, reconciliation_runs
from sigma.store.schema.tables import connections, invoices, payments, refunds

_TABLES = {
    "inv": invoices,
    "pay": payments,
    "ref": refunds,
    "con": connections,
    "key": api_keys,
    "svc": services,
    "cnv": conversations,
    "msg": messages,
    "crd": cards,
    "rec": reconciliation_runs,
    "dif": differences,
}
_FINDERS = {
    prefix: statement(select(table.c.shop_id).where(table.c.id == bindparam("id")))
    for prefix, table in _TABLES.items()
}


async def find_shop_id(tx: Tx, object_id: str) -> str | None:
    """Return the id of the shop that owns an object, None for an unknown id."""
    finder = _FINDERS.get(object_id.partition("_")[0])
    row = await tx.fetch_one(finder, id=object_id) if finder else None
    return row["shop_id"] if row else None
