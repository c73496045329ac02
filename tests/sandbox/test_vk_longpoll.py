"""Bots Long Poll of VKontakte in a box: waiting, history, and the three kinds of `failed`."""

import asyncio
import time
from typing import Any

from tests.sandbox.communities import Owner


async def opened(owner: Owner, *events: str) -> dict[str, Any]:
    """Long poll switched on for these events."""
    switches = dict.fromkeys(events or ("message_new", "message_reply"), 1)
    group = {"group_id": owner.group_id}
    on = {"enabled": 1, "api_version": "5.199"}
    assert await owner.call("groups.setLongPollSettings", **group, **on, **switches) == 1
    server: dict[str, Any] = await owner.call("groups.getLongPollServer", **group)
    return server


async def check(owner: Owner, server: dict[str, Any], wait: int = 2) -> dict[str, Any]:
    query = {"act": "a_check", "key": server["key"], "ts": server["ts"], "wait": wait}
    body: dict[str, Any] = (await owner.http.get(server["server"], params=query)).json()
    return body


async def test_long_poll_must_be_switched_on(owner: Owner) -> None:
    assert await owner.code("groups.getLongPollServer", group_id=owner.group_id) == 100
    await opened(owner, "message_new")
    read = await owner.call("groups.getLongPollSettings", group_id=owner.group_id)
    assert (read["is_enabled"], read["api_version"]) == (True, "5.199")
    assert (read["events"]["message_new"], read["events"]["message_reply"]) == (1, 0)


async def test_what_happened_is_told_at_once(owner: Owner) -> None:
    server = await opened(owner)
    await owner.write("раз")
    await owner.send("два")
    told = await check(owner, server)
    assert [one["type"] for one in told["updates"]] == ["message_new", "message_reply"]
    new = told["updates"][0]
    assert (new["group_id"], new["v"]) == (owner.group_id, "5.199")
    assert new["object"]["message"]["text"] == "раз"
    assert "secret" not in new
    again = await check(owner, server | {"ts": told["ts"]}, wait=0)
    assert again == {"ts": told["ts"], "updates": []}


async def test_a_waiting_poll_wakes_when_something_happens(owner: Owner) -> None:
    server = await opened(owner)
    started = time.monotonic()
    waiting = asyncio.create_task(check(owner, server))
    await asyncio.sleep(0.2)
    await owner.write("ау")
    told = await waiting
    assert time.monotonic() - started < 1.5
    assert told["updates"][0]["object"]["message"]["text"] == "ау"


async def test_a_wrong_key_and_a_ts_from_the_future_fail(owner: Owner) -> None:
    server = await opened(owner)
    assert await check(owner, server | {"key": "x"}) == {"failed": 2}
    assert await check(owner, server | {"ts": "999999"}) == {"failed": 3}


async def test_lost_history_fails_with_a_number_to_go_on_from(owner: Owner) -> None:
    server = await opened(owner)
    await owner.write()
    lost = await check(owner, server | {"ts": "0"})
    assert lost == {"failed": 1, "ts": int(server["ts"]) + 1}


async def test_control_makes_long_poll_fail(owner: Owner) -> None:
    server = await opened(owner)
    await owner.control(vk_longpoll_failed={"value": 1, "times": 1})
    assert await check(owner, server) == {"failed": 1, "ts": int(server["ts"])}
    for value in (2, 3):
        await owner.control(vk_longpoll_failed={"value": value, "times": 1})
        assert await check(owner, server) == {"failed": value}
        assert await check(owner, server) == {"failed": 2}
        server = await owner.call("groups.getLongPollServer", group_id=owner.group_id)
    await owner.control(vk_events_duplicate={"value": 2, "times": 1})
    await owner.write("дважды")
    first, second = (await check(owner, server))["updates"]
    assert first["event_id"] == second["event_id"]
