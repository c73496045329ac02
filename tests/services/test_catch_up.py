"""Catch-up after an outage of Sigma or VK: no message is lost and none is stored or sent twice."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from msgspec.structs import replace as struct_replace

from sigma import worker
from sigma.channels.vk import messages as vk_messages
from sigma.domain.messaging.message import AUTHOR_CLIENT, Status
from sigma.domain.time_units import HOUR_US, MINUTE_US
from sigma.services.communities import event_intake, long_poll
from sigma.services.context import Context
from sigma.services.conversations import history_sync, outbox
from sigma.services.ids import IdGenerator
from sigma.services.vk import community_client
from sigma.store import jobs, workers
from sigma.store.messaging import communities, conversations
from sigma.store.workers import WorkerProcess
from tests.crash_injection import CrashPlan, ProcessKilledError, with_crash_plan
from tests.vk_world import CALLBACK_SECRET, VkWorld

pytestmark = pytest.mark.both_databases


async def run_all_jobs(world: VkWorld) -> None:
    """Run the due jobs, then those that wait out `GAP_GRACE_US`."""
    await world.run_jobs()
    await world.advance_clocks(minutes=1)
    await world.run_jobs()


@pytest.mark.parametrize("minutes", [10, 120])
async def test_catch_up_after_an_outage_stores_every_message(
    vk_world: VkWorld, minutes: int
) -> None:
    client_ids = [
        vk_world.client_id,
        await vk_world.create_client(),
        await vk_world.create_client(),
    ]
    await vk_world.write_as_client("До")
    await vk_world.poll_events()
    for n in range(3):
        for client_id in client_ids:
            await vk_world.write_as_client(f"Вопрос {n}", client_id)
    await vk_world.reply_in_vk("Ответила сама", client_ids[2])
    await vk_world.take_events()  # the events are lost
    await vk_world.advance_clocks(minutes=minutes)
    await vk_world.poll_events()
    for client_id in client_ids:
        assert await vk_world.texts(client_id) == await vk_world.vk_texts(client_id)
    assert (await vk_world.conversation(client_ids[0])).unread_count == 4
    assert (await vk_world.conversation(client_ids[1])).is_unanswered
    assert not (await vk_world.conversation(client_ids[2])).is_unanswered
    assert (await vk_world.conversation(client_ids[1])).name == "Иван Клиентов"


async def test_repeated_catch_up_changes_nothing(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Раз")
    await vk_world.take_events()
    for _ in range(2):
        assert await history_sync.catch_up_community(vk_world.ctx, vk_world.community_id) is None
    await vk_world.run_jobs()
    assert await vk_world.texts() == ["Раз"]
    assert (await vk_world.conversation()).unread_count == 1


async def test_long_history_is_read_page_by_page(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("0")
    await vk_world.poll_events()
    for n in range(1, 450):
        vk_world.sandbox.vk.write_message(vk_world.client_id, vk_world.group_id, str(n))
    await vk_world.take_events()
    assert await history_sync.catch_up_community(vk_world.ctx, vk_world.community_id) is None
    assert await vk_world.texts() == [str(n) for n in range(450)]


async def test_catch_up_over_its_time_budget_continues_in_the_next_run(vk_world: VkWorld) -> None:
    client_ids = [await vk_world.create_client() for _ in range(5)]
    for client_id in client_ids:
        await vk_world.write_as_client("Здравствуйте", client_id)
    await vk_world.take_events()

    def slow_clock() -> int:
        """Advance the clock by 31 s on every call, so that the time budget runs out."""
        vk_world.clock.advance(seconds=31)
        return vk_world.clock()

    slow_ctx = replace(vk_world.ctx, now_us=slow_clock)
    runs = 1
    while await history_sync.catch_up_community(slow_ctx, vk_world.community_id) is not None:
        runs += 1
        assert runs < 20
    assert runs > 1
    for client_id in client_ids:
        assert await vk_world.texts(client_id) == ["Здравствуйте"]


async def test_event_after_a_gap_fetches_the_missing_messages(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Раз")
    await vk_world.poll_events()
    await vk_world.write_as_client("Два")
    await vk_world.write_as_client("Три")
    await vk_world.take_events()
    await vk_world.write_as_client("Четыре")
    await vk_world.poll_events()
    assert await vk_world.texts() == ["Раз", "Четыре"]
    await run_all_jobs(vk_world)
    assert await vk_world.texts() == ["Раз", "Два", "Три", "Четыре"]
    assert (await vk_world.conversation()).unread_count == 4


async def test_conversation_older_than_the_connection_gets_its_last_messages(
    vk_world: VkWorld,
) -> None:
    for n in range(25):
        vk_world.sandbox.vk.write_message(vk_world.client_id, vk_world.group_id, str(n))
    await vk_world.take_events()
    await vk_world.advance_clocks(minutes=1)
    await vk_world.update_community(created_at_us=vk_world.ctx.now_us())
    await vk_world.write_as_client("Новое")
    await vk_world.poll_events()
    await run_all_jobs(vk_world)
    assert (await vk_world.texts())[-3:] == ["23", "24", "Новое"]
    assert len(await vk_world.texts()) == 20
    assert (await vk_world.conversation()).unread_count == 1


async def test_catch_up_applies_missed_edits(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    await vk_world.post_message("Приходите в 15")
    await vk_world.run_jobs()
    (_, vk_message) = vk_world.sandbox.vk.list_messages(vk_world.group_id, vk_world.client_id)
    edited_at_s = vk_world.sandbox.vk.now_us(vk_world.group_id)
    vk_world.sandbox.vk.put_message(
        struct_replace(vk_message, text="Приходите в 16", edited_at_us=edited_at_s)
    )
    await vk_world.take_events()
    await history_sync.catch_up_community(vk_world.ctx, vk_world.community_id)
    assert await vk_world.texts() == ["Здравствуйте", "Приходите в 16"]


@pytest.mark.parametrize("failed", [1, 2, 3])
async def test_failed_long_poll_loses_no_message(vk_world: VkWorld, failed: int) -> None:
    session = long_poll.LongPollSession()
    await vk_world.write_as_client("Раз")
    await long_poll.poll_once(vk_world.ctx, vk_world.community_id, 1, session)
    await vk_world.write_as_client("Два")
    if failed != 2:
        await vk_world.take_events()  # these events are lost
    await vk_world.inject_vk_faults(vk_longpoll_failed={"value": failed, "times": 1})
    await long_poll.poll_once(vk_world.ctx, vk_world.community_id, 1, session)
    assert bool(session.key) is (failed == 1)
    if failed == 2:
        await long_poll.poll_once(vk_world.ctx, vk_world.community_id, 1, session)
    await vk_world.run_jobs()
    assert await vk_world.texts() == ["Раз", "Два"]
    await vk_world.write_as_client("Три")
    await long_poll.poll_once(vk_world.ctx, vk_world.community_id, 1, session)
    await vk_world.run_jobs()
    assert await vk_world.texts() == ["Раз", "Два", "Три"]
    assert (await vk_world.conversation()).unread_count == 3


async def test_message_read_in_vk_without_a_reply_stays_unanswered(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Раз")
    await vk_world.take_events()
    client = await community_client.open_client(vk_world.ctx, vk_world.community_id)
    await vk_messages.mark_read(client.api, vk_world.client_id)
    await history_sync.catch_up_community(vk_world.ctx, vk_world.community_id)
    conversation = await vk_world.conversation()
    assert conversation.unread_count == 0
    assert conversation.is_unanswered
    assert conversation.waiting_since_us == conversation.last_incoming_at_us > 0


async def test_revoked_key_stops_polling_and_a_new_key_catches_up(vk_world: VkWorld) -> None:
    await vk_world.call_vk_test_api(f"communities/{vk_world.group_id}/revoke")
    await vk_world.write_as_client("Вы тут?")
    assert await history_sync.catch_up_community(vk_world.ctx, vk_world.community_id) is None
    assert (await vk_world.community()).error_code == "5"
    async with vk_world.ctx.db.read() as tx:
        assert vk_world.community_id not in await communities.list_to_poll(
            tx, vk_world.ctx.now_us(), 9
        )
    new_key = await vk_world.create_access_key()
    await vk_world.set_access_key(new_key)
    await vk_world.update_community(error_code="")
    assert await history_sync.catch_up_community(vk_world.ctx, vk_world.community_id) is None
    assert await vk_world.texts() == ["Вы тут?"]


async def test_missed_message_before_our_reply_is_fetched(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    await vk_world.write_as_client("Это важно")
    await vk_world.take_events()  # the event is lost
    await vk_world.post_message("Чем помочь?")
    await vk_world.run_jobs()
    await run_all_jobs(vk_world)
    assert await vk_world.texts() == ["Здравствуйте", "Это важно", "Чем помочь?"]
    assert (await vk_world.conversation()).is_unanswered


@pytest.mark.parametrize("has_new_event", [True, False])
async def test_new_client_during_an_outage_is_read_from_the_first_message(
    vk_world: VkWorld, has_new_event: bool
) -> None:
    await history_sync.catch_up_community(vk_world.ctx, vk_world.community_id)
    for n in range(30):
        await vk_world.write_as_client(f"Вопрос {n}")
    last = (await vk_world.take_events())[-1]
    if has_new_event:
        await vk_world.deliver_callbacks([last])
        await run_all_jobs(vk_world)
    await history_sync.catch_up_community(vk_world.ctx, vk_world.community_id)
    assert await vk_world.texts() == await vk_world.vk_texts()
    assert (await vk_world.conversation()).unread_count == 30


async def test_gap_is_filled_once_the_access_key_works(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Раз")
    await vk_world.poll_events()
    for text in ("Два", "Три"):
        await vk_world.write_as_client(text)
    _, last_event = await vk_world.take_events()
    valid_key = await vk_world.create_access_key()
    await vk_world.set_access_key("vk1.a.wrong")
    await vk_world.deliver_callbacks([last_event])
    await run_all_jobs(vk_world)
    assert await vk_world.texts() == ["Раз", "Три"]
    await vk_world.set_access_key(valid_key)
    await vk_world.update_community(error_code="")
    await vk_world.advance_clocks(minutes=11)
    await vk_world.run_jobs()
    assert await vk_world.texts() == ["Раз", "Два", "Три"]


async def test_silent_community_gets_a_scheduled_catch_up(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Вы тут?")
    await vk_world.take_events()
    assert await long_poll.schedule_catch_up(vk_world.ctx, long_poll.CATCH_UP_INTERVAL_US) == 0
    await vk_world.advance_clocks(minutes=11)
    assert await long_poll.schedule_catch_up(vk_world.ctx, long_poll.CATCH_UP_INTERVAL_US) == 1
    await vk_world.run_jobs()
    assert await vk_world.texts() == ["Вы тут?"]
    assert await long_poll.schedule_catch_up(vk_world.ctx, long_poll.CATCH_UP_INTERVAL_US) == 0


async def test_only_one_worker_process_polls_a_community(vk_world: VkWorld) -> None:
    stop = asyncio.Event()
    other_ctx = replace(vk_world.ctx, ids=IdGenerator(vk_world.clock))
    workers = [asyncio.create_task(worker.run(ctx, stop)) for ctx in (vk_world.ctx, other_ctx)]
    try:
        await until(lambda: is_polling(vk_world))
        await vk_world.write_as_client("Здравствуйте")
        await until(lambda: is_message_stored(vk_world))
        now_us = vk_world.ctx.now_us()
        assert not await acquire_poll_lease(vk_world, "another worker")
        assert (await vk_world.community()).poll_lease_until_us > now_us
    finally:
        stop.set()
        await asyncio.gather(*workers)
    assert await acquire_poll_lease(vk_world, "another worker"), "a stop left the lease behind"
    assert await vk_world.texts() == ["Здравствуйте"]


async def acquire_poll_lease(world: VkWorld, worker_id: str, duration_us: int = MINUTE_US) -> bool:
    now_us = world.ctx.now_us()
    return await communities.acquire_poll_lease(
        world.ctx.db, world.community_id, worker_id, now_us=now_us, until_us=now_us + duration_us
    )


async def test_lease_from_a_clock_that_runs_ahead_is_taken_over(vk_world: VkWorld) -> None:
    for worker_id in ("first", "second"):
        await workers.beat(vk_world.ctx.db, worker_of(worker_id), vk_world.ctx.now_us())
    assert await acquire_poll_lease(vk_world, "first", HOUR_US)
    async with vk_world.ctx.db.read() as tx:
        listed = await communities.list_to_poll(tx, vk_world.ctx.now_us(), 9)
    assert listed == [vk_world.community_id]
    assert await acquire_poll_lease(vk_world, "second")
    assert not await acquire_poll_lease(vk_world, "first")


async def test_community_of_a_dead_worker_is_polled_within_seconds(vk_world: VkWorld) -> None:
    db, now_us = vk_world.ctx.db, vk_world.ctx.now_us()
    await workers.beat(db, worker_of("dead"), now_us)
    assert await acquire_poll_lease(vk_world, "dead")

    async def to_poll(after_us: int) -> list[str]:
        async with db.read() as tx:
            return await communities.list_to_poll(tx, now_us + after_us, 9)

    assert await to_poll(workers.ALIVE_US - 1) == []
    assert await to_poll(workers.ALIVE_US) == [vk_world.community_id]


def worker_of(worker_id: str) -> WorkerProcess:
    worker = WorkerProcess()
    worker.id = worker_id
    return worker


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Poll `condition` for up to 20 s; raise AssertionError when it stays false."""
    for _ in range(400):
        if await condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the condition stayed false")


