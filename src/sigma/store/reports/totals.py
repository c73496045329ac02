"""Totals of reports: added to by `sigma.store.changes`, summed over any period.

A total holds the figures of a quarter of an hour, or of a day, of UTC. Days of every time zone
begin at a quarter of an hour, so one set of totals serves all zones, also when a shop changes its
zone. A sum over a period reads the whole days in it, and quarters at both ends.
"""

from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Select, bindparam, func, select, union_all

from sigma.domain.figures import FIGURE_NAMES, Figures, Tally
from sigma.domain.time_units import DAY_US, MINUTE_US
from sigma.store.engine.interface import Op, Row, Tx
from sigma.store.engine.statements import insert_on_conflict, statement
from sigma.store.schema.list_tables import figure_totals

QUARTER_US = 15 * MINUTE_US
SPANS_US = (QUARTER_US, DAY_US)


class Dimension(StrEnum):
    """By what totals are kept apart. `ALL` has the one key ""."""

    ALL = "all"
    SERVICE = "service"
    ISSUER = "issuer"
    SOURCE = "source"


# shop, dimension, span (microseconds), begin (UTC microseconds), key, currency
TotalKey = tuple[str, str, int, int, str, str]

_KEY_COLUMNS = tuple(figure_totals.primary_key.columns.keys())
_insert = insert_on_conflict(figure_totals)
_add = statement(
    _insert.on_conflict_do_update(
        index_elements=list(_KEY_COLUMNS),
        set_={name: figure_totals.c[name] + _insert.excluded[name] for name in FIGURE_NAMES},
    )
)


def group_tallies(tallies: Iterable[Tally]) -> dict[TotalKey, Figures]:
    """Return what tallies add to which totals, in the order of the keys."""
    totals: dict[TotalKey, Figures] = defaultdict(Figures)
    for tally in tallies:
        attribution = tally.attribution
        for dimension, key in (
            (Dimension.ALL, ""),
            (Dimension.SERVICE, attribution.service_id),
            (Dimension.ISSUER, attribution.issuer),
            (Dimension.SOURCE, str(attribution.source)),
        ):
            for span_us in SPANS_US:
                starts_at_us = tally.at_us // span_us * span_us
                total = (tally.shop_id, str(dimension), span_us, starts_at_us, key, tally.currency)
                totals[total] += tally.figures
    return dict(sorted(totals.items()))


def add_ops(tallies: Iterable[Tally]) -> list[Op]:
    """Return the writes that add tallies to the totals.

    In the order of the keys: two transactions cannot wait for each other's rows.
    """
    return [insert_op(key, figures) for key, figures in group_tallies(tallies).items()]


def insert_op(key: TotalKey, figures: Figures) -> Op:
    """Return the write that adds figures to one total."""
    values: dict[str, object] = dict(zip(_KEY_COLUMNS, key, strict=True))
    return Op(_add, values | {name: getattr(figures, name) for name in FIGURE_NAMES})


_SUMS = tuple(func.sum(figure_totals.c[name]).label(name) for name in FIGURE_NAMES)


def _range(span_us: int, since: str, until: str) -> Select[Any]:
    table = figure_totals
    return select(table.c.key, table.c.currency, *(table.c[name] for name in FIGURE_NAMES)).where(
        table.c.shop_id == bindparam("shop_id"),
        table.c.dimension == bindparam("dimension"),
        table.c.span_us == span_us,
        table.c.starts_at_us >= bindparam(since),
        table.c.starts_at_us < bindparam(until),
    )


_parts = union_all(
    _range(QUARTER_US, "since_us", "first_day_us"),
    _range(DAY_US, "first_day_us", "last_day_us"),
    _range(QUARTER_US, "last_day_us", "until_us"),
).subquery()
_sum_by_key = statement(
    select(
        _parts.c.key,
        _parts.c.currency,
        *(func.sum(_parts.c[name]).label(name) for name in FIGURE_NAMES),
    ).group_by(_parts.c.key, _parts.c.currency)
)
_local_day = (figure_totals.c.starts_at_us + bindparam("offset_us", type_=BigInteger())) // DAY_US
_sum_by_day = statement(
    select(_local_day.label("day_number"), figure_totals.c.currency, *_SUMS)
    .where(
        figure_totals.c.shop_id == bindparam("shop_id"),
        figure_totals.c.dimension == str(Dimension.ALL),
        figure_totals.c.span_us == QUARTER_US,
        figure_totals.c.starts_at_us >= bindparam("since_us"),
        figure_totals.c.starts_at_us < bindparam("until_us"),
    )
    .group_by(_local_day, figure_totals.c.currency)
)


def _figures(row: Row) -> Figures:
    return Figures(*(int(row[name]) for name in FIGURE_NAMES))


async def sum_by_key(
    tx: Tx, shop_id: str, dimension: Dimension, since_us: int, until_us: int
) -> dict[tuple[str, str], Figures]:
    """Return the figures of [since_us, until_us) by (key, currency), in any order.

    Both moments must be whole quarters of an hour of UTC.
    """
    assert since_us % QUARTER_US == until_us % QUARTER_US == 0, "a day begins at a quarter"
    first_day_us = min(-(-since_us // DAY_US) * DAY_US, until_us)
    last_day_us = max(until_us // DAY_US * DAY_US, first_day_us)
    rows = await tx.fetch_all(
        _sum_by_key,
        shop_id=shop_id,
        dimension=dimension,
        since_us=since_us,
        until_us=until_us,
        first_day_us=first_day_us,
        last_day_us=last_day_us,
    )
    return {(row["key"], row["currency"]): _figures(row) for row in rows}


async def sum_by_day(
    tx: Tx, shop_id: str, since_us: int, until_us: int, offset_us: int
) -> dict[tuple[int, str], Figures]:
    """Return the figures of [since_us, until_us) by (local day, currency).

    `offset_us`: local time less UTC, the same in the whole period. A day is counted from
    1970-01-01.
    """
    rows = await tx.fetch_all(
        _sum_by_day, shop_id=shop_id, since_us=since_us, until_us=until_us, offset_us=offset_us
    )
    return {(int(row["day_number"]), row["currency"]): _figures(row) for row in rows}
