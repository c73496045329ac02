"""VK client against the VK sandbox; VK's schema checks every request and response."""

import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from sigma.channels.vk import events, groups, keyboard, long_poll, market, messages, photos, users
from sigma.channels.vk.client import VkClient, VkClients
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError
from sigma.domain.billing.connection import Connection
from sigma.domain.catalogue.market_item import MarketItemDraft
from sigma.domain.catalogue.service import PriceKind
from sigma.domain.money import Money
from sigma_sandbox.app import Sandbox
from sigma_sandbox.vk.world.images import draw_photo
from tests.vk_checked_client import checked_client

DRAFT = MarketItemDraft("Портрет", "Час съёмки, двадцать снимков", Money(4500_50), photo_id=1)


COMMUNITY_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class SandboxCommunity:
    """A fresh community with its access keys, and a client without messages."""

    sandbox: Sandbox
    id: int
    key: str
    owner_key: str
    client: int

    @property
    def api_url(self) -> str:
        """The base URL of the sandbox VK API."""
        return f"{self.sandbox.base_url}/vk"


@pytest.fixture
def community(sandbox: Sandbox) -> SandboxCommunity:
    vk_sandbox = sandbox.vk
    owner = vk_sandbox.add_person("Анна", "Лаврова", is_staff=True).id
    created = vk_sandbox.add_community(
        "Студия",
        owner,
        screen_name=f"studio{next(COMMUNITY_NUMBERS)}x",
        market="advanced",
        messages=True,
        bots_capabilities=True,
    )
    return SandboxCommunity(
        sandbox,
        created.id,
        vk_sandbox.create_community_key(created.id, ["manage", "messages", "photos", "market"]),
        vk_sandbox.create_user_key(owner, ["groups", "market", "photos", "messages"]),
        vk_sandbox.add_person("Мария", "Соколова").id,
    )


@pytest.fixture
async def all_clients() -> AsyncIterator[VkClients]:
    created = VkClients(lambda _: checked_client())
    yield created
    await created.close()


def connection(community: SandboxCommunity) -> Connection:
    settings = {"api_url": community.api_url}
    return Connection(
        "con_1", "shp_1", "vk", "Студия", str(community.id), "ciphertext", 0, settings
    )


@pytest.fixture
def vk(all_clients: VkClients, community: SandboxCommunity) -> VkClient:
    return all_clients.for_key(connection(community), community.key)


@pytest.fixture
def owner(all_clients: VkClients, community: SandboxCommunity) -> VkClient:
    return all_clients.for_key(connection(community), community.owner_key)


async def test_community_is_read_and_configured(vk: VkClient, community: SandboxCommunity) -> None:
    studio = await groups.fetch_group(vk)
    assert (studio.id, studio.name, studio.has_market) == (community.id, "Студия", True)
    assert await groups.fetch_permissions(vk) == {"manage", "messages", "photos", "market"}
    await groups.set_settings(vk, community.id, messages=True, bots_capabilities=True)
    await groups.edit(vk, community.id, description="Снимаем портреты")
    assert (await groups.fetch_group(vk)).description == "Снимаем портреты"


async def test_wrong_access_key_needs_owner(
    all_clients: VkClients, community: SandboxCommunity
) -> None:
    with pytest.raises(NeedsOwnerError, match="5"):
        await groups.fetch_group(all_clients.for_key(connection(community), "vk1.a.wrong"))


async def test_messages_are_sent_edited_read_and_listed(
    vk: VkClient, community: SandboxCommunity
) -> None:
    with pytest.raises(PermanentError, match="901"):
        await messages.send(vk, community.client, "Здравствуйте", 5)
    assert not await messages.is_messaging_allowed(vk, community.id, community.client)
    community.sandbox.vk.write_message(
        community.client, community.id, "Сколько стоит?", ref="svc_1", ref_source="page"
    )
    assert await messages.is_messaging_allowed(vk, community.id, community.client)
    buttons = keyboard.inline_keyboard(
        [[keyboard.link_button("Оплатить", "https://pay.example/i/A")]]
    )
    first = await messages.send(vk, community.client, "Счёт", 77, buttons)
    assert await messages.send(vk, community.client, "Счёт", 77, buttons) == first
    await messages.edit(vk, community.client, first.cmid, "Оплачено", keyboard.inline_keyboard([]))
    incoming, outgoing = map(
        events.parse_message, await messages.fetch_since(vk, community.client, 0)
    )
    assert (incoming.text, incoming.is_outgoing, incoming.ref, incoming.from_id) == (
        "Сколько стоит?",
        False,
        "svc_1",
        community.client,
    )
    assert (outgoing.text, outgoing.is_outgoing, outgoing.cmid, outgoing.random_id) == (
        "Оплачено",
        True,
        first.cmid,
        77,
    )
    assert outgoing.is_edited
    (newest,) = await messages.fetch_history(vk, community.client, 1)
    assert events.parse_message(newest) == outgoing
    await messages.mark_read(vk, community.client, outgoing.cmid)
    page = await messages.list_conversations(vk)
    assert page.total_count == 1
    assert page.profiles[0].name == "Мария Соколова"
    assert [profile.name for profile in await users.fetch_profiles(vk, [community.client])] == [
        "Мария Соколова"
    ]


