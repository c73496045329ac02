"""Read the ledger. Only `sigma.store.changes` writes it."""

from sqlalchemy import bindparam, func, select

from sigma.domain.ledger import Account
from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import statement
from sigma.store.schema.tables import ledger

_sum_owed = statement(
    select(func.coalesce(func.sum(ledger.c.amount_minor), 0).label("minor")).where(
        ledger.c.kind.in_(["capture", "acceptance"]),
        ledger.c.subject_id == bindparam("payment_id"),
        ledger.c.account == str(Account.REFUNDS_DUE),
    )
)


async def is_refund_due(tx: Tx, payment_id: str) -> bool:
    """Return whether a payment is booked as money to refund and not as a sale.

    An accepted payment is a sale.
    """
    row = await tx.fetch_one(_sum_owed, payment_id=payment_id)
    return row is not None and int(row["minor"]) != 0
