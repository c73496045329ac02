"""Public clients of VK, `vk_api` and `vkbottle`, work against the sandbox VK unchanged."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import requests
import vk_api
from requests.adapters import HTTPAdapter
from vk_api.bot_longpoll import VkBotEventType, VkBotLongPoll
from vk_api.keyboard import VkKeyboard, VkKeyboardColor
from vkbottle import API, BotPolling, Callback, Keyboard, OpenLink, VKAPIError
from vkbottle.http import AiohttpClient

from tests.sandbox.communities import Owner


class ToSandbox(HTTPAdapter):
    """Carries what goes to VK's address to the sandbox."""

    def __init__(self, root: str) -> None:
        self.root = root
        super().__init__()

    def send(self, request: Any, **more: Any) -> Any:
        """The same request to another place."""
        request.url = request.url.replace("https://api.vk.ru", self.root)
        return super().send(request, **more)


@pytest.fixture
def official(owner: Owner) -> Iterator[vk_api.VkApiGroup]:
    """`vk_api` with the community's key. It blocks: call it in a thread."""
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://api.vk.ru/", ToSandbox(owner.root))
        yield vk_api.VkApiGroup(token=owner.token, api_version="5.199", session=session)


@pytest.fixture
async def bottle(owner: Owner) -> AsyncIterator[API]:
    """`vkbottle` with the community's key."""

    class Here(API):
        API_URL = f"{owner.root}/method/"

    http = AiohttpClient()
    yield Here(owner.token, http_client=http)
    await http.close()


async def test_vk_api_reads_its_community(official: vk_api.VkApiGroup, owner: Owner) -> None:
    api = official.get_api()
    found = await asyncio.to_thread(api.groups.getById, fields="description,market")
    assert [one["id"] for one in found["groups"]] == [owner.group_id]


async def test_vk_api_writes_with_a_keyboard(official: vk_api.VkApiGroup, owner: Owner) -> None:
    await owner.write("Здравствуйте")
    keyboard = VkKeyboard(inline=True)
    keyboard.add_callback_button("Я оплатил", VkKeyboardColor.POSITIVE, {"cmd": "check"})
    keyboard.add_line()
    keyboard.add_openlink_button("Оплатить", "https://pay.example/i/AbC")
    sent = await asyncio.to_thread(
        official.get_api().messages.send,
        peer_ids=[owner.client],
        random_id=7,
        message="Счёт",
        keyboard=keyboard.get_keyboard(),
    )
    assert sent[0]["conversation_message_id"] == 2
    (message, _) = owner.sandbox.vk.newest(owner.group_id, owner.client)
    assert message.text == "Счёт"
    assert message.keyboard is not None
    assert message.keyboard["buttons"][1][0]["action"]["link"] == "https://pay.example/i/AbC"


async def test_vk_api_hears_a_refusal_by_its_number(
    official: vk_api.VkApiGroup, owner: Owner
) -> None:
    say = official.get_api().messages.send
    with pytest.raises(vk_api.ApiError) as refused:
        await asyncio.to_thread(say, peer_id=owner.client, random_id=8, message="Вам скидка")
    assert refused.value.code == 901


async def test_vk_api_hears_a_message_by_long_poll(
    official: vk_api.VkApiGroup, owner: Owner
) -> None:
    await owner.call(
        "groups.setLongPollSettings", group_id=owner.group_id, enabled=1, message_new=1
    )
    line = await asyncio.to_thread(VkBotLongPoll, official, owner.group_id, 5)
    await owner.write("Можно на завтра?", ref="svc_1")
    (event,) = await asyncio.to_thread(line.check)
    line.session.close()
    assert event.type is VkBotEventType.MESSAGE_NEW
    assert (event.message.text, event.message.ref) == ("Можно на завтра?", "svc_1")


async def test_vkbottle_reads_writes_and_edits(bottle: API, owner: Owner) -> None:
    found = await bottle.groups.get_by_id(fields=["market"])
    assert found.groups[0].id == owner.group_id
    await owner.write("Здравствуйте")
    keyboard = Keyboard(inline=True).add(OpenLink("https://pay.example/i/AbC", "Оплатить"))
    keyboard.row().add(Callback("Я оплатил", {"cmd": "check"}))
    (sent,) = await bottle.messages.send(
        peer_ids=[owner.client], random_id=9, message="Счёт", keyboard=keyboard.get_json()
    )
    assert sent.conversation_message_id == 2
    await bottle.messages.edit(peer_id=owner.client, cmid=2, message="Оплачено")
    history = await bottle.messages.get_history(peer_id=owner.client)
    assert [one.text for one in history.items] == ["Оплачено", "Здравствуйте"]


async def test_vkbottle_hears_a_refusal_by_its_number(bottle: API, owner: Owner) -> None:
    with pytest.raises(VKAPIError[901]):
        await bottle.messages.send(peer_id=owner.client, random_id=10, message="Вам скидка")


async def test_vkbottle_hears_a_press_by_long_poll(bottle: API, owner: Owner) -> None:
    await owner.call(
        "groups.setLongPollSettings", group_id=owner.group_id, enabled=1, message_event=1
    )
    await owner.write("Здравствуйте")
    keyboard = Keyboard(inline=True).add(Callback("Я оплатил", {"cmd": "check"}))
    await bottle.messages.send(
        peer_ids=[owner.client], random_id=11, message="Счёт", keyboard=keyboard.get_json()
    )
    line = BotPolling(bottle, group_id=owner.group_id, wait=5)
    server = await line.get_server()
    owner.sandbox.vk.press(owner.client, owner.group_id, (0, 0), cmid=2)
    (event,) = (await line.get_event(server))["updates"]
    assert (event["type"], event["object"]["payload"]) == ("message_event", {"cmd": "check"})
