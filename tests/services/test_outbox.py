"""Sending messages: in order, exactly once, and every VK error is stored for the operator."""

import io

import pytest
from PIL import Image

from sigma.channels.vk.errors import RetryLaterError
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.message import Message, MessageBody, Status
from sigma.services.conversations import outbox
from tests.vk_world import VkWorld

pytestmark = pytest.mark.both_databases


@pytest.fixture
async def vk_world(vk_world: VkWorld) -> VkWorld:
    """A client has written, so that the community may reply."""
    await vk_world.write_as_client("Здравствуйте")
    await vk_world.poll_events()
    return vk_world


async def last_message(world: VkWorld) -> Message:
    return (await world.messages())[-1]


async def refusal_code(world: VkWorld, text: str = "Ещё") -> str:
    with pytest.raises(RefusedError) as caught:
        await world.post_message(text)
    return caught.value.code


async def test_reply_is_stored_at_once_and_then_sent(vk_world: VkWorld) -> None:
    message = await vk_world.post_message("Добрый день")
    conversation = await vk_world.conversation()
    assert not conversation.is_unanswered
    assert conversation.handled_by_operator
    assert message.status is Status.QUEUED
    await vk_world.run_jobs()
    assert await vk_world.vk_texts() == ["Здравствуйте", "Добрый день"]
    sent = await last_message(vk_world)
    assert (sent.id, sent.status, sent.cmid) == (message.id, Status.SENT, 2)


async def test_same_idempotency_key_sends_one_message(vk_world: VkWorld) -> None:
    first = await vk_world.post_message("Добрый день", idempotency_key="form-1")
    second = await vk_world.post_message("Добрый день", idempotency_key="form-1")
    assert first.id == second.id
    await vk_world.run_jobs()
    assert await vk_world.vk_texts() == ["Здравствуйте", "Добрый день"]


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 4097, "a\x00b", "4111 1111 1111 1111"])
async def test_invalid_text_is_refused(vk_world: VkWorld, text: str) -> None:
    assert await refusal_code(vk_world, text) == "validation"


async def test_photo_is_sent(vk_world: VkWorld) -> None:
    image = io.BytesIO()
    Image.new("RGB", (64, 48), "#336699").save(image, "PNG")
    await vk_world.post_message("", photo=image.getvalue())
    await vk_world.run_jobs()
    (_, vk_message) = (await vk_world.fetch_vk_conversation())["messages"]
    assert vk_message["attachments"][0]["type"] == "photo"
    await vk_world.poll_events()
    assert vk_world.body(await last_message(vk_world)).attachments[0].url


@pytest.mark.parametrize(("code", "minutes"), [(6, 1), (10, 1), (29, 185)])
async def test_messages_of_a_conversation_keep_their_order(
    vk_world: VkWorld, code: int, minutes: int
) -> None:
    await vk_world.inject_vk_faults(vk_error={"on": "messages.send", "value": code, "times": 4})
    for text in ("Раз", "Два", "Три"):
        await vk_world.post_message(text)
    await vk_world.run_jobs()
    assert await vk_world.vk_texts() == ["Здравствуйте"]
    first = (await vk_world.messages())[1]
    assert (first.status, first.failure) == (Status.QUEUED, f"postponed:{code}")
    await vk_world.inject_vk_faults(vk_error=None)
    await vk_world.advance_clocks(minutes=minutes)
    await vk_world.run_jobs()
    assert await vk_world.vk_texts() == ["Здравствуйте", "Раз", "Два", "Три"]


@pytest.mark.parametrize("code", [9, 601])
async def test_flood_control_stops_only_the_refused_message(vk_world: VkWorld, code: int) -> None:
    await vk_world.inject_vk_faults(vk_error={"on": "messages.send", "value": code, "times": 1})
    for text in ("Раз", "Два", "Три"):
        await vk_world.post_message(text)
    await vk_world.run_jobs()
    assert await vk_world.vk_texts() == ["Здравствуйте", "Два", "Три"]
    (waiting,) = [one for one in await vk_world.messages() if one.status is Status.QUEUED]
    assert (vk_world.body(waiting).text, waiting.failure) == ("Раз", f"postponed:{code}")
    await vk_world.post_message("Четыре")
    await vk_world.run_jobs()
    assert (await vk_world.vk_texts())[-1] == "Четыре", "a later reply does not wait either"
    await vk_world.advance_clocks(minutes=9)
    await vk_world.run_jobs()
    assert "Раз" not in await vk_world.vk_texts()
    await vk_world.advance_clocks(minutes=2)
    await vk_world.run_jobs()
    assert await vk_world.vk_texts() == ["Здравствуйте", "Два", "Три", "Четыре", "Раз"]
    assert await vk_world.texts() == await vk_world.vk_texts()


