"""Jobs: enqueued once, leased to one worker, stored until completed or dismissed."""

import asyncio

import pytest

from sigma.domain.change import Change, ClaimedJob, Job
from sigma.domain.job_lanes import Lane
from sigma.store import changes, job_claims, jobs, workers
from sigma.store.engine.interface import Database
from sigma.store.workers import WorkerProcess

pytestmark = pytest.mark.both_databases


NOW = 1_795_500_000_000_000
MINUTE_US = 60_000_000


@pytest.fixture
def db(sigma_db: Database) -> Database:
    """Return a database with Sigma's tables, all empty."""
    return sigma_db


async def enqueue(
    db: Database, subject_id: str = "mail_1", due_at_us: int = 0, now_us: int = NOW
) -> None:
    job = Job("mail.send", subject_id, "shp_1", due_at_us)
    await changes.commit(db, Change(jobs=(job,)), now_us)


async def claim(db: Database, now_us: int = NOW, limit: int = 10) -> list[ClaimedJob]:
    return await job_claims.claim(
        db, Lane.MAIL, now_us=now_us, lease_until_us=now_us + MINUTE_US, limit=limit
    )


async def test_completed_job_is_deleted(db: Database) -> None:
    await enqueue(db)
    (job,) = await claim(db)
    assert (job.id, job.shop_id, job.attempts) == ("mail.send:mail_1", "shp_1", 1)
    await jobs.complete(db, job)
    assert await claim(db, NOW + 10 * MINUTE_US) == []


async def test_job_enqueued_twice_is_one_job(db: Database) -> None:
    await enqueue(db)
    await enqueue(db)
    assert len(await claim(db)) == 1


async def test_earliest_due_time_of_repeated_enqueue_wins(db: Database) -> None:
    await enqueue(db, due_at_us=NOW + 5)
    await enqueue(db, due_at_us=NOW + 2)
    await enqueue(db, due_at_us=NOW + 9)
    assert await claim(db, NOW + 1) == []
    assert len(await claim(db, NOW + 2)) == 1


async def test_leased_job_is_claimed_by_another_worker_only_after_lease_ends(db: Database) -> None:
    await enqueue(db)
    (first,) = await claim(db)
    assert await claim(db) == []
    assert await claim(db, NOW + MINUTE_US - 1) == []
    (second,) = await claim(db, NOW + MINUTE_US)  # the first worker is taken for dead
    assert second.attempts == 2
    await jobs.complete(db, first)  # the first worker lost its lease: no effect
    assert await claim(db, NOW + 2 * MINUTE_US) != []


async def test_concurrent_workers_never_claim_the_same_job(db: Database) -> None:
    for n in range(30):
        await enqueue(db, f"mail_{n}")
    batches = await asyncio.gather(*(claim(db, limit=4) for _ in range(12)))
    subject_ids = [job.subject_id for batch in batches for job in batch]
    assert len(subject_ids) == len(set(subject_ids)) == 30


async def test_job_enqueued_while_running_runs_once_more(db: Database) -> None:
    await enqueue(db)
    (running,) = await claim(db)
    await enqueue(db)
    await enqueue(db)
    assert await claim(db) == []  # never two runs at once
    await jobs.complete(db, running)
    (again,) = await claim(db)
    assert again.attempts == 1
    await jobs.complete(db, again)
    assert await claim(db, NOW + 10 * MINUTE_US) == []


async def test_job_enqueued_while_running_is_not_delayed_by_failure(db: Database) -> None:
    await enqueue(db)
    (running,) = await claim(db)
    await enqueue(db)
    await jobs.reschedule(db, running, NOW + 10 * MINUTE_US, "timeout", is_dead=True)
    assert len(await claim(db)) == 1


async def test_rescheduled_job_is_due_at_its_time_and_keeps_attempts(db: Database) -> None:
    await enqueue(db)
    (job,) = await claim(db)
    await jobs.reschedule(db, job, NOW + 5, "timeout", is_dead=False)
    assert await claim(db, NOW + 4) == []
    (again,) = await claim(db, NOW + 5)
    assert (again.attempts, again.last_error) == (2, "timeout")


async def test_dead_job_is_listed_and_retried_only_by_its_shop(db: Database) -> None:
    await enqueue(db)
    (job,) = await claim(db)
    await jobs.reschedule(db, job, NOW, "timeout", is_dead=True)
    assert await claim(db, NOW + 10 * MINUTE_US) == []
    async with db.read() as tx:
        assert await jobs.list_dead(tx, "shp_2", limit=100) == []
        assert [
            (dead.id, dead.last_error) for dead in await jobs.list_dead(tx, "shp_1", limit=100)
        ] == [("mail.send:mail_1", "timeout")]
        assert await jobs.count_by_state(tx) == {"dead": 1}
    async with db.write() as tx:
        assert not await jobs.retry(tx, "shp_2", "mail.send", "mail_1", NOW)
        assert await jobs.retry(tx, "shp_1", "mail.send", "mail_1", NOW)
        assert not await jobs.retry(tx, "shp_1", "mail.send", "mail_1", NOW)
    (again,) = await claim(db)
    assert again.attempts == 1


