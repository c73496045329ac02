"""What clients are answered by itself, against the sandbox's VK: once, on time, and never over a
person's head.
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
from sigma.domain.catalogue.service import PriceKind, Service, Template
from sigma.domain.change import Change
from sigma.domain.messaging.auto_reply import AutoAnswers
from sigma.domain.money import Money
from sigma.services.billing import invoices, payments
from sigma.services.communities import event_intake
from sigma.services.conversations import history_sync
from sigma.services.invoice_cards import auto_reply
from sigma.store import changes
from tests.services.acts import refused
from tests.vk_world import VkWorld

ON = AutoAnswers(on=True)
CLOSED = AutoAnswers(on=True, closed=True, hours=(None,) * 7)
GREETING = "Здравствуйте. Это Студия."
TZ = "Europe/Moscow"


@pytest.fixture
async def shop(vk_world: VkWorld) -> VkWorld:
    """A shop that answers by itself, with one service for a fixed price and one for none."""
    await offered(vk_world, "Маникюр", PriceKind.FIXED, 150_000)
    await offered(vk_world, "Советы", PriceKind.AGREEMENT)
    await wants(vk_world, ON)
    return vk_world


async def wants(world: VkWorld, wanted: AutoAnswers) -> None:
    """The owner saves the settings."""
    await auto_reply.save(world.ctx, world.member, wanted)


async def offered(
    world: VkWorld, title: str, price: PriceKind, minor: int = 0, **more: Any
) -> Service:
    """A service in the catalogue, below those that are there."""
    ctx = world.ctx
    service = Service(
        ctx.new_id("svc", world.shop.id),
        world.shop.id,
        title,
        ctx.now(),
        price=price,
        amount=Money(minor) if minor else None,
    )
    service = replace(service, **more)
    await changes.commit(ctx.db, Change((service,)), ctx.now())
    return service


async def says(world: VkWorld, text: str = "Добрый день", person: int = 0, **more: Any) -> None:
    """A client writes, and Sigma does all it does by itself."""
    await world.client_writes(text, person, **more)
    await world.hear()


async def chooses(world: VkWorld, row: int = 0, person: int = 0) -> None:
    """A client presses a button of the last keyboard."""
    messages = (await world.dialog_at_vk(person))["messages"]
    asked = [one for one in messages if _texts(one)][-1]
    cmid = asked["conversation_message_id"]
    await world.client_does("press", person, cmid=cmid, button=[row, 0])
    await world.hear()


def _texts(message: dict[str, Any]) -> list[str]:
    """What the text buttons under a message say."""
    rows = (message.get("keyboard") or {}).get("buttons", [])
    buttons = [one["action"] for row in rows for one in row]
    return [one["label"] for one in buttons if one["type"] == "text"]


async def issued(world: VkWorld) -> list[Invoice]:
    """The shop's invoices, newest first."""
    return list((await invoices.listing(world.ctx, world.member)).data)


async def told_count(world: VkWorld, words: str, person: int = 0) -> int:
    """How many messages of the dialog in VK hold these words."""
    return sum(words in text for text in await world.texts_at_vk(person))


async def test_nothing_is_answered_until_the_owner_wants_it(vk_world: VkWorld) -> None:
    await offered(vk_world, "Маникюр", PriceKind.FIXED, 150_000)
    assert (await auto_reply.rules(vk_world.ctx, vk_world.member)).on is False
    await says(vk_world)
    await says(vk_world, "Маникюр")
    assert await vk_world.texts_at_vk() == ["Добрый день", "Маникюр"]
    assert await issued(vk_world) == []


async def test_the_first_message_is_greeted_once_with_buttons(shop: VkWorld) -> None:
    await says(shop)
    await says(shop, "Вы тут?")
    first, greeting, second = (await shop.dialog_at_vk())["messages"]
    assert (first["text"], second["text"]) == ("Добрый день", "Вы тут?")
    assert greeting["text"].startswith(GREETING)
    assert _texts(greeting) == ["Маникюр · 1\xa0500\xa0₽", "Советы"]
    assert (await shop.conversation()).unanswered, "a person has said nothing yet"


