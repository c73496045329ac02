"""The API of the sandbox VK: access keys, rights, rate limit, communities and their settings."""

import asyncio
import time

from tests.sandbox.community_owner import CommunityOwner


async def test_access_key_is_accepted_in_query_form_and_header(
    community_owner: CommunityOwner,
) -> None:
    url = f"{community_owner.vk_url}/method/groups.getById"
    params = {"v": "5.199", "access_token": community_owner.access_key}
    by_query = (await community_owner.http.get(url, params=params)).json()
    by_form = (await community_owner.http.post(url, data=params)).json()
    by_header = await community_owner.call_raw("groups.getById")
    assert by_query == by_form == by_header
    assert by_header["response"]["groups"][0]["id"] == community_owner.group_id
    as_json = (await community_owner.http.post(url, json=params)).json()
    assert as_json["error"]["error_code"] == 8


async def test_refusals_have_error_codes_of_vk(community_owner: CommunityOwner) -> None:
    assert await community_owner.error_code("groups.noSuch") == 3
    assert await community_owner.error_code("groups.getbyid") == 3
    assert await community_owner.error_code("groups.getById", v="") == 8
    assert await community_owner.error_code("groups.getById", access_key="vk1.a.wrong") == 5
    without_key = await community_owner.http.post(
        f"{community_owner.vk_url}/method/users.get", data={"v": "5.199"}
    )
    assert without_key.json()["error"]["error_code"] == 15
    refused = await community_owner.call_raw(
        "messages.getHistory", peer_id="x", access_token=community_owner.access_key
    )
    assert refused["error"]["error_code"] == 100
    param_names = {one["key"] for one in refused["error"]["request_params"]}
    assert param_names == {"method", "peer_id", "v"}


async def test_revoked_access_key_is_refused(community_owner: CommunityOwner) -> None:
    await community_owner.call_test_api(
        f"communities/{community_owner.group_id}/revoke", token=community_owner.access_key
    )
    assert await community_owner.error_code("groups.getById") == 5
    new_key = await community_owner.call_test_api(
        f"communities/{community_owner.group_id}/keys", rights=["messages"]
    )
    assert await community_owner.call(
        "groups.getTokenPermissions", access_key=new_key["token"]
    ) == {
        "mask": 4096,
        "permissions": [{"name": "messages", "setting": 4096}],
    }


async def test_access_key_without_right_is_refused(community_owner: CommunityOwner) -> None:
    photos_key = (
        await community_owner.call_test_api(
            f"communities/{community_owner.group_id}/keys", rights=["photos"]
        )
    )["token"]
    assert (
        await community_owner.error_code("messages.getConversations", access_key=photos_key) == 15
    )
    assert (
        await community_owner.error_code(
            "groups.getCallbackServers", access_key=photos_key, group_id=1
        )
        == 15
    )
    assert await community_owner.error_code("groups.getCallbackServers", group_id=1) == 15
    assert (
        await community_owner.error_code(
            "groups.toggleMarket", group_id=community_owner.group_id, state="basic"
        )
        == 27
    )


async def _burst(owner: CommunityOwner, method: str, access_key: str, calls: int) -> list[int]:
    """Make calls that all arrive within one second; return the error codes.

    A slow machine may need longer than a second; then the burst is repeated.
    """
    for _ in range(10):
        started_s = time.monotonic()
        bodies = await asyncio.gather(*(owner.call_raw(method, access_key) for _ in range(calls)))
        if time.monotonic() - started_s < 1:
            return [body["error"]["error_code"] for body in bodies if "error" in body]
        await asyncio.sleep(1)
    raise AssertionError(f"{calls} calls never fit into one second")


async def test_calls_above_rate_limit_are_refused(community_owner: CommunityOwner) -> None:
    assert (
        await _burst(community_owner, "groups.getTokenPermissions", community_owner.access_key, 25)
        == [6] * 5
    )
    assert await _burst(community_owner, "users.get", community_owner.user_key, 5) == [6] * 2
    deadline_s = time.monotonic() + 3
    while True:  # the limit applies to the last second
        body = await community_owner.call_raw("groups.getTokenPermissions")
        if "response" in body:
            break
        assert time.monotonic() < deadline_s, f"still refused: {body}"
        await asyncio.sleep(0.1)


