"""Sigma was away, or VK was: nothing said meanwhile is missed, and nothing is said twice."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from msgspec.structs import replace as edited

from sigma import worker
from sigma.channels.vk import messages as vk_messages
from sigma.domain.messaging.message import CLIENT, Status
from sigma.services.communities import event_intake, long_poll
from sigma.services.context import HOUR, MINUTE, Context, Ids
from sigma.services.conversations import history_sync, outbox
from sigma.services.vk import community_client
from sigma.store import jobs
from sigma.store.messaging import communities, conversations
from tests.mortal import Death, Life, mortal
from tests.vk_world import SECRET, VkWorld


async def settled(world: VkWorld) -> None:
    """Everything that is promised is done, also what waits for its moment."""
    await world.work()
    await world.move(minutes=1)
    await world.work()


@pytest.mark.parametrize("minutes", [10, 120])
async def test_a_silence_is_read_up_whole(vk_world: VkWorld, minutes: int) -> None:
    people = [vk_world.person, await vk_world.new_person(), await vk_world.new_person()]
    await vk_world.client_writes("До")
    await vk_world.hear()
    for n in range(3):
        for person in people:
            await vk_world.client_writes(f"Вопрос {n}", person)
    await vk_world.owner_replies("Ответила сама", people[2])
    await vk_world.told()  # VK told it, and nobody heard
    await vk_world.move(minutes=minutes)
    await vk_world.hear()
    for person in people:
        assert await vk_world.texts(person) == await vk_world.texts_at_vk(person)
    assert (await vk_world.conversation(people[0])).unread == 4
    assert (await vk_world.conversation(people[1])).unanswered
    assert not (await vk_world.conversation(people[2])).unanswered
    assert (await vk_world.conversation(people[1])).name == "Иван Клиентов"


async def test_read_up_twice_changes_nothing(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Раз")
    await vk_world.told()
    for _ in range(2):
        assert await history_sync.catch_up(vk_world.ctx, vk_world.community_id) is None
    await vk_world.work()
    assert await vk_world.texts() == ["Раз"]
    assert (await vk_world.conversation()).unread == 1


async def test_a_long_talk_is_read_up_page_by_page(vk_world: VkWorld) -> None:
    await vk_world.client_writes("0")
    await vk_world.hear()
    for n in range(1, 450):
        vk_world.sandbox.vk.write(vk_world.person, vk_world.group_id, str(n))
    await vk_world.told()
    assert await history_sync.catch_up(vk_world.ctx, vk_world.community_id) is None
    assert await vk_world.texts() == [str(n) for n in range(450)]


async def test_reading_up_is_cut_short_and_goes_on(vk_world: VkWorld) -> None:
    people = [await vk_world.new_person() for _ in range(5)]
    for person in people:
        await vk_world.client_writes("Здравствуйте", person)
    await vk_world.told()

    def hasty() -> int:
        """A clock of a slow day: every look at it takes half a minute."""
        vk_world.clock.move(seconds=31)
        return vk_world.clock()

    hurried = replace(vk_world.ctx, now=hasty)
    tries = 1
    while await history_sync.catch_up(hurried, vk_world.community_id) is not None:
        tries += 1
        assert tries < 20
    assert tries > 1
    for person in people:
        assert await vk_world.texts(person) == ["Здравствуйте"]


async def test_an_event_after_the_silence_shows_what_is_missing_before_it(
    vk_world: VkWorld,
) -> None:
    await vk_world.client_writes("Раз")
    await vk_world.hear()
    await vk_world.client_writes("Два")
    await vk_world.client_writes("Три")
    await vk_world.told()
    await vk_world.client_writes("Четыре")
    await vk_world.hear()
    assert await vk_world.texts() == ["Раз", "Четыре"]
    await settled(vk_world)
    assert await vk_world.texts() == ["Раз", "Два", "Три", "Четыре"]
    assert (await vk_world.conversation()).unread == 4


async def test_a_dialog_older_than_sigma_shows_what_was_said_last(vk_world: VkWorld) -> None:
    for n in range(25):
        vk_world.sandbox.vk.write(vk_world.person, vk_world.group_id, str(n))
    await vk_world.told()
    await vk_world.move(minutes=1)
    await vk_world.change_community(created_at=vk_world.ctx.now())
    await vk_world.client_writes("Новое")
    await vk_world.hear()
    await settled(vk_world)
    assert (await vk_world.texts())[-3:] == ["23", "24", "Новое"]
    assert len(await vk_world.texts()) == 20
    assert (await vk_world.conversation()).unread == 1


async def test_what_was_edited_meanwhile_is_read_up(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Здравствуйте")
    await vk_world.hear()
    await vk_world.write("Приходите в 15")
    await vk_world.work()
    (_, there) = vk_world.sandbox.vk.messages(vk_world.group_id, vk_world.person)
    at = vk_world.sandbox.vk.now(vk_world.group_id)
    vk_world.sandbox.vk.put_message(edited(there, text="Приходите в 16", edited_at=at))
    await vk_world.told()
    await history_sync.catch_up(vk_world.ctx, vk_world.community_id)
    assert await vk_world.texts() == ["Здравствуйте", "Приходите в 16"]


@pytest.mark.parametrize("failed", [1, 2, 3])
async def test_the_long_poll_that_failed_loses_nothing(vk_world: VkWorld, failed: int) -> None:
    ear = long_poll.Ear()
    await vk_world.client_writes("Раз")
    await long_poll.once(vk_world.ctx, vk_world.community_id, 1, ear)
    await vk_world.client_writes("Два")
    if failed != 2:
        await vk_world.told()  # VK has forgotten what it had to tell
    await vk_world.vk_control(vk_longpoll_failed={"value": failed, "times": 1})
    await long_poll.once(vk_world.ctx, vk_world.community_id, 1, ear)
    assert bool(ear.key) is (failed == 1)
    if failed == 2:
        await long_poll.once(vk_world.ctx, vk_world.community_id, 1, ear)
    await vk_world.work()
    assert await vk_world.texts() == ["Раз", "Два"]
    await vk_world.client_writes("Три")
    await long_poll.once(vk_world.ctx, vk_world.community_id, 1, ear)
    await vk_world.work()
    assert await vk_world.texts() == ["Раз", "Два", "Три"]
    assert (await vk_world.conversation()).unread == 3


async def test_what_was_read_in_vk_and_answered_by_nobody_waits_here(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Раз")
    await vk_world.told()
    line = await community_client.line(vk_world.ctx, vk_world.community_id)
    await vk_messages.mark_read(line.vk, vk_world.person)
    await history_sync.catch_up(vk_world.ctx, vk_world.community_id)
    conversation = await vk_world.conversation()
    assert conversation.unread == 0
    assert conversation.unanswered
    assert conversation.waiting_since == conversation.last_in_at > 0


async def test_a_dead_key_stops_asking_and_a_new_one_reads_up(vk_world: VkWorld) -> None:
    await vk_world.vk_test(f"communities/{vk_world.group_id}/revoke")
    await vk_world.client_writes("Вы тут?")
    assert await history_sync.catch_up(vk_world.ctx, vk_world.community_id) is None
    assert (await vk_world.community()).trouble == "5"
    async with vk_world.ctx.db.read() as tx:
        assert vk_world.community_id not in await communities.to_poll(tx, vk_world.ctx.now(), 9)
    made = await vk_world.new_key()
    await vk_world.set_token(made)
    await vk_world.change_community(trouble="")
    assert await history_sync.catch_up(vk_world.ctx, vk_world.community_id) is None
    assert await vk_world.texts() == ["Вы тут?"]


async def test_what_nobody_told_is_read_though_we_wrote_after_it(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Здравствуйте")
    await vk_world.hear()
    await vk_world.client_writes("Это важно")
    await vk_world.told()  # VK told it, and nobody heard
    await vk_world.write("Чем помочь?")
    await vk_world.work()
    await settled(vk_world)
    assert await vk_world.texts() == ["Здравствуйте", "Это важно", "Чем помочь?"]
    assert (await vk_world.conversation()).unanswered


@pytest.mark.parametrize("heard_again", [True, False])
async def test_whoever_came_while_nobody_heard_is_read_from_the_first_word(
    vk_world: VkWorld, heard_again: bool
) -> None:
    await history_sync.catch_up(vk_world.ctx, vk_world.community_id)
    for n in range(30):
        await vk_world.client_writes(f"Вопрос {n}")
    last = (await vk_world.told())[-1]
    if heard_again:
        await vk_world.hooks([last])
        await settled(vk_world)
    await history_sync.catch_up(vk_world.ctx, vk_world.community_id)
    assert await vk_world.texts() == await vk_world.texts_at_vk()
    assert (await vk_world.conversation()).unread == 30


async def test_a_gap_waits_for_a_good_key(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Раз")
    await vk_world.hear()
    for text in ("Два", "Три"):
        await vk_world.client_writes(text)
    _, last = await vk_world.told()
    old = await vk_world.new_key()
    await vk_world.set_token("vk1.a.wrong")
    await vk_world.hooks([last])
    await settled(vk_world)
    assert await vk_world.texts() == ["Раз", "Три"]
    await vk_world.set_token(old)
    await vk_world.change_community(trouble="")
    await vk_world.move(minutes=11)
    await vk_world.work()
    assert await vk_world.texts() == ["Раз", "Два", "Три"]


async def test_a_community_that_says_nothing_for_long_is_looked_into(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Вы тут?")
    await vk_world.told()
    assert await long_poll.sweep(vk_world.ctx, long_poll.SWEEP) == 0
    await vk_world.move(minutes=11)
    assert await long_poll.sweep(vk_world.ctx, long_poll.SWEEP) == 1
    await vk_world.work()
    assert await vk_world.texts() == ["Вы тут?"]
    assert await long_poll.sweep(vk_world.ctx, long_poll.SWEEP) == 0


async def test_the_worker_listens_and_one_process_does_at_a_time(vk_world: VkWorld) -> None:
    stop = asyncio.Event()
    other = replace(vk_world.ctx, ids=Ids(vk_world.clock))
    workers = [asyncio.create_task(worker.run(ctx, stop)) for ctx in (vk_world.ctx, other)]
    try:
        await until(lambda: is_listening(vk_world))
        await vk_world.client_writes("Здравствуйте")
        await until(lambda: is_heard(vk_world))
        held = (await vk_world.community()).poll_until
        now = vk_world.ctx.now()
        assert not await communities.lease(vk_world.ctx.db, vk_world.community_id, now, now + 1)
        assert held > now
    finally:
        stop.set()
        await asyncio.gather(*workers)
    assert (await vk_world.community()).poll_until <= vk_world.ctx.now()
    assert await vk_world.texts() == ["Здравствуйте"]


async def test_a_clock_that_ran_ahead_silences_nobody_for_long(vk_world: VkWorld) -> None:
    db, one, now = vk_world.ctx.db, vk_world.community_id, vk_world.ctx.now()
    assert await communities.lease(db, one, now, now + HOUR)
    async with db.read() as tx:
        assert await communities.to_poll(tx, now, 9) == [one]
    assert await communities.lease(db, one, now, now + MINUTE)
    assert not await communities.lease(db, one, now, now + MINUTE)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Looks again and again."""
    for _ in range(400):
        if await true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came to be")


