"""A dead acquirer or mail server: no money and no letter is lost, and nobody else waits for it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

import pytest

from sigma import worker
from sigma.domain.billing.mail import Mail
from sigma.domain.billing.mail import Status as MailStatus
from sigma.domain.billing.payment import Payment, Status
from sigma.domain.billing.payment_actions import PayerStep, payer_step
from sigma.domain.change import Change, Job
from sigma.domain.job_lanes import LANES, SLOTS, Lane
from sigma.domain.money import Money
from sigma.services.billing import payments, refunds
from sigma.services.circuit_breakers import CircuitBreakers, CircuitOpenError
from sigma.services.context import Context
from sigma.services.reconciliation import runs
from sigma.store import changes
from sigma.store.billing import mails
from sigma.store.engine.statements import text_statement
from sigma_sandbox.app import Sandbox
from tests.network_proxy import NetworkProxy, proxied
from tests.outbound.local import local_mailer
from tests.world import World, open_world

JOBS = text_statement("SELECT subject_id, attempts, state, due_at_us FROM jobs")


@dataclass
class DyingWorld:
    """A world whose acquirer is behind a proxy that can die."""

    world: World
    proxy: NetworkProxy

    def running_count(self) -> int:
        """Return how many calls to the acquirer are under way."""
        url = str(self.world.connection.settings["base_url"]).removesuffix("/bank/v3")
        return self.world.ctx.circuits.running_count(url)

    @asynccontextmanager
    async def silent(self) -> AsyncIterator[None]:
        """Let the acquirer be silent in the block; its failure is known when the block ends."""
        self.proxy.kill()
        hanging = asyncio.create_task(self.world.start_payment(payer="unlucky"))
        await until(lambda: self.running_count() == 1)
        self.world.clock.advance(seconds=6)
        yield
        hanging.cancel()
        with suppress(asyncio.CancelledError):
            await hanging


async def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` is true; raise TimeoutError after 20 s."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - counters have no event
            await asyncio.sleep(0.01)


@pytest.fixture
async def dying(database_url: str, sandbox: Sandbox) -> AsyncIterator[DyingWorld]:
    """A shop whose acquirer can die."""
    async with proxied(f"{sandbox.base_url}/bank/v3") as (proxy, url):
        settings = {"base_url": url, "timeout_s": 60}
        async with open_world(database_url, sandbox, connection=settings) as world:
            world.clock.stop()
            yield DyingWorld(world, proxy)


async def list_jobs(world: World) -> dict[str, tuple[int, str, int]]:
    """Return attempts, state and seconds until they are due of all jobs, by subject."""
    async with world.ctx.db.read() as tx:
        rows = await tx.fetch_all(JOBS)
    now_us = world.ctx.now_us()
    return {
        row["subject_id"]: (row["attempts"], row["state"], (row["due_at_us"] - now_us) // 1_000_000)
        for row in rows
    }


async def stored(world: World, payment: Payment) -> Payment:
    return await payments.get(world.ctx, world.member, payment.id)


async def test_client_goes_to_the_waiting_page_while_the_acquirer_is_silent(
    dying: DyingWorld,
) -> None:
    world = dying.world
    async with dying.silent():
        async with asyncio.timeout(20):
            waiting = [await world.start_payment(payer=f"browser-{n}") for n in range(3)]
        assert dying.running_count() == 1, "the acquirer is not called"
    for payment in waiting:
        assert (payment.status, payment.is_outcome_unknown) == (Status.CREATED, False)
        assert payer_step(payment) is PayerStep.UNSTARTED
    # Open now: the unlucky client's call has failed.
    again = await world.start_payment(payer="browser-9")
    assert payer_step(again) is PayerStep.UNSTARTED


@pytest.mark.both_databases
async def test_payments_are_started_once_by_their_jobs_when_the_acquirer_is_back(
    dying: DyingWorld,
) -> None:
    world, proxy = dying.world, dying.proxy
    async with dying.silent():
        waiting = await world.start_payment(payer="browser-1")
        world.clock.advance(seconds=25)
        await world.run_jobs()
        attempts, state, due_in_s = (await list_jobs(world))[waiting.id]
        assert (attempts, state) == (0, "queued"), "an attempt that was not made does not count"
        assert 4 <= due_in_s <= 10
    proxy.revive()
    world.clock.advance(minutes=3)
    await world.run_jobs()
    world.clock.advance(minutes=3)
    await world.run_jobs()
    started = await stored(world, waiting)
    assert payer_step(started) is PayerStep.CONFIRM
    at_bank = [one["metadata"]["payment"] for one in await world.list_at_bank()]
    assert at_bank.count(waiting.id) == 1
    await world.pay(started)
    assert (await payments.advance(world.ctx, waiting.id)).status is Status.CAPTURED


async def test_refund_and_capture_wait_for_the_acquirer_and_are_not_marked_unknown(
    dying: DyingWorld,
) -> None:
    world = dying.world
    paid = await world.complete_payment()
    refund = await refunds.request(world.ctx, world.member, paid.id, Money(100), "")
    async with dying.silent():
        with pytest.raises(CircuitOpenError):
            await refunds.advance(world.ctx, refund.id)
        await world.run_jobs()
        assert not (await refunds.get(world.ctx, world.member, refund.id)).is_outcome_unknown
        assert (await list_jobs(world))[refund.id][:2] == (0, "queued")
    dying.proxy.revive()
    world.clock.advance(minutes=3)
    for _ in range(3):
        await world.run_jobs()
        world.clock.advance(minutes=1)
    assert (await refunds.get(world.ctx, world.member, refund.id)).status.value == "succeeded"
    assert len(await world.list_at_bank("refunds")) == 1


async def test_reconciliation_goes_on_when_the_acquirer_is_back(dying: DyingWorld) -> None:
    world = dying.world
    async with dying.silent():
        run = await runs.start(world.ctx, world.member)
        for _ in range(20):
            run = await runs.step(world.ctx, run)
        assert run.is_running
        assert run.failed_call_count == 0
        assert run.resume_at_us > world.ctx.now_us()


@pytest.mark.both_databases
async def test_many_shops_on_a_dead_acquirer_leave_slots_for_the_shops_of_another(
    world: World,
) -> None:
    started: Counter[str] = Counter()
    done = asyncio.Event()

    async def advance(ctx: Context, subject: str) -> None:
        destination = subject.partition("-")[0]

        async def call() -> None:
            started[destination] += 1
            if destination != "living":
                await asyncio.sleep(3600)
            done.set()

        await ctx.circuits.call(
            destination, call, lane=ctx.lane, now_us=ctx.now_us, is_response=lambda _: False
        )

    def new_jobs(destination: str, count: int) -> Change:
        return Change(
            jobs=tuple(
                Job("payment.advance", f"{destination}-{n}", f"shp_{destination}_{n}")
                for n in range(count)
            )
        )

    for destination in ("dead", "deaf", "silent"):
        await changes.commit(world.ctx.db, new_jobs(destination, 60), world.ctx.now_us())
    stop = asyncio.Event()
    handlers = {**worker.HANDLERS, "payment.advance": advance}
    task = asyncio.create_task(worker.run(world.ctx, stop, handlers, shutdown_timeout_s=0.1))
    try:
        await until(lambda: started.total() == 6)
        await changes.commit(world.ctx.db, new_jobs("living", 1), world.ctx.now_us())
        await asyncio.wait_for(done.wait(), 20)
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)
    assert started == {"dead": 2, "deaf": 2, "silent": 2, "living": 1}


@pytest.mark.both_databases
async def test_waiting_jobs_of_a_silent_acquirer_cost_one_run_of_each_shop(world: World) -> None:
    world.clock.stop()
    runs: Counter[str] = Counter()

    async def advance(ctx: Context, subject: str) -> None:
        runs[subject.rpartition("-")[0]] += 1
        if not subject.startswith("dead"):
            return
        await ctx.circuits.call(
            "dead",
            lambda: asyncio.sleep(3600),
            lane=ctx.lane,
            now_us=ctx.now_us,
            is_response=lambda _: False,
        )

    shops = [f"shp_{n:03}" for n in range(100)]
    waiting = [
        Job("payment.advance", f"dead-{shop}-{n}", shop, connection_id=f"con_{shop}")
        for shop in shops
        for n in range(20)
    ]
    # The shop has changed to a living acquirer: payments there do not wait for the dead one.
    changed = Job("payment.advance", "changed-0", shops[7], connection_id="con_new")
    other = Job("payment.advance", "other-0", "shp_living", connection_id="con_living")
    hanging = asyncio.create_task(
        world.ctx.circuits.call(
            "dead",
            lambda: asyncio.sleep(3600),
            lane=None,
            now_us=world.ctx.now_us,
            is_response=lambda _: False,
        )
    )
    await until(lambda: world.ctx.circuits.running_count("dead") == 1)
    world.clock.advance(seconds=6)
    await changes.commit(world.ctx.db, Change(jobs=(*waiting, changed, other)), world.ctx.now_us())
    stop = asyncio.Event()
    handlers = {**worker.HANDLERS, "payment.advance": advance}
    task = asyncio.create_task(worker.run(world.ctx, stop, handlers, shutdown_timeout_s=0.1))
    try:
        await until(lambda: len(runs) == len(shops) + 2)
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)
        hanging.cancel()
    # A shop may get several slots at once before its jobs are put off, more on a busy machine.
    assert runs.total() <= 2 * len(shops) + 2, "of 2000 jobs"
    assert runs["changed"] == runs["other"] == 1


async def test_call_waits_for_a_slot_of_a_busy_destination() -> None:
    circuits, go_on, order = CircuitBreakers(), asyncio.Event(), []

    async def call(name: str, *, waits: bool) -> None:
        async def work() -> None:
            if waits:
                await go_on.wait()
            order.append(name)

        await circuits.call(
            "x", work, lane=Lane.MAIL, now_us=lambda: 1, is_response=lambda _: False
        )

    await call("first", waits=False)  # the destination is proven
    running = [
        asyncio.create_task(call("running", waits=True)) for _ in range(SLOTS[Lane.MAIL] // 2)
    ]
    waiting = asyncio.create_task(call("waiting", waits=False))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert order == ["first"]
    go_on.set()
    await asyncio.gather(*running, waiting)
    assert order.count("waiting") == 1


async def test_letters_wait_while_the_mail_server_is_silent_and_no_attempt_is_counted(
    world: World,
) -> None:
    world.clock.stop()
    first, second = await world.complete_payment(), await world.complete_payment()
    async with proxied(f"smtp://127.0.0.1:{world.sandbox.smtp_port}") as (proxy, url):
        ctx = replace(world.ctx, mailer_factory=lambda _: local_mailer(url))
        proxy.kill()
        hanging = asyncio.create_task(worker.run_due_jobs(ctx))
        await until(lambda: proxy.connection_count == 1)
        world.clock.advance(seconds=6)
        await worker.run_due_jobs(ctx)
        hanging.cancel()
        with suppress(asyncio.CancelledError):
            await hanging
        for _ in range(20):
            await worker.run_due_jobs(ctx)
        letters = await receipt_mails(world, first, second)
        assert [(m.status, m.attempts) for m in letters] == [(MailStatus.QUEUED, 0)] * 2
        assert proxy.connection_count == 1
        proxy.revive()
        for _ in range(3):
            world.clock.advance(minutes=3)
            await worker.run_due_jobs(ctx)
        letters = await receipt_mails(world, first, second)
        assert [m.status for m in letters] == [MailStatus.SENT] * 2


async def receipt_mails(world: World, *paid: Payment) -> list[Mail]:
    """Return the receipt mails of payments."""
    async with world.ctx.db.read() as tx:
        return [m for p in paid for m in await mails.list_for_payment(tx, p.id)]


def test_kinds_of_jobs_that_call_acquirers_have_slots_for_a_second_acquirer() -> None:
    for kind in ("payment.advance", "refund.advance", "acquirer_notice.process", "mail.send"):
        assert SLOTS[LANES[kind]] >= 4
