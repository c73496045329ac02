"""The checks of VK's requests and answers bite; where the schema is not, only they say yes."""

import json
from typing import Any

import httpx
import pytest

from sigma_sandbox.app import Sandbox
from tests import vk_oracle, vk_schema
from tests.vk_wire import checked_client

SEND = {"peer_ids": "5", "random_id": "7", "message": "Счёт"}


def keyboard(action: dict[str, str], **more: Any) -> str:
    """One button as it travels."""
    return json.dumps(
        {"one_time": False, "inline": True, "buttons": [[{"action": action, **more}]]}
    )


LINK = {"type": "open_link", "label": "Оплатить", "link": "https://pay.example/i/A"}


@pytest.mark.parametrize(
    ("method", "form"),
    [
        ("messages.send", SEND),
        ("messages.send", SEND | {"keyboard": keyboard(LINK)}),
        ("messages.send", SEND | {"keyboard": keyboard(LINK, color="secondary")}),  # a named gap
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
def test_a_right_request_passes(method: str, form: dict[str, str]) -> None:
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
def test_a_wrong_request_is_refused_wherever_the_schema_is(
    method: str, form: dict[str, str]
) -> None:
    try:
        vk_schema.check_request(method, form)
    except AssertionError:
        refused = True
    else:
        refused = False
    assert refused == vk_schema.PRESENT


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
async def test_a_wrong_answer_is_refused_by_the_models(
    method: str, form: dict[str, str], response: Any
) -> None:
    with pytest.raises(AssertionError, match=method):
        await vk_oracle.check_answer(method, form, {"response": response})


def test_a_wrong_event_is_refused_by_the_models() -> None:
    event = {"type": "message_deny", "group_id": 1, "event_id": "a", "v": "5.199", "object": {}}
    with pytest.raises(AssertionError, match="message_deny"):
        vk_oracle.check_event(event)


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": {"v": "5.131"}},
        {"data": {"v": "5.199", "access_token": "vk1.a.x"}},
        {"data": {"v": "5.199"}, "params": {"fields": "market"}},
        {"data": {"v": "5.199"}, "headers": {}},
        {"json": {"v": "5.199"}},
    ],
)
async def test_a_request_of_the_wrong_form_breaks_the_test_that_made_it(
    sandbox: Sandbox, wrong: dict[str, Any]
) -> None:
    http = checked_client()
    asked = {"headers": {"Authorization": "Bearer vk1.a.x"}} | wrong
    url = f"{sandbox.base_url}/vk/method/groups.getById"
    with pytest.raises(AssertionError, match=r"groups\.getById"):
        await http.post(url, **asked)
    with pytest.raises(AssertionError, match=r"groups\.getById"):
        await http.aclose()


async def test_an_odd_request_passes_when_it_is_named(sandbox: Sandbox) -> None:
    url = f"{sandbox.base_url}/vk/method/groups.getById"
    async with checked_client(odd={"groups.getById"}) as http:
        answer = await http.get(url)
    assert answer.json()["error"]["error_code"] == 8
    assert isinstance(answer, httpx.Response)
