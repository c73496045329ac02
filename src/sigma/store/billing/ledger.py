"""Read the ledger. Only `sigma.store.changes` writes it."""

from sqlalchemy import bindparam, func, select

from sigma.domain.ledger import Account
from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import statement
from sigma.store.schema.tables import ledger

_sum_owed_for_payment = statement(
    select(func.coalesce(func.sum(ledger.c.amount_minor), 0).label("minor")).where(
        ledger.c.kind.in_(["capture", "acceptance"]),
        ledger.c.subject_id == bindparam("payment_id"),
        ledger.c.account == str(Account.REFUNDS_DUE),
    )
)
_find_acceptance = statement(
    select(ledger.c.line_number).where(
        ledger.c.kind == "acceptance", ledger.c.subject_id == bindparam("payment_id")
    )
)
_find_fee = statement(
    select(ledger.c.line_number).where(
        ledger.c.kind == "fee", ledger.c.subject_id == bindparam("payment_id")
    )
)
_sum_owed = statement(
    select(ledger.c.currency, func.sum(ledger.c.amount_minor).label("minor"))
    .where(ledger.c.shop_id == bindparam("shop_id"), ledger.c.account == str(Account.REFUNDS_DUE))
    .group_by(ledger.c.currency)
)


async def is_refund_due(tx: Tx, payment_id: str) -> bool:
    """Return whether a payment is booked as money to refund and not as a sale.

    An accepted payment is a sale.
    """
    row = await tx.fetch_one(_sum_owed_for_payment, payment_id=payment_id)
    return row is not None and int(row["minor"]) != 0


async def is_accepted(tx: Tx, payment_id: str) -> bool:
    """Return whether a late or extra payment was accepted: its money is booked as a sale."""
    return await tx.fetch_one(_find_acceptance, payment_id=payment_id) is not None


async def has_fee(tx: Tx, payment_id: str) -> bool:
    """Return whether the fee has an entry of its own: it was reported after the capture."""
    return await tx.fetch_one(_find_fee, payment_id=payment_id) is not None


async def sum_refunds_due(tx: Tx, shop_id: str) -> dict[str, int]:
    """Return what the shop must still refund by currency, in minor units; no zero amounts.

    It is the balance of `Account.REFUNDS_DUE`: extra, late and voided payments.
    """
    rows = await tx.fetch_all(_sum_owed, shop_id=shop_id)
    return {row["currency"]: -int(row["minor"]) for row in rows if row["minor"]}
