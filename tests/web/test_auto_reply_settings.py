"""Settings page of auto-replies: off by default, stored as typed, errors beside their fields."""

import re
from typing import Any

from sigma.domain.accounts.member import Role
from sigma.domain.catalogue.service import PriceKind, Service
from sigma.domain.change import Change
from sigma.domain.messaging.auto_reply import AutoReplySettings
from sigma.domain.money import Money
from sigma.services.invoice_cards import auto_reply
from sigma.store import changes
from sigma.store.engine.statements import text_statement
from tests.web.cabinet_harness import CabinetBrowser, field_error, visible_text
from tests.world import World

URL = "/settings/auto-answers"
SET_ROLE = text_statement(
    "UPDATE members SET role = :role WHERE shop_id = :shop_id", "role", "shop_id"
)


def rules_form(**changes: Any) -> dict[str, str]:
    """Return a filled form: open 10:00-20:00 on weekdays, closed at the weekend."""
    times = {f"opens-{n}": "10:00" for n in range(7)} | {f"closes-{n}": "20:00" for n in range(7)}
    return times | {f"works-{n}": "1" for n in range(5)} | changes


def is_checked(page: str, name: str) -> bool:
    """Return whether this checkbox of the page is checked."""
    match = re.search(rf'<input type="checkbox"[^>]*name="{name}"[^>]*>', page)
    assert match, f"no checkbox {name}"
    return " checked" in match[0]


def textarea(page: str, name: str) -> str:
    """Return the content of a textarea."""
    match = re.search(rf'<textarea id="{name}"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert match, f"no textarea {name}"
    return match[1]


def time_value(page: str, name: str) -> str:
    """Return the value of a time field."""
    match = re.search(rf'name="{name}"[^>]*value="([^"]*)"', page)
    assert match, f"no time field {name}"
    return match[1]


async def stored_rules(world: World) -> AutoReplySettings:
    """Return the stored rules."""
    return await auto_reply.get_settings(world.ctx, world.member)


async def test_auto_replies_are_off_by_default(owner_browser: CabinetBrowser, world: World) -> None:
    page = await owner_browser.open(URL)
    assert page.status_code == 200
    assert not is_checked(page.text, "on")
    assert "Ответить самому можно в любой момент" in visible_text(page.text)
    assert "старше 10 минут" in visible_text(page.text)
    assert "Часовой пояс: Москва, UTC+3" in visible_text(page.text)
    assert (time_value(page.text, "opens-0"), time_value(page.text, "closes-4")) == (
        "10:00",
        "20:00",
    )
    assert is_checked(page.text, "works-4")
    assert not is_checked(page.text, "works-5")
    assert f'href="{URL}"' in (await owner_browser.open("/settings")).text
    assert not (await stored_rules(world)).enabled


async def test_submitted_rules_are_stored_and_shown(
    owner_browser: CabinetBrowser, world: World
) -> None:
    await owner_browser.open(URL)
    form = rules_form(
        on="1", greet="1", closed="1", greeting="Привет\r\n<b>всем</b>", closed_text=" Спим "
    )
    form |= {"works-5": "1", "opens-5": "9:30", "closes-5": "00:00"}
    saved = await owner_browser.submit(URL, **form)
    assert (saved.status_code, saved.headers["location"]) == (303, URL)
    day = (600, 1200)
    assert await stored_rules(world) == AutoReplySettings(
        enabled=True,
        greeting_enabled=True,
        greeting="Привет\n<b>всем</b>",
        invoice_enabled=False,
        closed_enabled=True,
        closed_text="Спим",
        hours=(day, day, day, day, day, (570, 1440), None),
    )
    page = await owner_browser.open(URL)
    assert "Автоответы включены" in visible_text(page.text)
    assert is_checked(page.text, "on")
    assert not is_checked(page.text, "invoice")
    assert "Привет\n&lt;b&gt;всем" in textarea(page.text, "greeting")
    assert "<b>всем" not in page.text
    assert (time_value(page.text, "opens-5"), time_value(page.text, "closes-5")) == (
        "09:30",
        "00:00",
    )
    await owner_browser.submit(URL, **rules_form())
    assert "Автоответы выключены" in visible_text((await owner_browser.open(URL)).text)


async def test_page_shows_the_service_buttons_of_the_auto_reply(
    owner_browser: CabinetBrowser, world: World
) -> None:
    assert "нет услуг, видимых клиентам" in visible_text((await owner_browser.open(URL)).text)
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
                world.ctx.now_us(),
                price_kind=price,
                amount=Money(minor) if minor else None,
                is_visible=visible,
                position=n,
            )
        )
    await changes.commit(world.ctx.db, Change(tuple(rows)), world.ctx.now_us())
    page = await owner_browser.open(URL)
    buttons = re.findall(r'<span class="auto-button">(.*?)</span>', page.text)
    assert buttons[0].replace("\xa0", " ") == "Маникюр · 1 500 ₽"
    assert len(buttons) == 2
    assert all(len(label) <= 40 for label in buttons)


async def test_invalid_form_shows_errors_and_keeps_the_input(
    owner_browser: CabinetBrowser, world: World
) -> None:
    await owner_browser.open(URL)
    form = rules_form(on="1", closed="1", greeting="о" * 1001, closed_text="Спим")
    form |= {"opens-1": "20:00", "closes-1": "10:00", "opens-2": "утром", "closes-2": ""}
    form |= {"opens-6": "чушь", "closes-6": "99:99"}  # times of a day off are not checked
    response = await owner_browser.submit(URL, **form)
    assert response.status_code == 422
    page = response.text
    assert "не больше 1000 символов" in field_error(page, "greeting")
    assert "позже открытия" in field_error(page, "hours-1")
    assert "Введите время так" in field_error(page, "hours-2")
    assert field_error(page, "hours-6") == field_error(page, "hours-0") == ""
    assert textarea(page, "greeting") == "о" * 1001
    assert textarea(page, "closed_text") == "Спим"
    assert is_checked(page, "on")
    assert is_checked(page, "closed")
    assert not is_checked(page, "greet")
    assert (time_value(page, "opens-1"), time_value(page, "opens-2")) == ("20:00", "утром")
    assert time_value(page, "closes-6") == "99:99"
    assert await stored_rules(world) == AutoReplySettings()


async def test_operator_cannot_open_or_change_auto_replies(
    owner_browser: CabinetBrowser, world: World
) -> None:
    await owner_browser.open(URL)
    async with world.ctx.db.write() as tx:
        await tx.execute(SET_ROLE, role=Role.OPERATOR, shop_id=world.shop.id)
    assert (await owner_browser.open(URL)).status_code == 403
    assert (await owner_browser.submit(URL, **rules_form(on="1"))).status_code == 403
    assert f'href="{URL}"' not in (await owner_browser.open("/settings")).text
