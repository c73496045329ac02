"""Auto-replies against the sandbox's VK: each is sent once, in time, and never after an operator
has answered.
"""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sigma.domain.accounts.member import Member, Role
from sigma.domain.billing.invoice import Invoice
from sigma.domain.catalogue.service import InvoiceTemplate, PriceKind, Service
from sigma.domain.change import Change
from sigma.domain.messaging.auto_reply import AutoReplySettings
from sigma.domain.money import Money
from sigma.services.billing import invoices, payments
from sigma.services.communities import event_intake
from sigma.services.conversations import history_sync
from sigma.services.invoice_cards import auto_reply
from sigma.store import changes
from tests.services.actions import refusal_code
from tests.vk_world import VkWorld

ON = AutoReplySettings(enabled=True)
CLOSED = AutoReplySettings(enabled=True, closed_enabled=True, hours=(None,) * 7)
GREETING = "Здравствуйте. Это Студия."
SHOP_TIME_ZONE = ZoneInfo("Europe/Moscow")


@pytest.fixture
async def shop(vk_world: VkWorld) -> VkWorld:
    """A shop with auto-replies on and two services: a fixed price and a price by agreement."""
    await add_service(vk_world, "Маникюр", PriceKind.FIXED, 150_000)
    await add_service(vk_world, "Советы", PriceKind.AGREEMENT)
    await save_settings(vk_world, ON)
    return vk_world


async def save_settings(world: VkWorld, settings: AutoReplySettings) -> None:
    """Save the auto-reply settings as the owner."""
    await auto_reply.save_settings(world.ctx, world.member, settings)


async def add_service(
    world: VkWorld, title: str, price: PriceKind, minor: int = 0, **more: Any
) -> Service:
    """Add a service at the end of the catalogue."""
    ctx = world.ctx
    service = Service(
        ctx.new_id("svc", world.shop.id),
        world.shop.id,
        title,
        ctx.now_us(),
        price_kind=price,
        amount=Money(minor) if minor else None,
    )
    service = replace(service, **more)
    await changes.commit(ctx.db, Change((service,)), ctx.now_us())
    return service


async def receive_message(
    world: VkWorld, text: str = "Добрый день", client_id: int = 0, **more: Any
) -> None:
    """Write as a client, deliver the event and run the jobs that are due."""
    await world.write_as_client(text, client_id, **more)
    await world.poll_events()


async def press_service_button(world: VkWorld, row: int = 0, client_id: int = 0) -> None:
    """Press a text button of the newest keyboard as a client, then deliver the event."""
    messages = (await world.fetch_vk_conversation(client_id))["messages"]
    with_buttons = [message for message in messages if _button_labels(message)][-1]
    cmid = with_buttons["conversation_message_id"]
    await world.act_as_client("press", client_id, cmid=cmid, button=[row, 0])
    await world.poll_events()


def _button_labels(message: dict[str, Any]) -> list[str]:
    """Return the labels of the text buttons under a VK message."""
    rows = (message.get("keyboard") or {}).get("buttons", [])
    buttons = [action["action"] for row in rows for action in row]
    return [action["label"] for action in buttons if action["type"] == "text"]


async def list_invoices(world: VkWorld) -> list[Invoice]:
    """Return the shop's invoices, newest first."""
    return list((await invoices.list_page(world.ctx, world.member)).data)


async def count_texts_at_vk(world: VkWorld, fragment: str, client_id: int = 0) -> int:
    """Count the messages of the conversation in VK that contain `fragment`."""
    return sum(fragment in text for text in await world.vk_texts(client_id))


async def test_auto_replies_are_off_by_default(vk_world: VkWorld) -> None:
    await add_service(vk_world, "Маникюр", PriceKind.FIXED, 150_000)
    assert (await auto_reply.get_settings(vk_world.ctx, vk_world.member)).enabled is False
    await receive_message(vk_world)
    await receive_message(vk_world, "Маникюр")
    assert await vk_world.vk_texts() == ["Добрый день", "Маникюр"]
    assert await list_invoices(vk_world) == []


async def test_first_message_gets_one_greeting_with_service_buttons(shop: VkWorld) -> None:
    await receive_message(shop)
    await receive_message(shop, "Вы тут?")
    first, greeting, second = (await shop.fetch_vk_conversation())["messages"]
    assert (first["text"], second["text"]) == ("Добрый день", "Вы тут?")
    assert greeting["text"].startswith(GREETING)
    assert _button_labels(greeting) == ["Маникюр · 1\xa0500\xa0₽", "Советы"]
    assert (await shop.conversation()).is_unanswered, "no operator has answered yet"