async def test_an_app_without_buttons_gets_names_that_can_be_written(shop: VkWorld) -> None:
    await shop.client_writes("Добрый день")
    (event,) = await shop.told()
    event["object"]["client_info"]["button_actions"] = ["open_link"]
    await shop.hooks([event])
    greeting = (await shop.dialog_at_vk())["messages"][-1]
    assert _texts(greeting) == []
    assert "• Маникюр · 1\xa0500\xa0₽\n• Советы" in greeting["text"]
    await says(shop, "маникюр")
    assert len(await issued(shop)) == 1


async def test_two_messages_at_once_get_one_greeting(shop: VkWorld) -> None:
    await shop.client_writes("Здравствуйте")
    await shop.client_writes("Есть место завтра?")
    await shop.hear()
    assert await told_count(shop, GREETING) == 1


async def test_the_owners_own_words_are_said(shop: VkWorld) -> None:
    await wants(shop, replace(ON, greeting="Привет из студии\nВыбирайте"))
    await says(shop)
    assert (await shop.texts_at_vk())[-1] == "Привет из студии\nВыбирайте"


async def test_a_dialog_that_began_before_sigma_is_not_greeted(shop: VkWorld) -> None:
    await shop.client_writes("В прошлом году")
    await shop.owner_replies("Приходите")
    await shop.told()
    await says(shop, "Я снова здесь")
    assert await told_count(shop, GREETING) == 0


async def test_a_chosen_service_brings_its_link_at_once_and_once(shop: VkWorld) -> None:
    await says(shop)
    await chooses(shop)
    (invoice,) = await issued(shop)
    assert (invoice.title, invoice.amount) == ("Маникюр", Money(150_000))
    assert await told_count(shop, f"/i/{invoice.token}?d=") == 1
    assert (await shop.messages())[-1].author == "auto"


async def test_chosen_again_it_is_the_same_invoice_until_it_is_paid(shop: VkWorld) -> None:
    await says(shop)
    await chooses(shop)
    await chooses(shop)
    (invoice,) = await issued(shop)
    assert await told_count(shop, f"/i/{invoice.token}?d=") == 2
    assert (await shop.texts_at_vk())[-1].startswith("Счёт за «Маникюр» уже ждёт вас")
    payment = await shop.started(invoice)
    await shop.pay(payment)
    await payments.advance(shop.ctx, payment.id)
    await shop.work()
    await chooses(shop)
    assert len(await issued(shop)) == 2


async def test_two_presses_at_the_same_moment_make_one_invoice(shop: VkWorld) -> None:
    await says(shop)
    for _ in range(2):
        await shop.client_does("press", cmid=2, button=[0, 0])
    await shop.hear()
    ids = [one.id for one in (await shop.messages()) if not one.out]
    await asyncio.gather(*(auto_reply.answer(shop.ctx, one) for one in ids * 3))
    await shop.work()
    (invoice,) = await issued(shop)
    assert await told_count(shop, GREETING) == 1
    assert await told_count(shop, f"/i/{invoice.token}?d=") == 2


async def test_two_workers_with_one_job_answer_once(shop: VkWorld) -> None:
    await says(shop)
    await says(shop, "Маникюр")
    before = await shop.texts_at_vk()
    for message in await shop.messages():
        await asyncio.gather(*(auto_reply.answer(shop.ctx, message.id) for _ in range(4)))
    await shop.work()
    assert await shop.texts_at_vk() == before
    assert len(await issued(shop)) == 1


async def test_a_price_that_is_not_fixed_is_left_to_a_person(shop: VkWorld) -> None:
    await says(shop)
    await chooses(shop, row=1)
    assert (await shop.texts_at_vk())[-1].startswith("«Советы»: цену назовём")
    assert await issued(shop) == []


