"""Callback API of VKontakte in a box: the handshake, events, their order, repeats, misbehaviour."""

import asyncio
import json
import time
from pathlib import Path

import httpx

from sigma_sandbox.app import SandboxConfig, start_sandbox
from tests.sandbox.communities import Ear, Owner

CHECK = {"action": {"type": "callback", "label": "Проверить", "payload": '{"cmd":"check"}'}}


async def statuses(owner: Owner) -> list[str]:
    found = await owner.call("groups.getCallbackServers", group_id=owner.group_id)
    return [one["status"] for one in found["items"]]


async def until(owner: Owner, status: str) -> None:
    """Wait for the status of the only server; some seconds at most."""
    for _ in range(100):
        if (found := await statuses(owner)) == [status]:
            return
        await asyncio.sleep(0.06)
    raise AssertionError(f"{found}, not {status}")


async def test_the_address_is_confirmed_during_the_call(owner: Owner, listening: Ear) -> None:
    group = {"group_id": owner.group_id}
    code = await owner.call("groups.getCallbackConfirmationCode", **group)
    listening.code = code["code"]
    server = {"url": listening.url, "title": "Sigma", "secret_key": "s3cr3t"}
    added = await owner.call("groups.addCallbackServer", **group, **server)
    (asked,) = listening.heard
    assert (asked.body["type"], asked.body["group_id"]) == ("confirmation", owner.group_id)
    found = await owner.call("groups.getCallbackServers", **group)
    assert found["items"][0]["id"] == added["server_id"]
    assert await statuses(owner) == ["ok"]
    mine = group | added
    assert await owner.call("groups.editCallbackServer", **mine, **server | {"title": "S"}) == 1
    assert listening.types == ["confirmation"] * 2
    assert await owner.call("groups.deleteCallbackServer", **mine) == 1
    assert await statuses(owner) == []


async def test_a_wrong_code_leaves_the_server_waiting_and_a_right_one_opens_it(
    owner: Owner, listening: Ear
) -> None:
    await owner.control(vk_retry_ms=50)
    listening.code = "wrong"
    await owner.listen(listening, "message_new")
    assert await statuses(owner) == ["wait"]
    await owner.write()
    right = await owner.call("groups.getCallbackConfirmationCode", group_id=owner.group_id)
    listening.code = right["code"]
    await listening.wait(1)
    await until(owner, "ok")
    assert "message_new" not in listening.types


async def test_servers_are_limited_and_checked(owner: Owner, listening: Ear) -> None:
    group = {"group_id": owner.group_id, "title": "Sigma"}
    assert await owner.code("groups.addCallbackServer", **group, url="ftp://x") == 100
    long = {"url": listening.url, "title": "T" * 15}
    assert await owner.code("groups.addCallbackServer", **group | long) == 100
    await owner.listen(listening)
    for _ in range(9):
        await owner.call("groups.addCallbackServer", **group, url=listening.url)
    assert await owner.code("groups.addCallbackServer", **group, url=listening.url) == 2000


async def test_a_clients_message_is_told_with_all_it_carries(owner: Owner, listening: Ear) -> None:
    item = await owner.test(f"communities/{owner.group_id}/items", title="Лак", price=45000)
    await owner.listen(listening, "message_new", secret_key="s3cr3t")
    link = {"ref": "svc_1", "ref_source": "card", "market_item": item["item_id"]}
    await owner.write("Можно?", photo=True, link="https://x.example/", **link)
    (told,) = await listening.wait(1)
    assert (told.body["secret"], told.body["v"]) == ("s3cr3t", "5.199")
    assert told.body["event_id"]
    assert "x-retry-counter" not in told.headers
    message = told.body["object"]["message"]
    assert (message["text"], message["ref"], message["out"]) == ("Можно?", "svc_1", 0)
    assert message["peer_id"] == message["from_id"] == owner.client
    assert [one["type"] for one in message["attachments"]] == ["market", "photo", "link"]
    assert message["attachments"][0]["market"]["price"]["amount"] == "45000"
    assert told.body["object"]["client_info"]["inline_keyboard"] is True


