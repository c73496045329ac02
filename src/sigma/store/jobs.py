"""The job queue: enqueued inside a transaction, claimed by a lease, deleted when complete.

A job that failed for good stays in state "dead" until a person retries or dismisses it.
"""

from sqlalchemy import (
    bindparam,
    case,
    delete,
    func,
    select,
    tuple_,
    update,
)

from sigma.domain.change import ClaimedJob, Job
from sigma.domain.job_lanes import LANES
from sigma.store.engine.interface import Database, Op, Row, Tx
from sigma.store.engine.statements import insert_on_conflict, statement
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
            "connection_id": job.connection_id,
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


def from_row(row: Row) -> ClaimedJob:
    """Return the job of a row."""
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
    return [from_row(row) for row in rows]


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
