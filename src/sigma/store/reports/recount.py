"""Count the figures again from payments, refunds and invoices, to check and repair the totals."""

import functools
from collections.abc import Iterator

from sqlalchemy import bindparam, case, delete, func, select

from sigma.domain.figures import FIGURE_NAMES, Attribution, Figures, Source, Tally, attribution_of
from sigma.domain.time_units import DAY_US
from sigma.store.engine.interface import Op, Row, Tx
from sigma.store.engine.statements import Statement, statement, text_statement
from sigma.store.reports.totals import QUARTER_US, TotalKey, group_tallies, insert_op
from sigma.store.schema.list_tables import figure_totals
from sigma.store.schema.tables import invoices, payments, refunds

_PAYMENT_FIGURES = FIGURE_NAMES[:5]
_REFUND_FIGURES = FIGURE_NAMES[5:8]

_captured_quarter = payments.c.captured_at_us // QUARTER_US
_has_no_fee = payments.c.income_minor.is_(None)
_sum_payments = statement(
    select(
        _captured_quarter.label("quarter"),
        payments.c.currency,
        payments.c.service_id,
        payments.c.issuer,
        payments.c.source,
        func.count().label("payment_count"),
        func.sum(payments.c.amount_minor).label("gross_minor"),
        func.sum(func.coalesce(payments.c.amount_minor - payments.c.income_minor, 0)).label(
            "fee_minor"
        ),
        func.sum(case((_has_no_fee, 1), else_=0)).label("unknown_fee_count"),
        func.sum(case((_has_no_fee, payments.c.amount_minor), else_=0)).label(
            "unknown_fee_gross_minor"
        ),
    )
    .where(
        payments.c.shop_id == bindparam("shop_id"),
        payments.c.captured_at_us >= bindparam("since_us"),
        payments.c.captured_at_us < bindparam("until_us"),
        payments.c.status == "captured",
    )
    .group_by(
        _captured_quarter,
        payments.c.currency,
        payments.c.service_id,
        payments.c.issuer,
        payments.c.source,
    )
)
_finished_quarter = refunds.c.finished_at_us // QUARTER_US
_is_chargeback = refunds.c.origin == "chargeback"
_sum_refunds = statement(
    select(
        _finished_quarter.label("quarter"),
        refunds.c.currency,
        payments.c.service_id,
        payments.c.issuer,
        payments.c.source,
        func.count().label("refund_count"),
        func.sum(refunds.c.amount_minor).label("refund_minor"),
        func.sum(case((_is_chargeback, refunds.c.amount_minor), else_=0)).label("chargeback_minor"),
    )
    .join(payments, payments.c.id == refunds.c.payment_id)
    .where(
        refunds.c.shop_id == bindparam("shop_id"),
        refunds.c.finished_at_us >= bindparam("since_us"),
        refunds.c.finished_at_us < bindparam("until_us"),
        refunds.c.status == "succeeded",
    )
    .group_by(
        _finished_quarter,
        refunds.c.currency,
        payments.c.service_id,
        payments.c.issuer,
        payments.c.source,
    )
)
_list_openings = statement(
    select(
        invoices.c.opened_at_us,
        invoices.c.currency,
        invoices.c.service_id,
        invoices.c.created_by,
        invoices.c.conversation_id,
        invoices.c.source,
        invoices.c.paid_count,
    ).where(
        invoices.c.shop_id == bindparam("shop_id"),
        invoices.c.opened_at_us >= bindparam("since_us"),
        invoices.c.opened_at_us < bindparam("until_us"),
    )
)
_in_days = (
    figure_totals.c.shop_id == bindparam("shop_id"),
    figure_totals.c.starts_at_us >= bindparam("since_us"),
    figure_totals.c.starts_at_us < bindparam("until_us"),
)
_list_totals = statement(select(figure_totals).where(*_in_days))
_delete_totals = statement(delete(figure_totals).where(*_in_days))


_find_bounds = {
    "payments": statement(
        select(
            func.min(payments.c.captured_at_us).label("first_us"),
            func.max(payments.c.captured_at_us).label("last_us"),
        ).where(payments.c.shop_id == bindparam("shop_id"), payments.c.status == "captured")
    ),
    "refunds": statement(
        select(
            func.min(refunds.c.finished_at_us).label("first_us"),
            func.max(refunds.c.finished_at_us).label("last_us"),
        ).where(refunds.c.shop_id == bindparam("shop_id"), refunds.c.status == "succeeded")
    ),
    "invoices": statement(
        select(
            func.min(invoices.c.opened_at_us).label("first_us"),
            func.max(invoices.c.opened_at_us).label("last_us"),
        ).where(invoices.c.shop_id == bindparam("shop_id"))
    ),
    "totals": statement(
        select(
            func.min(figure_totals.c.starts_at_us).label("first_us"),
            func.max(figure_totals.c.starts_at_us).label("last_us"),
        ).where(figure_totals.c.shop_id == bindparam("shop_id"))
    ),
}