async def test_everything_that_happens_in_a_dialog_is_told(owner: Owner, listening: Ear) -> None:
    wanted = ["message_new", "message_reply", "message_edit", "message_allow", "message_deny"]
    wanted += ["message_event", "message_read", "message_typing_state", "group_change_settings"]
    await owner.listen(listening, *wanted)
    both = {"person_id": owner.client, "group_id": owner.group_id}
    await owner.test("allow", **both, key="inv_1")
    await owner.write()
    keyboard = json.dumps({"inline": True, "buttons": [[CHECK]]})
    sent = await owner.send("Счёт", keyboard=keyboard, random_id=-815)
    cmid = sent["conversation_message_id"]
    await owner.test("read", **both)
    await owner.test("typing", **both)
    await owner.test("press", **both, cmid=cmid, button=[0, 0])
    await owner.call("messages.edit", peer_id=owner.client, cmid=cmid, message="Оплачено")
    await owner.test("reply", **both, text="Спасибо")
    await owner.test("deny", **both)
    heard = await listening.wait(9)
    told = {one.body["type"]: one.body["object"] for one in reversed(heard)}
    assert told["message_allow"] == {"user_id": owner.client, "key": "inv_1"}
    assert told["message_reply"]["random_id"] == -815
    assert told["message_event"]["payload"] == {"cmd": "check"}
    assert told["message_event"]["conversation_message_id"] == cmid
    assert told["message_read"]["read_message_id"] == sent["message_id"]
    assert told["message_edit"]["text"] == "Оплачено"
    assert told["message_deny"] == {"user_id": owner.client}
    replies = [one.body["object"] for one in heard if one.body["type"] == "message_reply"]
    assert [one.get("admin_author_id") for one in replies] == [None, 1001]
    await owner.test(f"communities/{owner.group_id}", messages=False)
    settings = (await listening.wait(10))[-1].body["object"]
    assert settings["changes"] == {"messages": {"old_value": 1, "new_value": 0}}


async def test_only_asked_events_are_sent(owner: Owner, listening: Ear) -> None:
    await owner.listen(listening, "message_deny")
    await owner.write()
    await owner.test("deny", person_id=owner.client, group_id=owner.group_id)
    await listening.wait(1)
    assert listening.types == ["message_deny"]


async def test_orders_are_told(owner: Owner, listening: Ear) -> None:
    await owner.test(f"communities/{owner.group_id}", market="advanced")
    item = await owner.test(f"communities/{owner.group_id}/items", title="Лак", price=45000)
    await owner.listen(listening, "market_order_new", "market_order_edit")
    who = {"person_id": owner.client, "group_id": owner.group_id}
    made = await owner.test("orders", **who, lines=[[item["item_id"], 1]], comment="Срочно")
    order = {"user_id": owner.client, "order_id": made["order_id"]}
    await owner.call("market.editOrder", **order, payment_status="paid")
    new, edited = [one.body["object"] for one in await listening.wait(2)]
    assert (new["comment"], new["total_price"]["amount"]) == ("Срочно", "45000")
    assert edited["payment"]["status"] == "paid"


async def test_an_event_not_taken_is_repeated_with_a_counter(owner: Owner, listening: Ear) -> None:
    await owner.control(vk_retry_ms=5)
    await owner.listen(listening, "message_new")
    listening.answers = [(500, "ok", ""), (200, "OK!", "")]
    await owner.write()
    heard = await listening.wait(3)
    assert [one.headers.get("x-retry-counter") for one in heard] == [None, "1", "2"]
    assert len({one.body["event_id"] for one in heard}) == 1
    await asyncio.sleep(0.3)
    assert len(listening.heard) == 3


async def test_retry_after_steers_the_repeat(owner: Owner, listening: Ear) -> None:
    await owner.listen(listening, "message_new")
    listening.answers = [(503, "busy", "retry-after: 1\r\n")]
    started = time.monotonic()
    await owner.write()
    await listening.wait(2)
    assert 0.9 < time.monotonic() - started < 2.5


