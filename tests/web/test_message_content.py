"""Messages and VK orders of every shape on the page of a conversation, in both languages."""

import re
from typing import Any

import pytest

from sigma.domain.messaging.message import MessageBody, NestedMessage, Status, TextLink
from sigma.services.invoice_cards import vk_orders
from tests import vk_shapes
from tests.vk_world import VkWorld
from tests.web.cabinet_harness import CabinetBrowser, visible_text
from tests.web.test_inbox import message_texts, receive_message, store_messages


async def open_conversation(browser: CabinetBrowser, world: VkWorld) -> str:
    return (await browser.open(f"/inbox/{(await world.conversation()).id}")).text


async def receive_shapes(world: VkWorld) -> None:
    for body in vk_shapes.MESSAGES:
        await world.write_as_client(**body)
    await world.poll_events()


async def test_every_shape_is_named_in_russian(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    await receive_shapes(vk_world)
    page = await open_conversation(vk_owner_browser, vk_world)
    transfer, kinds, unknown, forwarded, location, linked, unavailable = message_texts(page)
    assert "Денежный перевод: 2 500 руб. За маникюр" in transfer
    assert "договор.pdf Файл · pdf · 2 МБ" in transfer
    for text in (
        "Голосовое сообщение 1:05",
        "Когда удобно? Опрос · Утром",
        "История больше не показывается",
        "Видеосообщение 0:12",
        "Сколько стоит? Комментарий",
        "Летние услуги Подборка товаров",
        "Звонок без ответа",
        "Онлайн-запись Мини-приложение",
    ):
        assert text in kinds
    assert "Вложение Содержимое видно только во ВКонтакте" in unknown
    assert "hologram" not in page
    assert forwarded.index("Когда вам удобно?") < forwarded.index("Вот переписка")
    assert forwarded.count("Голосовое сообщение") == 6
    assert forwarded.count("Переслано: Дмитрий Орлов") == 6
    assert "Студия Место на карте · Тверская, 1" in location
    assert "прайс (lak.example)" in linked
    assert "Сообщение недоступно" in unavailable
    links = re.findall(r'<a [^>]*href="([^"]+)"', page.partition('id="messages"')[2])
    assert "https://yandex.ru/maps/?pt=37.6173,55.7558&amp;z=17&amp;l=map" in links
    assert "https://lak.example/price" in links
    vk_page = f"{vk_world.sandbox.base_url}/vk/write-{vk_world.group_id}"
    assert links.count(vk_page) >= 4, "what has no link of its own opens the dialog in VK"


async def test_every_shape_is_named_in_english(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    await receive_shapes(vk_world)
    await vk_owner_browser.submit("/locale", locale="en", next="/")
    page = visible_text(await open_conversation(vk_owner_browser, vk_world))
    for text in (
        "Money transfer: 2 500 руб.",
        "File · pdf · 2 MB",
        "Voice message 1:05",
        "Story no longer available",
        "Call not answered",
        "Attachment The content can be seen only in VK.",
        "Forwarded: Дмитрий Орлов",
        "Location · Тверская, 1",
        "The message is unavailable",
        "Open the conversation in VK",
    ):
        assert text in page


@pytest.mark.parametrize("code", [15, 100])
async def test_incomplete_message_says_so_and_links_to_vk(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld, code: int
) -> None:
    await vk_world.inject_vk_faults(
        vk_error={"on": "messages.getByConversationMessageId", "value": code}
    )
    attachments = [vk_shapes.attachment("poll")] * 3
    await vk_world.write_as_client("Опросы", attachments=attachments, cropped=True)
    await vk_world.poll_events()
    page = await open_conversation(vk_owner_browser, vk_world)
    assert "Сообщение показано не полностью." in visible_text(page)
    assert "Открыть диалог во ВКонтакте" in visible_text(page)
    await vk_world.inject_vk_faults(vk_error=None)
    await vk_world.advance_clocks(minutes=10)
    await vk_world.run_jobs()
    page = await open_conversation(vk_owner_browser, vk_world)
    assert "показано не полностью" not in visible_text(page)
    assert message_texts(page)[0].count("Когда удобно?") == 3


async def test_hostile_nested_message_is_escaped(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    await receive_message(vk_world)
    hostile = NestedMessage(
        "forwarded",
        from_id=7,
        text="<script>alert(1)</script> тут",
        links=(TextLink(26, 29, "javascript:alert(1)"), TextLink(0, 8, "https://a@evil.example/")),
    )
    disguised = MessageBody(
        "https://bank.example/", links=(TextLink(0, 21, "https://evil.example/"),)
    )
    await store_messages(
        vk_world, (MessageBody("", nested=(hostile,)), {}), (disguised, {}), (MessageBody(), {})
    )
    page = await open_conversation(vk_owner_browser, vk_world)
    assert "<script>alert" not in page
    assert "javascript:" not in page
    assert "a@evil" not in page
    assert "https://bank.example/ (evil.example)" in visible_text(page)
    assert "Содержимое видно только во ВКонтакте." in visible_text(page)


async def test_waiting_message_shows_its_own_reason_or_that_of_the_queue(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    await receive_message(vk_world)
    queued = {"is_outgoing": True, "author": vk_world.member.actor, "status": Status.QUEUED}
    queued |= {"cmid": None, "idempotency_key": None}
    await store_messages(
        vk_world,
        (MessageBody("повтор"), queued | {"failure": "postponed:9"}),
        (MessageBody("другой"), queued),
        (MessageBody("много"), queued | {"failure": "postponed:29"}),
        (MessageBody("следом"), queued),
    )
    page = await open_conversation(vk_owner_browser, vk_world)
    repeated, other, stopped, behind = message_texts(page)[1:]
    assert "с таким текстом" in repeated
    assert "Отправляется" in other
    assert "ограничила частоту сообщений. Отправим" in stopped
    assert "ограничила частоту сообщений. Отправим" in behind


async def test_order_is_shown_whole_and_a_cancelled_one_offers_no_invoice(
    vk_owner_browser: CabinetBrowser, vk_world: VkWorld
) -> None:
    group = f"communities/{vk_world.group_id}"
    await vk_world.call_vk_test_api(group, market="advanced")
    item = await vk_world.call_vk_test_api(f"{group}/items", title="Набор кистей", price=150_000)
    await vk_world.set_access_key(await vk_world.create_access_key())
    await vk_world.update_community(key_scopes=("manage", "messages", "market"))
    target = {"person_id": vk_world.client_id, "group_id": vk_world.group_id}
    order = await vk_world.call_vk_test_api(
        "orders",
        **target,
        lines=[[item["item_id"], 2]],
        comment="Позвоните за час",
        recipient="Мария Петрова",
        phone="+79001234567",
        address="Тверская, 1",
    )
    await vk_orders.fetch(vk_world.ctx, vk_world.community_id)
    text = visible_text(await open_conversation(vk_owner_browser, vk_world))
    for part in ("Набор кистей 2 × 1 500 ₽", "Позвоните за час", "Мария Петрова", "+79001234567"):
        assert part in text.replace("\xa0", " ")
    for part in ("Тверская, 1", "3 000 ₽", "Новый", "Счёт по заказу"):
        assert part in text.replace("\xa0", " ")
    change = {"group_id": vk_world.group_id, "order_id": order["order_id"]}
    changes: list[tuple[dict[str, Any], str, bool]] = [
        ({"currency": "GEL"}, "3 000,00 GEL", False),
        ({"total": 0, "currency": "RUB"}, "0 ₽", False),
        ({"status": 9, "total": 300_000}, "Статус 9", True),
        ({"status": 5}, "Отменён", False),
    ]
    for fields, expected, is_offered in changes:
        await vk_world.call_vk_test_api("orders/edit", **change, **fields)
        await vk_orders.fetch(vk_world.ctx, vk_world.community_id)
        text = visible_text(await open_conversation(vk_owner_browser, vk_world))
        assert expected in text.replace("\xa0", " ")
        assert ("Счёт по заказу" in text) == is_offered
