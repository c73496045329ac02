"""Claims of due jobs: which jobs a worker leases next."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Label,
    Select,
    and_,
    bindparam,
    func,
    not_,
    or_,
    select,
    tuple_,
    update,
)

from sigma.domain.change import ClaimedJob
from sigma.domain.job_lanes import Lane
from sigma.store import workers
from sigma.store.engine.interface import Database, Tx
from sigma.store.engine.statements import Statement, in_list, statement
from sigma.store.jobs import from_row
from sigma.store.schema.tables import jobs

# So many due jobs are read to find their shops. The search that skips the other jobs of a shop
# visits all shops that have a job at all: 2 reads of the index for each of thousands.
FEW_DUE_JOBS = 200

# A job is free if it has no lease, if the lease has ended, or if its worker is dead.
_is_free = or_(
    jobs.c.lease_until_us <= bindparam("now_us"),
    and_(jobs.c.leased_by != "", jobs.c.leased_by.not_in(workers.select_alive())),
)
_is_queued = and_(jobs.c.lane == bindparam("lane"), jobs.c.state == "queued")


def _due(*conditions: ColumnElement[bool]) -> CTE:
    return (
        select(jobs.c.kind, jobs.c.subject_id)
        .where(_is_queued, *conditions, jobs.c.due_at_us <= bindparam("now_us"), _is_free)
        .order_by(jobs.c.due_at_us)
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True, of=jobs)
        # A CTE runs once. PostgreSQL may run a subquery per row and so claim more than `limit`.
        .cte("due")
    )


def _claim_of(*conditions: ColumnElement[bool]) -> Statement:
    due = _due(*conditions)
    return statement(
        update(jobs)
        .where(tuple_(jobs.c.kind, jobs.c.subject_id).in_(select(due.c.kind, due.c.subject_id)))
        .values(
            lease_until_us=bindparam("lease_until_us"),
            leased_by=bindparam("worker_id"),
            attempts=jobs.c.attempts + 1,
        )
        .returning(jobs)
    )


_claim = _claim_of()
_is_of_shop = jobs.c.shop_id == bindparam("shop_id")
_claim_of_shop = _claim_of(_is_of_shop)

_alike = _due(
    _is_of_shop,
    jobs.c.kind == bindparam("job_kind"),
    jobs.c.connection_id == bindparam("job_connection_id"),
)
_put_off_alike = statement(
    update(jobs)
    .where(tuple_(jobs.c.kind, jobs.c.subject_id).in_(select(_alike.c.kind, _alike.c.subject_id)))
    .values(due_at_us=bindparam("later_us"))
    .returning(jobs.c.subject_id)
)


def _due_shops(*bounds: ColumnElement[bool]) -> Select[Any]:
    """Select the shops with a due job and an id within `bounds`, in the order of their ids.

    A recursive query reads the next larger shop id from the index each time (a loose index scan): a
    shop with a million waiting jobs costs as much as a shop with one. It ends at the limit.
    """
    first = select(func.min(jobs.c.shop_id).label("shop_id")).where(_is_queued, *bounds)
    shops = first.cte("shops", recursive=True)
    following = (
        select(func.min(jobs.c.shop_id))
        .where(_is_queued, *bounds, jobs.c.shop_id > shops.c.shop_id)
        .scalar_subquery()
    )
    shops = shops.union_all(select(following).where(shops.c.shop_id.is_not(None)))
    first_due = (
        select(jobs.c.due_at_us)
        .where(_is_queued, jobs.c.shop_id == shops.c.shop_id, _is_free)
        .order_by(jobs.c.due_at_us)
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(shops.c.shop_id)
        .where(
            shops.c.shop_id.is_not(None),
            not_(in_list(shops.c.shop_id, "full_shops")),
            first_due <= bindparam("now_us"),
        )
        .limit(bindparam("limit"))
    )


# Of the oldest due jobs. With fewer of them than the limit these are the shops of all due jobs.
_list_oldest_shops = statement(
    select(jobs.c.shop_id)
    .where(_is_queued, jobs.c.due_at_us <= bindparam("now_us"), _is_free)
    .order_by(jobs.c.due_at_us)
    .limit(bindparam("limit"))
)
_list_due_shops_after = statement(_due_shops(jobs.c.shop_id > bindparam("last_shop_id")))
_list_due_shops_up_to = statement(_due_shops(jobs.c.shop_id <= bindparam("last_shop_id")))


def _first_due(lane: Lane) -> Label[Any]:
    first = (
        select(jobs.c.due_at_us)
        .where(jobs.c.lane == lane.value, jobs.c.state == "queued", _is_free)
        .order_by(jobs.c.due_at_us)
        .limit(1)
    )
    return first.scalar_subquery().label(lane.value)


_next_due = statement(select(*(_first_due(lane) for lane in Lane)))


async def claim(
    db: Database,
    lane: Lane,
    *,
    now_us: int,
    lease_until_us: int,
    limit: int,
    worker_id: str = "",
) -> list[ClaimedJob]:
    """Lease up to `limit` jobs of a lane due at `now_us` until `lease_until_us`, the oldest first.

    No two workers get the same job. The lease ends earlier when the worker `worker_id` is dead; a
    lease without a worker only ends in time.
    """
    async with db.write() as tx:
        rows = await tx.fetch_all(
            _claim,
            lane=lane.value,
            now_us=now_us,
            lease_until_us=lease_until_us,
            worker_id=worker_id,
            limit=limit,
        )
    return [from_row(row) for row in rows]


async def claim_of_shops(
    db: Database,
    lane: Lane,
    shares: Mapping[str, int],
    *,
    now_us: int,
    lease_until_us: int,
    worker_id: str,
) -> list[ClaimedJob]:
    """Lease due jobs like `claim`, in one transaction. `shares`: shop id → at most so many jobs."""
    claimed: list[ClaimedJob] = []
    async with db.write() as tx:
        for shop_id, limit in shares.items():
            rows = await tx.fetch_all(
                _claim_of_shop,
                lane=lane.value,
                now_us=now_us,
                lease_until_us=lease_until_us,
                worker_id=worker_id,
                limit=limit,
                shop_id=shop_id,
            )
            claimed += [from_row(row) for row in rows]
    return claimed


async def put_off_alike(
    db: Database, job: ClaimedJob, *, now_us: int, due_at_us: int, limit: int
) -> int:
    """Put off up to `limit` jobs due at `now_us` until `due_at_us`; return how many.

    They call the same server as `job`: the jobs of its kind, its shop and its acquirer connection.
    """
    async with db.write() as tx:
        rows = await tx.fetch_all(
            _put_off_alike,
            lane=job.lane,
            shop_id=job.shop_id,
            job_kind=job.kind,
            job_connection_id=job.connection_id,
            now_us=now_us,
            later_us=due_at_us,
            limit=limit,
        )
    return len(rows)


async def list_due_shops(
    tx: Tx, lane: Lane, now_us: int, *, last_shop_id: str, full_shops: Sequence[str], limit: int
) -> list[str]:
    """Return up to `limit` shops with a job of the lane due at `now_us`, without `full_shops`.

    In turns: the ids after `last_shop_id` come first, in their order, then those up to it. How many
    jobs a shop has, and for how long they have waited, does not matter.
    """
    oldest = await tx.fetch_all(
        _list_oldest_shops, lane=lane.value, now_us=now_us, limit=FEW_DUE_JOBS
    )
    if len(oldest) < FEW_DUE_JOBS:
        due = {row["shop_id"] for row in oldest}.difference(full_shops)
        return sorted(due, key=lambda shop_id: (shop_id <= last_shop_id, shop_id))[:limit]
    shop_ids: list[str] = []
    for query in (_list_due_shops_after, _list_due_shops_up_to):
        if len(shop_ids) < limit:
            rows = await tx.fetch_all(
                query,
                lane=lane.value,
                now_us=now_us,
                last_shop_id=last_shop_id,
                full_shops=list(full_shops),
                limit=limit - len(shop_ids),
            )
            shop_ids += [row["shop_id"] for row in rows]
    return shop_ids


async def next_due(tx: Tx, now_us: int) -> dict[Lane, int]:
    """Return when the next job of each lane can be claimed (UTC microseconds).

    A time up to `now_us` means that a job is due. A lane without a free job is left out.
    """
    row = await tx.fetch_one(_next_due, now_us=now_us)
    assert row is not None, "a query without a table returns one row"
    return {lane: row[lane.value] for lane in Lane if row[lane.value] is not None}