async def test_each_flooding_message_waits_for_itself(vk_world: VkWorld) -> None:
    await vk_world.inject_vk_faults(vk_error={"on": "messages.send", "value": 9, "times": 3})
    for text in ("Раз", "Раз", "Два", "Три"):
        await vk_world.post_message(text)
    await vk_world.run_jobs()
    assert await vk_world.vk_texts() == ["Здравствуйте", "Три"]
    await vk_world.advance_clocks(minutes=11)
    await vk_world.run_jobs()
    assert sorted((await vk_world.vk_texts())[2:]) == ["Два", "Раз", "Раз"]


@pytest.mark.parametrize("code", [914, 100, 7, 911])
async def test_refused_message_does_not_stop_the_following_ones(
    vk_world: VkWorld, code: int
) -> None:
    await vk_world.inject_vk_faults(vk_error={"on": "messages.send", "value": code, "times": 1})
    for text in ("Раз", "Два"):
        await vk_world.post_message(text)
    await vk_world.run_jobs()
    assert await vk_world.vk_texts() == ["Здравствуйте", "Два"]
    assert not (await vk_world.conversation()).blocked_reason


@pytest.mark.parametrize(
    ("code", "early_minutes", "late_minutes"),
    [(6, 0.0001, 0.1), (9, 9, 11), (10, 0.01, 0.2), (29, 170, 185)],
)
async def test_delay_after_a_vk_error_is_respected(
    vk_world: VkWorld, code: int, early_minutes: float, late_minutes: float
) -> None:
    await vk_world.inject_vk_faults(vk_error={"on": "messages.send", "value": code})
    await vk_world.post_message("Добрый день")
    await vk_world.run_jobs()
    assert (await last_message(vk_world)).failure == f"postponed:{code}"
    await vk_world.inject_vk_faults(vk_error=None)
    await vk_world.advance_clocks(minutes=early_minutes)
    await vk_world.run_jobs()
    assert await vk_world.vk_texts() == ["Здравствуйте"]
    await vk_world.advance_clocks(minutes=late_minutes)
    await vk_world.run_jobs()
    assert await vk_world.vk_texts() == ["Здравствуйте", "Добрый день"]
    assert (await last_message(vk_world)).failure == ""


@pytest.mark.parametrize("fault", ["vk_cut_answer", "vk_cut_request", "vk_http_500"])
async def test_lost_answer_sends_no_duplicate_after_vk_deduplication_ends(
    vk_world: VkWorld, fault: str
) -> None:
    await vk_world.inject_vk_faults(**{fault: {"on": "messages.send", "times": 4}})
    await vk_world.post_message("Добрый день")
    await vk_world.run_jobs()
    assert (await last_message(vk_world)).failure == "postponed:0"
    await vk_world.take_events()  # the message_reply event is lost too
    await vk_world.advance_clocks(hours=2)
    await vk_world.run_jobs()
    assert await vk_world.vk_texts() == ["Здравствуйте", "Добрый день"]
    assert (await last_message(vk_world)).status is Status.SENT


async def test_message_with_a_lost_answer_is_found_behind_many_newer_ones(
    vk_world: VkWorld,
) -> None:
    await vk_world.inject_vk_faults(vk_cut_answer={"on": "messages.send", "times": 4})
    await vk_world.post_message("Добрый день")
    await vk_world.run_jobs()
    for n in range(210):
        vk_world.sandbox.vk.write_message(vk_world.client_id, vk_world.group_id, str(n))
    await vk_world.advance_clocks(minutes=30)
    await vk_world.run_jobs()
    assert (await vk_world.vk_texts()).count("Добрый день") == 1
    sent = next(message for message in await vk_world.messages() if message.is_outgoing)
    assert (sent.status, sent.cmid) == (Status.SENT, 2)


async def test_client_who_denied_messages_blocks_the_conversation(vk_world: VkWorld) -> None:
    await vk_world.inject_vk_faults(vk_events_off=True)
    await vk_world.act_as_client("deny")
    await vk_world.inject_vk_faults(vk_events_off=None)
    message = await vk_world.post_message("Добрый день")
    await vk_world.run_jobs()
    failed = await last_message(vk_world)
    assert (failed.status, failed.failure) == (Status.FAILED, "901")
    assert (await vk_world.conversation()).blocked_reason == "901"
    assert await refusal_code(vk_world) == "cannot_write"
    with pytest.raises(RefusedError):
        await outbox.retry(vk_world.ctx, vk_world.member, message.id)
    await vk_world.act_as_client("allow")
    await outbox.retry(vk_world.ctx, vk_world.member, message.id)
    await vk_world.run_jobs()
    assert await vk_world.vk_texts() == ["Здравствуйте", "Добрый день"]
    assert (await vk_world.conversation()).blocked_reason == ""


