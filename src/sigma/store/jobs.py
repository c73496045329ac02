"""Jobs as rows: promised inside a transaction, claimed by a lease, deleted when done, kept when
they die.
"""

from dataclasses import dataclass

from sqlalchemy import bindparam, case, delete, func, select, tuple_, update

from sigma.domain.change import Job
from sigma.store.engine.interface import Database, Op, Row, Tx
from sigma.store.engine.statements import insert_on_conflict, statement
from sigma.store.schema.tables import jobs

CHANNEL = "jobs"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job as its worker holds it.

    The lease is worker's own until `lease_until` (UTC microseconds).
    """

    kind: str
    subject: str
    shop_id: str
    attempts: int
    generation: int
    lease_until: int
    created_at: int
    state: str
    last_error: str

    @property
    def id(self) -> str:
        """The name it goes by on pages: kind and subject."""
        return f"{self.kind}:{self.subject}"


_new = insert_on_conflict(jobs)
_promise = statement(
    _new.on_conflict_do_update(
        index_elements=["kind", "subject"],
        set_={
            # Asked again while it waits: the earlier time wins. While it runs: it runs once more.
            "due_at": case(
                (jobs.c.due_at > _new.excluded.due_at, _new.excluded.due_at), else_=jobs.c.due_at
            ),
            "generation": jobs.c.generation + 1,
            "attempts": 0,
            "state": "queued",
        },
    )
)

_due = (
    select(jobs.c.kind, jobs.c.subject)
    .where(
        jobs.c.state == "queued",
        jobs.c.due_at <= bindparam("now"),
        jobs.c.lease_until <= bindparam("now"),
    )
    .order_by(jobs.c.due_at)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
    # A plain subquery may be run again for each row of a join, and then it takes more than `limit`.
    .cte("due")
)
_claim = statement(
    update(jobs)
    .where(tuple_(jobs.c.kind, jobs.c.subject).in_(select(_due.c.kind, _due.c.subject)))
    .values(lease_until=bindparam("until"), attempts=jobs.c.attempts + 1)
    .returning(jobs)
)
_mine = (
    jobs.c.kind == bindparam("key_kind"),
    jobs.c.subject == bindparam("key_subject"),
    jobs.c.lease_until == bindparam("key_lease"),
)
_done = statement(delete(jobs).where(*_mine, jobs.c.generation == bindparam("key_generation")))
_free = statement(update(jobs).where(*_mine).values(lease_until=0, attempts=0))
_later = statement(
    update(jobs)
    .where(*_mine, jobs.c.generation == bindparam("key_generation"))
    .values(
        lease_until=0,
        due_at=bindparam("due_at"),
        state=bindparam("state"),
        last_error=bindparam("last_error"),
    )
)
_next_due = statement(
    select(
        func.min(
            case((jobs.c.lease_until > jobs.c.due_at, jobs.c.lease_until), else_=jobs.c.due_at)
        ).label("at")
    ).where(jobs.c.state == "queued")
)
_dead = statement(
    select(jobs)
    .where(jobs.c.shop_id == bindparam("shop_id"), jobs.c.state == "dead")
    .order_by(jobs.c.due_at.desc())
    .limit(100)
)
_retry = statement(
    update(jobs)
    .where(
        jobs.c.shop_id == bindparam("key_shop"),
        jobs.c.kind == bindparam("key_kind"),
        jobs.c.subject == bindparam("key_subject"),
        jobs.c.state == "dead",
    )
    .values(state="queued", attempts=0, due_at=bindparam("due_at"), lease_until=0)
)
_dismiss = statement(
    delete(jobs).where(
        jobs.c.shop_id == bindparam("key_shop"),
        jobs.c.kind == bindparam("key_kind"),
        jobs.c.subject == bindparam("key_subject"),
        jobs.c.state == "dead",
    )
)
_revive = statement(
    update(jobs)
    .where(
        jobs.c.shop_id == bindparam("key_shop"),
        jobs.c.state == "dead",
        jobs.c.last_error == bindparam("key_error"),
    )
    .values(state="queued", attempts=0, due_at=bindparam("due_at"), lease_until=0)
)
_counts = statement(select(jobs.c.state, func.count().label("n")).group_by(jobs.c.state))


def promise(job: Job, now: int) -> Op:
    """The write that promises a job. Promised twice, it is one row."""
    return Op(
        _promise,
        {
            "kind": job.kind,
            "subject": job.subject,
            "shop_id": job.shop_id,
            "due_at": job.due_at or now,
            "lease_until": 0,
            "attempts": 0,
            "generation": 1,
            "state": "queued",
            "last_error": "",
            "created_at": now,
        },
    )


async def claim(db: Database, *, now: int, until: int, limit: int) -> list[Claimed]:
    """Takes up to `limit` due jobs, leased until `until`. No two workers get the same one."""
    async with db.write() as tx:
        rows = await tx.fetch_all(_claim, now=now, until=until, limit=limit)
    return [_claimed(row) for row in rows]


def _claimed(row: Row) -> Claimed:
    return Claimed(*(row[name] for name in Claimed.__slots__))


async def done(db: Database, job: Claimed) -> None:
    """Deletes a finished job, or frees it for another run when it was promised again meanwhile."""
    async with db.write() as tx:
        key = {"key_kind": job.kind, "key_subject": job.subject, "key_lease": job.lease_until}
        if not await tx.execute(_done, **key, key_generation=job.generation):
            await tx.execute(_free, **key)


async def later(db: Database, job: Claimed, due_at: int, error: str, *, dead: bool) -> None:
    """Puts a job off to `due_at`, or lays it among the dead for a person."""
    async with db.write() as tx:
        key = {"key_kind": job.kind, "key_subject": job.subject, "key_lease": job.lease_until}
        put_off = await tx.execute(
            _later,
            **key,
            key_generation=job.generation,
            due_at=due_at,
            state="dead" if dead else "queued",
            last_error=error,
        )
        if not put_off:
            await tx.execute(_free, **key)


async def next_due(tx: Tx) -> int | None:
    """When the next job wants a worker (UTC microseconds), None when nothing waits."""
    row = await tx.fetch_one(_next_due)
    return row["at"] if row else None


async def dead(tx: Tx, shop_id: str) -> list[Claimed]:
    """A shop's dead jobs, the latest first, 100 at most."""
    return [_claimed(row) for row in await tx.fetch_all(_dead, shop_id=shop_id)]


async def retry(tx: Tx, shop_id: str, kind: str, subject: str, now: int) -> bool:
    """Brings a dead job back to life. False when there is no such dead job."""
    key = {"key_shop": shop_id, "key_kind": kind, "key_subject": subject}
    return await tx.execute(_retry, **key, due_at=now) == 1


async def revive(tx: Tx, shop_id: str, error: str, now: int) -> int:
    """Brings back all that died of one trouble, which is over; returns how many."""
    return await tx.execute(_revive, key_shop=shop_id, key_error=error, due_at=now)


async def dismiss(tx: Tx, shop_id: str, kind: str, subject: str) -> bool:
    """Removes a dead job. False when there is no such dead job."""
    key = {"key_shop": shop_id, "key_kind": kind, "key_subject": subject}
    return await tx.execute(_dismiss, **key) == 1


async def counts(tx: Tx) -> dict[str, int]:
    """How many jobs are in each state."""
    return {row["state"]: int(row["n"]) for row in await tx.fetch_all(_counts)}
