"""Sigma's line to VK against VKontakte in a box: every call, checked both ways by VK's schema."""

import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from sigma.channels.vk import events, groups, keyboard, long_poll, market, messages, photos, users
from sigma.channels.vk.client import Clients, Vk
from sigma.channels.vk.errors import Final, NeedsPerson
from sigma.domain.billing.connection import Connection
from sigma.domain.catalogue.service import PriceKind
from sigma.domain.money import Money
from sigma_sandbox.app import Sandbox
from sigma_sandbox.vk.world.pictures import draw_photo
from tests.vk_wire import checked_client

DRAFT = market.Draft("Портрет", "Час съёмки, двадцать снимков", Money(4500_50), photo_id=1)


NAMES = itertools.count(1)


@dataclass(frozen=True)
class Club:
    """A community that nobody else uses, its owner's key, and a client who has written nothing."""

    sandbox: Sandbox
    id: int
    key: str
    owner_key: str
    client: int

    @property
    def root(self) -> str:
        """The address of its VK."""
        return f"{self.sandbox.base_url}/vk"


@pytest.fixture
def club(sandbox: Sandbox) -> Club:
    box = sandbox.vk
    owner = box.add_person("Анна", "Лаврова", staff=True).id
    made = box.add_community(
        "Студия",
        owner,
        screen_name=f"line{next(NAMES)}x",
        market="advanced",
        messages=True,
        bots_capabilities=True,
    )
    return Club(
        sandbox,
        made.id,
        box.create_key(made.id, ["manage", "messages", "photos", "market"]),
        box.create_user_key(owner, ["groups", "market", "photos", "messages"]),
        box.add_person("Мария", "Соколова").id,
    )


@pytest.fixture
async def all_clients() -> AsyncIterator[Clients]:
    made = Clients(lambda _: checked_client())
    yield made
    await made.close()


def connection(club: Club) -> Connection:
    settings = {"api_url": club.root}
    return Connection("con_1", "shp_1", "vk", "Студия", str(club.id), "sealed", 0, settings)


@pytest.fixture
def vk(all_clients: Clients, club: Club) -> Vk:
    return all_clients.of(connection(club), club.key)


@pytest.fixture
def owner(all_clients: Clients, club: Club) -> Vk:
    return all_clients.of(connection(club), club.owner_key, user=True)


async def test_a_community_is_read_and_set_up(vk: Vk, club: Club) -> None:
    studio = await groups.who(vk)
    assert (studio.id, studio.name, studio.market) == (club.id, "Студия", True)
    assert await groups.permissions(vk) == {"manage", "messages", "photos", "market"}
    await groups.set_settings(vk, club.id, messages=True, bots_capabilities=True)
    await groups.edit(vk, club.id, description="Снимаем портреты")
    assert (await groups.who(vk)).description == "Снимаем портреты"


async def test_a_wrong_key_needs_a_person(all_clients: Clients, club: Club) -> None:
    with pytest.raises(NeedsPerson, match="5"):
        await groups.who(all_clients.of(connection(club), "vk1.a.wrong"))


async def test_a_dialog_goes_both_ways(vk: Vk, club: Club) -> None:
    with pytest.raises(Final, match="901"):
        await messages.send(vk, club.client, "Здравствуйте", 5)
    assert not await messages.allowed(vk, club.id, club.client)
    club.sandbox.vk.write(club.client, club.id, "Сколько стоит?", ref="svc_1", ref_source="page")
    assert await messages.allowed(vk, club.id, club.client)
    buttons = keyboard.inline([[keyboard.open_link("Оплатить", "https://pay.example/i/A")]])
    first = await messages.send(vk, club.client, "Счёт", 77, buttons)
    assert await messages.send(vk, club.client, "Счёт", 77, buttons) == first
    await messages.edit(vk, club.client, first.cmid, "Оплачено", keyboard.inline([]))
    asked, told = map(events.message, await messages.since(vk, club.client, 0))
    assert (asked.text, asked.out, asked.ref, asked.from_id) == (
        "Сколько стоит?",
        False,
        "svc_1",
        club.client,
    )
    assert (told.text, told.out, told.cmid, told.random_id) == ("Оплачено", True, first.cmid, 77)
    assert told.edited
    (newest,) = await messages.history(vk, club.client, 1)
    assert events.message(newest) == told
    await messages.mark_read(vk, club.client, told.cmid)
    page = await messages.conversations(vk)
    assert page.count == 1
    assert page.people[0].name == "Мария Соколова"
    assert [one.name for one in await users.profiles(vk, [club.client])] == ["Мария Соколова"]


