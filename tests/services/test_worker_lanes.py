"""The worker: slow or many jobs of one shop or lane delay no other; leases survive crashes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from sigma import worker
from sigma.domain.change import Change, Job
from sigma.domain.job_lanes import SLOTS, Lane
from sigma.services.context import Context
from sigma.services.platform import jobs
from sigma.services.platform.jobs import Handler
from sigma.store import changes
from sigma.store.engine.interface import UnreachableError
from sigma.store.engine.statements import text_statement
from sigma.store.workers import ALIVE_US, WorkerProcess
from tests.world import World

pytestmark = pytest.mark.both_databases

GET_JOB = text_statement("SELECT attempts FROM jobs WHERE subject_id = :subject_id", "subject_id")


async def enqueue(ctx: Context, kind: str, shop_id: str, *subjects: str) -> None:
    new_jobs = tuple(Job(kind, subject, shop_id) for subject in subjects)
    await changes.commit(ctx.db, Change(jobs=new_jobs), ctx.now_us())


async def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` is true; raise TimeoutError after 20 s."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - counters have no event
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running_worker(
    ctx: Context, handlers: Mapping[str, Handler]
) -> AsyncIterator[asyncio.Event]:
    """Run a worker with these handlers while the block runs; yield its stop."""
    stop = asyncio.Event()
    task = asyncio.create_task(
        worker.run(ctx, stop, {**worker.HANDLERS, **handlers}, shutdown_timeout_s=0.1)
    )
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def test_job_of_another_shop_starts_while_a_flooded_shop_hangs(world: World) -> None:
    started: Counter[str] = Counter()
    done = asyncio.Event()

    async def send(_: Context, subject: str) -> None:
        started[subject.partition("-")[0]] += 1
        if subject == "other":
            done.set()
        else:
            await asyncio.sleep(60)

    await enqueue(world.ctx, "mail.send", "shp_flood", *(f"flood-{n}" for n in range(200)))
    async with running_worker(world.ctx, {"mail.send": send}):
        async with asyncio.timeout(20):
            await until(lambda: started["flood"] == SLOTS[Lane.MAIL] // 2)
            await enqueue(world.ctx, "mail.send", "shp_other", "other")
            await done.wait()
        assert started == {"flood": SLOTS[Lane.MAIL] // 2, "other": 1}


async def test_full_lane_delays_no_other_lane(world: World) -> None:
    done = asyncio.Event()

    async def hang(_: Context, __: str) -> None:
        await asyncio.sleep(60)

    async def finish(_: Context, __: str) -> None:
        done.set()

    for number in range(SLOTS[Lane.MAIL] + 5):
        await enqueue(world.ctx, "mail.send", f"shp_{number}", f"mail-{number}")
    async with running_worker(world.ctx, {"mail.send": hang, "refund.advance": finish}):
        async with asyncio.timeout(20):
            await enqueue(world.ctx, "refund.advance", "shp_1", "ref")
            await done.wait()


async def test_flooded_shop_uses_its_slots_again_and_all_its_jobs_are_run(world: World) -> None:
    done: Counter[str] = Counter()

    async def send(_: Context, subject: str) -> None:
        await asyncio.sleep(0)
        done[subject] += 1

    subjects = [f"mail-{number}" for number in range(60)]
    await enqueue(world.ctx, "mail.send", "shp_flood", *subjects)
    async with running_worker(world.ctx, {"mail.send": send}):
        async with asyncio.timeout(20):
            await until(lambda: len(done) == len(subjects))
    assert done == dict.fromkeys(subjects, 1)


async def test_job_ended_by_the_database_runs_again_and_does_not_count(world: World) -> None:
    attempts: list[int] = []
    done = asyncio.Event()

    async def send(ctx: Context, subject: str) -> None:
        async with ctx.db.read() as tx:
            row = await tx.fetch_one(GET_JOB, subject_id=subject)
        assert row is not None
        attempts.append(row["attempts"])
        if len(attempts) < 4:
            raise UnreachableError("no answer")
        done.set()

    await enqueue(world.ctx, "mail.send", "shp_1", "mail")
    async with running_worker(world.ctx, {"mail.send": send}):
        await asyncio.wait_for(done.wait(), 20)
    assert attempts == [1, 1, 1, 1]


async def test_stop_gives_back_jobs_that_do_not_finish(world: World) -> None:
    started = asyncio.Event()

    async def hang(_: Context, __: str) -> None:
        started.set()
        await asyncio.sleep(3600)

    await enqueue(world.ctx, "mail.send", "shp_1", "mail")
    async with running_worker(world.ctx, {"mail.send": hang}):
        await asyncio.wait_for(started.wait(), 20)
    successor = replace(world.ctx, worker=WorkerProcess())
    (job,) = await jobs.claim(successor, Lane.MAIL, 5)
    assert (job.subject_id, job.attempts) == ("mail", 1)


async def test_worker_runs_the_job_of_a_killed_worker_within_seconds(world: World) -> None:
    dead = replace(world.ctx, worker=WorkerProcess())
    await enqueue(world.ctx, "mail.send", "shp_1", "mail")
    assert len(await jobs.claim(dead, Lane.MAIL, 1)) == 1
    done = asyncio.Event()

    async def send(_: Context, __: str) -> None:
        done.set()

    if world.ctx.db.dialect == "postgresql":  # on SQLite the file lock proves that it is dead
        world.clock.advance(seconds=ALIVE_US / 1_000_000)
    async with running_worker(world.ctx, {"mail.send": send}):
        await asyncio.wait_for(done.wait(), 20)


async def test_heartbeat_keeps_the_lease_of_a_long_job(world: World) -> None:
    started, finish = asyncio.Event(), asyncio.Event()
    runs = 0

    async def send(_: Context, __: str) -> None:
        nonlocal runs
        runs += 1
        started.set()
        await finish.wait()

    other = replace(world.ctx, worker=WorkerProcess())
    await enqueue(world.ctx, "mail.send", "shp_1", "mail")
    async with running_worker(world.ctx, {"mail.send": send}):
        await asyncio.wait_for(started.wait(), 20)
        for _ in range(4):
            world.clock.advance(seconds=ALIVE_US / 1_000_000 / 2)
            await until(lambda: not world.ctx.worker.needs_beat(world.ctx.now_us()))
            assert await jobs.claim(other, Lane.MAIL, 1) == []
        finish.set()
    assert runs == 1
