"""What VK tells of dialogs: once, twice, late, in any order, edited, by whoever wrote it."""

import random
from dataclasses import replace

import pytest

from sigma.domain.accounts.shop import Shop
from sigma.domain.catalogue.service import Service
from sigma.domain.change import Change
from sigma.domain.messaging.message import Status
from sigma.services.communities import event_intake
from sigma.services.conversations import search_index
from sigma.services.platform import housekeeping
from sigma.store import changes
from sigma.store.billing import connections
from sigma.store.messaging import communities, inbox
from tests import leaks
from tests.vk_world import VkWorld


async def offered(world: VkWorld, shop_id: str = "", **more: object) -> Service:
    """A service in the catalogue."""
    service = Service(
        world.ctx.new_id("svc", shop_id or world.shop.id),
        shop_id or world.shop.id,
        "Маникюр",
        world.ctx.now(),
    )
    service = replace(service, **more)  # type: ignore[arg-type]
    await changes.commit(world.ctx.db, Change((service,)), world.ctx.now())
    return service


async def test_a_client_writes_and_the_dialog_is_there(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Здравствуйте, есть время в субботу?")
    assert await vk_world.hear() == 1
    conversation = await vk_world.conversation()
    assert conversation.unread == 1
    assert conversation.unanswered
    assert conversation.name == "Иван Клиентов"
    assert "callback" in conversation.buttons
    assert await vk_world.texts() == ["Здравствуйте, есть время в субботу?"]


async def test_told_three_times_is_one_message(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Привет")
    (event,) = await vk_world.told()
    await vk_world.hooks([event, event])
    await vk_world.hooks([event, {**event, "event_id": "another"}])
    assert await vk_world.texts() == ["Привет"]
    assert (await vk_world.conversation()).unread == 1


async def test_told_by_two_ways_at_once_is_one_message(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Привет")
    before = (await vk_world.community()).poll_ts
    (event,) = await vk_world.told()
    await vk_world.change_community(poll_ts=before)
    await vk_world.hooks([{**event, "event_id": "of-the-callback-server"}])
    assert await vk_world.hear() == 1
    assert await vk_world.texts() == ["Привет"]


@pytest.mark.parametrize("seed", range(3))
async def test_told_in_any_order_it_is_the_same_dialog(vk_world: VkWorld, seed: int) -> None:
    for n in range(4):
        await vk_world.client_writes(f"Вопрос {n}")
        await vk_world.owner_replies(f"Ответ {n}")
    await vk_world.client_writes("Спасибо")
    told = await vk_world.told()
    chance = random.Random(seed)
    shuffled = chance.sample(told, len(told))
    for start in range(0, len(shuffled), 3):
        await vk_world.hooks([*shuffled[start : start + 3], chance.choice(told)])
    assert await vk_world.texts() == await vk_world.texts_at_vk()
    conversation = await vk_world.conversation()
    assert conversation.last_cmid == 9
    assert not conversation.last_out
    assert conversation.unanswered
    assert vk_world.ctx.sealer.open(conversation.preview_sealed) == "Спасибо"


async def test_a_late_message_moves_no_preview_back(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Первое")
    await vk_world.client_writes("Второе")
    first, second = await vk_world.told()
    await vk_world.hooks([second])
    seen = await vk_world.conversation()
    await vk_world.hooks([first])
    after = await vk_world.conversation()
    assert (after.last_at, after.last_cmid) == (seen.last_at, 2)
    assert vk_world.ctx.sealer.open(after.preview_sealed) == "Второе"
    assert after.unread == 2
    assert await vk_world.texts() == ["Первое", "Второе"]


async def test_our_answer_does_not_hide_a_question_that_was_told_late(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Здравствуйте")
    await vk_world.hear()
    await vk_world.client_writes("А можно завтра?")
    (late,) = await vk_world.told()
    await vk_world.write("Здравствуйте!")
    await vk_world.work()
    await vk_world.hooks([late])
    conversation = await vk_world.conversation()
    assert conversation.unanswered
    assert conversation.unread == 1
    assert await vk_world.texts() == await vk_world.texts_at_vk()


async def test_our_own_message_told_back_is_no_second_one(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Здравствуйте")
    await vk_world.hear()
    message = await vk_world.write("Да, в 15:00")
    await vk_world.work()
    assert await vk_world.hear() == 1
    (_, ours) = await vk_world.messages()
    assert (ours.id, ours.status, ours.cmid) == (message.id, Status.SENT, 2)
    assert ours.author == vk_world.member.actor


async def test_the_echo_comes_before_the_answer(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Здравствуйте")
    await vk_world.hear()
    await vk_world.vk_control(vk_cut_answer={"on": "messages.send", "times": 4})
    message = await vk_world.write("Да")
    await vk_world.work()
    assert (await vk_world.messages())[-1].status is Status.QUEUED
    await vk_world.hear()
    (_, ours) = await vk_world.messages()
    assert (ours.id, ours.status, ours.failure) == (message.id, Status.SENT, "")
    await vk_world.move(minutes=10)
    await vk_world.work()
    assert await vk_world.texts_at_vk() == ["Здравствуйте", "Да"]


async def test_a_person_answers_in_vk_itself(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Здравствуйте")
    await vk_world.owner_replies("Добрый день")
    await vk_world.hear()
    conversation = await vk_world.conversation()
    assert not conversation.unanswered
    assert conversation.unread == 0
    assert conversation.by_hand
    (_, theirs) = await vk_world.messages()
    assert (theirs.author, theirs.out, theirs.status) == ("vk:1001", True, Status.SENT)


async def test_an_event_that_trips_us_up_holds_up_none_after_it(vk_world: VkWorld) -> None:
    first = await vk_world.client_writes("Привет")
    await vk_world.hear()
    (kept,) = await vk_world.messages()
    broken = replace(kept, body_sealed="what no key of ours opens")
    await changes.commit(vk_world.ctx.db, Change((broken,)), vk_world.ctx.now())
    edit = {
        "type": "message_edit",
        "group_id": vk_world.group_id,
        "event_id": "edit",
        "object": first | {"text": "Привет!", "update_time": first["date"] + 1},
    }
    await vk_world.client_writes("Вы тут?")
    (after,) = await vk_world.told()
    await vk_world.hooks([edit, after])
    assert vk_world.body((await vk_world.messages())[-1]).text == "Вы тут?"
    async with vk_world.ctx.db.read() as tx:
        waiting = await communities.unhandled(tx, vk_world.community_id, f"peer:{vk_world.person}")
    assert [one.event for one in waiting] == ["message_edit"]  # tried again, and shown when it dies


async def test_an_edit_told_before_its_message_and_twice(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Хочу в субботу")
    (new,) = await vk_world.told()
    message = new["object"]["message"]
    edits = [
        {
            **{name: new[name] for name in ("group_id", "v")},
            "type": "message_edit",
            "event_id": f"edit-{n}",
            "object": {**message, "text": text, "update_time": message["date"] + n},
        }
        for n, text in ((1, "Хочу в воскресенье"), (2, "Хочу в понедельник"))
    ]
    await vk_world.hooks([edits[1]])
    await vk_world.hooks([new, edits[0]])
    await vk_world.hooks(edits)
    assert await vk_world.texts() == ["Хочу в понедельник"]
    (kept,) = await vk_world.messages()
    assert kept.edited_at == (message["date"] + 2) * 1_000_000
    preview = (await vk_world.conversation()).preview_sealed
    assert vk_world.ctx.sealer.open(preview) == "Хочу в понедельник"


async def test_whoever_forbids_cannot_be_written_to_until_he_writes(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Здравствуйте")
    await vk_world.client_does("deny")
    await vk_world.hear()
    assert (await vk_world.conversation()).closed == "901"
    await vk_world.client_does("allow")
    await vk_world.hear()
    assert (await vk_world.conversation()).closed == ""
    await vk_world.client_does("deny")
    await vk_world.client_writes("Передумал")
    await vk_world.hear()
    assert (await vk_world.conversation()).closed == ""


async def test_whoever_allows_before_the_first_word_has_a_dialog(vk_world: VkWorld) -> None:
    await vk_world.client_does("allow", key="inv")
    await vk_world.hear()
    assert (await vk_world.conversation()).name == "Иван Клиентов"
    assert await vk_world.messages() == []


async def test_the_service_is_known_by_what_vk_itself_attached(vk_world: VkWorld) -> None:
    item = await vk_world.vk_test(f"communities/{vk_world.group_id}/items", title="Педикюр")
    item_id = item["item_id"]
    tied = await offered(vk_world, vk_connection_id=vk_world.community_id, vk_item_id=item_id)
    other = await offered(vk_world)
    await vk_world.client_writes("Можно?", market_item=item_id, ref=other.id)
    await vk_world.hear()
    assert (await vk_world.conversation()).service_id == tied.id


async def test_the_service_is_known_by_ref_by_link_and_by_our_button(vk_world: VkWorld) -> None:
    one, two = await offered(vk_world), await offered(vk_world)
    await vk_world.client_writes("Здравствуйте", ref=one.id, ref_source="wall")
    await vk_world.hear()
    conversation = await vk_world.conversation()
    assert (conversation.service_id, conversation.ref) == (one.id, "wall")
    await vk_world.client_writes(f"А эта? http://127.0.0.1:8000/s/lak/{two.id}")
    await vk_world.hear()
    assert (await vk_world.conversation()).service_id == two.id
    await vk_world.client_writes("Первая", payload=f'{{"service": "{one.id}"}}')
    await vk_world.hear()
    assert (await vk_world.conversation()).service_id == one.id


async def test_a_forged_ref_chooses_nothing(vk_world: VkWorld) -> None:
    await vk_world.client_writes("1", ref="svc_00000000000000000000000")
    await vk_world.client_writes("2", ref="' OR 1=1 --")
    await vk_world.client_writes("3", ref=vk_world.shop.id)
    other = Shop(vk_world.ctx.new_id("shp"), "Чужая", vk_world.ctx.now())
    await changes.commit(vk_world.ctx.db, Change((other,)), vk_world.ctx.now())
    foreign = await offered(vk_world, other.id)
    await vk_world.client_writes("4", ref=foreign.id, payload=f'{{"service": "{foreign.id}"}}')
    gone = await offered(vk_world, deleted_at=1)
    await vk_world.client_writes(f"5 http://127.0.0.1:8000/s/lak/{gone.id}")
    await vk_world.hear()
    assert (await vk_world.conversation()).service_id is None
    assert await vk_world.texts() == [
        "1",
        "2",
        "3",
        "4",
        f"5 http://127.0.0.1:8000/s/lak/{gone.id}",
    ]


async def test_what_was_said_is_found_by_its_words_and_kept_sealed(vk_world: VkWorld) -> None:
    with leaks.kept_log() as log:
        await vk_world.client_writes("Сколько стоит кератиновое выпрямление?")
        await vk_world.hear()
        await vk_world.write("Шелковистость гарантируем")
        await vk_world.work()
        said = ("кератинов", "шелковист", "выпрямл")
        assert leaks.leaks(log.getvalue(), said) == []
    kept = await leaks.dump(vk_world.ctx.db)
    assert {name: found for name, text in kept.items() if (found := leaks.leaks(text, said))} == {}
    for word in ("керати", "шелков"):
        mark = search_index.mark(vk_world.ctx.sealer, vk_world.shop.id, word)
        async with vk_world.ctx.db.read() as tx:
            (found,) = await inbox.listing(
                tx, vk_world.shop.id, query="нет такого имени", words=[mark], limit=5
            )
        assert found.id == (await vk_world.conversation()).id


async def test_an_event_that_cannot_be_read_stops_nobody(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Здравствуйте")
    (event,) = await vk_world.told()
    broken = {"peer_id": vk_world.person, "conversation_message_id": "первое"}
    rubbish = {**event, "event_id": "rubbish", "object": {"message": broken}}
    await vk_world.hooks([rubbish, event])
    assert await vk_world.texts() == ["Здравствуйте"]


async def test_a_community_renamed_in_vk_is_renamed_here(vk_world: VkWorld) -> None:
    await vk_world.vk_test(f"communities/{vk_world.group_id}", name="Студия «Пион»")
    await vk_world.hear()
    assert (await vk_world.community()).name == "Студия «Пион»"


async def test_a_pressed_button_says_that_it_was_heard(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Здравствуйте")
    await vk_world.hear()
    keyboard = {
        "inline": True,
        "buttons": [[{"action": {"type": "callback", "label": "Да", "payload": "{}"}}]],
    }
    await vk_world.write("Подходит?", keyboard=keyboard)
    await vk_world.work()
    pressed = await vk_world.client_does("press", cmid=2, button=[0, 0])
    await vk_world.hear()
    shown = vk_world.sandbox.vk.presses[pressed["event_id"]].answer
    assert shown == {
        "type": "show_snackbar",
        "text": "Получили. Ответим здесь, в этом диалоге.",
    }


async def test_one_batch_that_tells_twice_is_kept_with_its_end(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Здравствуйте")
    (event,) = await vk_world.told()
    await event_intake.take_updates(
        vk_world.ctx, vk_world.community_id, [event, {"type": 1}, event], "77", missed=True
    )
    assert (await vk_world.community()).poll_ts == "77"
    await vk_world.work()
    assert await vk_world.texts() == ["Здравствуйте"]


async def test_what_was_handled_long_ago_is_forgotten(vk_world: VkWorld) -> None:
    await vk_world.client_writes("Здравствуйте")
    (event,) = await vk_world.told()
    await vk_world.hooks([event])
    await vk_world.client_writes("Ещё")
    (waiting,) = await vk_world.told()
    await vk_world.hook(waiting)
    vk_world.clock.move(days=31)
    await housekeeping.tidy(vk_world.ctx)
    async with vk_world.ctx.db.read() as tx:
        whose = (vk_world.community_id, f"peer:{vk_world.person}")
        assert len(await communities.unhandled(tx, *whose)) == 1
        assert len(await connections.notices_of(tx, *whose)) == 1
    await vk_world.work()
    assert await vk_world.texts() == ["Здравствуйте", "Ещё"]
