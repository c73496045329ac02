"""The public VK libraries `vk_api` and `vkbottle` work unchanged with the sandbox VK."""

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
from vkbottle_types.objects import GroupsFields

from tests.sandbox.community_owner import CommunityOwner


class SandboxAdapter(HTTPAdapter):
    """Send requests for VK's address to the sandbox."""

    def __init__(self, root: str) -> None:
        self.root = root
        super().__init__()

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Replace the host of the request and send it."""
        request.url = (request.url or "").replace("https://api.vk.ru", self.root)
        return super().send(request, *args, **kwargs)


@pytest.fixture
def session(community_owner: CommunityOwner) -> Iterator[vk_api.VkApiGroup]:
    """`vk_api` with the community's access key. It blocks: call it in a thread."""
    with requests.Session() as http:
        http.trust_env = False
        http.mount("https://api.vk.ru/", SandboxAdapter(community_owner.vk_url))
        yield vk_api.VkApiGroup(token=community_owner.access_key, api_version="5.199", session=http)


@pytest.fixture
async def bottle_api(community_owner: CommunityOwner) -> AsyncIterator[API]:
    """`vkbottle` with the community's access key."""

    class SandboxApi(API):
        API_URL = f"{community_owner.vk_url}/method/"

    http = AiohttpClient()
    yield SandboxApi(community_owner.access_key, http_client=http)
    await http.close()


async def test_vk_api_reads_community(
    session: vk_api.VkApiGroup, community_owner: CommunityOwner
) -> None:
    api = session.get_api()
    found = await asyncio.to_thread(api.groups.getById, fields="description,market")
    assert [one["id"] for one in found["groups"]] == [community_owner.group_id]


async def test_vk_api_sends_message_with_keyboard(
    session: vk_api.VkApiGroup, community_owner: CommunityOwner
) -> None:
    await community_owner.write_as_client("Здравствуйте")
    keyboard = VkKeyboard(inline=True)
    keyboard.add_callback_button("Я оплатил", VkKeyboardColor.POSITIVE, {"cmd": "check"})
    keyboard.add_line()
    keyboard.add_openlink_button("Оплатить", "https://pay.example/i/AbC")
    sent = await asyncio.to_thread(
        session.get_api().messages.send,
        peer_ids=[community_owner.client_id],
        random_id=7,
        message="Счёт",
        keyboard=keyboard.get_keyboard(),
    )
    assert sent[0]["conversation_message_id"] == 2
    (message, _) = community_owner.sandbox.vk.iter_newest_messages(
        community_owner.group_id, community_owner.client_id
    )
    assert message.text == "Счёт"
    assert message.keyboard is not None
    assert message.keyboard["buttons"][1][0]["action"]["link"] == "https://pay.example/i/AbC"


async def test_vk_api_raises_error_code(
    session: vk_api.VkApiGroup, community_owner: CommunityOwner
) -> None:
    send = session.get_api().messages.send
    with pytest.raises(vk_api.ApiError) as error:
        await asyncio.to_thread(
            send, peer_id=community_owner.client_id, random_id=8, message="Вам скидка"
        )
    assert error.value.code == 901


async def test_vk_api_receives_message_by_long_poll(
    session: vk_api.VkApiGroup, community_owner: CommunityOwner
) -> None:
    await community_owner.call(
        "groups.setLongPollSettings", group_id=community_owner.group_id, enabled=1, message_new=1
    )
    long_poll = await asyncio.to_thread(VkBotLongPoll, session, community_owner.group_id, 5)
    await community_owner.write_as_client("Можно на завтра?", ref="svc_1")
    (event,) = await asyncio.to_thread(long_poll.check)
    long_poll.session.close()
    assert event.type is VkBotEventType.MESSAGE_NEW
    assert (event.message.text, event.message.ref) == ("Можно на завтра?", "svc_1")


async def test_vkbottle_reads_sends_and_edits(
    bottle_api: API, community_owner: CommunityOwner
) -> None:
    found = await bottle_api.groups.get_by_id(fields=[GroupsFields.MARKET])
    assert found.groups[0].id == community_owner.group_id
    await community_owner.write_as_client("Здравствуйте")
    keyboard = Keyboard(inline=True).add(OpenLink("https://pay.example/i/AbC", "Оплатить"))
    keyboard.row().add(Callback("Я оплатил", {"cmd": "check"}))
    # vkbottle-types declares an int here, but for `peer_ids` the method returns a list.
    sent: Any = await bottle_api.messages.send(
        peer_ids=[community_owner.client_id],
        random_id=9,
        message="Счёт",
        keyboard=keyboard.get_json(),
    )
    assert sent[0].conversation_message_id == 2
    await bottle_api.messages.edit(peer_id=community_owner.client_id, cmid=2, message="Оплачено")
    history = await bottle_api.messages.get_history(peer_id=community_owner.client_id)
    assert [one.text for one in history.items] == ["Оплачено", "Здравствуйте"]


async def test_vkbottle_raises_error_code(bottle_api: API, community_owner: CommunityOwner) -> None:
    with pytest.raises(VKAPIError[901]):
        await bottle_api.messages.send(
            peer_id=community_owner.client_id, random_id=10, message="Вам скидка"
        )


async def test_vkbottle_receives_button_press_by_long_poll(
    bottle_api: API, community_owner: CommunityOwner
) -> None:
    await community_owner.call(
        "groups.setLongPollSettings", group_id=community_owner.group_id, enabled=1, message_event=1
    )
    await community_owner.write_as_client("Здравствуйте")
    keyboard = Keyboard(inline=True).add(Callback("Я оплатил", {"cmd": "check"}))
    await bottle_api.messages.send(
        peer_ids=[community_owner.client_id],
        random_id=11,
        message="Счёт",
        keyboard=keyboard.get_json(),
    )
    polling = BotPolling(bottle_api, group_id=community_owner.group_id, wait=5)
    server = await polling.get_server()
    community_owner.sandbox.vk.press_button(
        community_owner.client_id, community_owner.group_id, (0, 0), cmid=2
    )
    (event,) = (await polling.get_event(server))["updates"]
    assert (event["type"], event["object"]["payload"]) == ("message_event", {"cmd": "check"})