async def test_a_picture_is_sent(vk: Vk, club: Club) -> None:
    club.sandbox.vk.write(club.client, club.id, "Пришлите снимок")
    data, _, _ = draw_photo("#7A4A9E")
    attachment = await photos.message_photo(vk, club.client, data, "card.png")
    await messages.send(vk, club.client, "", 5, attachment=attachment)
    (last,) = await messages.history(vk, club.client, 1)
    (photo,) = events.message(last).attachments
    assert photo.kind == "photo"
    assert photo.picture.startswith("http")


async def test_events_come_by_long_poll(vk: Vk, club: Club) -> None:
    await groups.set_longpoll(vk, club.id, True)
    assert (await groups.longpoll_events(vk, club.id)).events >= {"message_new", "message_event"}
    key, server, ts = await groups.longpoll_server(vk, club.id)
    row = [[keyboard.callback("Проверить", {"cmd": "check"}, keyboard.Color.POSITIVE)]]
    box = club.sandbox.vk
    box.write(club.client, club.id, "Здравствуйте")
    sent = await messages.send(vk, club.client, "Счёт", 5, keyboard.inline(row))
    box.press(club.client, club.id, (0, 0), sent.cmid)
    batch = await long_poll.check(vk, server, key, ts, wait=1)
    new, reply, press = map(events.envelope, batch.updates)
    assert events.message(new.object).text == "Здравствуйте"
    assert events.buttons(events.message(new.object).client_info)[-1] == "inline"
    assert events.message(reply.object).cmid == sent.cmid
    pressed = events.pressed(press.object)
    assert (pressed.payload, pressed.cmid) == ({"cmd": "check"}, sent.cmid)
    await messages.answer_event(
        vk, pressed.event_id, club.client, club.client, messages.snackbar("Спасибо")
    )
    assert (await long_poll.check(vk, server, "wrong", batch.ts, wait=1)).failed == 2


async def test_goods_are_closed_to_a_community_and_open_to_its_owner(
    vk: Vk, owner: Vk, club: Club
) -> None:
    assert await market.probe(vk, club.id) == "27"
    assert await market.probe(owner, club.id) == "ok"
    data, _, _ = draw_photo("#7A4A9E")
    photo_id = await market.photo(owner, club.id, data, "card.png")
    item_id = await market.add(owner, club.id, replace(DRAFT, photo_id=photo_id))
    (item,) = [one async for one in market.every_item(owner, club.id)]
    assert (item.id, item.title, item.photo_id) == (item_id, "Портрет", photo_id)
    assert (item.price_kind, item.amount) == (PriceKind.FIXED, Money(4500_50))
    dearer = replace(DRAFT, photo_id=photo_id, amount=Money(5000_00), available=False)
    await market.edit(owner, club.id, item_id, dearer)
    (item,) = [one async for one in market.every_item(owner, club.id)]
    assert (item.amount, item.available) == (Money(5000_00), False)


async def test_an_order_is_marked_paid(vk: Vk, club: Club) -> None:
    box = club.sandbox.vk
    item = box.add_item(club.id, "Портрет", "Час съёмки, двадцать снимков", price=4500_00)
    made = box.order(club.client, club.id, [(item.id, 2)])
    link = "https://shop.example/r/1"
    await market.edit_order(vk, club.client, made.id, payment_status="paid", receipt_link=link)
    (order,) = await market.orders(vk, club.id)
    assert order.id == made.id
    assert (order.total, order.items) == (Money(9000_00), ((item.id, 2),))


async def test_twenty_calls_a_second_never_hear_too_many(vk: Vk) -> None:
    started = time.monotonic()
    for _ in range(41):
        await vk.call("groups.getTokenPermissions")
    assert time.monotonic() - started > 2