@pytest.mark.parametrize("code", [900, 902, 914, 936])
async def test_rejected_message_fails_without_blocking_others(vk_world: VkWorld, code: int) -> None:
    other_client = await vk_world.create_client()
    await vk_world.write_as_client("Я другой", other_client)
    await vk_world.poll_events()
    await vk_world.inject_vk_faults(vk_error={"on": "messages.send", "value": code, "times": 1})
    await vk_world.post_message("Добрый день")
    await vk_world.run_jobs()
    failed = await last_message(vk_world)
    assert (failed.status, failed.failure) == (Status.FAILED, str(code))
    assert (await vk_world.conversation()).blocked_reason == ("" if code == 914 else str(code))
    await vk_world.post_message("И вам", other_client)
    await vk_world.run_jobs()
    assert await vk_world.vk_texts(other_client) == ["Я другой", "И вам"]


async def test_messages_wait_for_a_working_access_key(vk_world: VkWorld) -> None:
    await vk_world.call_vk_test_api(f"communities/{vk_world.group_id}/revoke")
    await vk_world.post_message("Раз")
    await vk_world.run_jobs()
    await vk_world.post_message("Два")
    await vk_world.run_jobs()
    assert (await vk_world.community()).error_code == "5"
    waiting = (await vk_world.messages())[1:]
    assert [message.status for message in waiting] == [Status.QUEUED, Status.QUEUED]
    assert waiting[0].failure == "postponed:5"
    await vk_world.advance_clocks(days=2)
    await vk_world.run_jobs()
    new_key = await vk_world.create_access_key()
    await vk_world.set_access_key(new_key)
    await vk_world.update_community(error_code="")
    assert await outbox.resume(vk_world.ctx, vk_world.community_id) == 2
    await vk_world.run_jobs()
    assert await vk_world.vk_texts() == ["Здравствуйте", "Раз", "Два"]


async def test_text_is_sent_without_buttons_when_bots_are_off(vk_world: VkWorld) -> None:
    await vk_world.call_vk_test_api(f"communities/{vk_world.group_id}", bots_capabilities=False)
    action = {"type": "open_link", "label": "Оплатить", "link": "https://pay.example/i/1"}
    keyboard = {"inline": True, "buttons": [[{"action": action}]]}
    await vk_world.post_message("Оплатите: https://pay.example/i/1", keyboard=keyboard)
    await vk_world.run_jobs()
    (_, vk_message) = (await vk_world.fetch_vk_conversation())["messages"]
    assert vk_message["text"] == "Оплатите: https://pay.example/i/1"
    assert "keyboard" not in vk_message


async def test_client_who_never_wrote_gets_messages_only_when_allowed(vk_world: VkWorld) -> None:
    new_client = await vk_world.create_client()
    await vk_world.act_as_client("allow", new_client)
    await vk_world.poll_events()
    await vk_world.post_message("Ваш заказ готов", new_client)
    await vk_world.run_jobs()
    assert await vk_world.vk_texts(new_client) == ["Ваш заказ готов"]
    await vk_world.inject_vk_faults(vk_events_off=True)
    await vk_world.act_as_client("deny", new_client)
    await vk_world.inject_vk_faults(vk_events_off=None)
    await vk_world.inject_vk_faults(
        vk_error={"on": "messages.send", "value": 914}
    )  # must not be reached
    await vk_world.post_message("И ещё", new_client)
    await vk_world.run_jobs()
    assert (await vk_world.messages(new_client))[-1].failure == "901"


async def test_message_can_be_edited_within_a_day(vk_world: VkWorld) -> None:
    message = await vk_world.post_message("Счёт на 100 ₽")
    assert await outbox.edit(vk_world.ctx, message.id, MessageBody("Счёт на 200 ₽"))
    await vk_world.run_jobs()
    assert await vk_world.vk_texts() == ["Здравствуйте", "Счёт на 200 ₽"]
    assert await outbox.edit(vk_world.ctx, message.id, MessageBody("Оплачено"))
    await vk_world.poll_events()
    assert await vk_world.vk_texts() == ["Здравствуйте", "Оплачено"]
    assert await vk_world.texts() == ["Здравствуйте", "Оплачено"]
    assert vk_world.preview(await vk_world.conversation()) == "Оплачено"
    await vk_world.advance_clocks(hours=25)
    assert not await outbox.edit(vk_world.ctx, message.id, MessageBody("Возвращено"))
    assert await vk_world.texts() == ["Здравствуйте", "Оплачено"]


async def test_message_with_unknown_delivery_is_not_edited_yet(vk_world: VkWorld) -> None:
    await vk_world.inject_vk_faults(vk_cut_answer={"on": "messages.send", "times": 4})
    message = await vk_world.post_message("Счёт на 100 ₽")
    await vk_world.run_jobs()
    with pytest.raises(RetryLaterError):
        await outbox.edit(vk_world.ctx, message.id, MessageBody("Оплачено"))
    await vk_world.advance_clocks(minutes=5)
    await vk_world.run_jobs()
    assert await outbox.edit(vk_world.ctx, message.id, MessageBody("Оплачено"))
    assert await vk_world.vk_texts() == ["Здравствуйте", "Оплачено"]
