"""Bots Long Poll of the sandbox VK: waiting, lost history, the three values of `failed`."""

import asyncio
from typing import Any

from tests.sandbox.community_owner import CommunityOwner


async def enable(owner: CommunityOwner, *events: str) -> dict[str, Any]:
    """Turn long poll on for these events; return `groups.getLongPollServer`."""
    switches = dict.fromkeys(events or ("message_new", "message_reply"), 1)
    group = {"group_id": owner.group_id}
    settings = {"enabled": 1, "api_version": "5.199"}
    assert await owner.call("groups.setLongPollSettings", **group, **settings, **switches) == 1
    server: dict[str, Any] = await owner.call("groups.getLongPollServer", **group)
    return server


async def check(owner: CommunityOwner, server: dict[str, Any], wait_s: int = 2) -> dict[str, Any]:
    """Poll once; return the response with `updates` or `failed`."""
    query = {"act": "a_check", "key": server["key"], "ts": server["ts"], "wait": wait_s}
    body: dict[str, Any] = (await owner.http.get(server["server"], params=query)).json()
    return body


async def test_long_poll_server_is_refused_until_enabled(community_owner: CommunityOwner) -> None:
    assert (
        await community_owner.error_code(
            "groups.getLongPollServer", group_id=community_owner.group_id
        )
        == 100
    )
    await enable(community_owner, "message_new")
    read = await community_owner.call(
        "groups.getLongPollSettings", group_id=community_owner.group_id
    )
    assert (read["is_enabled"], read["api_version"]) == (True, "5.199")
    assert (read["events"]["message_new"], read["events"]["message_reply"]) == (1, 0)


async def test_pending_events_are_returned_at_once(community_owner: CommunityOwner) -> None:
    server = await enable(community_owner)
    await community_owner.write_as_client("раз")
    await community_owner.write_as_community("два")
    batch = await check(community_owner, server)
    assert [one["type"] for one in batch["updates"]] == ["message_new", "message_reply"]
    new = batch["updates"][0]
    assert (new["group_id"], new["v"]) == (community_owner.group_id, "5.199")
    assert new["object"]["message"]["text"] == "раз"
    assert "secret" not in new
    again = await check(community_owner, server | {"ts": batch["ts"]}, wait_s=0)
    assert again == {"ts": batch["ts"], "updates": []}


async def test_waiting_poll_returns_when_event_occurs(community_owner: CommunityOwner) -> None:
    server = await enable(community_owner)
    # The HTTP client gives up after 5 s, long before the poll would end by itself.
    poll = asyncio.create_task(check(community_owner, server, wait_s=25))
    await asyncio.sleep(0.2)  # let the poll reach the server
    assert not poll.done()
    await community_owner.write_as_client("ау")
    batch = await poll
    assert batch["updates"][0]["object"]["message"]["text"] == "ау"


async def test_wrong_key_and_future_ts_fail(community_owner: CommunityOwner) -> None:
    server = await enable(community_owner)
    assert await check(community_owner, server | {"key": "x"}) == {"failed": 2}
    assert await check(community_owner, server | {"ts": "999999"}) == {"failed": 3}


async def test_lost_history_fails_with_ts_to_resume_from(community_owner: CommunityOwner) -> None:
    server = await enable(community_owner)
    await community_owner.write_as_client()
    lost = await check(community_owner, server | {"ts": "0"})
    assert lost == {"failed": 1, "ts": int(server["ts"]) + 1}


async def test_fault_rules_make_long_poll_fail(community_owner: CommunityOwner) -> None:
    server = await enable(community_owner)
    await community_owner.inject_faults(vk_longpoll_failed={"value": 1, "times": 1})
    assert await check(community_owner, server) == {"failed": 1, "ts": int(server["ts"])}
    for value in (2, 3):
        await community_owner.inject_faults(vk_longpoll_failed={"value": value, "times": 1})
        assert await check(community_owner, server) == {"failed": value}
        assert await check(community_owner, server) == {"failed": 2}
        server = await community_owner.call(
            "groups.getLongPollServer", group_id=community_owner.group_id
        )
    await community_owner.inject_faults(vk_events_duplicate={"value": 2, "times": 1})
    await community_owner.write_as_client("дважды")
    first, second = (await check(community_owner, server))["updates"]
    assert first["event_id"] == second["event_id"]