async def test_only_dead_job_can_be_dismissed(db: Database) -> None:
    await enqueue(db)
    async with db.write() as tx:
        assert not await jobs.dismiss(tx, "shp_1", "mail.send", "mail_1")
    (job,) = await claim(db)
    await jobs.reschedule(db, job, NOW, "timeout", is_dead=True)
    async with db.write() as tx:
        assert await jobs.dismiss(tx, "shp_1", "mail.send", "mail_1")
    async with db.read() as tx:
        assert await jobs.count_by_state(tx) == {}


async def test_enqueue_requeues_dead_job(db: Database) -> None:
    await enqueue(db)
    (job,) = await claim(db)
    await jobs.reschedule(db, job, NOW, "timeout", is_dead=True)
    await enqueue(db)
    assert [j.attempts for j in await claim(db)] == [1]


async def test_next_due_time_is_earliest_of_unclaimed_jobs(db: Database) -> None:
    async def next_due(now_us: int = NOW + 20) -> dict[Lane, int]:
        async with db.read() as tx:
            return await job_claims.next_due(tx, now_us)

    assert await next_due() == {}
    await enqueue(db, "mail_1", NOW + 50)
    await enqueue(db, "mail_2", NOW + 20)
    assert await next_due() == {Lane.MAIL: NOW + 20}
    (job,) = await claim(db, NOW + 20)
    assert await next_due() == {Lane.MAIL: NOW + 50}  # the other job runs
    assert await next_due(job.lease_until_us) == {Lane.MAIL: NOW + 20}


async def test_next_due_time_is_known_for_each_lane(db: Database) -> None:
    new_jobs = (Job("payment.advance", "pay_1", "shp_1", NOW + 7), Job("mail.send", "m", "shp_1"))
    await changes.commit(db, Change(jobs=new_jobs), NOW)
    async with db.read() as tx:
        assert await job_claims.next_due(tx, NOW) == {Lane.MONEY: NOW + 7, Lane.MAIL: NOW}
    assert [job.subject_id for job in await claim(db, NOW + 9)] == ["m"]


async def test_lease_of_a_dead_worker_is_void_and_that_of_a_living_one_is_not(
    db: Database,
) -> None:
    dead, living = WorkerProcess(), WorkerProcess()
    for subject_id, worker, beat_at_us in (("a", dead, NOW), ("b", living, NOW + 5_000_000)):
        await enqueue(db, subject_id)
        await workers.beat(db, worker, beat_at_us)
        claimed = await job_claims.claim(
            db,
            Lane.MAIL,
            now_us=NOW,
            lease_until_us=NOW + MINUTE_US,
            limit=1,
            worker_id=worker.id,
        )
        assert [job.subject_id for job in claimed] == [subject_id]
    assert await claim(db, NOW + workers.ALIVE_US - 1) == []
    (taken,) = await claim(db, NOW + workers.ALIVE_US)
    assert (taken.subject_id, taken.attempts) == ("a", 2)
    await workers.remove(db, living)
    assert [job.subject_id for job in await claim(db, NOW + workers.ALIVE_US)] == ["b"]


async def test_attempt_that_the_database_ended_does_not_count(db: Database) -> None:
    await enqueue(db)
    for _ in range(3):
        (job,) = await claim(db)
        assert job.attempts == 1
        await jobs.give_back(db, job)


async def list_due_shops(db: Database, last_shop_id: str = "", *full: str, n: int = 8) -> list[str]:
    """Return the shops with due mails at NOW + 1000, in turns."""
    async with db.read() as tx:
        return await job_claims.list_due_shops(
            tx, Lane.MAIL, NOW + 1000, last_shop_id=last_shop_id, full_shops=full, limit=n
        )


async def claim_of_shops(db: Database, **shares: int) -> list[str]:
    claimed = await job_claims.claim_of_shops(
        db,
        Lane.MAIL,
        shares,
        now_us=NOW + 1000,
        lease_until_us=NOW + MINUTE_US,
        worker_id="",
    )
    return [job.subject_id for job in claimed]


