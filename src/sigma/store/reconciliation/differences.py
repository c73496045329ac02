"""Differences that reconciliation runs have found."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import bindparam, func, select

from sigma.domain.money import Money
from sigma.domain.reconciliation.difference import Difference, Kind, Side, State
from sigma.store.engine.interface import Row, Tx
from sigma.store.engine.row_codec import build_codec, column_values, field_values
from sigma.store.engine.statements import in_list, statement
from sigma.store.schema.reconciliation_tables import differences

_SIDES = {"ours": "our", "theirs": "their"}  # field → prefix of its columns
_SIDE_COLUMNS = tuple(
    f"{prefix}_{name}"
    for prefix in _SIDES.values()
    for name in ("status", "amount_minor", "currency")
)


def _to_row(difference: Difference) -> dict[str, Any]:
    row = field_values(difference, *_SIDES)
    for field, prefix in _SIDES.items():
        side: Side = getattr(difference, field)
        row |= {
            f"{prefix}_status": side.status,
            f"{prefix}_amount_minor": side.amount.minor if side.amount else None,
            f"{prefix}_currency": side.amount.currency if side.amount else "",
        }
    return row


def _from_row(row: Row) -> Difference:
    fields = column_values(differences, row, *_SIDE_COLUMNS, "kind", "state", "is_tried")
    return Difference(
        kind=Kind(row["kind"]),
        state=State(row["state"]),
        is_tried=bool(row["is_tried"]),
        ours=_side(row, "our"),
        theirs=_side(row, "their"),
        **fields,
    )


def _side(row: Row, prefix: str) -> Side:
    minor = row[f"{prefix}_amount_minor"]
    amount = None if minor is None else Money(minor, row[f"{prefix}_currency"])
    return Side(row[f"{prefix}_status"], amount)


CODEC = build_codec(differences, _to_row, _from_row)

_list_for_run = statement(
    select(differences)
    .where(differences.c.run_id == bindparam("run_id"), differences.c.state == bindparam("state"))
    .order_by(differences.c.id)
    .limit(bindparam("limit"))
)
_count_by_state = statement(
    select(differences.c.state, func.count().label("n"))
    .where(differences.c.run_id == bindparam("run_id"))
    .group_by(differences.c.state)
)
_list_closed = statement(
    select(differences).where(
        in_list(differences.c.connection_id, "connection_ids"),
        in_list(differences.c.provider_id, "provider_ids"),
        differences.c.state == str(State.CLOSED),
    )
)


async def get(tx: Tx, difference_id: str) -> Difference | None:
    """Return the difference, or None."""
    row = await tx.fetch_one(CODEC.select_by_id, id=difference_id)
    return _from_row(row) if row else None


async def list_for_run(tx: Tx, run_id: str, state: State, limit: int) -> list[Difference]:
    """Return a run's differences in one state, in the order in which they were found."""
    rows = await tx.fetch_all(_list_for_run, run_id=run_id, state=state, limit=limit)
    return [_from_row(row) for row in rows]


async def count_by_state(tx: Tx, run_id: str) -> dict[State, int]:
    """Return the number of a run's stored differences by state."""
    rows = await tx.fetch_all(_count_by_state, run_id=run_id)
    return {State(row["state"]): int(row["n"]) for row in rows}


async def list_closed(
    tx: Tx, connection_ids: Collection[str], provider_ids: Collection[str]
) -> list[Difference]:
    """Return the closed differences of all runs about these objects of an acquirer."""
    rows = await tx.fetch_all(
        _list_closed, connection_ids=list(connection_ids), provider_ids=list(provider_ids)
    )
    return [_from_row(row) for row in rows]