async def test_community_has_requested_fields(community_owner: CommunityOwner) -> None:
    (plain,) = (await community_owner.call("groups.getById"))["groups"]
    assert "description" not in plain
    fields = "description,contacts,market,has_photo,site,can_message"
    (lak,) = (await community_owner.call("groups.getById", group_ids="lak", fields=fields))[
        "groups"
    ]
    assert (lak["name"], lak["has_photo"], lak["market"]["type"]) == ("Студия «Лак»", 1, "basic")
    assert lak["contacts"][0]["phone"] == "+7 900 123-45-67"
    (new,) = (await community_owner.call("groups.getById", group_ids=2, fields=fields))["groups"]
    assert (new["has_photo"], new["description"], new["contacts"]) == (0, "", [])
    assert new["market"] == {"enabled": 0}
    assert (await community_owner.call("groups.getById", group_ids="nobody"))["groups"] == []


async def test_settings_are_saved(community_owner: CommunityOwner) -> None:
    group = {"group_id": community_owner.group_id}
    assert (
        await community_owner.call("groups.setSettings", **group, messages=0, bots_capabilities=0)
        == 1
    )
    assert await community_owner.call("groups.edit", **group, description="Новое", title="Имя") == 1
    fields = "description,can_message"
    (read,) = (await community_owner.call("groups.getById", fields=fields))["groups"]
    assert (read["name"], read["description"], read["can_message"]) == ("Имя", "Новое", 0)
    assert await community_owner.error_code("groups.edit", **group, screen_name="lak") == 1260
    assert await community_owner.error_code("groups.getSettings", **group) == 27
    settings = await community_owner.call(
        "groups.getSettings", access_key=community_owner.user_key, **group
    )
    assert (settings["title"], settings["bots_capabilities"]) == ("Имя", 0)


async def test_test_api_sets_what_vk_api_cannot_set(community_owner: CommunityOwner) -> None:
    contact = {"user_id": 1001, "desc": "Мастер", "phone": "+7 900 000-00-00"}
    values = {"contacts": [contact], "has_photo": True, "description": "О нас"}
    await community_owner.call_test_api(f"communities/{community_owner.group_id}", **values)
    fields = "contacts,has_photo,description"
    (read,) = (await community_owner.call("groups.getById", fields=fields))["groups"]
    assert (read["contacts"], read["has_photo"], read["description"]) == ([contact], 1, "О нас")
    url = f"{community_owner.vk_url}/test/communities/{community_owner.group_id}"
    assert (await community_owner.http.post(url, json={"messages": "да"})).status_code == 400
    assert (await community_owner.http.post(f"{url}000", json={})).status_code == 404


async def test_community_with_messages_off_accepts_no_messages(
    community_owner: CommunityOwner,
) -> None:
    await community_owner.call_test_api(f"communities/{community_owner.group_id}", messages=False)
    body = {
        "person_id": community_owner.client_id,
        "group_id": community_owner.group_id,
        "text": "Ау",
    }
    refused = await community_owner.http.post(f"{community_owner.vk_url}/test/write", json=body)
    assert refused.status_code == 409
    assert (
        await community_owner.error_code(
            "messages.send", peer_id=community_owner.client_id, message="?", random_id=1
        )
        == 15
    )


async def test_owner_key_toggles_market(community_owner: CommunityOwner) -> None:
    params = {"access_key": community_owner.user_key, "group_id": community_owner.group_id}
    assert await community_owner.call("groups.toggleMarket", **params, state="basic") == 1
    assert await community_owner.error_code("groups.toggleMarket", **params, state="basic") == 1431
    assert await community_owner.call("groups.toggleMarket", **params, state="none") == 1