async def test_app_without_buttons_gets_service_names_as_text(shop: VkWorld) -> None:
    await shop.write_as_client("Добрый день")
    (event,) = await shop.take_events()
    event["object"]["client_info"]["button_actions"] = ["open_link"]
    await shop.deliver_callbacks([event])
    greeting = (await shop.fetch_vk_conversation())["messages"][-1]
    assert _button_labels(greeting) == []
    assert "• Маникюр · 1\xa0500\xa0₽\n• Советы" in greeting["text"]
    await receive_message(shop, "маникюр")
    assert len(await list_invoices(shop)) == 1


async def test_two_messages_at_once_get_one_greeting_only(shop: VkWorld) -> None:
    await shop.write_as_client("Здравствуйте")
    await shop.write_as_client("Есть место завтра?")
    await shop.poll_events()
    assert await count_texts_at_vk(shop, GREETING) == 1


async def test_custom_greeting_is_sent(shop: VkWorld) -> None:
    await save_settings(shop, replace(ON, greeting="Привет из студии\nВыбирайте"))
    await receive_message(shop)
    assert (await shop.vk_texts())[-1] == "Привет из студии\nВыбирайте"


async def test_conversation_older_than_sigma_is_not_greeted(shop: VkWorld) -> None:
    await shop.write_as_client("В прошлом году")
    await shop.reply_in_vk("Приходите")
    await shop.take_events()
    await receive_message(shop, "Я снова здесь")
    assert await count_texts_at_vk(shop, GREETING) == 0


async def test_chosen_service_gets_one_invoice_and_one_payment_link(shop: VkWorld) -> None:
    await receive_message(shop)
    await press_service_button(shop)
    (invoice,) = await list_invoices(shop)
    assert (invoice.title, invoice.amount) == ("Маникюр", Money(150_000))
    assert await count_texts_at_vk(shop, f"/i/{invoice.token}?d=") == 1
    assert (await shop.messages())[-1].author == "auto"


async def test_service_chosen_again_reuses_its_invoice_until_it_is_paid(shop: VkWorld) -> None:
    await receive_message(shop)
    await press_service_button(shop)
    await press_service_button(shop)
    (invoice,) = await list_invoices(shop)
    assert await count_texts_at_vk(shop, f"/i/{invoice.token}?d=") == 2
    assert (await shop.vk_texts())[-1].startswith("Счёт за «Маникюр» уже выставлен")
    payment = await shop.start_payment(invoice)
    await shop.pay(payment)
    await payments.advance(shop.ctx, payment.id)
    await shop.run_jobs()
    await press_service_button(shop)
    assert len(await list_invoices(shop)) == 2


async def test_concurrent_button_presses_create_one_invoice(shop: VkWorld) -> None:
    await receive_message(shop)
    for _ in range(2):
        await shop.act_as_client("press", cmid=2, button=[0, 0])
    await shop.poll_events()
    ids = [message.id for message in (await shop.messages()) if not message.is_outgoing]
    await asyncio.gather(*(auto_reply.send(shop.ctx, message) for message in ids * 3))
    await shop.run_jobs()
    (invoice,) = await list_invoices(shop)
    assert await count_texts_at_vk(shop, GREETING) == 1
    assert await count_texts_at_vk(shop, f"/i/{invoice.token}?d=") == 2


async def test_concurrent_runs_of_one_job_send_one_reply(shop: VkWorld) -> None:
    await receive_message(shop)
    await receive_message(shop, "Маникюр")
    before = await shop.vk_texts()
    for message in await shop.messages():
        await asyncio.gather(*(auto_reply.send(shop.ctx, message.id) for _ in range(4)))
    await shop.run_jobs()
    assert await shop.vk_texts() == before
    assert len(await list_invoices(shop)) == 1


async def test_service_without_fixed_price_is_left_to_an_operator(shop: VkWorld) -> None:
    await receive_message(shop)
    await press_service_button(shop, row=1)
    assert (await shop.vk_texts())[-1].startswith("«Советы»: цена зависит от деталей.")
    assert await list_invoices(shop) == []


