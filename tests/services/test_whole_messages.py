"""Messages that VK crops are requested whole; nested and unavailable messages are stored."""

from typing import Any

import pytest
from msgspec.structs import replace

from sigma.domain.messaging.message import Message, MessageBody
from sigma.services.conversations import (
    conversation_page,
    history_sync,
    inbox,
    message_completion,
)
from tests.vk_world import VkWorld

SIZES = [{"type": "x", "url": "https://sun1.example/x.jpg", "width": 604, "height": 400}]


def photos(count: int) -> list[dict[str, Any]]:
    """Return VK's JSON of photos with the numbers 1 … `count` as captions."""
    return [
        {
            "type": "photo",
            "photo": {
                "id": n,
                "owner_id": 2001,
                "album_id": -64,
                "date": 1767000000,
                "text": str(n),
                "sizes": SIZES,
            },
        }
        for n in range(1, count + 1)
    ]


def forwarded(text: str, attachment_count: int = 3) -> dict[str, Any]:
    return {
        "id": 0,
        "date": 1767000000,
        "from_id": 2002,
        "text": text,
        "conversation_message_id": 0,
        "attachments": photos(attachment_count),
    }


async def last(world: VkWorld) -> tuple[Message, MessageBody]:
    message = (await world.messages())[-1]
    return message, world.body(message)


def titles(body: MessageBody) -> list[str]:
    return [attachment.title for attachment in body.attachments]


async def receive_by_event(world: VkWorld) -> None:
    await world.poll_events()


async def receive_by_history(world: VkWorld) -> None:
    await world.take_events()
    await history_sync.catch_up_community(world.ctx, world.community_id)
    await world.run_jobs()


@pytest.mark.parametrize("receive", [receive_by_event, receive_by_history])
async def test_cropped_message_is_requested_whole(vk_world: VkWorld, receive: Any) -> None:
    await vk_world.write_as_client(
        "Пять фото", attachments=photos(5), forwarded=[forwarded("Смотри")], cropped=True
    )
    await receive(vk_world)
    message, body = await last(vk_world)
    assert not message.is_incomplete
    assert titles(body) == ["1", "2", "3", "4", "5"]
    assert [one.title for one in body.nested[0].attachments] == ["1", "2", "3"]
    assert message.edited_at_us is None, "a completed message is not an edited one"
    assert (await vk_world.conversation()).unread_count == 1