async def find_days(tx: Tx, shop_id: str) -> tuple[int, int] | None:
    """Return the days of UTC that have figures, as [since, until) in UTC microseconds."""
    firsts, lasts = [], []
    for stmt in _find_bounds.values():
        row = await tx.fetch_one(stmt, shop_id=shop_id)
        if row is not None and row["first_us"] is not None:
            firsts.append(int(row["first_us"]))
            lasts.append(int(row["last_us"]))
    if not firsts:
        return None
    return min(firsts) // DAY_US * DAY_US, (max(lasts) // DAY_US + 1) * DAY_US


async def count(tx: Tx, shop_id: str, since_us: int, until_us: int) -> dict[TotalKey, Figures]:
    """Return what the totals of whole UTC days must be, from the rows that they count."""
    values = {"shop_id": shop_id, "since_us": since_us, "until_us": until_us}
    tallies = []
    for stmt, names in ((_sum_payments, _PAYMENT_FIGURES), (_sum_refunds, _REFUND_FIGURES)):
        tallies += [_tally(shop_id, row, names) for row in await tx.fetch_all(stmt, **values)]
    for row in await tx.fetch_all(_list_openings, **values):
        attribution = attribution_of(
            created_by=row["created_by"],
            conversation_id=row["conversation_id"],
            service_id=row["service_id"],
            source=Source(row["source"]) if row["source"] else None,
        )
        figures = Figures(opened_count=1, paid_count=1 if row["paid_count"] else 0)
        tallies.append(Tally(shop_id, row["opened_at_us"], row["currency"], attribution, figures))
    return group_tallies(tallies)


def _tally(shop_id: str, row: Row, names: tuple[str, ...]) -> Tally:
    attribution = Attribution(row["service_id"], row["issuer"], Source(row["source"]))
    figures = Figures(**{name: int(row[name]) for name in names})
    return Tally(shop_id, row["quarter"] * QUARTER_US, row["currency"], attribution, figures)


async def read_totals(
    tx: Tx, shop_id: str, since_us: int, until_us: int
) -> dict[TotalKey, Figures]:
    """Return the stored totals of whole UTC days; those without any figure are left out."""
    rows = await tx.fetch_all(_list_totals, shop_id=shop_id, since_us=since_us, until_us=until_us)
    return {key: figures for key, figures in map(_stored, rows) if figures}


def _stored(row: Row) -> tuple[TotalKey, Figures]:
    key = (
        row["shop_id"],
        row["dimension"],
        row["span_us"],
        row["starts_at_us"],
        row["key"],
        row["currency"],
    )
    return key, Figures(*(row[name] for name in FIGURE_NAMES))


async def count_wrong(tx: Tx, shop_id: str, since_us: int, until_us: int) -> int:
    """Return how many totals of whole UTC days differ from a count of the rows."""
    stored = await read_totals(tx, shop_id, since_us, until_us)
    counted = await count(tx, shop_id, since_us, until_us)
    keys = stored.keys() | counted.keys()
    return sum(stored.get(key, Figures()) != counted.get(key, Figures()) for key in keys)


@functools.cache
def _lock_statement() -> Statement:
    """PostgreSQL only. Tallies of a payment that is just written are added later, or counted."""
    return text_statement("LOCK TABLE figure_totals IN SHARE ROW EXCLUSIVE MODE")


async def lock(tx: Tx) -> None:
    """Wait until no other transaction writes totals, and let none do so until this one ends."""
    if tx.dialect == "postgresql":
        await tx.fetch_all(_lock_statement())


async def repair(tx: Tx, shop_id: str, since_us: int, until_us: int) -> None:
    """Write the totals of whole UTC days anew. Meanwhile no other transaction changes totals."""
    await lock(tx)
    await tx.execute(_delete_totals, shop_id=shop_id, since_us=since_us, until_us=until_us)
    counted = await count(tx, shop_id, since_us, until_us)
    for batch in _batches([insert_op(key, figures) for key, figures in counted.items()]):
        await tx.write_all(batch)


def _batches(ops: list[Op]) -> Iterator[list[Op]]:
    return (ops[n : n + 50] for n in range(0, len(ops), 50))