async def test_choice_is_only_confirmed_when_automatic_invoices_are_off(shop: VkWorld) -> None:
    await save_settings(shop, replace(ON, invoice_enabled=False))
    await receive_message(shop)
    await press_service_button(shop)
    assert (await shop.vk_texts())[-1].startswith("Вы выбрали «Маникюр»")
    assert await list_invoices(shop) == []


async def test_forged_button_payload_gets_no_reply_and_no_invoice(shop: VkWorld) -> None:
    ctx, now_us = shop.ctx, shop.ctx.now_us()
    other_shop = replace(shop.shop, id=ctx.new_id("shp"), slug=None, version=0)
    await changes.commit(ctx.db, Change((other_shop,)), now_us)
    foreign = await add_service(shop, "Чужая", PriceKind.FIXED, 100, shop_id=other_shop.id)
    hidden = await add_service(shop, "Тайная", PriceKind.FIXED, 100, is_visible=False)
    deleted = await add_service(shop, "Старая", PriceKind.FIXED, 100, deleted_at_us=now_us)
    await receive_message(shop)
    before = len(await shop.vk_texts())
    invalid_ids = ["svc_nothing", "", None, 7, ["svc"], {"id": hidden.id}]
    forged_ids = [foreign.id, hidden.id, deleted.id, *invalid_ids]
    for forged_id in forged_ids:
        await shop.write_as_client("Маникюр", payload=json.dumps({"service": forged_id}))
    for payload in ('{"service"', "[1]", '"svc_1"', '{"command": {"a": 1}}'):
        await shop.write_as_client("?", payload=payload)
    await shop.poll_events()
    assert len(await shop.vk_texts()) == before + len(forged_ids) + 4
    assert await list_invoices(shop) == []


