"""The job queue: enqueued inside a transaction, claimed by a lease, deleted when complete.

A job that failed for good stays in state "dead" until a person retries or dismisses it.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Label,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    not_,
    or_,
    select,
    tuple_,
    update,
)

from sigma.domain.change import ClaimedJob, Job
from sigma.domain.job_lanes import LANES, Lane
from sigma.store import workers
from sigma.store.engine.interface import Database, Op, Row, Tx
from sigma.store.engine.statements import Statement, in_list, insert_on_conflict, statement
from sigma.store.paging import MAX_ID, MAX_INT
from sigma.store.schema.tables import jobs

CHANNEL = "jobs"

_insert = insert_on_conflict(jobs)
_enqueue = statement(
    _insert.on_conflict_do_update(
        index_elements=["kind", "subject_id"],
        set_={
            # The earlier due time wins. The new generation makes a running job run once more.
            "due_at_us": case(
                (jobs.c.due_at_us > _insert.excluded.due_at_us, _insert.excluded.due_at_us),
                else_=jobs.c.due_at_us,
            ),
            "generation": jobs.c.generation + 1,
            "attempts": 0,
            "state": "queued",
        },
    )
)

# A job is free if it has no lease, if the lease has ended, or if its worker is dead.
_is_free = or_(
    jobs.c.lease_until_us <= bindparam("now_us"),
    and_(jobs.c.leased_by != "", jobs.c.leased_by.not_in(workers.select_alive())),
)
_is_queued = and_(jobs.c.lane == bindparam("lane"), jobs.c.state == "queued")


def _claim_of(*conditions: ColumnElement[bool]) -> Statement:
    due = (
        select(jobs.c.kind, jobs.c.subject_id)
        .where(_is_queued, *conditions, jobs.c.due_at_us <= bindparam("now_us"), _is_free)
        .order_by(jobs.c.due_at_us)
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True, of=jobs)
        # A CTE runs once. PostgreSQL may run a subquery per row and so claim more than `limit`.
        .cte("due")
    )
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
_claim_of_shop = _claim_of(jobs.c.shop_id == bindparam("shop_id"))


def _due_shops() -> Select[Any]:
    """Select the shops with a due job; the shop whose job has waited longest comes first.

    A recursive query reads the next larger shop id from the index each time (a loose index scan): a
    shop with a million waiting jobs costs as much as a shop with one.
    """
    first = select(func.min(jobs.c.shop_id).label("shop_id")).where(_is_queued)
    shops = first.cte("shops", recursive=True)
    following = (
        select(func.min(jobs.c.shop_id))
        .where(_is_queued, jobs.c.shop_id > shops.c.shop_id)
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
    waiting = (
        select(shops.c.shop_id, first_due.label("due_at_us"))
        .where(shops.c.shop_id.is_not(None), not_(in_list(shops.c.shop_id, "full_shops")))
        .subquery("waiting")
    )
    return (
        select(waiting.c.shop_id)
        .where(waiting.c.due_at_us <= bindparam("now_us"))
        .order_by(waiting.c.due_at_us)
        .limit(bindparam("limit"))
    )


_list_due_shops = statement(_due_shops())
_lease_conditions = (
    jobs.c.kind == bindparam("key_kind"),
    jobs.c.subject_id == bindparam("key_subject_id"),
    jobs.c.lease_until_us == bindparam("key_lease_until_us"),
    jobs.c.leased_by == bindparam("key_leased_by"),
)
_complete = statement(
    delete(jobs).where(*_lease_conditions, jobs.c.generation == bindparam("key_generation"))
)
_release = statement(
    update(jobs).where(*_lease_conditions).values(lease_until_us=0, leased_by="", attempts=0)
)
_give_back = statement(
    update(jobs)
    .where(*_lease_conditions)
    .values(lease_until_us=0, leased_by="", attempts=bindparam("attempts"))
)
_reschedule = statement(
    update(jobs)
    .where(*_lease_conditions, jobs.c.generation == bindparam("key_generation"))
    .values(
        lease_until_us=0,
        leased_by="",
        attempts=bindparam("attempts"),
        due_at_us=bindparam("due_at_us"),
        state=bindparam("state"),
        last_error=bindparam("last_error"),
    )
)


def _first_due(lane: Lane) -> Label[Any]:
    first = (
        select(jobs.c.due_at_us)
        .where(jobs.c.lane == lane.value, jobs.c.state == "queued", _is_free)
        .order_by(jobs.c.due_at_us)
        .limit(1)
    )
    return first.scalar_subquery().label(lane.value)


_next_due = statement(select(*(_first_due(lane) for lane in Lane)))
_list_dead = statement(
    select(jobs)
    .where(
        jobs.c.shop_id == bindparam("shop_id"),
        jobs.c.state == "dead",
        tuple_(jobs.c.due_at_us, jobs.c.kind, jobs.c.subject_id)
        < tuple_(
            bindparam("before_due_at_us"), bindparam("before_kind"), bindparam("before_subject_id")
        ),
    )
    .order_by(jobs.c.due_at_us.desc(), jobs.c.kind.desc(), jobs.c.subject_id.desc())
    .limit(bindparam("limit"))
)
_count_dead = statement(
    select(func.count().label("n")).where(
        jobs.c.shop_id == bindparam("shop_id"), jobs.c.state == "dead"
    )
)
_retry = statement(
    update(jobs)
    .where(
        jobs.c.shop_id == bindparam("key_shop_id"),
        jobs.c.kind == bindparam("key_kind"),
        jobs.c.subject_id == bindparam("key_subject_id"),
        jobs.c.state == "dead",
    )
    .values(
        state="queued", attempts=0, due_at_us=bindparam("due_at_us"), lease_until_us=0, leased_by=""
    )
)
_dismiss = statement(
    delete(jobs).where(
        jobs.c.shop_id == bindparam("key_shop_id"),
        jobs.c.kind == bindparam("key_kind"),
        jobs.c.subject_id == bindparam("key_subject_id"),
        jobs.c.state == "dead",
    )
)
_requeue_dead = statement(
    update(jobs)
    .where(
        jobs.c.shop_id == bindparam("key_shop_id"),
        jobs.c.state == "dead",
        jobs.c.last_error == bindparam("key_error"),
    )
    .values(
        state="queued", attempts=0, due_at_us=bindparam("due_at_us"), lease_until_us=0, leased_by=""
    )
)
_count_by_state = statement(select(jobs.c.state, func.count().label("n")).group_by(jobs.c.state))


def enqueue(job: Job, now_us: int) -> Op:
    """Return the write that enqueues a job, due at `job.due_at_us` or else at `now_us`.

    A job with the same kind and subject is one row; enqueueing it again resets its attempts.
    """
    return Op(
        _enqueue,
        {
            "kind": job.kind,
            "subject_id": job.subject_id,
            "shop_id": job.shop_id,
            "lane": LANES[job.kind].value,
            "due_at_us": job.due_at_us or now_us,
            "lease_until_us": 0,
            "leased_by": "",
            "attempts": 0,
            "generation": 1,
            "state": "queued",
            "last_error": "",
            "created_at_us": now_us,
        },
    )


async def claim(
    db: Database,
    lane: Lane,
    *,
    now_us: int,
    lease_until_us: int,
    limit: int,
    worker_id: str = "",
    shop_id: str | None = None,
) -> list[ClaimedJob]:
    """Lease up to `limit` jobs of a lane due at `now_us` until `lease_until_us`.

    No two workers get the same job. The lease ends earlier when the worker `worker_id` is dead; a
    lease without a worker only ends in time. `shop_id`: only jobs of this shop.
    """
    values = {
        "lane": lane.value,
        "now_us": now_us,
        "lease_until_us": lease_until_us,
        "limit": limit,
        "worker_id": worker_id,
    }
    async with db.write() as tx:
        if shop_id is None:
            rows = await tx.fetch_all(_claim, **values)
        else:
            rows = await tx.fetch_all(_claim_of_shop, **values, shop_id=shop_id)
    return [_from_row(row) for row in rows]


async def list_due_shops(
    tx: Tx, lane: Lane, now_us: int, *, full_shops: Sequence[str], limit: int
) -> list[str]:
    """Return up to `limit` shops with a job of the lane due at `now_us`, without `full_shops`.

    The shop whose job waits longest comes first.
    """
    rows = await tx.fetch_all(
        _list_due_shops,
        lane=lane.value,
        now_us=now_us,
        full_shops=list(full_shops),
        limit=limit,
    )
    return [row["shop_id"] for row in rows]


def _from_row(row: Row) -> ClaimedJob:
    return ClaimedJob(*(row[name] for name in ClaimedJob.__slots__))


def _lease_key(job: ClaimedJob) -> dict[str, object]:
    return {
        "key_kind": job.kind,
        "key_subject_id": job.subject_id,
        "key_lease_until_us": job.lease_until_us,
        "key_leased_by": job.leased_by,
    }


async def complete(db: Database, job: ClaimedJob) -> None:
    """Delete a finished job, or release it for another run when it was enqueued again meanwhile."""
    async with db.write() as tx:
        key = _lease_key(job)
        if not await tx.execute(_complete, **key, key_generation=job.generation):
            await tx.execute(_release, **key)


async def give_back(db: Database, job: ClaimedJob) -> None:
    """Release a job whose run ended by a stop or a failure of the database: it does not count."""
    async with db.write() as tx:
        await tx.execute(_give_back, **_lease_key(job), attempts=max(job.attempts - 1, 0))


async def reschedule(
    db: Database,
    job: ClaimedJob,
    due_at_us: int,
    error: str,
    *,
    is_dead: bool,
    is_counted: bool = True,
) -> None:
    """Reschedule a failed job to `due_at_us`. `is_dead`: stop retrying it.

    `is_counted`: the run counts as one of the job's attempts. A job that was enqueued again
    meanwhile is only released, and so runs at once.
    """
    async with db.write() as tx:
        key = _lease_key(job)
        rescheduled = await tx.execute(
            _reschedule,
            **key,
            key_generation=job.generation,
            attempts=job.attempts if is_counted else max(job.attempts - 1, 0),
            due_at_us=due_at_us,
            state="dead" if is_dead else "queued",
            last_error=error,
        )
        if not rescheduled:
            await tx.execute(_release, **key)


async def next_due(tx: Tx, now_us: int) -> dict[Lane, int]:
    """Return when the next job of each lane can be claimed (UTC microseconds).

    A time up to `now_us` means that a job is due. A lane without a free job is left out.
    """
    row = await tx.fetch_one(_next_due, now_us=now_us)
    assert row is not None, "a query without a table returns one row"
    return {lane: row[lane.value] for lane in Lane if row[lane.value] is not None}


async def list_dead(
    tx: Tx, shop_id: str, *, before: tuple[int, str, str] | None = None, limit: int
) -> list[ClaimedJob]:
    """Return a shop's dead jobs, the latest first.

    `before` is (due time in UTC microseconds, kind, subject id) of the previous page's last row.
    """
    due_at_us, kind, subject_id = before or (MAX_INT, MAX_ID, MAX_ID)
    rows = await tx.fetch_all(
        _list_dead,
        shop_id=shop_id,
        before_due_at_us=due_at_us,
        before_kind=kind,
        before_subject_id=subject_id,
        limit=limit,
    )
    return [_from_row(row) for row in rows]


async def count_dead(tx: Tx, shop_id: str) -> int:
    """Return the number of a shop's dead jobs."""
    row = await tx.fetch_one(_count_dead, shop_id=shop_id)
    return int(row["n"]) if row else 0


async def retry(tx: Tx, shop_id: str, kind: str, subject_id: str, now_us: int) -> bool:
    """Queue a dead job again, due at `now_us`. Return False when there is no such dead job."""
    key = {"key_shop_id": shop_id, "key_kind": kind, "key_subject_id": subject_id}
    return await tx.execute(_retry, **key, due_at_us=now_us) == 1


async def requeue_dead(tx: Tx, shop_id: str, error: str, now_us: int) -> int:
    """Queue all dead jobs with this last error again; return how many.

    Call it when the cause of the error is gone, e.g. a broken access key was replaced.
    """
    return await tx.execute(_requeue_dead, key_shop_id=shop_id, key_error=error, due_at_us=now_us)


async def dismiss(tx: Tx, shop_id: str, kind: str, subject_id: str) -> bool:
    """Delete a dead job. Return False when there is no such dead job."""
    key = {"key_shop_id": shop_id, "key_kind": kind, "key_subject_id": subject_id}
    return await tx.execute(_dismiss, **key) == 1


async def count_by_state(tx: Tx) -> dict[str, int]:
    """Return the number of jobs by state."""
    return {row["state"]: int(row["n"]) for row in await tx.fetch_all(_count_by_state)}
