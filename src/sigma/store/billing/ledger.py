"""Read the ledger. Only `sigma.store.changes` writes it."""

from sqlalchemy import bindparam, select

from sigma.domain.ledger import Account
from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import statement
from sigma.store.schema.tables import ledger

_find_owed_posting = statement(
    select(ledger.c.line_number).where(
        ledger.c.kind == "capture",
        ledger.c.subject_id == bindparam("payment_id"),
        ledger.c.account == str(Account.REFUNDS_DUE),
    )
)


async def is_refund_due(tx: Tx, payment_id: str) -> bool:
    """Return whether a payment was booked as money to refund and not as a sale."""
    return await tx.fetch_one(_find_owed_posting, payment_id=payment_id) is not None