async def test_photo_is_uploaded_and_sent(vk: VkClient, community: SandboxCommunity) -> None:
    community.sandbox.vk.write_message(community.client, community.id, "Пришлите снимок")
    data, _, _ = draw_photo("#7A4A9E")
    attachment = await photos.upload_message_photo(vk, community.client, data, "card.png")
    await messages.send(vk, community.client, "", 5, attachment=attachment)
    (last,) = await messages.fetch_history(vk, community.client, 1)
    (photo,) = events.parse_message(last).attachments
    assert photo.kind == "photo"
    assert photo.picture_url.startswith("http")


async def test_events_are_received_by_long_poll(vk: VkClient, community: SandboxCommunity) -> None:
    await groups.set_long_poll_events(vk, community.id, True)
    assert (await groups.fetch_long_poll_events(vk, community.id)).events >= {
        "message_new",
        "message_event",
    }
    key, server, ts = await groups.fetch_long_poll_server(vk, community.id)
    row = [[keyboard.callback_button("Проверить", {"cmd": "check"}, keyboard.Color.POSITIVE)]]
    vk_sandbox = community.sandbox.vk
    vk_sandbox.write_message(community.client, community.id, "Здравствуйте")
    sent = await messages.send(vk, community.client, "Счёт", 5, keyboard.inline_keyboard(row))
    vk_sandbox.press_button(community.client, community.id, (0, 0), sent.cmid)
    batch = await long_poll.poll(vk, server, key, ts, wait_s=1)
    message_event, reply_event, press_event = map(events.parse_event, batch.updates)
    assert events.parse_message(message_event.object).text == "Здравствуйте"
    assert (
        events.supported_buttons(events.parse_message(message_event.object).client_info)[-1]
        == "inline"
    )
    assert events.parse_message(reply_event.object).cmid == sent.cmid
    pressed = events.parse_button_press(press_event.object)
    assert (pressed.payload, pressed.cmid) == ({"cmd": "check"}, sent.cmid)
    await messages.answer_button_press(
        vk, pressed.event_id, community.client, community.client, messages.snackbar("Спасибо")
    )
    assert (await long_poll.poll(vk, server, "wrong", batch.ts, wait_s=1)).failure_code == 2


async def test_market_is_closed_to_community_key_and_open_to_owner_key(
    vk: VkClient, owner: VkClient, community: SandboxCommunity
) -> None:
    assert await market.probe_access(vk, community.id) == "27"
    assert await market.probe_access(owner, community.id) == "ok"
    data, _, _ = draw_photo("#7A4A9E")
    photo_id = await market.upload_photo(owner, community.id, data, "card.png")
    item_id = await market.add_item(owner, community.id, replace(DRAFT, photo_id=photo_id))
    (item,) = [item async for item in market.iterate_items(owner, community.id)]
    assert (item.id, item.title, item.photo_id) == (item_id, "Портрет", photo_id)
    assert (item.price_kind, item.amount) == (PriceKind.FIXED, Money(4500_50))
    changed_draft = replace(DRAFT, photo_id=photo_id, amount=Money(5000_00), is_available=False)
    await market.edit_item(owner, community.id, item_id, changed_draft)
    (item,) = [item async for item in market.iterate_items(owner, community.id)]
    assert (item.amount, item.is_available) == (Money(5000_00), False)


async def test_market_order_is_marked_paid(vk: VkClient, community: SandboxCommunity) -> None:
    vk_sandbox = community.sandbox.vk
    item = vk_sandbox.add_item(
        community.id, "Портрет", "Час съёмки, двадцать снимков", price_minor=4500_00
    )
    created = vk_sandbox.place_order(community.client, community.id, [(item.id, 2)])
    link = "https://shop.example/r/1"
    await market.edit_order(
        vk, community.client, created.id, payment_status="paid", receipt_link=link
    )
    (order,) = await market.list_orders(vk, community.id)
    assert order.id == created.id
    assert order.total == Money(9000_00)
    assert [(one.item_id, one.quantity) for one in order.content.items] == [(item.id, 2)]
    assert await market.list_order_items(vk, community.client, order.id) == order.content.items


async def test_client_never_exceeds_twenty_calls_per_second(vk: VkClient) -> None:
    started_s = time.monotonic()
    for _ in range(41):
        await vk.call("groups.getTokenPermissions")
    assert time.monotonic() - started_s > 2
