"""VK groups methods: community data, key permissions, callback and long poll settings."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sigma.channels.vk import groups
from sigma.channels.vk.client import VkClient
from sigma.channels.vk.errors import RetryLaterError
from tests.channels.vk_server import VkServer, open_vk

STUDIO: dict[str, Any] = {
    "id": 123456,
    "name": "Studio",
    "screen_name": "studio",
    "is_closed": 0,
    "type": "group",
    "photo_50": "https://a.example/50",
    "photo_200": "https://a.example/200",
    "has_photo": 1,
    "description": "Two lines\nof words",
    "site": "https://studio.example",
    "can_message": 1,
    "main_section": 5,
    "secondary_section": 51,
    "contacts": [{"user_id": 777, "desc": "Owner", "phone": "+7", "email": "a@b.c"}],
    "market": {"enabled": 1, "type": "basic", "contact_id": -123456},
}


@pytest.fixture
async def vk_and_server() -> AsyncIterator[tuple[VkClient, VkServer]]:
    async with open_vk() as pair:
        yield pair


async def test_community_of_access_key_is_fetched(vk_and_server: tuple[VkClient, VkServer]) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses({"groups": [STUDIO], "profiles": []}, [STUDIO])
    studio = await groups.fetch_group(vk)
    assert (studio.id, studio.name, studio.screen_name) == (123456, "Studio", "studio")
    assert (studio.photo_url, studio.has_photo) == ("https://a.example/200", True)
    assert studio.description == "Two lines\nof words"
    assert studio.contacts == (groups.Contact(777, "Owner", "+7", "a@b.c"),)
    assert (studio.has_market, studio.market_contact_id, studio.deactivated) == (True, -123456, "")
    assert studio.has_services_section
    assert "group_id" not in vk_server.requests[0].form
    assert "has_photo" in vk_server.requests[0].form["fields"].split(",")
    assert (
        await groups.fetch_group(vk, 123456) == studio
    )  # API versions before 5.139 return a bare list
    assert vk_server.requests[1].form["group_id"] == "123456"


@pytest.mark.parametrize("answer", [{}, [], {"groups": []}, {"groups": [{"id": "5"}]}, "no", 1])
async def test_response_without_community_is_retryable(
    vk_and_server: tuple[VkClient, VkServer], answer: Any
) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses(answer)
    with pytest.raises(RetryLaterError):
        await groups.fetch_group(vk)


def test_missing_community_fields_have_defaults() -> None:
    minimal = groups.parse_group(
        {"id": 5, "name": "A", "screen_name": "a", "deactivated": "banned"}
    )
    assert (
        minimal.photo_url,
        minimal.has_photo,
        minimal.has_market,
        minimal.has_services_section,
    ) == (
        "",
        False,
        False,
        False,
    )
    assert minimal.deactivated == "banned"


async def test_key_permissions_are_parsed_by_name(vk_and_server: tuple[VkClient, VkServer]) -> None:
    vk, vk_server = vk_and_server
    permissions = [{"name": "messages", "setting": 4096}, {"name": "manage", "setting": 262144}, {}]
    vk_server.queue_responses({"mask": 266240, "permissions": permissions})
    assert await groups.fetch_permissions(vk) == {"messages", "manage"}


async def test_only_named_settings_are_sent(vk_and_server: tuple[VkClient, VkServer]) -> None:
    vk, vk_server = vk_and_server
    await groups.set_settings(vk, 5, messages=True, bots_capabilities=False)
    await groups.edit(vk, 5, description="Новое")
    assert vk_server.calls == [
        ("groups.setSettings", {"group_id": "5", "messages": "1", "bots_capabilities": "0"}),
        ("groups.edit", {"group_id": "5", "description": "Новое"}),
    ]


async def test_callback_server_is_added_listed_edited_and_deleted(
    vk_and_server: tuple[VkClient, VkServer],
) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses({"code": "f1a2"}, {"server_id": 4})
    assert await groups.fetch_confirmation_code(vk, 5) == "f1a2"
    url = "https://shop.example/hooks/vk/con_1"
    assert await groups.add_callback_server(vk, 5, url, "Sigma of the studio", "s3cr3t") == 4
    assert vk_server.requests[1].form["title"] == "Sigma of the s"
    server = {"id": 4, "title": "Sigma", "url": url, "status": "wait", "secret_key": "s3cr3t"}
    vk_server.queue_responses({"count": 1, "items": [{**server, "creator_id": 1}]})
    (listed,) = await groups.list_callback_servers(vk, 5)
    assert listed == groups.CallbackServer(4, "Sigma", url, "wait", "s3cr3t")
    assert "s3cr3t" not in repr(listed)
    await groups.edit_callback_server(vk, 5, 4, url, "Sigma", "another")
    await groups.delete_callback_server(vk, 5, 4)
    assert vk_server.calls[3:] == [
        (
            "groups.editCallbackServer",
            {
                "group_id": "5",
                "server_id": "4",
                "url": url,
                "title": "Sigma",
                "secret_key": "another",
            },
        ),
        ("groups.deleteCallbackServer", {"group_id": "5", "server_id": "4"}),
    ]


async def test_each_event_is_switched_by_name(vk_and_server: tuple[VkClient, VkServer]) -> None:
    vk, vk_server = vk_and_server
    await groups.set_callback_events(vk, 5, 4, ["message_new"])
    await groups.set_long_poll_events(vk, 5, True)
    callback, long_poll = (form for _, form in vk_server.calls)
    assert callback.pop("server_id") == "4"
    assert {name for name, value in callback.items() if value == "1"} == {"message_new"}
    assert set(callback) - {"group_id", "api_version"} == set(groups.CALLBACK_EVENTS)
    assert "market_order_new" in callback
    assert "market_order_new" not in long_poll
    assert (long_poll["enabled"], long_poll["message_event"], long_poll["api_version"]) == (
        "1",
        "1",
        "5.199",
    )


async def test_enabled_events_are_parsed(vk_and_server: tuple[VkClient, VkServer]) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses(
        {"api_version": "5.199", "events": {"message_new": 1, "message_deny": 0}}
    )
    vk_server.queue_responses(
        {"is_enabled": False, "api_version": "5.199", "events": {"message_new": True}}
    )
    assert await groups.fetch_callback_events(vk, 5, 4) == groups.EventSettings(
        True, frozenset({"message_new"})
    )
    assert await groups.fetch_long_poll_events(vk, 5) == groups.EventSettings(
        False, frozenset({"message_new"})
    )


async def test_long_poll_server_is_parsed(vk_and_server: tuple[VkClient, VkServer]) -> None:
    vk, vk_server = vk_and_server
    vk_server.queue_responses({"key": "k", "server": "https://lp.example/wh5", "ts": "18"})
    vk_server.queue_responses(
        {"key": "k", "server": "https://lp.example/wh5", "ts": 19}, {"key": "k"}
    )
    assert await groups.fetch_long_poll_server(vk, 5) == ("k", "https://lp.example/wh5", "18")
    key, server, ts = await groups.fetch_long_poll_server(vk, 5)
    assert (key, server, ts) == ("k", "https://lp.example/wh5", "19")
    with pytest.raises(RetryLaterError):
        await groups.fetch_long_poll_server(vk, 5)
