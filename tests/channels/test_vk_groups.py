"""The community: who it is, what its key may, where its events go."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sigma.channels.vk import groups
from sigma.channels.vk.client import Vk
from sigma.channels.vk.errors import Later
from tests.channels.vk_line import Line, talking

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
async def wire() -> AsyncIterator[tuple[Vk, Line]]:
    async with talking() as pair:
        yield pair


async def test_a_key_knows_its_community(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    line.say({"groups": [STUDIO], "profiles": []}, [STUDIO])
    studio = await groups.who(vk)
    assert (studio.id, studio.name, studio.screen_name) == (123456, "Studio", "studio")
    assert (studio.photo, studio.has_photo) == ("https://a.example/200", True)
    assert studio.description == "Two lines\nof words"
    assert studio.contacts == (groups.Contact(777, "Owner", "+7", "a@b.c"),)
    assert (studio.market, studio.market_contact, studio.deactivated) == (True, -123456, "")
    assert studio.services_shown
    assert "group_id" not in line.heard[0].form
    assert "has_photo" in line.heard[0].form["fields"].split(",")
    assert await groups.who(vk, 123456) == studio  # as versions before 5.139 say it
    assert line.heard[1].form["group_id"] == "123456"


@pytest.mark.parametrize("answer", [{}, [], {"groups": []}, {"groups": [{"id": "5"}]}, "no", 1])
async def test_an_answer_without_a_community_is_unreadable(
    wire: tuple[Vk, Line], answer: Any
) -> None:
    vk, line = wire
    line.say(answer)
    with pytest.raises(Later):
        await groups.who(vk)


def test_a_bare_community_has_nothing_switched_on() -> None:
    bare = groups.read_group({"id": 5, "name": "A", "screen_name": "a", "deactivated": "banned"})
    assert (bare.photo, bare.has_photo, bare.market, bare.services_shown) == (
        "",
        False,
        False,
        False,
    )
    assert bare.deactivated == "banned"


async def test_rights_are_read_by_name(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    rights = [{"name": "messages", "setting": 4096}, {"name": "manage", "setting": 262144}, {}]
    line.say({"mask": 266240, "permissions": rights})
    assert await groups.permissions(vk) == {"messages", "manage"}


async def test_settings_that_are_not_named_stay(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    await groups.set_settings(vk, 5, messages=True, bots_capabilities=False)
    await groups.edit(vk, 5, description="Новое")
    assert line.asked == [
        ("groups.setSettings", {"group_id": "5", "messages": "1", "bots_capabilities": "0"}),
        ("groups.edit", {"group_id": "5", "description": "Новое"}),
    ]


async def test_our_address_is_added_watched_and_taken_out(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    line.say({"code": "f1a2"}, {"server_id": 4})
    assert await groups.callback_code(vk, 5) == "f1a2"
    url = "https://shop.example/hooks/vk/con_1"
    assert await groups.add_callback(vk, 5, url, "Sigma of the studio", "s3cr3t") == 4
    assert line.heard[1].form["title"] == "Sigma of the s"
    server = {"id": 4, "title": "Sigma", "url": url, "status": "wait", "secret_key": "s3cr3t"}
    line.say({"count": 1, "items": [{**server, "creator_id": 1}]})
    (found,) = await groups.callback_servers(vk, 5)
    assert found == groups.CallbackServer(4, "Sigma", url, "wait", "s3cr3t")
    assert "s3cr3t" not in repr(found)
    await groups.edit_callback(vk, 5, 4, url, "Sigma", "another")
    await groups.delete_callback(vk, 5, 4)
    assert line.asked[3:] == [
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


async def test_each_event_is_switched_by_name(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    await groups.set_callback_events(vk, 5, 4, ["message_new"])
    await groups.set_longpoll(vk, 5, True)
    callback, poll = (form for _, form in line.asked)
    assert callback.pop("server_id") == "4"
    assert {name for name, value in callback.items() if value == "1"} == {"message_new"}
    assert set(callback) - {"group_id", "api_version"} == set(groups.EVENTS)
    assert "market_order_new" in callback
    assert "market_order_new" not in poll
    assert (poll["enabled"], poll["message_event"], poll["api_version"]) == ("1", "1", "5.199")


async def test_switches_are_read_back(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    line.say({"api_version": "5.199", "events": {"message_new": 1, "message_deny": 0}})
    line.say({"is_enabled": False, "api_version": "5.199", "events": {"message_new": True}})
    assert await groups.callback_events(vk, 5, 4) == (True, {"message_new"})
    assert await groups.longpoll_events(vk, 5) == (False, {"message_new"})


async def test_a_long_poll_server_is_named(wire: tuple[Vk, Line]) -> None:
    vk, line = wire
    line.say({"key": "k", "server": "https://lp.example/wh5", "ts": "18"})
    line.say({"key": "k", "server": "https://lp.example/wh5", "ts": 19}, {"key": "k"})
    assert await groups.longpoll_server(vk, 5) == ("k", "https://lp.example/wh5", "18")
    key, server, ts = await groups.longpoll_server(vk, 5)
    assert (key, server, ts) == ("k", "https://lp.example/wh5", "19")
    with pytest.raises(Later):
        await groups.longpoll_server(vk, 5)
