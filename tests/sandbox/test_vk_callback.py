"""Callback API of the sandbox VK: confirmation, events, their order, retries, fault rules."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx

from sigma_sandbox.app import SandboxConfig, start_sandbox
from tests.sandbox.community_owner import CallbackReceiver, CommunityOwner

CHECK_BUTTON = {"action": {"type": "callback", "label": "Проверить", "payload": '{"cmd":"check"}'}}


async def server_statuses(owner: CommunityOwner) -> list[str]:
    """Return the status of each callback server: ok, wait or failed."""
    found = await owner.call("groups.getCallbackServers", group_id=owner.group_id)
    return [one["status"] for one in found["items"]]


async def wait_for_statuses(owner: CommunityOwner, *expected: str) -> None:
    """Wait until the callback servers have these statuses, at most ten seconds."""
    deadline_s = time.monotonic() + 10
    while (current := await server_statuses(owner)) != list(expected):
        assert time.monotonic() < deadline_s, f"{current}, not {expected}"
        await asyncio.sleep(0.06)


async def wait_for_delivery(owner: CommunityOwner, state: str) -> dict[str, Any]:
    """Wait until the newest event has this delivery state, at most ten seconds; return it."""
    url = f"{owner.vk_url}/test/communities/{owner.group_id}"
    deadline_s = time.monotonic() + 10
    while True:
        newest: dict[str, Any] = (await owner.http.get(url)).json()["events"][0]
        if newest["state"] == state:
            return newest
        assert time.monotonic() < deadline_s, f"{newest}, not {state}"
        await asyncio.sleep(0.02)


async def test_server_is_confirmed_when_added_and_edited(
    community_owner: CommunityOwner, callback_receiver: CallbackReceiver
) -> None:
    group = {"group_id": community_owner.group_id}
    code = await community_owner.call("groups.getCallbackConfirmationCode", **group)
    callback_receiver.confirmation_code = code["code"]
    server = {"url": callback_receiver.url, "title": "Sigma", "secret_key": "s3cr3t"}
    added = await community_owner.call("groups.addCallbackServer", **group, **server)
    (confirmation,) = callback_receiver.requests
    assert (confirmation.body["type"], confirmation.body["group_id"]) == (
        "confirmation",
        community_owner.group_id,
    )
    found = await community_owner.call("groups.getCallbackServers", **group)
    assert found["items"][0]["id"] == added["server_id"]
    assert await server_statuses(community_owner) == ["ok"]
    server_ids = group | added
    assert (
        await community_owner.call(
            "groups.editCallbackServer", **server_ids, **server | {"title": "S"}
        )
        == 1
    )
    assert callback_receiver.event_types == ["confirmation"] * 2
    assert await community_owner.call("groups.deleteCallbackServer", **server_ids) == 1
    assert await server_statuses(community_owner) == []


async def test_server_with_wrong_code_is_confirmed_after_right_code(
    community_owner: CommunityOwner, callback_receiver: CallbackReceiver
) -> None:
    await community_owner.inject_faults(vk_retry_ms=50)
    callback_receiver.confirmation_code = "wrong"
    await community_owner.add_callback_server(callback_receiver, "message_new")
    assert await server_statuses(community_owner) == ["wait"]
    await community_owner.write_as_client()
    right = await community_owner.call(
        "groups.getCallbackConfirmationCode", group_id=community_owner.group_id
    )
    callback_receiver.confirmation_code = right["code"]
    await callback_receiver.wait_for_events(1)
    await wait_for_statuses(community_owner, "ok")
    assert "message_new" not in callback_receiver.event_types


async def test_invalid_or_eleventh_server_is_refused(
    community_owner: CommunityOwner, callback_receiver: CallbackReceiver
) -> None:
    group = {"group_id": community_owner.group_id, "title": "Sigma"}
    assert (
        await community_owner.error_code("groups.addCallbackServer", **group, url="ftp://x") == 100
    )
    long = {"url": callback_receiver.url, "title": "T" * 15}
    assert await community_owner.error_code("groups.addCallbackServer", **group | long) == 100
    await community_owner.add_callback_server(callback_receiver)
    for _ in range(9):
        await community_owner.call("groups.addCallbackServer", **group, url=callback_receiver.url)
    assert (
        await community_owner.error_code(
            "groups.addCallbackServer", **group, url=callback_receiver.url
        )
        == 2000
    )


async def test_message_event_has_ref_attachments_and_secret(
    community_owner: CommunityOwner, callback_receiver: CallbackReceiver
) -> None:
    item = await community_owner.call_test_api(
        f"communities/{community_owner.group_id}/items", title="Лак", price=45000
    )
    await community_owner.add_callback_server(callback_receiver, "message_new", secret_key="s3cr3t")
    link = {"ref": "svc_1", "ref_source": "card", "market_item": item["item_id"]}
    await community_owner.write_as_client("Можно?", photo=True, link="https://x.example/", **link)
    (event,) = await callback_receiver.wait_for_events(1)
    assert (event.body["secret"], event.body["v"]) == ("s3cr3t", "5.199")
    assert event.body["event_id"]
    assert "x-retry-counter" not in event.headers
    message = event.body["object"]["message"]
    assert (message["text"], message["ref"], message["out"]) == ("Можно?", "svc_1", 0)
    assert message["peer_id"] == message["from_id"] == community_owner.client_id
    assert [one["type"] for one in message["attachments"]] == ["market", "photo", "link"]
    assert message["attachments"][0]["market"]["price"]["amount"] == "45000"
    assert event.body["object"]["client_info"]["inline_keyboard"] is True


async def test_every_conversation_action_sends_event(
    community_owner: CommunityOwner, callback_receiver: CallbackReceiver
) -> None:
    event_names = ["message_new", "message_reply", "message_edit", "message_allow", "message_deny"]
    event_names += [
        "message_event",
        "message_read",
        "message_typing_state",
        "group_change_settings",
    ]
    await community_owner.add_callback_server(callback_receiver, *event_names)
    params = {"person_id": community_owner.client_id, "group_id": community_owner.group_id}
    await community_owner.call_test_api("allow", **params, key="inv_1")
    await community_owner.write_as_client()
    keyboard = json.dumps({"inline": True, "buttons": [[CHECK_BUTTON]]})
    sent = await community_owner.write_as_community("Счёт", keyboard=keyboard, random_id=-815)
    cmid = sent["conversation_message_id"]
    await community_owner.call_test_api("read", **params)
    await community_owner.call_test_api("typing", **params)
    await community_owner.call_test_api("press", **params, cmid=cmid, button=[0, 0])
    await community_owner.call(
        "messages.edit", peer_id=community_owner.client_id, cmid=cmid, message="Оплачено"
    )
    await community_owner.call_test_api("reply", **params, text="Спасибо")
    await community_owner.call_test_api("deny", **params)
    requests = await callback_receiver.wait_for_events(9)
    objects = {one.body["type"]: one.body["object"] for one in reversed(requests)}
    assert objects["message_allow"] == {"user_id": community_owner.client_id, "key": "inv_1"}
    assert objects["message_reply"]["random_id"] == -815
    assert objects["message_event"]["payload"] == {"cmd": "check"}
    assert objects["message_event"]["conversation_message_id"] == cmid
    assert objects["message_read"]["read_message_id"] == sent["message_id"]
    assert objects["message_edit"]["text"] == "Оплачено"
    assert objects["message_deny"] == {"user_id": community_owner.client_id}
    replies = [one.body["object"] for one in requests if one.body["type"] == "message_reply"]
    assert [one.get("admin_author_id") for one in replies] == [None, 1001]
    await community_owner.call_test_api(f"communities/{community_owner.group_id}", messages=False)
    settings = (await callback_receiver.wait_for_events(10))[-1].body["object"]
    assert settings["changes"] == {"messages": {"old_value": 1, "new_value": 0}}


async def test_only_subscribed_events_are_sent(
    community_owner: CommunityOwner, callback_receiver: CallbackReceiver
) -> None:
    await community_owner.add_callback_server(callback_receiver, "message_deny")
    await community_owner.write_as_client()
    await community_owner.call_test_api(
        "deny", person_id=community_owner.client_id, group_id=community_owner.group_id
    )
    await callback_receiver.wait_for_events(1)
    assert callback_receiver.event_types == ["message_deny"]


async def test_new_and_edited_order_send_events(
    community_owner: CommunityOwner, callback_receiver: CallbackReceiver
) -> None:
    await community_owner.call_test_api(
        f"communities/{community_owner.group_id}", market="advanced"
    )
    item = await community_owner.call_test_api(
        f"communities/{community_owner.group_id}/items", title="Лак", price=45000
    )
    await community_owner.add_callback_server(
        callback_receiver, "market_order_new", "market_order_edit"
    )
    client_and_group = {
        "person_id": community_owner.client_id,
        "group_id": community_owner.group_id,
    }
    created = await community_owner.call_test_api(
        "orders", **client_and_group, lines=[[item["item_id"], 1]], comment="Срочно"
    )
    order = {"user_id": community_owner.client_id, "order_id": created["order_id"]}
    await community_owner.call("market.editOrder", **order, payment_status="paid")
    new, edited = [one.body["object"] for one in await callback_receiver.wait_for_events(2)]
    assert (new["comment"], new["total_price"]["amount"]) == ("Срочно", "45000")
    assert edited["payment"]["status"] == "paid"


async def test_unacknowledged_event_is_repeated_with_retry_counter(
    community_owner: CommunityOwner, callback_receiver: CallbackReceiver
) -> None:
    await community_owner.inject_faults(vk_retry_ms=5)
    await community_owner.add_callback_server(callback_receiver, "message_new")
    callback_receiver.responses = [(500, "ok", ""), (200, "OK!", "")]
    await community_owner.write_as_client()
    requests = await callback_receiver.wait_for_events(3)
    assert [one.headers.get("x-retry-counter") for one in requests] == [None, "1", "2"]
    assert len({one.body["event_id"] for one in requests}) == 1
    await wait_for_delivery(community_owner, "delivered")
    assert len(callback_receiver.requests) == 3


async def test_retry_after_header_sets_retry_delay(
    community_owner: CommunityOwner, callback_receiver: CallbackReceiver
) -> None:
    await community_owner.add_callback_server(callback_receiver, "message_new")
    callback_receiver.responses = [(503, "busy", "retry-after: 1\r\n")]
    started_s = time.monotonic()
    await community_owner.write_as_client()
    await callback_receiver.wait_for_events(2)
    assert 0.9 < time.monotonic() - started_s < 10  # without the header: 10 s


async def test_event_is_given_up_after_five_retries(
    community_owner: CommunityOwner, callback_receiver: CallbackReceiver
) -> None:
    await community_owner.inject_faults(vk_retry_ms=0)
    await community_owner.add_callback_server(callback_receiver, "message_new")
    callback_receiver.responses = [(500, "", "")] * 6
    await community_owner.write_as_client()
    await callback_receiver.wait_for_events(6)
    delivery = await wait_for_delivery(community_owner, "given_up")
    assert len(delivery["answers"]) == 6


async def test_failed_server_gets_no_new_events_until_it_works(
    community_owner: CommunityOwner, callback_receiver: CallbackReceiver
) -> None:
    await community_owner.inject_faults(vk_retry_ms=20)
    await community_owner.add_callback_server(callback_receiver, "message_new")
    callback_receiver.responses = [(500, "", "")] * 1000
    for _ in range(10):
        await community_owner.write_as_client()
    await wait_for_statuses(community_owner, "failed")
    await community_owner.write_as_client("Пропало")
    callback_receiver.responses.clear()
    await wait_for_statuses(community_owner, "ok")
    await community_owner.write_as_client("Снова слышно")
    texts: list[str] = []
    deadline_s = time.monotonic() + 10
    while "Снова слышно" not in texts:
        assert time.monotonic() < deadline_s, texts
        await asyncio.sleep(0.02)
        texts = [one.body["object"]["message"]["text"] for one in callback_receiver.requests]
    assert "Пропало" not in texts


async def test_failed_server_gets_new_event_after_an_hour(
    community_owner: CommunityOwner, callback_receiver: CallbackReceiver
) -> None:
    await community_owner.inject_faults(vk_retry_ms=0)
    await community_owner.add_callback_server(callback_receiver, "message_new")
    callback_receiver.responses = [(500, "", "")] * 24
    for _ in range(4):
        await community_owner.write_as_client()
    await callback_receiver.wait_for_events(24)
    await wait_for_statuses(community_owner, "failed")
    await community_owner.inject_faults(vk_retry_ms=10_000)
    await community_owner.write_as_client("рано")
    await community_owner.inject_faults(vk_retry_ms=0)
    await community_owner.write_as_client("пора")
    requests = await callback_receiver.wait_for_events(25)
    assert requests[-1].body["object"]["message"]["text"] == "пора"
    await wait_for_statuses(community_owner, "ok")


async def test_response_remove_deletes_server(
    community_owner: CommunityOwner, callback_receiver: CallbackReceiver
) -> None:
    await community_owner.add_callback_server(callback_receiver, "message_new")
    callback_receiver.responses = [(200, "remove", "")]
    await community_owner.write_as_client()
    await callback_receiver.wait_for_events(1)
    await wait_for_statuses(community_owner)


async def test_events_of_conversation_keep_their_order(
    community_owner: CommunityOwner, callback_receiver: CallbackReceiver
) -> None:
    await community_owner.add_callback_server(callback_receiver, "message_new")
    callback_receiver.delay_s = 0.03
    for number in range(12):
        await community_owner.write_as_client(str(number))
    requests = await callback_receiver.wait_for_events(12)
    texts = [one.body["object"]["message"]["text"] for one in requests]
    assert texts == [str(number) for number in range(12)]
    assert callback_receiver.max_active_count == 1


async def test_events_are_duplicated_reordered_dropped_and_delayed(
    community_owner: CommunityOwner, callback_receiver: CallbackReceiver
) -> None:
    await community_owner.add_callback_server(callback_receiver, "message_new")
    await community_owner.inject_faults(vk_events_duplicate={"value": 3, "times": 1})
    await community_owner.write_as_client("трижды")
    assert len({one.body["event_id"] for one in await callback_receiver.wait_for_events(3)}) == 1
    callback_receiver.requests.clear()
    await community_owner.inject_faults(
        vk_events_reorder_ms=1000
    )  # the three messages must fit into it
    for text in ("раз", "два", "три"):
        await community_owner.write_as_client(text)
    requests = await callback_receiver.wait_for_events(3)
    cmids = [one.body["object"]["message"]["conversation_message_id"] for one in requests]
    assert cmids == [4, 3, 2]
    await community_owner.inject_faults(vk_events_reorder_ms=None, vk_events_off={"times": 1})
    await community_owner.write_as_client("мимо")
    await community_owner.inject_faults(vk_events_off=None, vk_events_delay_ms=200)
    started_s = time.monotonic()
    await community_owner.write_as_client("позже")
    last = (await callback_receiver.wait_for_events(4))[-1]
    assert time.monotonic() - started_s > 0.19
    assert last.body["object"]["message"]["text"] == "позже"


async def test_undelivered_event_is_sent_after_restart(
    callback_receiver: CallbackReceiver, tmp_path: Path
) -> None:
    config = SandboxConfig("", tmp_path)
    async with httpx.AsyncClient() as http:
        async with start_sandbox(config) as running:
            owner = CommunityOwner(running, http)
            await owner.create_community()
            await owner.add_callback_server(callback_receiver, "message_new")
            await owner.inject_faults(vk_events_delay_ms=60_000)
            await owner.write_as_client("Дойдёт")
        assert callback_receiver.requests == []
        async with start_sandbox(config):
            (event,) = await callback_receiver.wait_for_events(1)
    assert event.body["object"]["message"]["text"] == "Дойдёт"
