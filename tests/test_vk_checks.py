"""The checks of VK requests and responses find errors; without the schema, requests all pass."""

import json
from typing import Any

import httpx
import pytest

from sigma_sandbox.app import Sandbox
from tests import vk_models, vk_schema
from tests.vk_checked_client import checked_client

SEND = {"peer_ids": "5", "random_id": "7", "message": "Счёт"}


def keyboard(action: dict[str, str], **more: Any) -> str:
    """Return the JSON of a keyboard with one button, as it is sent."""
    return json.dumps(
        {"one_time": False, "inline": True, "buttons": [[{"action": action, **more}]]}
    )


LINK = {"type": "open_link", "label": "Оплатить", "link": "https://pay.example/i/A"}


@pytest.mark.parametrize(
    ("method", "form"),
    [
        ("messages.send", SEND),
        ("messages.send", SEND | {"keyboard": keyboard(LINK)}),
        # A known gap of the schema: it has another name for the usual colour.
        ("messages.send", SEND | {"keyboard": keyboard(LINK, color="secondary")}),
        ("messages.edit", {"peer_id": "5", "cmid": "2", "keyboard": keyboard(LINK)}),
        ("users.get", {"user_ids": "1,durov", "fields": "photo_100,sex", "v": "5.199"}),
        ("groups.setSettings", {"group_id": "1", "messages": "1"}),
        (
            "market.add",
            {"owner_id": "-1", "name": "Торт", "description": "На шестерых, с ягодами"}
            | {"category_id": "1", "price": "450.50", "photo_ids": "1,2"},
        ),
    ],
)
def test_valid_request_passes(method: str, form: dict[str, str]) -> None:
    vk_schema.check_request(method, form)


@pytest.mark.parametrize(
    ("method", "form"),
    [
        ("messages.sned", SEND),
        ("messages.send", SEND | {"text": "Счёт"}),
        ("messages.send", {"peer_ids": "5", "message": "Счёт"}),
        ("messages.send", SEND | {"peer_ids": "me"}),
        ("messages.send", SEND | {"message": "я" * 9001}),
        ("messages.send", SEND | {"dont_parse_links": "true"}),
        ("messages.send", SEND | {"keyboard": "[]"}),
        ("messages.send", SEND | {"keyboard": "{"}),
        ("messages.send", SEND | {"keyboard": keyboard(LINK, color="blue")}),
        ("messages.send", SEND | {"keyboard": keyboard({"type": "open_link", "label": "Сюда"})}),
        ("messages.edit", {"peer_id": "5", "cmid": "2", "keyboard": keyboard({"type": "text"})}),
        ("users.get", {"user_ids": "1", "fields": "photo_101"}),
        ("groups.toggleMarket", {"group_id": "1", "state": "on"}),
        ("market.add", {"owner_id": "-1", "name": "Торт", "price": "450,50"}),
    ],
)
def test_invalid_request_is_refused_if_the_schema_is_present(
    method: str, form: dict[str, str]
) -> None:
    try:
        vk_schema.check_request(method, form)
    except AssertionError:
        is_refused = True
    else:
        is_refused = False
    assert is_refused == vk_schema.HAS_SCHEMA


@pytest.mark.parametrize(
    ("method", "form", "response"),
    [
        ("messages.send", {"peer_ids": "5"}, [{"peer_id": 5}]),
        ("messages.send", {"peer_ids": "5"}, 17),
        ("groups.setSettings", {"group_id": "1"}, 2),
        ("groups.getById", {"group_id": "1"}, [{"id": 1, "name": "Студия"}]),
        ("groups.getById", {}, {"groups": [{"id": 1, "type": "studio"}], "profiles": []}),
        ("users.get", {"user_ids": "5"}, [{"id": "five", "first_name": "А", "last_name": "Б"}]),
    ],
)
async def test_invalid_response_is_refused_by_the_models(
    method: str, form: dict[str, str], response: Any
) -> None:
    with pytest.raises(AssertionError, match=method):
        await vk_models.check_response(method, form, {"response": response})


def test_invalid_event_is_refused_by_the_models() -> None:
    event = {"type": "message_deny", "group_id": 1, "event_id": "a", "v": "5.199", "object": {}}
    with pytest.raises(AssertionError, match="message_deny"):
        vk_models.check_event(event)


@pytest.mark.parametrize(
    "request_parts",
    [
        {"data": {"v": "5.131"}},
        {"data": {"v": "5.199", "access_token": "vk1.a.x"}},
        {"data": {"v": "5.199"}, "params": {"fields": "market"}},
        {"data": {"v": "5.199"}, "headers": {}},
        {"json": {"v": "5.199"}},
    ],
)
async def test_malformed_request_fails_at_once_and_on_close(
    sandbox: Sandbox, request_parts: dict[str, Any]
) -> None:
    http = checked_client()
    arguments = {"headers": {"Authorization": "Bearer vk1.a.x"}} | request_parts
    url = f"{sandbox.base_url}/vk/method/groups.getById"
    with pytest.raises(AssertionError, match=r"groups\.getById"):
        await http.post(url, **arguments)
    with pytest.raises(AssertionError, match=r"groups\.getById"):
        await http.aclose()


async def test_malformed_request_of_an_unchecked_method_passes(sandbox: Sandbox) -> None:
    url = f"{sandbox.base_url}/vk/method/groups.getById"
    async with checked_client(unchecked_methods={"groups.getById"}) as http:
        response = await http.get(url)
    assert response.json()["error"]["error_code"] == 8
    assert isinstance(response, httpx.Response)
