"""Jobs: promised once, leased to one worker, kept until they are done or a person decides."""

import asyncio

import pytest

from sigma.domain.change import Change, Job
from sigma.store import changes, jobs
from sigma.store.engine.interface import Database
from sigma.store.jobs import Claimed

NOW = 1_795_500_000_000_000
MINUTE = 60_000_000


@pytest.fixture
def db(house: Database) -> Database:
    """Sigma's own tables, empty."""
    return house


async def promise(db: Database, subject: str = "mail_1", due_at: int = 0, now: int = NOW) -> None:
    job = Job("mail.send", subject, "shp_1", due_at)
    await changes.commit(db, Change(jobs=(job,)), now)


async def claim(db: Database, now: int = NOW, limit: int = 10) -> list[Claimed]:
    return await jobs.claim(db, now=now, until=now + MINUTE, limit=limit)


async def test_a_job_is_done_and_gone(db: Database) -> None:
    await promise(db)
    (job,) = await claim(db)
    assert (job.id, job.shop_id, job.attempts) == ("mail.send:mail_1", "shp_1", 1)
    await jobs.done(db, job)
    assert await claim(db, NOW + 10 * MINUTE) == []


async def test_a_job_promised_twice_is_one(db: Database) -> None:
    await promise(db)
    await promise(db)
    assert len(await claim(db)) == 1


async def test_the_earlier_of_two_promises_wins(db: Database) -> None:
    await promise(db, due_at=NOW + 5)
    await promise(db, due_at=NOW + 2)
    await promise(db, due_at=NOW + 9)
    assert await claim(db, NOW + 1) == []
    assert len(await claim(db, NOW + 2)) == 1


async def test_a_leased_job_is_nobody_elses_until_the_lease_ends(db: Database) -> None:
    await promise(db)
    (first,) = await claim(db)
    assert await claim(db) == []
    assert await claim(db, NOW + MINUTE - 1) == []
    (second,) = await claim(db, NOW + MINUTE)  # its worker died
    assert second.attempts == 2
    await jobs.done(db, first)  # it was alive after all, but the job is another's now
    assert await claim(db, NOW + 2 * MINUTE) != []


async def test_many_workers_never_get_the_same_job(db: Database) -> None:
    for n in range(30):
        await promise(db, f"mail_{n}")
    claimed = await asyncio.gather(*(claim(db, limit=4) for _ in range(12)))
    subjects = [job.subject for batch in claimed for job in batch]
    assert len(subjects) == len(set(subjects)) == 30


async def test_a_job_promised_again_while_it_runs_runs_once_more(db: Database) -> None:
    await promise(db)
    (running,) = await claim(db)
    await promise(db)
    await promise(db)
    assert await claim(db) == []  # not beside it
    await jobs.done(db, running)
    (again,) = await claim(db)
    assert again.attempts == 1
    await jobs.done(db, again)
    assert await claim(db, NOW + 10 * MINUTE) == []


async def test_a_job_promised_again_while_it_fails_is_not_put_off(db: Database) -> None:
    await promise(db)
    (running,) = await claim(db)
    await promise(db)
    await jobs.later(db, running, NOW + 10 * MINUTE, "no line", dead=True)
    assert len(await claim(db)) == 1


async def test_a_job_put_off_comes_back_at_its_time_with_its_attempts(db: Database) -> None:
    await promise(db)
    (job,) = await claim(db)
    await jobs.later(db, job, NOW + 5, "no line", dead=False)
    assert await claim(db, NOW + 4) == []
    (again,) = await claim(db, NOW + 5)
    assert (again.attempts, again.last_error) == (2, "no line")


async def test_a_dead_job_waits_for_a_person_of_its_shop(db: Database) -> None:
    await promise(db)
    (job,) = await claim(db)
    await jobs.later(db, job, NOW, "no line", dead=True)
    assert await claim(db, NOW + 10 * MINUTE) == []
    async with db.read() as tx:
        assert await jobs.dead(tx, "shp_2") == []
        assert [(d.id, d.last_error) for d in await jobs.dead(tx, "shp_1")] == [
            ("mail.send:mail_1", "no line")
        ]
        assert await jobs.counts(tx) == {"dead": 1}
    async with db.write() as tx:
        assert not await jobs.retry(tx, "shp_2", "mail.send", "mail_1", NOW)
        assert await jobs.retry(tx, "shp_1", "mail.send", "mail_1", NOW)
        assert not await jobs.retry(tx, "shp_1", "mail.send", "mail_1", NOW)
    (again,) = await claim(db)
    assert again.attempts == 1


async def test_a_dead_job_can_be_dismissed_a_living_one_cannot(db: Database) -> None:
    await promise(db)
    async with db.write() as tx:
        assert not await jobs.dismiss(tx, "shp_1", "mail.send", "mail_1")
    (job,) = await claim(db)
    await jobs.later(db, job, NOW, "no line", dead=True)
    async with db.write() as tx:
        assert await jobs.dismiss(tx, "shp_1", "mail.send", "mail_1")
    async with db.read() as tx:
        assert await jobs.counts(tx) == {}


async def test_a_new_promise_raises_the_dead(db: Database) -> None:
    await promise(db)
    (job,) = await claim(db)
    await jobs.later(db, job, NOW, "no line", dead=True)
    await promise(db)
    assert [j.attempts for j in await claim(db)] == [1]


async def test_the_next_due_time_is_when_a_worker_has_to_wake(db: Database) -> None:
    async def at() -> int | None:
        async with db.read() as tx:
            return await jobs.next_due(tx)

    assert await at() is None
    await promise(db, "mail_1", NOW + 50)
    await promise(db, "mail_2", NOW + 20)
    assert await at() == NOW + 20
    assert len(await claim(db, NOW + 20)) == 1
    assert await at() == NOW + 50  # the lease ends later than that