@pytest.mark.parametrize("count", [3, job_claims.FEW_DUE_JOBS + 1])
async def test_shops_take_turns_whatever_they_have_waiting(db: Database, count: int) -> None:
    flood = tuple(Job("mail.send", f"flood_{n}", "shp_2", NOW - 10**9 + n) for n in range(count))
    others = (
        Job("mail.send", "of the installation", "", NOW + 600),
        Job("mail.send", "late", "shp_1", NOW + 500),
        Job("mail.send", "later", "shp_3", NOW + 450),
        Job("mail.send", "early", "shp_3", NOW + 400),
        Job("mail.send", "future", "shp_4", NOW + 10**9),
        Job("payment.advance", "other lane", "shp_5", NOW),
    )
    await changes.commit(db, Change(jobs=flood + others), NOW)

    assert await list_due_shops(db) == ["shp_1", "shp_2", "shp_3", ""]
    assert await list_due_shops(db, "shp_2") == ["shp_3", "", "shp_1", "shp_2"]
    assert await list_due_shops(db, "shp_25", n=2) == ["shp_3", ""]
    assert await list_due_shops(db, "shp_9") == ["", "shp_1", "shp_2", "shp_3"]
    assert await list_due_shops(db, "shp_1", "shp_2", "shp_9") == ["shp_3", "", "shp_1"]
    assert await list_due_shops(db, "shp_1", "shp_2", n=1) == ["shp_3"]

    assert await claim_of_shops(db, shp_3=1, shp_2=2, shp_4=3) == ["early", "flood_0", "flood_1"]
    assert await list_due_shops(db, "shp_1") == ["shp_2", "shp_3", "", "shp_1"]
    assert await claim_of_shops(db, shp_3=5) == ["later"]
    assert await list_due_shops(db, "shp_2") == ["", "shp_1", "shp_2"]


async def test_jobs_that_call_the_same_server_are_put_off_together(db: Database) -> None:
    def advance(subject: str, connection: str, shop: str = "shp_1", due_at_us: int = NOW) -> Job:
        return Job("payment.advance", subject, shop, due_at_us, connection)

    new_jobs = (
        *(advance(f"dead_{n}", "con_dead", due_at_us=NOW - 20 + n) for n in range(8)),
        advance("leased", "con_dead", due_at_us=NOW - 50),
        advance("first", "con_dead", due_at_us=NOW - 40),
        advance("not due", "con_dead", due_at_us=NOW + 500),
        advance("other acquirer", "con_living"),
        advance("other shop", "con_dead", "shp_2"),
        Job("refund.advance", "other kind", "shp_1", NOW, "con_dead"),
        Job("mail.send", "other lane", "shp_1", NOW),
    )
    await changes.commit(db, Change(jobs=new_jobs), NOW)
    leased, first = sorted(
        await job_claims.claim(db, Lane.MONEY, now_us=NOW, lease_until_us=NOW + MINUTE_US, limit=2),
        key=lambda job: job.due_at_us,
    )
    assert (leased.subject_id, first.subject_id) == ("leased", "first")

    async def put_off(limit: int = 500) -> int:
        return await job_claims.put_off_alike(
            db, first, now_us=NOW, due_at_us=NOW + 1000, limit=limit
        )

    assert [await put_off(3), await put_off(), await put_off()] == [3, 5, 0]
    claimed = await job_claims.claim(
        db, Lane.MONEY, now_us=NOW, lease_until_us=NOW + MINUTE_US, limit=50
    )
    assert {job.subject_id for job in claimed} == {"other acquirer", "other shop", "other kind"}
    later = await job_claims.claim(
        db, Lane.MONEY, now_us=NOW + 1000, lease_until_us=NOW + MINUTE_US, limit=50
    )
    assert {job.subject_id for job in later} == {"not due", *(f"dead_{n}" for n in range(8))}
    await jobs.complete(db, leased)  # its lease is untouched
    async with db.read() as tx:
        assert await jobs.count_by_state(tx) == {"queued": 14}


async def test_dead_jobs_are_listed_by_pages_without_gaps(db: Database) -> None:
    for n in range(7):
        await enqueue(db, f"mail_{n}", NOW)
    for job in await claim(db, NOW):
        await jobs.reschedule(db, job, NOW + int(job.subject_id[-1]) // 3, "x", is_dead=True)
    listed: list[str] = []
    before = None
    async with db.read() as tx:
        assert await jobs.count_dead(tx, "shp_1") == 7
        while page := await jobs.list_dead(tx, "shp_1", before=before, limit=2):
            listed += [job.subject_id for job in page]
            before = (page[-1].due_at_us, page[-1].kind, page[-1].subject_id)
    assert listed == [f"mail_{n}" for n in (6, 5, 4, 3, 2, 1, 0)]