async def is_listening(world: VkWorld) -> bool:
    """Whether a process has taken the asking."""
    return bool((await world.community()).poll_until)


async def is_heard(world: VkWorld) -> bool:
    """Whether the dialog is here."""
    async with world.ctx.db.read() as tx:
        found = await conversations.by_peer(tx, world.community_id, world.person)
    return found is not None and found.unread > 0


async def whole_life(world: VkWorld, ctx: Context, event: dict[str, object]) -> None:
    """VK tells, Sigma keeps and acts, the operator answers, the answer is sent."""
    body = json.dumps({**event, "secret": SECRET}).encode()
    await event_intake.take(ctx, world.community_id, body, 0)
    await worker.drain(ctx)
    conversation = await world.conversation()
    await outbox.post(ctx, world.member, conversation.id, "Есть", key=conversation.id)
    await worker.drain(ctx)


async def test_a_process_killed_at_any_step_loses_and_doubles_nothing(vk_world: VkWorld) -> None:
    step, died = 0, ""
    while step == 0 or died:
        step, died, person = step + 1, "", await vk_world.new_person()
        await vk_world.client_writes("Есть место?", person)
        event = (await vk_world.told())[-1]
        vk_world.person = person
        life = Life(dies_at=step)
        try:
            await whole_life(vk_world, mortal(vk_world.ctx, life), event)
        except Death:
            died = life.last
        vk_world.clock.move(minutes=3)  # the leases of the dead end
        await whole_life(vk_world, vk_world.ctx, event)
        vk_world.clock.move(minutes=3)
        await vk_world.work()
        assert await vk_world.texts() == ["Есть место?", "Есть"], died
        assert await vk_world.texts_at_vk() == ["Есть место?", "Есть"], died
        kept = await vk_world.messages()
        assert [one.author for one in kept] == [CLIENT, vk_world.member.actor], died
        assert kept[1].status is Status.SENT, died
        assert (await vk_world.conversation()).unread == 0, died
        async with vk_world.ctx.db.read() as tx:
            assert await jobs.counts(tx) == {}, died
    assert step > 30