async def test_cropped_event_of_an_administrators_message_is_completed(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Есть примеры?")
    target = {"person_id": vk_world.client_id, "group_id": vk_world.group_id}
    await vk_world.call_vk_test_api(
        "reply", **target, text="Вот", attachments=photos(4), cropped=True
    )
    await vk_world.poll_events()
    message, body = await last(vk_world)
    assert (message.is_outgoing, message.is_incomplete) == (True, False)
    assert titles(body) == ["1", "2", "3", "4"]


async def test_cropped_edit_is_completed(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Одно фото", attachments=photos(1))
    await vk_world.poll_events()
    await vk_world.advance_clocks(minutes=1)
    target = {"person_id": vk_world.client_id, "group_id": vk_world.group_id, "cmid": 1}
    await vk_world.call_vk_test_api(
        "edit", **target, text="Шесть фото", attachments=photos(6), cropped=True
    )
    await vk_world.poll_events()
    message, body = await last(vk_world)
    assert (body.text, len(body.attachments)) == ("Шесть фото", 6)
    assert not message.is_incomplete
    assert message.edited_at_us


async def test_cropped_list_does_not_shorten_a_stored_message(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Фото", attachments=photos(5), cropped=True)
    await vk_world.poll_events()
    before = await last(vk_world)
    await history_sync.catch_up_community(vk_world.ctx, vk_world.community_id)
    assert await last(vk_world) == before
    await vk_world.run_jobs()
    assert (await last(vk_world))[1] == before[1]


@pytest.mark.parametrize("code", [15, 7, 10, 100])
async def test_message_stays_incomplete_and_is_requested_again(
    vk_world: VkWorld, code: int
) -> None:
    await vk_world.inject_vk_faults(
        vk_error={"on": "messages.getByConversationMessageId", "value": code}
    )
    await vk_world.write_as_client("Фото", attachments=photos(5), cropped=True)
    await vk_world.poll_events()
    message, body = await last(vk_world)
    assert message.is_incomplete
    assert (body.text, titles(body)) == ("Фото", ["1"])
    await vk_world.inject_vk_faults(vk_error=None)
    await vk_world.advance_clocks(minutes=15)
    await vk_world.run_jobs()
    message, body = await last(vk_world)
    assert (message.is_incomplete, len(body.attachments)) == (False, 5)


async def test_incomplete_message_waits_for_a_working_key(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Фото", attachments=photos(5), cropped=True)
    events = await vk_world.take_events()
    await vk_world.call_vk_test_api(f"communities/{vk_world.group_id}/revoke")
    await vk_world.deliver_callbacks(events)
    message, _ = await last(vk_world)
    assert message.is_incomplete
    assert (await vk_world.community()).error_code == "5"
    await vk_world.set_access_key(await vk_world.create_access_key())
    await vk_world.advance_clocks(minutes=11)
    await vk_world.run_jobs()
    message, body = await last(vk_world)
    assert (message.is_incomplete, len(body.attachments)) == (False, 5)


async def test_message_that_vk_never_gives_whole_is_requested_ever_more_rarely(
    vk_world: VkWorld,
) -> None:
    await vk_world.inject_vk_faults(
        vk_error={"on": "messages.getByConversationMessageId", "value": 15}
    )
    await vk_world.write_as_client("Фото", attachments=photos(5), cropped=True)
    await vk_world.poll_events()
    message, _ = await last(vk_world)
    delays_s = []
    for days in (0, 1, 9, 30):
        await vk_world.advance_clocks(days=days)
        next_at_us = await message_completion.complete(vk_world.ctx, message.id)
        delays_s.append(next_at_us and (next_at_us - vk_world.ctx.now_us()) // 1_000_000)
    # A minute, a quarter of its age, once a day at most, then never.
    assert delays_s[:3] == [pytest.approx(n, rel=0.05) for n in (60, 21_600, 86_400)]
    assert delays_s[3] is None


async def test_forwarded_messages_are_stored_with_their_attachments(vk_world: VkWorld) -> None:
    inner = forwarded("Внутри", 2)
    outer = forwarded("Снаружи", 1) | {"fwd_messages": [inner]}
    await vk_world.write_as_client("Гляньте", forwarded=[outer], quoted=forwarded("Вопрос", 0))
    await vk_world.poll_events()
    _, body = await last(vk_world)
    quoted, first = body.nested
    assert (quoted.kind, quoted.text) == ("reply", "Вопрос")
    assert (first.text, first.nested[0].text) == ("Снаружи", "Внутри")
    assert len(first.nested[0].attachments) == 2


async def test_unavailable_message_is_replaced_when_vk_gives_it(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Текст", unavailable=True)
    (event,) = await vk_world.take_events()
    event["object"]["message"]["text"] = ""
    await vk_world.deliver_callbacks([event])
    _, body = await last(vk_world)
    assert body.is_unavailable
    vk = vk_world.sandbox.vk
    vk_message = vk.find_message(vk_world.group_id, vk_world.client_id, 1)
    assert vk_message is not None
    vk.put_message(replace(vk_message, extra={}))
    await history_sync.catch_up_community(vk_world.ctx, vk_world.community_id)
    _, body = await last(vk_world)
    assert (body.text, body.is_unavailable) == ("Текст", False)


async def test_forwarded_text_is_found_by_search(vk_world: VkWorld) -> None:
    await vk_world.write_as_client("Гляньте", forwarded=[forwarded("Адрес: Тверская", 0)])
    await vk_world.poll_events()
    found = await inbox.list_conversations(vk_world.ctx, vk_world.member, query="тверская")
    assert [row.conversation.id for row in found.rows] == [(await vk_world.conversation()).id]


async def test_authors_of_nested_messages_are_named_and_keep_their_names(vk_world: VkWorld) -> None:
    author_id = await vk_world.create_client()
    author = vk_world.sandbox.vk.people[author_id]
    name = f"{author.first_name} {author.last_name}"
    inner = forwarded("Внутри", 0) | {"from_id": author_id}
    outer = forwarded("Снаружи", 0) | {"from_id": -vk_world.group_id, "fwd_messages": [inner]}
    lost = forwarded("Удалён", 0) | {"from_id": 999_999_999}
    await vk_world.write_as_client("Гляньте", forwarded=[outer, lost])
    (event,) = await vk_world.take_events()
    await vk_world.deliver_callbacks([event])
    message, body = await last(vk_world)
    assert body.nested[0].nested[0].author_name == name
    assert body.nested[1].author_name == ""
    assert (message.edited_at_us, message.is_incomplete) == (None, False)
    event["type"] = "message_edit"
    event["event_id"] = "edited"
    edited = event["object"].get("message", event["object"])
    edited |= {"text": "Гляньте сюда", "update_time": edited["date"] + 5}
    event["object"] = edited
    await vk_world.deliver_callbacks([event])
    _, body = await last(vk_world)
    assert (body.text, body.nested[0].nested[0].author_name) == ("Гляньте сюда", name)
    page = await conversation_page.load_messages(
        vk_world.ctx, vk_world.member, (await vk_world.conversation()).id, 2**53
    )
    community = await vk_world.community()
    authors = [page.author_of(one)[0] for one in (*body.nested, *body.nested[0].nested)]
    assert authors == [community.name, "id999999999", name]
