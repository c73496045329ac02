"""Read a filtered list: the ids of a page, totals, all ids for an export.

A `Selection` has one or more branches, one for each meaning of a search; a row of any branch
belongs to the list. Every statement reads a bounded number of rows (`Windows`).
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import bindparam, select

from sigma.domain.lists.totals import Sum, Totals
from sigma.store.engine.interface import Tx
from sigma.store.engine.statements import Statement, statement
from sigma.store.lists import sources
from sigma.store.lists.invoices import INVOICES
from sigma.store.lists.payments import PAYMENTS
from sigma.store.lists.sources import ListTable, Shape, Source


@dataclass(frozen=True, slots=True)
class Windows:
    """How many rows one statement may read: tuned by `python -m bench.lists`.

    `index`: from a covering index; `table`: whose rows of the table are read too; `scattered`:
    which are looked up all over the table (words, refunds, the order of sums); `counted`: rows that
    the totals of a search with several meanings collect.
    """

    index: int = 20_000
    table: int = 5_000
    scattered: int = 1_000
    counted: int = 500

    def of(self, shape: Shape) -> int:
        """Return the window of the source of a shape."""
        if shape.source in sources.JOINED or shape.source is Source.BY_AMOUNT:
            return self.scattered
        # The refunds of each row are looked up.
        is_index = shape.source is Source.ALL and "unrefunded" not in shape.conditions
        return self.index if is_index else self.table


DEFAULT_WINDOWS = Windows()
EXPORT_BATCH = 1000  # rows of one step of `iterate_ids`


@dataclass(frozen=True, slots=True)
class Branch:
    """One way to find rows. `values`: further conditions; `tokens`: all of them must be found.

    A source TOKEN reads the first of the tokens.
    """

    source: Source = Source.ALL
    values: Mapping[str, Any] = field(default_factory=dict)
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """What a list shows: `values` are the conditions of every branch, by name.

    No branch at all finds nothing. `now_us`: at which invoices count as expired. `is_cut`: the
    branches leave out rows, because a look-up has found too many.
    """

    listed: ListTable
    shop_id: str
    now_us: int
    values: Mapping[str, Any] = field(default_factory=dict)
    branches: Sequence[Branch] = (Branch(),)
    is_by_amount: bool = False
    is_descending: bool = True
    windows: Windows = DEFAULT_WINDOWS
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class ListedIds:
    """Ids of a page in their order. `next_cursor`: the id to go on after; None at the end.

    `is_short`: the window ended before the page was full, so that there may be more beyond.
    """

    ids: tuple[str, ...]
    next_cursor: str | None = None
    is_short: bool = False


def _cursor_statement(listed: ListTable) -> Statement:
    c = listed.table.c
    return statement(
        select(c.id, c.created_at_us, c.amount_minor).where(
            c.id == bindparam("id"), c.shop_id == bindparam("shop_id")
        )
    )


_CURSORS = {listed.table.name: _cursor_statement(listed) for listed in (PAYMENTS, INVOICES)}
# Statements by purpose, table, shape and whether they have a cursor: each is built once.
_STATEMENTS: dict[tuple[str, str, str], Statement] = {}
_BUILDERS: dict[str, Callable[[ListTable, Shape, bool], Statement]] = {
    "page": lambda listed, shape, has_cursor: sources.page_statement(
        listed, shape, has_cursor=has_cursor
    ),
    "end": lambda listed, shape, has_cursor: sources.window_end_statement(
        listed, shape, has_cursor=has_cursor
    ),
    "totals": lambda listed, shape, _: sources.totals_statement(listed, shape),
    "rows": lambda listed, shape, _: sources.rows_statement(listed, shape),
    "probe": lambda listed, shape, _: sources.probe_statement(listed, shape),
}


def _statement(
    purpose: str, listed: ListTable, shape: Shape, *, has_cursor: bool = False
) -> Statement:
    key = (purpose, listed.table.name, f"{shape.name}{' cursor' if has_cursor else ''}")
    found = _STATEMENTS.get(key)
    if found is None:
        found = _STATEMENTS[key] = _BUILDERS[purpose](listed, shape, has_cursor)
    return found


def _prepare(listed: ListTable, *shapes: Shape) -> None:
    """Build the statements of frequent shapes at import; tests look at their plans."""
    for shape in shapes:
        for purpose in _BUILDERS:
            _statement(purpose, listed, shape)
        _statement("page", listed, shape, has_cursor=True)


for _listed in (PAYMENTS, INVOICES):
    _prepare(
        _listed,
        Shape(Source.ALL),
        Shape(Source.ALL, ("amount_from", "created_from", "created_to", "service", "status")),
        Shape(Source.ALL, ("status",), is_descending=False),
        Shape(Source.BY_AMOUNT, is_by_amount=True),
        Shape(Source.STATUS, ("created_from", "created_to", "status")),
        Shape(Source.SERVICE, ("service", "status")),
        Shape(Source.MEMBER, ("member",)),
        Shape(Source.AMOUNT, ("amount",)),
        Shape(Source.CUSTOMER, ("customers",)),
        Shape(Source.IDS, ("ids",)),
        Shape(Source.TOKEN, (), 1),
        Shape(Source.TOKEN, ("status",), 0),
    )
_prepare(
    PAYMENTS,
    Shape(Source.ALL, ("connection", "member", "method")),
    Shape(Source.LAST4, ("last4", "status")),
    Shape(Source.INVOICE, ("invoice",)),
    Shape(Source.ATTENTION, ("attention",)),
    Shape(Source.REFUNDED, ("refunded_any",)),
    Shape(Source.REFUNDED, ("refunded_state", "status")),
    Shape(Source.ALL, ("unrefunded",)),
)
_prepare(INVOICES, Shape(Source.ALL, ("expired",)), Shape(Source.ALL, ("status", "unexpired")))


def shape_of(selection: Selection, branch: Branch) -> Shape:
    """Return the shape of the statements of a branch."""
    names = selection.values.keys() | branch.values.keys()
    return Shape(
        branch.source,
        tuple(sorted(names)),
        len(branch.tokens) - (branch.source is Source.TOKEN),
        selection.is_by_amount,
        selection.is_descending,
    )


def _arguments(selection: Selection, branch: Branch, **more: Any) -> dict[str, Any]:
    tokens = branch.tokens
    values: dict[str, Any] = {
        "shop_id": selection.shop_id,
        "now_us": selection.now_us,
        "window": selection.windows.of(shape_of(selection, branch)),
        **selection.values,
        **branch.values,
        **more,
    }
    if branch.source is Source.TOKEN:
        values["token_hash"], tokens = tokens[0], tokens[1:]
    return values | {f"token_{number}": token for number, token in enumerate(tokens)}


async def probe(tx: Tx, selection: Selection, branch: Branch, window: int) -> int:
    """Return how many rows the source of a branch has in the period, counted up to `window`.

    Conditions that the source does not imply are not checked.
    """
    shape = shape_of(selection, branch)
    checked = (*sources.PERIOD, *sources.IMPLIED.get(branch.source, ()))
    shape = replace(
        shape, conditions=tuple(n for n in shape.conditions if n in checked), token_count=0
    )
    stmt = _statement("probe", selection.listed, shape)
    row = await tx.fetch_one(stmt, **_arguments(selection, branch, window=window))
    return int(row["n"]) if row else 0


async def list_ids(
    tx: Tx, selection: Selection, *, cursor: str | None = None, limit: int
) -> ListedIds | None:
    """Return the ids of a page, after the row with the id `cursor`; None for an unknown cursor."""
    after: dict[str, Any] = {}
    if cursor is not None:
        stmt = _CURSORS[selection.listed.table.name]
        row = await tx.fetch_one(stmt, id=cursor, shop_id=selection.shop_id)
        if row is None:
            return None
        after = {
            "cursor_id": row["id"],
            "cursor_at_us": row["created_at_us"],
            "cursor_minor": row["amount_minor"],
        }
    found: dict[str, tuple[int, int, str]] = {}
    ends: list[str] = []
    for branch in selection.branches:
        shape = shape_of(selection, branch)
        arguments = _arguments(selection, branch, limit=limit + 1, **after)
        if after and not selection.is_by_amount:
            _begin_period_at_cursor(arguments, is_descending=selection.is_descending)
        stmt = _statement("page", selection.listed, shape, has_cursor=bool(after))
        rows = await tx.fetch_all(stmt, **arguments)
        if len(selection.branches) == 1 and len(rows) > limit:  # a full page, in its order
            return ListedIds(tuple([row["id"] for row in rows[:limit]]), rows[limit - 1]["id"])
        for row in rows:
            minor = row["amount_minor"] if selection.is_by_amount else 0
            found[row["id"]] = (minor, row["created_at_us"], row["id"])
        if len(rows) <= limit and shape.is_streamed:
            ends += await _window_end(tx, selection, shape, arguments, has_cursor=bool(after))
    ids = sorted(found, key=found.__getitem__, reverse=selection.is_descending)
    return await _page(tx, selection, ids, found, ends, limit)


def _begin_period_at_cursor(arguments: dict[str, Any], *, is_descending: bool) -> None:
    """Narrow the period to the rows beyond the cursor.

    SQLite seeks to the bound of the period and would read all rows from there to the cursor.
    """
    at_us = arguments["cursor_at_us"]
    if is_descending and "created_to" in arguments:
        arguments["created_to"] = min(arguments["created_to"], at_us + 1)
    if not is_descending and "created_from" in arguments:
        arguments["created_from"] = max(arguments["created_from"], at_us)


async def _window_end(
    tx: Tx, selection: Selection, shape: Shape, arguments: dict[str, Any], *, has_cursor: bool
) -> list[str]:
    """Return the id of the first row after the window, if the source has more rows than that."""
    if not shape.residual and not shape.token_count:
        return []  # every row matches: there are no more
    stmt = _statement("end", selection.listed, shape, has_cursor=has_cursor)
    row = await tx.fetch_one(stmt, **arguments | {"window": arguments["window"] - 1})
    return [row["id"]] if row else []


async def _page(
    tx: Tx,
    selection: Selection,
    ids: list[str],
    found: Mapping[str, tuple[int, int, str]],
    ends: list[str],
    limit: int,
) -> ListedIds:
    """Return the page, which ends at the nearest end of a window. `found`: keys of order by id.

    Rows of other branches beyond that end may not be complete: they belong to the next page.
    """
    if not ends:
        more = len(ids) > limit
        return ListedIds(tuple(ids[:limit]), ids[limit - 1] if more else None)
    stmt = _CURSORS[selection.listed.table.name]
    keys = dict(found)
    for one in set(ends) - keys.keys():
        row = await tx.fetch_one(stmt, id=one, shop_id=selection.shop_id)
        if row is not None:
            minor = row["amount_minor"] if selection.is_by_amount else 0
            keys[one] = (minor, row["created_at_us"], one)
    pick = max if selection.is_descending else min
    end = pick(ends, key=keys.__getitem__)
    before = [
        one for one in ids if one == end or (keys[one] > keys[end]) is selection.is_descending
    ]
    if len(before) > limit:
        return ListedIds(tuple(before[:limit]), before[limit - 1])
    return ListedIds(tuple(before), end, is_short=True)


async def iterate_ids(tx: Tx, selection: Selection) -> AsyncIterator[Sequence[str]]:
    """Yield the ids of all rows in their order, up to EXPORT_BATCH at a time.

    Rows that are added meanwhile may or may not be among them.
    """
    cursor: str | None = None
    while True:
        page = await list_ids(tx, selection, cursor=cursor, limit=EXPORT_BATCH)
        if page is None:
            return
        if page.ids:
            yield page.ids
        cursor = page.next_cursor
        if cursor is None:
            return


async def totals(tx: Tx, selection: Selection) -> Totals:
    """Return the totals of all rows; not exact when there are more than the windows allow."""
    if len(selection.branches) == 1:
        of_branch = await _totals_of_branch(tx, selection, selection.branches[0])
        return Totals(of_branch.sums, of_branch.is_exact and not selection.is_cut)
    found: dict[str, tuple[str, int, bool]] = {}
    is_exact = not selection.is_cut
    for branch in selection.branches:
        shape = shape_of(selection, branch)
        stmt = _statement("rows", selection.listed, shape)
        rows = await tx.fetch_all(
            stmt, **_arguments(selection, branch, limit=selection.windows.counted + 1)
        )
        is_exact = is_exact and len(rows) <= selection.windows.counted
        if shape.residual or shape.token_count:
            window = selection.windows.of(shape)
            is_exact = is_exact and await probe(tx, selection, branch, window + 1) <= window
        for row in rows:
            is_paid = row["status"] == selection.listed.paid_status
            found[row["id"]] = (row["currency"], row["amount_minor"], is_paid)
    sums: dict[str, Sum] = {}
    for currency, minor, is_paid in found.values():
        sums[currency] = _added(sums, currency, 1, minor, is_paid)
    return Totals(sums, is_exact)


async def _totals_of_branch(tx: Tx, selection: Selection, branch: Branch) -> Totals:
    shape = shape_of(selection, branch)
    stmt = _statement("totals", selection.listed, shape)
    window = selection.windows.of(shape)
    rows = await tx.fetch_all(stmt, **_arguments(selection, branch, window=window + 1))
    sums: dict[str, Sum] = {}
    for row in rows:
        if row["matched"]:
            is_paid = row["status"] == selection.listed.paid_status
            sums[row["currency"]] = _added(sums, row["currency"], row["n"], row["minor"], is_paid)
    return Totals(sums, is_exact=sum(row["n"] for row in rows) <= window)


def _added(sums: Mapping[str, Sum], currency: str, count: int, minor: int, is_paid: bool) -> Sum:
    one = sums.get(currency, Sum(0, 0, 0))
    paid = one.paid_minor + (int(minor) if is_paid else 0)
    return Sum(one.count + count, one.minor + int(minor), paid)