async def test_without_the_right_to_bill_a_choice_is_only_confirmed(shop: VkWorld) -> None:
    await wants(shop, replace(ON, invoice=False))
    await says(shop)
    await chooses(shop)
    assert (await shop.texts_at_vk())[-1].startswith("Вы выбрали «Маникюр»")
    assert await issued(shop) == []


async def test_a_forged_button_brings_nothing(shop: VkWorld) -> None:
    ctx, now = shop.ctx, shop.ctx.now()
    other = replace(shop.shop, id=ctx.new_id("shp"), slug=None, version=0)
    await changes.commit(ctx.db, Change((other,)), now)
    foreign = await offered(shop, "Чужая", PriceKind.FIXED, 100, shop_id=other.id)
    hidden = await offered(shop, "Тайная", PriceKind.FIXED, 100, visible=False)
    gone = await offered(shop, "Старая", PriceKind.FIXED, 100, deleted_at=now)
    await says(shop)
    before = len(await shop.texts_at_vk())
    wishes = [
        foreign.id,
        hidden.id,
        gone.id,
        "svc_nothing",
        "",
        None,
        7,
        ["svc"],
        {"id": hidden.id},
    ]
    for wish in wishes:
        await shop.client_writes("Маникюр", payload=json.dumps({"service": wish}))
    for payload in ('{"service"', "[1]", '"svc_1"', '{"command": {"a": 1}}'):
        await shop.client_writes("?", payload=payload)
    await shop.hear()
    assert len(await shop.texts_at_vk()) == before + len(wishes) + 4
    assert await issued(shop) == []


