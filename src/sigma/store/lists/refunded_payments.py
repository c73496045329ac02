"""The refunded sum of each payment, kept with its refunds: filters and totals read no refunds."""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import BigInteger, bindparam, case, cast, func, select

from sigma.domain.billing.refund import Refund, Status
from sigma.store.engine.interface import Op
from sigma.store.engine.statements import in_list, insert_on_conflict, statement
from sigma.store.schema.list_tables import refunded_payments
from sigma.store.schema.tables import payments, refunds

# The refunds of the same change are given as their sum: whether their rows are written before this
# statement differs between the databases.
_earlier_minor = (
    select(func.coalesce(func.sum(refunds.c.amount_minor), 0))
    .where(
        refunds.c.payment_id == payments.c.id,
        refunds.c.status == "succeeded",
        ~in_list(refunds.c.id, "new_ids"),
    )
    .scalar_subquery()
)
_total_minor = cast(_earlier_minor, BigInteger) + cast(bindparam("new_minor"), BigInteger)
_insert = insert_on_conflict(refunded_payments).from_select(
    ["id", "shop_id", "created_at_us", "state", "currency", "refunded_minor"],
    select(
        payments.c.id,
        payments.c.shop_id,
        payments.c.created_at_us,
        case((_total_minor >= payments.c.amount_minor, "full"), else_="part"),
        payments.c.currency,
        _total_minor,
    ).where(payments.c.id == bindparam("payment_id")),
)
_save_sum = statement(
    _insert.on_conflict_do_update(
        index_elements=["id"],
        set_={
            "state": _insert.excluded.state,
            "refunded_minor": _insert.excluded.refunded_minor,
        },
    )
)


def sum_ops(changed: Iterable[Refund]) -> list[Op]:
    """Return the writes of the refunded sums, for the refunds of a change that have succeeded.

    The caller holds the lock of the invoice, so no other refund of the payment is written.
    """
    by_payment: defaultdict[str, list[Refund]] = defaultdict(list)
    for refund in changed:
        if refund.status is Status.SUCCEEDED:
            by_payment[refund.payment_id].append(refund)
    return [
        Op(
            _save_sum,
            {
                "payment_id": payment_id,
                "new_ids": [refund.id for refund in found],
                "new_minor": sum(refund.amount.minor for refund in found),
            },
            expected_rows=1,
        )
        for payment_id, found in by_payment.items()
    ]
