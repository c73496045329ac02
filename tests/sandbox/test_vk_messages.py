"""The API of the sandbox VK: messages, keyboards, history, photos, faults, restart."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from sigma_sandbox.app import SandboxConfig, start_sandbox
from tests.sandbox.community_owner import CommunityOwner, make_picture

PAY_KEYBOARD = {
    "inline": True,
    "buttons": [
        [{"action": {"type": "open_link", "link": "https://pay.example/i/1", "label": "Оплатить"}}],
        [
            {
                "action": {"type": "callback", "label": "Проверить", "payload": '{"cmd":"check"}'},
                "color": "positive",
            },
            {"action": {"type": "text", "label": "Вопрос", "payload": '{"cmd":"ask"}'}},
        ],
    ],
}


def keyboard_json(*row_lengths: int, **more: Any) -> str:
    """Return a keyboard of text buttons as JSON; `row_lengths`: buttons in each row."""
    button = {"action": {"type": "text", "label": "Да", "payload": "{}"}}
    return json.dumps({"buttons": [[button] * n for n in row_lengths], **more}, ensure_ascii=False)


async def test_community_cannot_write_first_without_permission(
    community_owner: CommunityOwner,
) -> None:
    assert (
        await community_owner.error_code(
            "messages.send", peer_id=community_owner.client_id, message="?", random_id=1
        )
        == 901
    )
    (sent,) = await community_owner.call(
        "messages.send", peer_ids=community_owner.client_id, message="?", random_id=1
    )
    assert sent["error"]["code"] == 901
    await community_owner.call_test_api(
        "allow", person_id=community_owner.client_id, group_id=community_owner.group_id
    )
    params = {"group_id": community_owner.group_id, "user_id": community_owner.client_id}
    assert await community_owner.call("messages.isMessagesFromGroupAllowed", **params) == {
        "is_allowed": 1
    }
    assert (await community_owner.write_as_community())["conversation_message_id"] == 1
    await community_owner.call_test_api(
        "deny", person_id=community_owner.client_id, group_id=community_owner.group_id
    )
    assert (
        await community_owner.error_code(
            "messages.send", peer_id=community_owner.client_id, message="?", random_id=2
        )
        == 901
    )


async def test_send_returns_id_for_peer_id_and_object_for_peer_ids(
    community_owner: CommunityOwner,
) -> None:
    first = await community_owner.write_as_client()
    message_id = await community_owner.call(
        "messages.send", peer_id=community_owner.client_id, message="1", random_id=11
    )
    assert message_id == first["id"] + 1
    sent = await community_owner.write_as_community("2")
    assert sent == {
        "peer_id": community_owner.client_id,
        "message_id": message_id + 1,
        "conversation_message_id": 3,
    }


async def test_same_random_id_sends_once_within_an_hour(community_owner: CommunityOwner) -> None:
    await community_owner.write_as_client()
    first = await community_owner.write_as_community("Счёт", random_id=77)
    assert await community_owner.write_as_community("Счёт", random_id=77) == first
    await community_owner.inject_faults(vk_clock_offset_s=3601)
    assert (await community_owner.write_as_community("Счёт", random_id=77))["message_id"] > first[
        "message_id"
    ]
    without_random_id = await community_owner.write_as_community(random_id=0)
    assert (await community_owner.write_as_community(random_id=0))[
        "message_id"
    ] > without_random_id["message_id"]


async def test_invalid_message_is_refused(community_owner: CommunityOwner) -> None:
    await community_owner.write_as_client()
    to = {"peer_id": community_owner.client_id, "random_id": 5}
    assert (
        await community_owner.error_code(
            "messages.send", peer_id=community_owner.client_id, message="a"
        )
        == 100
    )
    assert await community_owner.error_code("messages.send", **to) == 100
    assert await community_owner.error_code("messages.send", **to, message="a" * 9001) == 914
    assert (
        await community_owner.error_code(
            "messages.send", **to, message="a", attachment="photo-1_2_x"
        )
        == 100
    )
    assert (
        await community_owner.error_code("messages.send", peer_id=99, random_id=1, message="a")
        == 936
    )


@pytest.mark.parametrize(
    "keyboard",
    [
        "{",
        "[]",
        keyboard_json(6),
        keyboard_json(*[1] * 11),
        keyboard_json(*[5] * 8, 1),
        keyboard_json(*[2] * 6, inline=True),
        keyboard_json(1, inline=True, one_time=True),
        keyboard_json(1).replace("Да", "Д" * 41),
        keyboard_json(1).replace('"{}"', json.dumps("x" * 300)),
        keyboard_json(1).replace('"text"', '"open_link"'),
        keyboard_json(1).replace('"text"', '"wish"'),
    ],
)
async def test_invalid_keyboard_is_refused(community_owner: CommunityOwner, keyboard: str) -> None:
    await community_owner.write_as_client()
    to = {"peer_id": community_owner.client_id, "random_id": 5, "message": "?"}
    assert await community_owner.error_code("messages.send", **to, keyboard=keyboard) == 911


async def test_keyboard_requires_bot_capabilities(community_owner: CommunityOwner) -> None:
    await community_owner.write_as_client()
    await community_owner.call(
        "groups.setSettings", group_id=community_owner.group_id, bots_capabilities=0
    )
    to = {"peer_id": community_owner.client_id, "random_id": 5, "message": "?"}
    assert (
        await community_owner.error_code("messages.send", **to, keyboard=json.dumps(PAY_KEYBOARD))
        == 912
    )
    assert await community_owner.call("messages.send", **to)


async def test_keyboard_stays_until_it_is_removed(community_owner: CommunityOwner) -> None:
    await community_owner.write_as_client()
    await community_owner.write_as_community(keyboard=keyboard_json(2))
    assert len((await community_owner.fetch_conversation())["keyboard"]["buttons"][0]) == 2
    await community_owner.write_as_community(keyboard=json.dumps(PAY_KEYBOARD))
    assert (await community_owner.fetch_conversation())["keyboard"] is not None
    await community_owner.write_as_community(keyboard='{"buttons":[]}')
    assert (await community_owner.fetch_conversation())["keyboard"] is None


async def test_message_can_be_edited_for_a_day(community_owner: CommunityOwner) -> None:
    incoming = await community_owner.write_as_client()
    sent = await community_owner.write_as_community("Счёт", keyboard=json.dumps(PAY_KEYBOARD))
    cmid = {"peer_id": community_owner.client_id, "cmid": sent["conversation_message_id"]}
    assert await community_owner.call("messages.edit", **cmid, message="Оплачено") == 1
    (read,) = (await community_owner.call("messages.getById", message_ids=sent["message_id"]))[
        "items"
    ]
    assert read["text"] == "Оплачено"
    assert "keyboard" not in read
    other = {"peer_id": community_owner.client_id, "message_id": incoming["id"], "message": "?"}
    assert await community_owner.error_code("messages.edit", **other) == 920
    await community_owner.inject_faults(vk_clock_offset_s=86_400)
    assert await community_owner.error_code("messages.edit", **cmid, message="Поздно") == 909


async def test_history_and_conversations_are_listed(community_owner: CommunityOwner) -> None:
    for text in ("раз", "два", "три"):
        await community_owner.write_as_client(text)
    sent = await community_owner.write_as_community("четыре")
    peer = {"peer_id": community_owner.client_id}
    page = await community_owner.call("messages.getHistory", **peer, count=2, extended=1, lang="ru")
    assert page["count"] == 4
    assert [one["text"] for one in page["items"]] == ["четыре", "три"]
    assert page["profiles"][0]["first_name"] == "Ольга"
    page = await community_owner.call("messages.getHistory", **peer, extended=1)
    assert page["profiles"][0]["first_name"] == "Olga", "VK writes Latin letters without lang=ru"
    old = await community_owner.call("messages.getHistory", **peer, count=2, rev=1)
    assert [one["conversation_message_id"] for one in old["items"]] == [1, 2]
    before = await community_owner.call("messages.getHistory", **peer, start_cmid=2)
    assert [one["conversation_message_id"] for one in before["items"]] == [2, 1]
    by_cmid = {"conversation_message_ids": "1,4"}
    both = await community_owner.call("messages.getByConversationMessageId", **peer, **by_cmid)
    assert [one["text"] for one in both["items"]] == ["раз", "четыре"]
    unread = await community_owner.call("messages.getConversations", filter="unread")
    assert unread["items"][0]["conversation"]["unread_count"] == 3
    assert unread["items"][0]["last_message"]["id"] == sent["message_id"]
    assert (await community_owner.call("messages.getConversations", filter="unanswered"))[
        "count"
    ] == 0
    await community_owner.call("messages.markAsRead", **peer)
    assert (await community_owner.call("messages.getConversations", filter="unread"))["count"] == 0


async def test_new_message_makes_answered_conversation_unanswered(
    community_owner: CommunityOwner,
) -> None:
    await community_owner.write_as_client()
    peer = {"peer_id": community_owner.client_id}
    assert (await community_owner.call("messages.getConversations", filter="unanswered"))[
        "count"
    ] == 1
    await community_owner.call("messages.markAsAnsweredConversation", **peer, answered=1)
    assert (await community_owner.call("messages.getConversations", filter="unanswered"))[
        "count"
    ] == 0
    await community_owner.write_as_client("Ау")
    (conversation,) = (
        await community_owner.call(
            "messages.getConversationsById", peer_ids=community_owner.client_id
        )
    )["items"]
    assert conversation["unanswered"] is True


async def test_typing_ends_when_message_is_sent(community_owner: CommunityOwner) -> None:
    await community_owner.write_as_client()
    await community_owner.call(
        "messages.setActivity", peer_id=community_owner.client_id, type="typing"
    )
    assert (await community_owner.fetch_conversation())["typing"] is True
    await community_owner.write_as_community()
    assert (await community_owner.fetch_conversation())["typing"] is False


async def test_pressed_button_opens_link_sends_text_or_waits_for_answer(
    community_owner: CommunityOwner,
) -> None:
    await community_owner.write_as_client()
    cmid = (await community_owner.write_as_community(keyboard=json.dumps(PAY_KEYBOARD)))[
        "conversation_message_id"
    ]
    button = {
        "person_id": community_owner.client_id,
        "group_id": community_owner.group_id,
        "cmid": cmid,
    }
    opened = await community_owner.call_test_api("press", **button, button=[0, 0])
    assert opened == {"kind": "open_link", "link": "https://pay.example/i/1"}
    sent = await community_owner.call_test_api("press", **button, button=[1, 1])
    assert (sent["message"]["text"], sent["message"]["payload"]) == ("Вопрос", '{"cmd":"ask"}')
    event_id = (await community_owner.call_test_api("press", **button, button=[1, 0]))["event_id"]
    answer = {
        "event_id": event_id,
        "user_id": community_owner.client_id,
        "peer_id": community_owner.client_id,
    }
    snackbar = {"event_data": '{"type":"show_snackbar","text":"Оплата получена"}'}
    assert await community_owner.call("messages.sendMessageEventAnswer", **answer, **snackbar) == 1
    assert community_owner.sandbox.vk.button_presses[event_id].answer == json.loads(
        snackbar["event_data"]
    )
    assert (
        await community_owner.error_code("messages.sendMessageEventAnswer", **answer, **snackbar)
        == 100
    )


async def test_callback_answer_after_a_minute_is_refused(community_owner: CommunityOwner) -> None:
    await community_owner.write_as_client()
    cmid = (await community_owner.write_as_community(keyboard=json.dumps(PAY_KEYBOARD)))[
        "conversation_message_id"
    ]
    pressed = {
        "person_id": community_owner.client_id,
        "group_id": community_owner.group_id,
        "cmid": cmid,
    }
    event_id = (await community_owner.call_test_api("press", **pressed, button=[1, 0]))["event_id"]
    await community_owner.inject_faults(vk_clock_offset_s=61)
    answer = {
        "event_id": event_id,
        "user_id": community_owner.client_id,
        "peer_id": community_owner.client_id,
    }
    assert await community_owner.error_code("messages.sendMessageEventAnswer", **answer) == 100


async def test_uploaded_photo_is_sent_in_message(community_owner: CommunityOwner) -> None:
    await community_owner.write_as_client()
    server = await community_owner.call(
        "photos.getMessagesUploadServer", peer_id=community_owner.client_id
    )
    uploaded = await community_owner.http.post(
        server["upload_url"], files={"photo": ("1.jpg", make_picture())}
    )
    (photo,) = await community_owner.call("photos.saveMessagesPhoto", **uploaded.json())
    name = f"photo{photo['owner_id']}_{photo['id']}_{photo['access_key']}"
    await community_owner.write_as_community("Смотрите", attachment=name)
    (last,) = (
        await community_owner.call(
            "messages.getHistory", peer_id=community_owner.client_id, count=1
        )
    )["items"]
    size = last["attachments"][0]["photo"]["sizes"][0]
    assert (size["width"], size["height"]) == (640, 480)
    image = await community_owner.http.get(size["url"])
    assert (image.content, image.headers["content-type"]) == (make_picture(), "image/jpeg")
    assert await community_owner.error_code("photos.saveMessagesPhoto", **uploaded.json()) == 100
    invalid = await community_owner.http.post(
        server["upload_url"], files={"photo": ("1.jpg", b"no")}
    )
    assert invalid.json()["photo"] == "[]"


async def test_cut_response_leaves_message_sent(community_owner: CommunityOwner) -> None:
    await community_owner.write_as_client()
    await community_owner.inject_faults(vk_cut_answer={"on": "messages.send", "times": 1})
    with pytest.raises(httpx.TransportError):
        await community_owner.write_as_community("Счёт", random_id=9)
    assert [one["text"] for one in (await community_owner.fetch_conversation())["messages"]][
        1:
    ] == ["Счёт"]
    again = await community_owner.write_as_community("Счёт", random_id=9)
    assert again["conversation_message_id"] == 2


async def test_fault_rules_cause_vk_errors_and_http_errors(community_owner: CommunityOwner) -> None:
    await community_owner.write_as_client()
    await community_owner.inject_faults(vk_error={"value": 9, "on": "messages.send", "times": 1})
    to = {"peer_id": community_owner.client_id, "random_id": 5, "message": "?"}
    assert await community_owner.error_code("messages.send", **to) == 9
    await community_owner.inject_faults(
        vk_http_500={"times": 1}, vk_error={"value": 14, "on": "users.get"}
    )
    url = f"{community_owner.vk_url}/method/messages.send"
    broken = await community_owner.http.post(
        url, data={**to, "v": "5.199", "access_token": community_owner.access_key}
    )
    assert broken.status_code == 500
    captcha = await community_owner.call_raw("users.get", user_ids=community_owner.client_id)
    assert captcha["error"]["captcha_sid"]
    assert len((await community_owner.fetch_conversation())["messages"]) == 1


async def test_restart_keeps_conversations_and_services(tmp_path: Path) -> None:
    config = SandboxConfig("", tmp_path)
    async with httpx.AsyncClient() as http:
        async with start_sandbox(config) as running:
            owner = CommunityOwner(running, http)
            await owner.create_community(name="Вечная")
            await owner.write_as_client("Помните?")
            await owner.write_as_community("Помним", keyboard=keyboard_json(1))
        async with start_sandbox(config) as running:
            owner.sandbox = running
            texts = [one["text"] for one in (await owner.fetch_conversation())["messages"]]
            assert texts == ["Помните?", "Помним"]
            assert (await owner.fetch_conversation())["keyboard"] is not None
            assert (await owner.write_as_community("Да"))["conversation_message_id"] == 3
            assert len(running.vk.list_items(1)) == 4
