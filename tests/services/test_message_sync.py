"""VK events become messages: repeated, late, out of order, edited, from clients and operators."""

import random
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from sigma.domain.accounts.shop import Shop
from sigma.domain.catalogue.service import Service
from sigma.domain.change import Change
from sigma.domain.messaging.message import Status
from sigma.services.communities import event_intake
from sigma.services.conversations import search_index
from sigma.services.platform import housekeeping
from sigma.store import changes
from sigma.store.engine.statements import statement
from sigma.store.messaging import inbox, vk_events
from sigma.store.schema.messaging_tables import vk_events as vk_event_table
from tests import leaks
from tests.vk_world import VkWorld

pytestmark = pytest.mark.both_databases

SELECT_EVENT_IDS = statement(select(vk_event_table.c.id))


async def add_service(world: VkWorld, shop_id: str = "", **more: Any) -> Service:
    """Add a service to the catalogue of `shop_id` (default: the world's shop)."""
    service = Service(
        world.ctx.new_id("svc", shop_id or world.shop.id),
        shop_id or world.shop.id,
        "Маникюр",
        world.ctx.now_us(),
    )
    service = replace(service, **more)
    await changes.commit(world.ctx.db, Change((service,)), world.ctx.now_us())
    return service


async def test_first_message_creates_a_conversation(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Здравствуйте, есть время в субботу?")
    assert await vk_world.poll_events() == 1
    conversation = await vk_world.conversation()
    assert conversation.unread_count == 1
    assert conversation.is_unanswered
    assert conversation.name == "Иван Клиентов"
    assert "callback" in conversation.supported_buttons
    assert await vk_world.texts() == ["Здравствуйте, есть время в субботу?"]


async def test_repeated_callback_event_creates_one_message(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Привет")
    (event,) = await vk_world.take_events()
    await vk_world.deliver_callbacks([event, event])
    await vk_world.deliver_callbacks([event, {**event, "event_id": "another"}])
    assert await vk_world.texts() == ["Привет"]
    assert (await vk_world.conversation()).unread_count == 1


async def test_event_by_callback_and_long_poll_creates_one_message(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Привет")
    before = (await vk_world.community()).long_poll_ts
    (event,) = await vk_world.take_events()
    await vk_world.update_community(long_poll_ts=before)
    await vk_world.deliver_callbacks([{**event, "event_id": "of-the-callback-server"}])
    assert await vk_world.poll_events() == 1
    assert await vk_world.texts() == ["Привет"]


@pytest.mark.parametrize("seed", range(3))
async def test_events_in_any_order_give_the_same_conversation(vk_world: VkWorld, seed: int) -> None:
    for n in range(4):
        await vk_world.write_as_client(f"Вопрос {n}")
        await vk_world.reply_in_vk(f"Ответ {n}")
    await vk_world.write_as_client("Спасибо")
    events = await vk_world.take_events()
    rng = random.Random(seed)
    shuffled = rng.sample(events, len(events))
    for start in range(0, len(shuffled), 3):
        await vk_world.deliver_callbacks([*shuffled[start : start + 3], rng.choice(events)])
    assert await vk_world.texts() == await vk_world.vk_texts()
    conversation = await vk_world.conversation()
    assert conversation.last_cmid == 9
    assert not conversation.is_last_outgoing
    assert conversation.is_unanswered
    assert vk_world.preview(conversation) == "Спасибо"


async def test_late_message_does_not_replace_the_preview(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Первое")
    await vk_world.write_as_client("Второе")
    first, second = await vk_world.take_events()
    await vk_world.deliver_callbacks([second])
    before = await vk_world.conversation()
    await vk_world.deliver_callbacks([first])
    after = await vk_world.conversation()
    assert (after.last_at_us, after.last_cmid) == (before.last_at_us, 2)
    assert vk_world.preview(after) == "Второе"
    assert after.unread_count == 2
    assert await vk_world.texts() == ["Первое", "Второе"]


async def test_late_question_before_our_reply_stays_unanswered(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    await vk_world.write_as_client("А можно завтра?")
    (late,) = await vk_world.take_events()
    await vk_world.post_message("Здравствуйте!")
    await vk_world.run_jobs()
    await vk_world.deliver_callbacks([late])
    conversation = await vk_world.conversation()
    assert conversation.is_unanswered
    assert conversation.unread_count == 1
    assert await vk_world.texts() == await vk_world.vk_texts()


async def test_event_of_our_own_message_creates_no_duplicate(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    message = await vk_world.post_message("Да, в 15:00")
    await vk_world.run_jobs()
    assert await vk_world.poll_events() == 1
    (_, outgoing) = await vk_world.messages()
    assert (outgoing.id, outgoing.status, outgoing.cmid) == (message.id, Status.SENT, 2)
    assert outgoing.author == vk_world.member.actor


async def test_event_marks_a_message_with_a_lost_answer_as_sent(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    await vk_world.inject_vk_faults(vk_cut_answer={"on": "messages.send", "times": 4})
    message = await vk_world.post_message("Да")
    await vk_world.run_jobs()
    assert (await vk_world.messages())[-1].status is Status.QUEUED
    await vk_world.poll_events()
    (_, outgoing) = await vk_world.messages()
    assert (outgoing.id, outgoing.status, outgoing.failure) == (message.id, Status.SENT, "")
    await vk_world.advance_clocks(minutes=10)
    await vk_world.run_jobs()
    assert await vk_world.vk_texts() == ["Здравствуйте", "Да"]


async def test_operator_reply_in_vk_marks_the_conversation_answered(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.reply_in_vk("Добрый день")
    await vk_world.poll_events()
    conversation = await vk_world.conversation()
    assert not conversation.is_unanswered
    assert conversation.unread_count == 0
    assert conversation.handled_by_operator
    (_, reply) = await vk_world.messages()
    assert (reply.author, reply.is_outgoing, reply.status) == ("vk:1001", True, Status.SENT)


async def test_failing_event_does_not_block_later_events(vk_world: VkWorld) -> None:
    first = await vk_world.write_as_client("Привет")
    await vk_world.poll_events()
    (stored,) = await vk_world.messages()
    broken = replace(stored, body_encrypted="not decryptable with our key")
    await changes.commit(vk_world.ctx.db, Change((broken,)), vk_world.ctx.now_us())
    edit = {
        "type": "message_edit",
        "group_id": vk_world.group_id,
        "event_id": "edit",
        "object": first | {"text": "Привет!", "update_time": first["date"] + 1},
    }
    await vk_world.write_as_client("Вы тут?")
    (next_event,) = await vk_world.take_events()
    await vk_world.deliver_callbacks([edit, next_event])
    assert vk_world.body((await vk_world.messages())[-1]).text == "Вы тут?"
    async with vk_world.ctx.db.read() as tx:
        waiting = await vk_events.list_unprocessed(
            tx, vk_world.community_id, f"peer:{vk_world.client_id}"
        )
    assert [event.type for event in waiting] == ["message_edit"]  # it will be retried


async def test_edit_before_its_message_is_applied_once(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Хочу в субботу")
    (created,) = await vk_world.take_events()
    message = created["object"]["message"]
    edits = [
        {
            **{name: created[name] for name in ("group_id", "v")},
            "type": "message_edit",
            "event_id": f"edit-{n}",
            "object": {**message, "text": text, "update_time": message["date"] + n},
        }
        for n, text in ((1, "Хочу в воскресенье"), (2, "Хочу в понедельник"))
    ]
    await vk_world.deliver_callbacks([edits[1]])
    await vk_world.deliver_callbacks([created, edits[0]])
    await vk_world.deliver_callbacks(edits)
    assert await vk_world.texts() == ["Хочу в понедельник"]
    (stored,) = await vk_world.messages()
    assert stored.edited_at_us == (message["date"] + 2) * 1_000_000
    assert vk_world.preview(await vk_world.conversation()) == "Хочу в понедельник"


async def test_denied_conversation_is_unblocked_by_allow_or_a_message(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.act_as_client("deny")
    await vk_world.poll_events()
    assert (await vk_world.conversation()).blocked_reason == "901"
    await vk_world.act_as_client("allow")
    await vk_world.poll_events()
    assert (await vk_world.conversation()).blocked_reason == ""
    await vk_world.act_as_client("deny")
    await vk_world.write_as_client("Передумал")
    await vk_world.poll_events()
    assert (await vk_world.conversation()).blocked_reason == ""


async def test_allow_before_the_first_message_creates_a_conversation(vk_world: VkWorld) -> None:
    await vk_world.act_as_client("allow", key="inv")
    await vk_world.poll_events()
    assert (await vk_world.conversation()).name == "Иван Клиентов"
    assert await vk_world.messages() == []


async def test_attached_market_item_selects_the_service(vk_world: VkWorld) -> None:
    item = await vk_world.call_vk_test_api(
        f"communities/{vk_world.group_id}/items", title="Педикюр"
    )
    item_id = item["item_id"]
    linked = await add_service(vk_world, vk_connection_id=vk_world.community_id, vk_item_id=item_id)
    referenced = await add_service(vk_world)
    await vk_world.write_as_client("Можно?", market_item=item_id, ref=referenced.id)
    await vk_world.poll_events()
    assert (await vk_world.conversation()).service_id == linked.id


async def test_ref_link_and_button_select_the_service(vk_world: VkWorld) -> None:
    first, second = await add_service(vk_world), await add_service(vk_world)
    await vk_world.write_as_client("Здравствуйте", ref=first.id, ref_source="wall")
    await vk_world.poll_events()
    conversation = await vk_world.conversation()
    assert (conversation.service_id, conversation.vk_ref) == (first.id, "wall")
    await vk_world.write_as_client(f"А эта? http://127.0.0.1:8000/s/lak/{second.id}")
    await vk_world.poll_events()
    assert (await vk_world.conversation()).service_id == second.id
    await vk_world.write_as_client("Первая", payload=f'{{"service": "{first.id}"}}')
    await vk_world.poll_events()
    assert (await vk_world.conversation()).service_id == first.id


async def test_forged_ref_selects_no_service(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("1", ref="svc_00000000000000000000000")
    await vk_world.write_as_client("2", ref="' OR 1=1 --")
    await vk_world.write_as_client("3", ref=vk_world.shop.id)
    other_shop = Shop(vk_world.ctx.new_id("shp"), "Чужая", vk_world.ctx.now_us())
    await changes.commit(vk_world.ctx.db, Change((other_shop,)), vk_world.ctx.now_us())
    foreign = await add_service(vk_world, other_shop.id)
    await vk_world.write_as_client("4", ref=foreign.id, payload=f'{{"service": "{foreign.id}"}}')
    deleted = await add_service(vk_world, deleted_at_us=1)
    await vk_world.write_as_client(f"5 http://127.0.0.1:8000/s/lak/{deleted.id}")
    await vk_world.poll_events()
    assert (await vk_world.conversation()).service_id is None
    assert await vk_world.texts() == [
        "1",
        "2",
        "3",
        "4",
        f"5 http://127.0.0.1:8000/s/lak/{deleted.id}",
    ]


async def test_message_is_searchable_and_encrypted_at_rest(vk_world: VkWorld) -> None:
    with leaks.captured_log() as log:
        await vk_world.write_as_client("Сколько стоит кератиновое выпрямление?")
        await vk_world.poll_events()
        await vk_world.post_message("Шелковистость гарантируем")
        await vk_world.run_jobs()
        stems = ("кератинов", "шелковист", "выпрямл")
        assert leaks.find_leaks(log.getvalue(), stems) == []
    dumped = await leaks.dump_tables(vk_world.ctx.db)
    leaked = {name: leaks.find_leaks(text, stems) for name, text in dumped.items()}
    assert {name: leaked_stems for name, leaked_stems in leaked.items() if leaked_stems} == {}
    for word in ("керати", "шелков"):
        token_hash = search_index.token_hash(vk_world.ctx.cipher, vk_world.shop.id, word)
        async with vk_world.ctx.db.read() as tx:
            (found,) = await inbox.list_conversations(
                tx, vk_world.shop.id, query="нет такого имени", token_hashes=[token_hash], limit=5
            )
        assert found.id == (await vk_world.conversation()).id


async def test_malformed_event_does_not_block_others(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Здравствуйте")
    (event,) = await vk_world.take_events()
    malformed = {"peer_id": vk_world.client_id, "conversation_message_id": "первое"}
    malformed_event = {**event, "event_id": "rubbish", "object": {"message": malformed}}
    await vk_world.deliver_callbacks([malformed_event, event])
    assert await vk_world.texts() == ["Здравствуйте"]


async def test_community_renamed_in_vk_is_renamed_in_sigma(vk_world: VkWorld) -> None:
    await vk_world.call_vk_test_api(f"communities/{vk_world.group_id}", name="Студия «Пион»")
    await vk_world.poll_events()
    assert (await vk_world.community()).name == "Студия «Пион»"


async def test_pressed_button_gets_a_confirmation(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    keyboard = {
        "inline": True,
        "buttons": [[{"action": {"type": "callback", "label": "Да", "payload": "{}"}}]],
    }
    await vk_world.post_message("Подходит?", keyboard=keyboard)
    await vk_world.run_jobs()
    pressed = await vk_world.act_as_client("press", cmid=2, button=[0, 0])
    await vk_world.poll_events()
    snackbar = vk_world.sandbox.vk.button_presses[pressed["event_id"]].answer
    assert snackbar == {
        "type": "show_snackbar",
        "text": "Получили. Ответим здесь, в этом диалоге.",
    }


async def test_long_poll_batch_with_duplicates_is_stored_once(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Здравствуйте")
    (event,) = await vk_world.take_events()
    await event_intake.accept_long_poll(
        vk_world.ctx, vk_world.community_id, [event, {"type": 1}, event], "77", has_gap=True
    )
    assert (await vk_world.community()).long_poll_ts == "77"
    await vk_world.run_jobs()
    assert await vk_world.texts() == ["Здравствуйте"]


async def test_processed_events_are_deleted_after_a_month(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Здравствуйте")
    (event,) = await vk_world.take_events()
    await vk_world.deliver_callbacks([event])
    await vk_world.write_as_client("Ещё")
    (waiting,) = await vk_world.take_events()
    await vk_world.deliver_callback(waiting)
    vk_world.clock.advance(days=31)
    await housekeeping.clean_up(vk_world.ctx)
    async with vk_world.ctx.db.read() as tx:
        subject = (vk_world.community_id, f"peer:{vk_world.client_id}")
        assert len(await vk_events.list_unprocessed(tx, *subject)) == 1
        assert len(await tx.fetch_all(SELECT_EVENT_IDS)) == 1
    await vk_world.run_jobs()
    assert await vk_world.texts() == ["Здравствуйте", "Ещё"]