async def test_an_event_is_given_up_after_five_repeats(owner: Owner, listening: Ear) -> None:
    await owner.control(vk_retry_ms=0)
    await owner.listen(listening, "message_new")
    listening.answers = [(500, "", "")] * 6
    await owner.write()
    await listening.wait(6)
    await asyncio.sleep(0.1)
    url = f"{owner.root}/test/communities/{owner.group_id}"
    (sent,) = (await owner.http.get(url)).json()["events"]
    assert (sent["state"], len(sent["answers"])) == ("given_up", 6)


async def test_a_server_that_fails_for_long_gets_no_new_events_until_it_works(
    owner: Owner, listening: Ear
) -> None:
    await owner.control(vk_retry_ms=20)
    await owner.listen(listening, "message_new")
    listening.answers = [(500, "", "")] * 1000
    for _ in range(10):
        await owner.write()
    await until(owner, "failed")
    await owner.write("Пропало")
    listening.answers.clear()
    await until(owner, "ok")
    await owner.write("Снова слышно")
    texts: list[str] = []
    for _ in range(100):
        texts = [one.body["object"]["message"]["text"] for one in listening.heard]
        if "Снова слышно" in texts:
            break
        await asyncio.sleep(0.02)
    assert "Снова слышно" in texts
    assert "Пропало" not in texts


async def test_a_failed_server_is_tried_again_after_an_hour(owner: Owner, listening: Ear) -> None:
    await owner.control(vk_retry_ms=0)
    await owner.listen(listening, "message_new")
    listening.answers = [(500, "", "")] * 24
    for _ in range(4):
        await owner.write()
    await listening.wait(24)
    await until(owner, "failed")
    await owner.control(vk_retry_ms=10_000)
    await owner.write("рано")
    await owner.control(vk_retry_ms=0)
    await owner.write("пора")
    heard = await listening.wait(25)
    assert heard[-1].body["object"]["message"]["text"] == "пора"
    await until(owner, "ok")


async def test_the_server_can_ask_to_be_removed(owner: Owner, listening: Ear) -> None:
    await owner.listen(listening, "message_new")
    listening.answers = [(200, "remove", "")]
    await owner.write()
    await listening.wait(1)
    await asyncio.sleep(0.05)
    assert await statuses(owner) == []


async def test_events_of_a_dialog_keep_their_order(owner: Owner, listening: Ear) -> None:
    await owner.listen(listening, "message_new")
    listening.delay_s = 0.03
    for number in range(12):
        await owner.write(str(number))
    heard = await listening.wait(12)
    texts = [one.body["object"]["message"]["text"] for one in heard]
    assert texts == [str(number) for number in range(12)]
    assert listening.most_busy == 1


async def test_control_repeats_reorders_delays_and_drops_events(
    owner: Owner, listening: Ear
) -> None:
    await owner.listen(listening, "message_new")
    await owner.control(vk_events_duplicate={"value": 3, "times": 1})
    await owner.write("трижды")
    assert len({one.body["event_id"] for one in await listening.wait(3)}) == 1
    listening.heard.clear()
    await owner.control(vk_events_reorder_ms=150)
    for text in ("раз", "два", "три"):
        await owner.write(text)
    heard = await listening.wait(3)
    told = [one.body["object"]["message"]["conversation_message_id"] for one in heard]
    assert told == [4, 3, 2]
    await owner.control(vk_events_reorder_ms=None, vk_events_off={"times": 1})
    await owner.write("мимо")
    await owner.control(vk_events_off=None, vk_events_delay_ms=200)
    started = time.monotonic()
    await owner.write("позже")
    last = (await listening.wait(4))[-1]
    assert time.monotonic() - started > 0.19
    assert last.body["object"]["message"]["text"] == "позже"


async def test_events_outlive_a_restart(listening: Ear, tmp_path: Path) -> None:
    config = SandboxConfig("", tmp_path)
    async with httpx.AsyncClient() as http:
        async with start_sandbox(config) as running:
            owner = Owner(running, http)
            await owner.meet()
            await owner.listen(listening, "message_new")
            await owner.control(vk_events_delay_ms=60_000)
            await owner.write("Дойдёт")
        assert listening.heard == []
        async with start_sandbox(config):
            (told,) = await listening.wait(1)
    assert told.body["object"]["message"]["text"] == "Дойдёт"
