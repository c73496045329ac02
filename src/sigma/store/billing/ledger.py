"""The books, read back. They are written by changes.write only."""

from sqlalchemy import bindparam, select

from sigma.domain.ledger import Account
from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import statement
from sigma.store.schema.tables import ledger

_owed = statement(
    select(ledger.c.line).where(
        ledger.c.kind == "capture",
        ledger.c.subject == bindparam("payment_id"),
        ledger.c.account == str(Account.OWED),
    )
)


async def owed(tx: Tx, payment_id: str) -> bool:
    """Whether a payment was booked as money to give back, and not as a sale."""
    return await tx.fetch_one(_owed, payment_id=payment_id) is not None