async def is_polling(world: VkWorld) -> bool:
    """Return whether a process holds the long-poll lease."""
    return bool((await world.community()).poll_lease_until_us)


async def is_message_stored(world: VkWorld) -> bool:
    """Return whether the client's message is stored."""
    async with world.ctx.db.read() as tx:
        found = await conversations.find_by_peer(tx, world.community_id, world.client_id)
    return found is not None and found.unread_count > 0


async def receive_and_reply(world: VkWorld, ctx: Context, event: dict[str, object]) -> None:
    """Accept the event, process it, post the operator's reply and send it."""
    body = json.dumps({**event, "secret": CALLBACK_SECRET}).encode()
    await event_intake.accept_callback(
        ctx, await event_intake.access_community(ctx, world.community_id), body, 0
    )
    await worker.run_due_jobs(ctx)
    conversation = await world.conversation()
    await outbox.post(ctx, world.member, conversation.id, "Есть", idempotency_key=conversation.id)
    await worker.run_due_jobs(ctx)


async def test_crash_at_any_step_loses_and_duplicates_no_message(vk_world: VkWorld) -> None:
    crash_step, crash_point = 0, ""
    while crash_step == 0 or crash_point:
        crash_step, crash_point, client_id = crash_step + 1, "", await vk_world.create_client()
        await vk_world.write_as_client("Есть место?", client_id)
        event = (await vk_world.take_events())[-1]
        vk_world.client_id = client_id
        life = CrashPlan(crash_at_step=crash_step)
        try:
            await receive_and_reply(vk_world, with_crash_plan(vk_world.ctx, life), event)
        except ProcessKilledError:
            crash_point = life.last_step
        vk_world.clock.advance(minutes=3)  # the job leases of the dead process expire
        await receive_and_reply(vk_world, vk_world.ctx, event)
        vk_world.clock.advance(minutes=3)
        await vk_world.run_jobs()
        assert await vk_world.texts() == ["Есть место?", "Есть"], crash_point
        assert await vk_world.vk_texts() == ["Есть место?", "Есть"], crash_point
        stored = await vk_world.messages()
        authors = [message.author for message in stored]
        assert authors == [AUTHOR_CLIENT, vk_world.member.actor], crash_point
        assert stored[1].status is Status.SENT, crash_point
        assert (await vk_world.conversation()).unread_count == 0, crash_point
        async with vk_world.ctx.db.read() as tx:
            assert await jobs.count_by_state(tx) == {}, crash_point
    assert crash_step > 30