async def noon(world: VkWorld) -> None:
    """Time passes to the next noon on the shop's clock."""
    here = datetime.fromtimestamp(world.ctx.now() // 1_000_000, UTC).astimezone(ZoneInfo(TZ))
    next_noon = here.replace(hour=12, minute=0, second=0) + timedelta(days=1)
    await world.move(seconds=(next_noon - here).total_seconds())


async def test_one_dialog_makes_only_so_many_invoices_a_day_by_itself(shop: VkWorld) -> None:
    titles = [f"Услуга {n}" for n in range(auto_reply.LOOKED_AT + 3)]
    for n, title in enumerate(titles):
        await offered(shop, title, PriceKind.FIXED, 100_000 + n)
    for title in (*titles, *titles[:5]):
        await says(shop, title)
    made = (await invoices.listing(shop.ctx, shop.member, limit=100)).data
    assert len(made) == auto_reply.LOOKED_AT
    assert (await shop.conversation()).unanswered, "a person sees who asks so much"
    await shop.move(hours=25)
    await says(shop, titles[-1])
    assert len((await invoices.listing(shop.ctx, shop.member, limit=100)).data) == len(made) + 1


async def test_outside_hours_the_text_is_said_once_a_day(shop: VkWorld) -> None:
    await wants(shop, replace(CLOSED, closed_text="Спим"))
    await noon(shop)
    await says(shop)
    await says(shop, "Ау")
    assert await told_count(shop, "Спим") == 1
    assert await told_count(shop, GREETING) == 0
    await noon(shop)
    await says(shop, "Доброе утро")
    await says(shop, "Ау")
    assert await told_count(shop, "Спим") == 2


async def test_closed_by_the_shops_own_clock(shop: VkWorld) -> None:
    await wants(shop, replace(CLOSED, closed_text="Спим", hours=((13 * 60, 14 * 60),) * 7))
    await noon(shop)
    await says(shop)
    assert await told_count(shop, "Спим") == 1
    await shop.move(minutes=75)
    other = await shop.new_person()
    await says(shop, person=other)
    assert await told_count(shop, GREETING, other) == 1


async def test_a_service_is_billed_at_night_too(shop: VkWorld) -> None:
    await wants(shop, CLOSED)
    await says(shop)
    await chooses(shop)  # whoever comes for the first time gets the services with the closed text
    assert len(await issued(shop)) == 1


async def test_a_person_who_answered_stops_it(shop: VkWorld) -> None:
    await says(shop)
    await shop.write("Я здесь")
    await shop.work()
    await says(shop, "Маникюр")
    await wants(shop, CLOSED)
    await says(shop, "И педикюр")
    assert (await shop.texts_at_vk())[-2:] == ["Маникюр", "И педикюр"]
    assert await issued(shop) == []


async def test_a_person_who_answers_in_vk_stops_it_too(shop: VkWorld) -> None:
    await says(shop)
    await shop.owner_replies("Я здесь")
    await shop.hear()
    await says(shop, "Маникюр")
    assert (await shop.texts_at_vk())[-1] == "Маникюр"
    assert await issued(shop) == []


async def test_who_answers_before_the_program_is_not_talked_over(shop: VkWorld) -> None:
    await shop.client_writes("Добрый день")
    (event,) = await shop.told()
    await shop.owner_replies("Слушаю вас")
    (reply,) = await shop.told()
    await shop.hooks([event, reply])  # both are told before anything is done
    assert await shop.texts_at_vk() == ["Добрый день", "Слушаю вас"]


async def test_what_is_told_late_is_never_answered(shop: VkWorld) -> None:
    await shop.client_writes("Добрый день")
    await shop.client_writes("Маникюр")
    events = await shop.told()
    shop.clock.move(minutes=11)
    await shop.hooks(events)
    assert await shop.texts_at_vk() == ["Добрый день", "Маникюр"]
    assert await issued(shop) == []


async def test_a_worker_that_was_away_answers_nothing_old(shop: VkWorld) -> None:
    await shop.client_writes("Маникюр")
    for event in await shop.told():
        await shop.hook(event)
    await event_intake.handle(shop.ctx, f"{shop.community_id}:peer:{shop.person}")
    shop.clock.move(minutes=11)
    await shop.work()
    assert await shop.texts_at_vk() == ["Маникюр"]
    assert await issued(shop) == []


async def test_what_the_history_tells_in_time_is_answered_and_late_is_not(shop: VkWorld) -> None:
    await shop.client_writes("Добрый день")
    await shop.told()  # lost on the way
    await history_sync.catch_up(shop.ctx, shop.community_id)
    await shop.work()
    assert await told_count(shop, GREETING) == 1
    late = await shop.new_person()
    await shop.client_writes("Здравствуйте", late)
    await shop.told()
    shop.clock.move(minutes=11)
    await history_sync.catch_up(shop.ctx, shop.community_id)
    await shop.work()
    assert await shop.texts_at_vk(late) == ["Здравствуйте"]


async def test_who_may_not_be_written_to_is_left_alone(shop: VkWorld) -> None:
    await shop.client_writes("Маникюр")
    (event,) = await shop.told()
    await shop.client_does("deny")
    (denied,) = await shop.told()
    assert await shop.hook(event) == "ok"
    assert await shop.hook(denied) == "ok"
    await shop.work()
    assert await shop.texts_at_vk() == ["Маникюр"]
    assert await issued(shop) == []


async def test_a_service_that_cannot_be_billed_waits_for_a_person(shop: VkWorld) -> None:
    await offered(
        shop,
        "Сломанная",
        PriceKind.FIXED,
        100,
        template=Template(return_url="ftp://nowhere"),
    )
    await says(shop, "Сломанная")
    assert await issued(shop) == []
    assert (await shop.conversation()).unanswered


async def test_only_the_owner_changes_what_is_answered(shop: VkWorld) -> None:
    operator = Member("usr_other", shop.shop.id, Role.OPERATOR)
    assert await refused(auto_reply.rules(shop.ctx, operator)) == "forbidden"
    assert await refused(auto_reply.save(shop.ctx, operator, AutoAnswers())) == "forbidden"
    wrong = replace(ON, greeting="о" * 2000)
    assert await refused(auto_reply.save(shop.ctx, shop.member, wrong)) == "validation"
    assert await auto_reply.rules(shop.ctx, shop.member) == ON
