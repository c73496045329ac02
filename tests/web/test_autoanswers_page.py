"""The settings of the automatic answers: off at first, kept as typed, wrong fields named."""

import re
from typing import Any

from sigma.domain.accounts.member import Role
from sigma.domain.catalogue.service import PriceKind, Service
from sigma.domain.change import Change
from sigma.domain.messaging.auto_reply import AutoAnswers
from sigma.domain.money import Money
from sigma.services.invoice_cards import auto_reply
from sigma.store import changes
from sigma.store.engine.statements import text_statement
from tests.web.cabinet_stage import Browser, fault, words
from tests.world import World

URL = "/settings/auto-answers"
ROLE = text_statement("UPDATE members SET role = :role WHERE shop_id = :shop_id", "role", "shop_id")


def week(**more: Any) -> dict[str, str]:
    """A filled form: from ten to eight, Saturday and Sunday off."""
    times = {f"opens-{n}": "10:00" for n in range(7)} | {f"closes-{n}": "20:00" for n in range(7)}
    return times | {f"works-{n}": "1" for n in range(5)} | more


def on(page: str, name: str) -> bool:
    """Whether a switch or a box of the page is ticked."""
    found = re.search(rf'<input type="checkbox"[^>]*name="{name}"[^>]*>', page)
    assert found, f"no switch {name}"
    return " checked" in found[0]


def text(page: str, name: str) -> str:
    """What stands in a field of many lines."""
    found = re.search(rf'<textarea id="{name}"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert found, f"no text {name}"
    return found[1]


def clock(page: str, name: str) -> str:
    """The time in a field."""
    found = re.search(rf'name="{name}"[^>]*value="([^"]*)"', page)
    assert found, f"no time {name}"
    return found[1]


async def kept(world: World) -> AutoAnswers:
    """What is stored."""
    return await auto_reply.rules(world.ctx, world.member)


async def test_everything_is_off_until_it_is_switched_on(owner: Browser, world: World) -> None:
    page = await owner.open(URL)
    assert page.status_code == 200
    assert not on(page.text, "on")
    assert "Взять диалог на себя можно в любой момент" in words(page.text)
    assert "старше 10 минут" in words(page.text)
    assert "Время магазина: Москва, UTC+3" in words(page.text)
    assert (clock(page.text, "opens-0"), clock(page.text, "closes-4")) == ("10:00", "20:00")
    assert on(page.text, "works-4")
    assert not on(page.text, "works-5")
    assert f'href="{URL}"' in (await owner.open("/settings")).text
    assert not (await kept(world)).on


async def test_what_was_typed_is_kept_and_shown_again(owner: Browser, world: World) -> None:
    await owner.open(URL)
    form = week(
        on="1", greet="1", closed="1", greeting="Привет\r\n<b>всем</b>", closed_text=" Спим "
    )
    form |= {"works-5": "1", "opens-5": "9:30", "closes-5": "00:00"}
    saved = await owner.send(URL, **form)
    assert (saved.status_code, saved.headers["location"]) == (303, URL)
    day = (600, 1200)
    assert await kept(world) == AutoAnswers(
        on=True,
        greet=True,
        greeting="Привет\n<b>всем</b>",
        invoice=False,
        closed=True,
        closed_text="Спим",
        hours=(day, day, day, day, day, (570, 1440), None),
    )
    page = await owner.open(URL)
    assert "Автоответы включены" in words(page.text)
    assert on(page.text, "on")
    assert not on(page.text, "invoice")
    assert "Привет\n&lt;b&gt;всем" in text(page.text, "greeting")
    assert "<b>всем" not in page.text
    assert (clock(page.text, "opens-5"), clock(page.text, "closes-5")) == ("09:30", "00:00")
    await owner.send(URL, **week())
    assert "Автоответы выключены" in words((await owner.open(URL)).text)


async def test_the_buttons_are_shown_as_the_client_will_see_them(
    owner: Browser, world: World
) -> None:
    assert "в каталоге нет видимых услуг" in words((await owner.open(URL)).text)
    rows = []
    for n, (title, minor, visible) in enumerate(
        [("Маникюр", 150_000, True), ("Тайна", 100, False), ("Советы" * 20, 0, True)]
    ):
        price = PriceKind.FIXED if minor else PriceKind.AGREEMENT
        rows.append(
            Service(
                world.ctx.new_id("svc", world.shop.id),
                world.shop.id,
                title,
                world.ctx.now(),
                price=price,
                amount=Money(minor) if minor else None,
                visible=visible,
                position=n,
            )
        )
    await changes.commit(world.ctx.db, Change(tuple(rows)), world.ctx.now())
    page = await owner.open(URL)
    buttons = re.findall(r'<span class="auto-button">(.*?)</span>', page.text)
    assert buttons[0].replace("\xa0", " ") == "Маникюр · 1 500 ₽"
    assert len(buttons) == 2
    assert all(len(one) <= 40 for one in buttons)


async def test_wrong_fields_are_named_and_nothing_typed_is_lost(
    owner: Browser, world: World
) -> None:
    await owner.open(URL)
    form = week(on="1", closed="1", greeting="о" * 1001, closed_text="Спим")
    form |= {"opens-1": "20:00", "closes-1": "10:00", "opens-2": "утром", "closes-2": ""}
    form |= {"opens-6": "чушь", "closes-6": "99:99"}  # of a day off nobody asks the time
    answer = await owner.send(URL, **form)
    assert answer.status_code == 422
    page = answer.text
    assert "не больше 1000 знаков" in fault(page, "greeting")
    assert "позже открытия" in fault(page, "hours-1")
    assert "Введите время так" in fault(page, "hours-2")
    assert fault(page, "hours-6") == fault(page, "hours-0") == ""
    assert text(page, "greeting") == "о" * 1001
    assert text(page, "closed_text") == "Спим"
    assert on(page, "on")
    assert on(page, "closed")
    assert not on(page, "greet")
    assert (clock(page, "opens-1"), clock(page, "opens-2")) == ("20:00", "утром")
    assert clock(page, "closes-6") == "99:99"
    assert await kept(world) == AutoAnswers()


async def test_only_who_may_change_settings_comes_here(owner: Browser, world: World) -> None:
    await owner.open(URL)
    async with world.ctx.db.write() as tx:
        await tx.execute(ROLE, role=Role.OPERATOR, shop_id=world.shop.id)
    assert (await owner.open(URL)).status_code == 403
    assert (await owner.send(URL, **week(on="1"))).status_code == 403
    assert f'href="{URL}"' not in (await owner.open("/settings")).text
