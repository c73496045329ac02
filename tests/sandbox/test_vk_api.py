"""The API of VKontakte in a box: keys and rights, communities, messages, photos."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from sigma_sandbox.app import SandboxConfig, start_sandbox
from tests.sandbox.communities import Owner, drawn

PAY = {
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


def buttons(*rows: int, **more: Any) -> str:
    """A keyboard with rows of so many buttons."""
    button = {"action": {"type": "text", "label": "Да", "payload": "{}"}}
    return json.dumps({"buttons": [[button] * n for n in rows], **more}, ensure_ascii=False)


async def test_a_key_is_asked_for_in_every_way_vk_takes(owner: Owner) -> None:
    url = f"{owner.root}/method/groups.getById"
    asked = {"v": "5.199", "access_token": owner.token}
    by_query = (await owner.http.get(url, params=asked)).json()
    by_form = (await owner.http.post(url, data=asked)).json()
    by_header = await owner.raw("groups.getById")
    assert by_query == by_form == by_header
    assert by_header["response"]["groups"][0]["id"] == owner.group_id
    as_json = (await owner.http.post(url, json=asked)).json()
    assert as_json["error"]["error_code"] == 8


async def test_refusals_have_vk_numbers(owner: Owner) -> None:
    assert await owner.code("groups.noSuch") == 3
    assert await owner.code("groups.getbyid") == 3
    assert await owner.code("groups.getById", v="") == 8
    assert await owner.code("groups.getById", token="vk1.a.wrong") == 5
    none = await owner.http.post(f"{owner.root}/method/users.get", data={"v": "5.199"})
    assert none.json()["error"]["error_code"] == 15
    refused = await owner.raw("messages.getHistory", peer_id="x", access_token=owner.token)
    assert refused["error"]["error_code"] == 100
    told = {one["key"] for one in refused["error"]["request_params"]}
    assert told == {"method", "peer_id", "v"}


async def test_a_revoked_key_opens_nothing(owner: Owner) -> None:
    await owner.test(f"communities/{owner.group_id}/revoke", token=owner.token)
    assert await owner.code("groups.getById") == 5
    fresh = await owner.test(f"communities/{owner.group_id}/keys", rights=["messages"])
    assert await owner.call("groups.getTokenPermissions", token=fresh["token"]) == {
        "mask": 4096,
        "permissions": [{"name": "messages", "setting": 4096}],
    }


async def test_a_key_without_the_right_is_refused(owner: Owner) -> None:
    weak = (await owner.test(f"communities/{owner.group_id}/keys", rights=["photos"]))["token"]
    assert await owner.code("messages.getConversations", token=weak) == 15
    assert await owner.code("groups.getCallbackServers", token=weak, group_id=1) == 15
    assert await owner.code("groups.getCallbackServers", group_id=1) == 15
    assert await owner.code("groups.toggleMarket", group_id=owner.group_id, state="basic") == 27


async def test_too_many_calls_a_second_are_refused(owner: Owner) -> None:
    answers = await asyncio.gather(*(owner.raw("groups.getTokenPermissions") for _ in range(25)))
    codes = [one["error"]["error_code"] for one in answers if "error" in one]
    assert codes == [6] * 5
    answers = await asyncio.gather(*(owner.raw("users.get", owner.user_token) for _ in range(5)))
    assert sum("error" in one for one in answers) == 2
    await asyncio.sleep(1)
    assert "response" in await owner.raw("groups.getTokenPermissions")


async def test_a_community_is_told_by_the_asked_fields(owner: Owner) -> None:
    (plain,) = (await owner.call("groups.getById"))["groups"]
    assert "description" not in plain
    fields = "description,contacts,market,has_photo,site,can_message"
    (lak,) = (await owner.call("groups.getById", group_ids="lak", fields=fields))["groups"]
    assert (lak["name"], lak["has_photo"], lak["market"]["type"]) == ("Студия «Лак»", 1, "basic")
    assert lak["contacts"][0]["phone"] == "+7 900 123-45-67"
    (new,) = (await owner.call("groups.getById", group_ids=2, fields=fields))["groups"]
    assert (new["has_photo"], new["description"], new["contacts"]) == (0, "", [])
    assert new["market"] == {"enabled": 0}
    assert (await owner.call("groups.getById", group_ids="nobody"))["groups"] == []


async def test_settings_are_written_and_read_back(owner: Owner) -> None:
    mine = {"group_id": owner.group_id}
    assert await owner.call("groups.setSettings", **mine, messages=0, bots_capabilities=0) == 1
    assert await owner.call("groups.edit", **mine, description="Новое", title="Имя") == 1
    fields = "description,can_message"
    (read,) = (await owner.call("groups.getById", fields=fields))["groups"]
    assert (read["name"], read["description"], read["can_message"]) == ("Имя", "Новое", 0)
    assert await owner.code("groups.edit", **mine, screen_name="lak") == 1260
    assert await owner.code("groups.getSettings", **mine) == 27
    settings = await owner.call("groups.getSettings", token=owner.user_token, **mine)
    assert (settings["title"], settings["bots_capabilities"]) == ("Имя", 0)


async def test_an_owner_fills_the_page_by_hand(owner: Owner) -> None:
    contact = {"user_id": 1001, "desc": "Мастер", "phone": "+7 900 000-00-00"}
    filled = {"contacts": [contact], "has_photo": True, "description": "О нас"}
    await owner.test(f"communities/{owner.group_id}", **filled)
    fields = "contacts,has_photo,description"
    (read,) = (await owner.call("groups.getById", fields=fields))["groups"]
    assert (read["contacts"], read["has_photo"], read["description"]) == ([contact], 1, "О нас")
    url = f"{owner.root}/test/communities/{owner.group_id}"
    assert (await owner.http.post(url, json={"messages": "да"})).status_code == 400
    assert (await owner.http.post(f"{url}000", json={})).status_code == 404


async def test_a_closed_community_takes_no_messages(owner: Owner) -> None:
    await owner.test(f"communities/{owner.group_id}", messages=False)
    body = {"person_id": owner.client, "group_id": owner.group_id, "text": "Ау"}
    refused = await owner.http.post(f"{owner.root}/test/write", json=body)
    assert refused.status_code == 409
    assert await owner.code("messages.send", peer_id=owner.client, message="?", random_id=1) == 15


async def test_the_owners_key_switches_the_shop(owner: Owner) -> None:
    shop = {"token": owner.user_token, "group_id": owner.group_id}
    assert await owner.call("groups.toggleMarket", **shop, state="basic") == 1
    assert await owner.code("groups.toggleMarket", **shop, state="basic") == 1431
    assert await owner.call("groups.toggleMarket", **shop, state="none") == 1


async def test_a_community_cannot_write_first(owner: Owner) -> None:
    assert await owner.code("messages.send", peer_id=owner.client, message="?", random_id=1) == 901
    (sent,) = await owner.call("messages.send", peer_ids=owner.client, message="?", random_id=1)
    assert sent["error"]["code"] == 901
    await owner.test("allow", person_id=owner.client, group_id=owner.group_id)
    asked = {"group_id": owner.group_id, "user_id": owner.client}
    assert await owner.call("messages.isMessagesFromGroupAllowed", **asked) == {"is_allowed": 1}
    assert (await owner.send())["conversation_message_id"] == 1
    await owner.test("deny", person_id=owner.client, group_id=owner.group_id)
    assert await owner.code("messages.send", peer_id=owner.client, message="?", random_id=2) == 901


async def test_both_shapes_of_a_sent_message(owner: Owner) -> None:
    first = await owner.write()
    plain = await owner.call("messages.send", peer_id=owner.client, message="1", random_id=11)
    assert plain == first["id"] + 1
    sent = await owner.send("2")
    assert sent == {
        "peer_id": owner.client,
        "message_id": plain + 1,
        "conversation_message_id": 3,
    }


async def test_the_same_random_id_sends_once_within_an_hour(owner: Owner) -> None:
    await owner.write()
    first = await owner.send("Счёт", random_id=77)
    assert await owner.send("Счёт", random_id=77) == first
    await owner.control(vk_clock_offset_s=3601)
    assert (await owner.send("Счёт", random_id=77))["message_id"] > first["message_id"]
    zero = await owner.send(random_id=0)
    assert (await owner.send(random_id=0))["message_id"] > zero["message_id"]


async def test_a_message_is_checked(owner: Owner) -> None:
    await owner.write()
    to = {"peer_id": owner.client, "random_id": 5}
    assert await owner.code("messages.send", peer_id=owner.client, message="a") == 100
    assert await owner.code("messages.send", **to) == 100
    assert await owner.code("messages.send", **to, message="a" * 9001) == 914
    assert await owner.code("messages.send", **to, message="a", attachment="photo-1_2_x") == 100
    assert await owner.code("messages.send", peer_id=99, random_id=1, message="a") == 936


@pytest.mark.parametrize(
    "keyboard",
    [
        "{",
        "[]",
        buttons(6),
        buttons(*[1] * 11),
        buttons(*[5] * 8, 1),
        buttons(*[2] * 6, inline=True),
        buttons(1, inline=True, one_time=True),
        buttons(1).replace("Да", "Д" * 41),
        buttons(1).replace('"{}"', json.dumps("x" * 300)),
        buttons(1).replace('"text"', '"open_link"'),
        buttons(1).replace('"text"', '"wish"'),
    ],
)
async def test_a_wrong_keyboard_is_refused(owner: Owner, keyboard: str) -> None:
    await owner.write()
    to = {"peer_id": owner.client, "random_id": 5, "message": "?"}
    assert await owner.code("messages.send", **to, keyboard=keyboard) == 911


async def test_a_keyboard_needs_bots_to_be_on(owner: Owner) -> None:
    await owner.write()
    await owner.call("groups.setSettings", group_id=owner.group_id, bots_capabilities=0)
    to = {"peer_id": owner.client, "random_id": 5, "message": "?"}
    assert await owner.code("messages.send", **to, keyboard=json.dumps(PAY)) == 912
    assert await owner.call("messages.send", **to)


async def test_a_keyboard_lies_under_the_input_until_it_is_taken_away(owner: Owner) -> None:
    await owner.write()
    await owner.send(keyboard=buttons(2))
    assert len((await owner.dialog())["keyboard"]["buttons"][0]) == 2
    await owner.send(keyboard=json.dumps(PAY))
    assert (await owner.dialog())["keyboard"] is not None
    await owner.send(keyboard='{"buttons":[]}')
    assert (await owner.dialog())["keyboard"] is None


async def test_a_message_is_corrected_for_a_day(owner: Owner) -> None:
    theirs = await owner.write()
    sent = await owner.send("Счёт", keyboard=json.dumps(PAY))
    cmid = {"peer_id": owner.client, "cmid": sent["conversation_message_id"]}
    assert await owner.call("messages.edit", **cmid, message="Оплачено") == 1
    (read,) = (await owner.call("messages.getById", message_ids=sent["message_id"]))["items"]
    assert read["text"] == "Оплачено"
    assert "keyboard" not in read
    other = {"peer_id": owner.client, "message_id": theirs["id"], "message": "?"}
    assert await owner.code("messages.edit", **other) == 920
    await owner.control(vk_clock_offset_s=86_400)
    assert await owner.code("messages.edit", **cmid, message="Поздно") == 909


async def test_history_and_conversations(owner: Owner) -> None:
    for text in ("раз", "два", "три"):
        await owner.write(text)
    sent = await owner.send("четыре")
    peer = {"peer_id": owner.client}
    page = await owner.call("messages.getHistory", **peer, count=2, extended=1)
    assert page["count"] == 4
    assert [one["text"] for one in page["items"]] == ["четыре", "три"]
    assert page["profiles"][0]["first_name"] == "Ольга"
    old = await owner.call("messages.getHistory", **peer, count=2, rev=1)
    assert [one["conversation_message_id"] for one in old["items"]] == [1, 2]
    before = await owner.call("messages.getHistory", **peer, start_cmid=2)
    assert [one["conversation_message_id"] for one in before["items"]] == [2, 1]
    by_cmid = {"conversation_message_ids": "1,4"}
    both = await owner.call("messages.getByConversationMessageId", **peer, **by_cmid)
    assert [one["text"] for one in both["items"]] == ["раз", "четыре"]
    listed = await owner.call("messages.getConversations", filter="unread")
    assert listed["items"][0]["conversation"]["unread_count"] == 3
    assert listed["items"][0]["last_message"]["id"] == sent["message_id"]
    assert (await owner.call("messages.getConversations", filter="unanswered"))["count"] == 0
    await owner.call("messages.markAsRead", **peer)
    assert (await owner.call("messages.getConversations", filter="unread"))["count"] == 0


async def test_a_dialog_is_marked_answered_and_asks_again(owner: Owner) -> None:
    await owner.write()
    peer = {"peer_id": owner.client}
    assert (await owner.call("messages.getConversations", filter="unanswered"))["count"] == 1
    await owner.call("messages.markAsAnsweredConversation", **peer, answered=1)
    assert (await owner.call("messages.getConversations", filter="unanswered"))["count"] == 0
    await owner.write("Ау")
    (one,) = (await owner.call("messages.getConversationsById", peer_ids=owner.client))["items"]
    assert one["unanswered"] is True


async def test_typing_is_seen_by_the_client(owner: Owner) -> None:
    await owner.write()
    await owner.call("messages.setActivity", peer_id=owner.client, type="typing")
    assert (await owner.dialog())["typing"] is True
    await owner.send()
    assert (await owner.dialog())["typing"] is False


async def test_a_pressed_button_writes_opens_or_waits_for_an_answer(owner: Owner) -> None:
    await owner.write()
    cmid = (await owner.send(keyboard=json.dumps(PAY)))["conversation_message_id"]
    button = {"person_id": owner.client, "group_id": owner.group_id, "cmid": cmid}
    opened = await owner.test("press", **button, button=[0, 0])
    assert opened == {"kind": "open_link", "link": "https://pay.example/i/1"}
    said = await owner.test("press", **button, button=[1, 1])
    assert (said["message"]["text"], said["message"]["payload"]) == ("Вопрос", '{"cmd":"ask"}')
    event_id = (await owner.test("press", **button, button=[1, 0]))["event_id"]
    answer = {"event_id": event_id, "user_id": owner.client, "peer_id": owner.client}
    shown = {"event_data": '{"type":"show_snackbar","text":"Оплата получена"}'}
    assert await owner.call("messages.sendMessageEventAnswer", **answer, **shown) == 1
    assert owner.sandbox.vk.presses[event_id].answer == json.loads(shown["event_data"])
    assert await owner.code("messages.sendMessageEventAnswer", **answer, **shown) == 100


async def test_an_answer_to_a_button_comes_within_a_minute(owner: Owner) -> None:
    await owner.write()
    cmid = (await owner.send(keyboard=json.dumps(PAY)))["conversation_message_id"]
    pressed = {"person_id": owner.client, "group_id": owner.group_id, "cmid": cmid}
    event_id = (await owner.test("press", **pressed, button=[1, 0]))["event_id"]
    await owner.control(vk_clock_offset_s=61)
    answer = {"event_id": event_id, "user_id": owner.client, "peer_id": owner.client}
    assert await owner.code("messages.sendMessageEventAnswer", **answer) == 100


async def test_a_photo_goes_into_a_message(owner: Owner) -> None:
    await owner.write()
    server = await owner.call("photos.getMessagesUploadServer", peer_id=owner.client)
    uploaded = await owner.http.post(server["upload_url"], files={"photo": ("1.jpg", drawn())})
    (photo,) = await owner.call("photos.saveMessagesPhoto", **uploaded.json())
    name = f"photo{photo['owner_id']}_{photo['id']}_{photo['access_key']}"
    await owner.send("Смотрите", attachment=name)
    (last,) = (await owner.call("messages.getHistory", peer_id=owner.client, count=1))["items"]
    size = last["attachments"][0]["photo"]["sizes"][0]
    assert (size["width"], size["height"]) == (640, 480)
    shown = await owner.http.get(size["url"])
    assert (shown.content, shown.headers["content-type"]) == (drawn(), "image/jpeg")
    assert await owner.code("photos.saveMessagesPhoto", **uploaded.json()) == 100
    rubbish = await owner.http.post(server["upload_url"], files={"photo": ("1.jpg", b"no")})
    assert rubbish.json()["photo"] == "[]"


async def test_a_lost_answer_leaves_the_message_sent(owner: Owner) -> None:
    await owner.write()
    await owner.control(vk_cut_answer={"on": "messages.send", "times": 1})
    with pytest.raises(httpx.TransportError):
        await owner.send("Счёт", random_id=9)
    assert [one["text"] for one in (await owner.dialog())["messages"]][1:] == ["Счёт"]
    again = await owner.send("Счёт", random_id=9)
    assert again["conversation_message_id"] == 2


async def test_the_api_refuses_and_breaks_on_request(owner: Owner) -> None:
    await owner.write()
    await owner.control(vk_error={"value": 9, "on": "messages.send", "times": 1})
    to = {"peer_id": owner.client, "random_id": 5, "message": "?"}
    assert await owner.code("messages.send", **to) == 9
    await owner.control(vk_http_500={"times": 1}, vk_error={"value": 14, "on": "users.get"})
    url = f"{owner.root}/method/messages.send"
    broken = await owner.http.post(url, data={**to, "v": "5.199", "access_token": owner.token})
    assert broken.status_code == 500
    captcha = await owner.raw("users.get", user_ids=owner.client)
    assert captcha["error"]["captcha_sid"]
    assert len((await owner.dialog())["messages"]) == 1


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    config = SandboxConfig("", tmp_path)
    async with httpx.AsyncClient() as http:
        async with start_sandbox(config) as running:
            owner = Owner(running, http)
            await owner.meet(name="Вечная")
            await owner.write("Помните?")
            await owner.send("Помним", keyboard=buttons(1))
        async with start_sandbox(config) as running:
            owner.sandbox = running
            texts = [one["text"] for one in (await owner.dialog())["messages"]]
            assert texts == ["Помните?", "Помним"]
            assert (await owner.dialog())["keyboard"] is not None
            assert (await owner.send("Да"))["conversation_message_id"] == 3
            assert len(running.vk.items_of(1)) == 4