async def move_to_next_noon(world: VkWorld) -> None:
    """Move the clocks to noon of the next day in the shop's time zone."""
    utc = datetime.fromtimestamp(world.ctx.now_us() // 1_000_000, UTC)
    local_time = utc.astimezone(SHOP_TIME_ZONE)
    next_noon = local_time.replace(hour=12, minute=0, second=0) + timedelta(days=1)
    await world.advance_clocks(seconds=(next_noon - local_time).total_seconds())


async def test_automatic_invoices_per_conversation_are_limited_per_day(shop: VkWorld) -> None:
    titles = [f"Услуга {n}" for n in range(auto_reply.LOOKUP_LIMIT + 3)]
    for n, title in enumerate(titles):
        await add_service(shop, title, PriceKind.FIXED, 100_000 + n)
    for title in (*titles, *titles[:5]):
        await receive_message(shop, title)
    created = (await invoices.list_page(shop.ctx, shop.member, limit=100)).data
    assert len(created) == auto_reply.LOOKUP_LIMIT
    assert (await shop.conversation()).is_unanswered, "left to an operator"
    await shop.advance_clocks(hours=25)
    await receive_message(shop, titles[-1])
    assert (
        len((await invoices.list_page(shop.ctx, shop.member, limit=100)).data) == len(created) + 1
    )


async def test_closed_text_is_sent_once_a_day(shop: VkWorld) -> None:
    await save_settings(shop, replace(CLOSED, closed_text="Спим"))
    await move_to_next_noon(shop)
    await receive_message(shop)
    await receive_message(shop, "Ау")
    assert await count_texts_at_vk(shop, "Спим") == 1
    assert await count_texts_at_vk(shop, GREETING) == 0
    await move_to_next_noon(shop)
    await receive_message(shop, "Доброе утро")
    await receive_message(shop, "Ау")
    assert await count_texts_at_vk(shop, "Спим") == 2


async def test_working_hours_follow_the_shop_time_zone(shop: VkWorld) -> None:
    await save_settings(shop, replace(CLOSED, closed_text="Спим", hours=((13 * 60, 14 * 60),) * 7))
    await move_to_next_noon(shop)
    await receive_message(shop)
    assert await count_texts_at_vk(shop, "Спим") == 1
    await shop.advance_clocks(minutes=75)
    other_client = await shop.create_client()
    await receive_message(shop, client_id=other_client)
    assert await count_texts_at_vk(shop, GREETING, other_client) == 1


async def test_service_is_invoiced_outside_working_hours(shop: VkWorld) -> None:
    await save_settings(shop, CLOSED)
    await receive_message(shop)
    await press_service_button(shop)  # the closed text carries the buttons for a new client
    assert len(await list_invoices(shop)) == 1


async def test_operator_reply_stops_auto_replies(shop: VkWorld) -> None:
    await receive_message(shop)
    await shop.post_message("Я здесь")
    await shop.run_jobs()
    await receive_message(shop, "Маникюр")
    await save_settings(shop, CLOSED)
    await receive_message(shop, "И педикюр")
    assert (await shop.vk_texts())[-2:] == ["Маникюр", "И педикюр"]
    assert await list_invoices(shop) == []


async def test_operator_reply_written_in_vk_stops_auto_replies(shop: VkWorld) -> None:
    await receive_message(shop)
    await shop.reply_in_vk("Я здесь")
    await shop.poll_events()
    await receive_message(shop, "Маникюр")
    assert (await shop.vk_texts())[-1] == "Маникюр"
    assert await list_invoices(shop) == []


async def test_operator_reply_stored_before_processing_stops_auto_reply(shop: VkWorld) -> None:
    await shop.write_as_client("Добрый день")
    (event,) = await shop.take_events()
    await shop.reply_in_vk("Слушаю вас")
    (reply,) = await shop.take_events()
    await shop.deliver_callbacks(
        [event, reply]
    )  # both events are stored before either is processed
    assert await shop.vk_texts() == ["Добрый день", "Слушаю вас"]


async def test_late_event_gets_no_auto_reply(shop: VkWorld) -> None:
    await shop.write_as_client("Добрый день")
    await shop.write_as_client("Маникюр")
    events = await shop.take_events()
    shop.clock.advance(minutes=11)
    await shop.deliver_callbacks(events)
    assert await shop.vk_texts() == ["Добрый день", "Маникюр"]
    assert await list_invoices(shop) == []


async def test_job_run_late_sends_no_auto_reply(shop: VkWorld) -> None:
    await shop.write_as_client("Маникюр")
    for event in await shop.take_events():
        await shop.deliver_callback(event)
    await event_intake.process_conversation(shop.ctx, f"{shop.community_id}:peer:{shop.client_id}")
    shop.clock.advance(minutes=11)
    await shop.run_jobs()
    assert await shop.vk_texts() == ["Маникюр"]
    assert await list_invoices(shop) == []


async def test_message_found_by_catch_up_gets_an_auto_reply_only_while_fresh(shop: VkWorld) -> None:
    await shop.write_as_client("Добрый день")
    await shop.take_events()  # the event is lost
    await history_sync.catch_up_community(shop.ctx, shop.community_id)
    await shop.run_jobs()
    assert await count_texts_at_vk(shop, GREETING) == 1
    late_client = await shop.create_client()
    await shop.write_as_client("Здравствуйте", late_client)
    await shop.take_events()
    shop.clock.advance(minutes=11)
    await history_sync.catch_up_community(shop.ctx, shop.community_id)
    await shop.run_jobs()
    assert await shop.vk_texts(late_client) == ["Здравствуйте"]


async def test_client_who_denied_messages_gets_no_auto_reply(shop: VkWorld) -> None:
    await shop.write_as_client("Маникюр")
    (event,) = await shop.take_events()
    await shop.act_as_client("deny")
    (denied,) = await shop.take_events()
    assert await shop.deliver_callback(event) == "ok"
    assert await shop.deliver_callback(denied) == "ok"
    await shop.run_jobs()
    assert await shop.vk_texts() == ["Маникюр"]
    assert await list_invoices(shop) == []


async def test_service_with_invalid_template_is_left_to_an_operator(shop: VkWorld) -> None:
    invalid = InvoiceTemplate(return_url="ftp://nowhere")
    await add_service(shop, "Сломанная", PriceKind.FIXED, 100, invoice_template=invalid)
    await receive_message(shop, "Сломанная")
    assert await list_invoices(shop) == []
    assert (await shop.conversation()).is_unanswered


async def test_operator_cannot_read_or_change_auto_reply_settings(shop: VkWorld) -> None:
    operator = Member("usr_other", shop.shop.id, Role.OPERATOR)
    assert await refusal_code(auto_reply.get_settings(shop.ctx, operator)) == "forbidden"
    assert (
        await refusal_code(auto_reply.save_settings(shop.ctx, operator, AutoReplySettings()))
        == "forbidden"
    )
    too_long = replace(ON, greeting="о" * 2000)
    assert (
        await refusal_code(auto_reply.save_settings(shop.ctx, shop.member, too_long))
        == "validation"
    )
    assert await auto_reply.get_settings(shop.ctx, shop.member) == ON
