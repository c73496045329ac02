"""The dialogs in Chromium: two people answer at once, a bad line, a phone, no script."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.async_api import Browser, Page, Route, expect

from sigma.domain.accounts.member import Role, User
from sigma.store.accounts import users
from sigma.web.app import create_app
from sigma_sandbox.app import Sandbox
from tests.browser.demo import free_port
from tests.browser.windows import DESK, PHONE, window
from tests.vk_world import VkWorld, open_vk_world

LONG = "Здравствуйте! Можно ли записаться на маникюр с покрытием и дизайном? " * 6


@dataclass
class Office:
    """A shop with its community, and the cabinet in which its people sit."""

    world: VkWorld
    app: str

    async def says(self, text: str, person: int = 0) -> None:
        """A client writes and Sigma hears it."""
        await self.world.client_writes(text, person)
        await self.world.hear()

    async def dialog(self) -> str:
        """The address of the first client's dialog."""
        return f"{self.app}/inbox/{(await self.world.conversation()).id}"

    async def colleague(self, name: str) -> str:
        """One more operator with the owner's password; the login."""
        ctx, shop_id = self.world.ctx, self.world.shop.id
        async with ctx.db.read() as tx:
            owner = await users.owner(tx, shop_id)
        assert owner is not None
        login = f"{len(name)}@example.org"
        user = User(ctx.new_id("usr", shop_id), login, owner.password_hash, name, "ru", ctx.now())
        async with ctx.db.write() as tx:
            await users.save(tx, replace(user))
            await users.add_member(tx, shop_id, user.id, Role.OPERATOR, ctx.now())
        return login

    async def enter(self, page: Page, login: str = "owner@example.org") -> None:
        """Signs in."""
        await page.goto(f"{self.app}/sign-in?next=/inbox")
        await page.locator("[name=login]").fill(login)
        await page.locator("[name=password]").fill(self.world.password)
        await page.get_by_role("button", name="Войти").click()
        await page.wait_for_url(f"{self.app}/inbox")


@asynccontextmanager
async def served(world: VkWorld) -> AsyncIterator[Office]:
    """The cabinet of a world on a free port."""
    app, port = create_app(world.ctx), free_port()
    config = uvicorn.Config(app, port=port, log_config=None, ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started)
    try:
        yield Office(world, f"http://127.0.0.1:{port}")
    finally:
        app.close()
        server.should_exit = True
        await running


@pytest.fixture
async def office(sqlite_database_url: str, sandbox: Sandbox) -> AsyncIterator[Office]:
    """A shop whose first client has just written."""
    async with open_vk_world(sqlite_database_url, sandbox) as world, served(world) as opened:
        await opened.says("Здравствуйте, сколько стоит маникюр?")
        yield opened


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Waits until something outside the page has happened."""
    for _ in range(200):
        if await true():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it has not happened")


def said(page: Page, text: str) -> Any:
    """The message of the dialog that says so."""
    return page.locator("#messages .bubble", has_text=text)


async def test_what_a_client_writes_appears_by_itself_and_an_answer_goes_from_the_keyboard(
    browser: Browser, office: Office, pictures: Path
) -> None:
    async with window(browser, pictures, "inbox-desk", DESK) as desk:
        page = desk.page
        await office.enter(page)
        await expect(page).to_have_title(re.compile(r"^\(1\) Диалоги"))
        await desk.look("list")
        await office.says("А есть время завтра?")
        await expect(page.locator(".talk-preview")).to_have_text("А есть время завтра?")
        await page.get_by_role("link", name="Иван Клиентов").click()
        await page.wait_for_url("**/inbox/dlg_*")
        await expect(page.locator("#unread")).to_be_hidden()
        field = page.get_by_label("Ваш ответ")
        await field.fill("ещё пишу, не мешайте")
        await office.says("И сколько это длится?")
        await expect(said(page, "И сколько это длится?")).to_be_in_viewport()
        await expect(page.locator("#inbox-news")).to_have_text("Новое сообщение: Иван Клиентов")
        await expect(field).to_have_value("ещё пишу, не мешайте")
        await field.fill("Полтора часа, 2 500 ₽")
        await field.press("Control+Enter")
        await expect(said(page, "Полтора часа")).to_have_count(1)
        await expect(field).to_have_value("")
        await expect(said(page, "Полтора часа").get_by_text("Отправляется")).to_be_visible()
        await until(lambda: _sent(office, "Полтора часа, 2 500 ₽"))
        await expect(said(page, "Полтора часа").get_by_text("отправлено")).to_be_attached()
        await desk.look("dialog")
        await expect(page.locator(".dialog-answered")).to_have_count(0)


async def _sent(office: Office, text: str) -> bool:
    await office.world.work()
    return (await office.world.texts_at_vk()).count(text) == 1


async def test_two_operators_see_each_other(
    browser: Browser, office: Office, pictures: Path
) -> None:
    anna = await office.colleague("Анна")
    async with (
        window(browser, pictures, "inbox-one", DESK) as one,
        window(browser, pictures, "inbox-two", DESK) as two,
    ):
        await office.enter(one.page)
        await office.enter(two.page, anna)
        await two.page.goto(await office.dialog())
        await two.page.get_by_label("Ваш ответ").press_sequentially("Здрав")
        await expect(one.page.locator(".talk-row")).to_contain_text("Отвечает Анна")
        await one.page.goto(await office.dialog())
        await expect(one.page.locator("#dialog-notes")).to_contain_text("Сейчас отвечает Анна")
        await one.look("somebody-answers")
        await expect(two.page.locator("#dialog-notes")).not_to_contain_text("отвечает")
        await two.page.get_by_label("Ваш ответ").fill("Добрый день")
        await two.page.get_by_role("button", name="Отправить").click()
        await expect(said(one.page, "Добрый день")).to_contain_text("Анна")
        await expect(one.page.locator("#dialog-notes")).not_to_contain_text("отвечает")


async def test_a_phone_goes_from_the_list_to_a_dialog_and_back(
    browser: Browser, office: Office, pictures: Path
) -> None:
    for n in range(3):
        await office.says(f"{LONG} {n}")
    async with window(browser, pictures, "inbox-phone", PHONE) as phone:
        page = phone.page
        await office.enter(page)
        await expect(page.locator(".place-inbox")).to_contain_text("1")
        await phone.look("list")
        await page.get_by_role("link", name="Иван Клиентов").click()
        await expect(page.locator(".place-inbox")).to_be_hidden()
        await expect(page.get_by_label("Ваш ответ")).to_be_in_viewport()
        await expect(page.locator("#messages .bubble").last).to_be_in_viewport()
        await phone.look("dialog")
        await page.get_by_role("link", name="Клиент и счета").click()
        await expect(page.get_by_role("link", name="Страница во ВКонтакте")).to_be_in_viewport()
        await phone.look("client")
        await page.get_by_role("link", name="Закрыть").click()
        await expect(page.get_by_role("link", name="Страница во ВКонтакте")).to_be_hidden()
        await page.get_by_role("link", name="К списку диалогов").click()
        await page.wait_for_url(f"{office.app}/inbox")


async def test_who_reads_above_is_not_moved_by_what_comes_below(
    browser: Browser, office: Office, pictures: Path
) -> None:
    for n in range(8):
        await office.world.client_writes(f"{LONG} {n}")
    await office.world.hear()
    async with window(browser, pictures, "inbox-above", DESK) as desk:
        page = desk.page
        await office.enter(page)
        await page.goto(await office.dialog())
        box = page.locator("#said")
        await box.evaluate("(e) => (e.scrollTop = -600)")
        above = page.locator("#messages .bubble").nth(4)
        before = await above.bounding_box()
        await office.says("Новое внизу")
        await expect(page.get_by_role("button", name="К последним")).to_be_visible()
        after = await above.bounding_box()
        assert before is not None
        assert after is not None
        assert abs(before["y"] - after["y"]) < 2
        await page.get_by_role("button", name="К последним").click()
        await expect(said(page, "Новое внизу")).to_be_in_viewport()


async def test_an_answer_survives_a_bad_line_and_goes_once(
    browser: Browser, office: Office
) -> None:
    context = await browser.new_context(**DESK, locale="ru-RU")
    page = await context.new_page()
    await office.enter(page)
    await page.goto(await office.dialog())
    field = page.get_by_label("Ваш ответ")
    lost = 0

    async def lose_the_answer(route: Route) -> None:
        """The server has it, the browser does not know."""
        nonlocal lost
        lost += 1
        if lost > 1:
            await route.continue_()
            return
        await route.fetch()
        await route.abort()

    await page.route("**/send*", lose_the_answer)
    await field.fill("Записала вас")
    await page.get_by_role("button", name="Отправить").click()
    await expect(said(page, "Записала вас").locator("time")).to_be_visible()
    assert lost
    await page.unroute("**/send*")
    await context.set_offline(True)
    await expect(page.locator("#no-line")).to_be_visible()
    await field.fill("До встречи")
    await page.get_by_role("button", name="Отправить").click()
    await expect(said(page, "До встречи").get_by_text("Нет связи")).to_be_visible()
    await field.fill("и этого не потеряем")
    await context.set_offline(False)
    await expect(page.locator("#no-line")).to_be_hidden()
    await until(lambda: _sent(office, "До встречи"))
    assert (await office.world.texts_at_vk())[1:] == ["Записала вас", "До встречи"]
    await expect(page.locator("#messages .bubble-out")).to_have_count(2)
    await page.reload()
    await expect(page.get_by_label("Ваш ответ")).to_have_value("и этого не потеряем")
    await context.close()


async def test_a_refused_answer_comes_back_into_the_field(browser: Browser, office: Office) -> None:
    context = await browser.new_context(**DESK, locale="ru-RU")
    page = await context.new_page()
    await office.enter(page)
    await page.goto(await office.dialog())
    await page.get_by_label("Приложить фото").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    await expect(page.locator("#composer-photo")).to_be_visible()
    await page.get_by_label("Ваш ответ").fill("Вот работа")
    await page.get_by_role("button", name="Отправить").click()
    await expect(page.get_by_text("Подойдёт фото JPG, PNG или GIF")).to_be_visible()
    await expect(page.get_by_label("Ваш ответ")).to_have_value("Вот работа")
    await expect(page.locator("#messages .bubble-out")).to_have_count(0)
    await context.close()


async def test_dialogs_work_without_a_script(
    browser: Browser, office: Office, pictures: Path
) -> None:
    async with window(browser, pictures, "inbox-plain", PHONE, java_script_enabled=False) as phone:
        page = phone.page
        await office.enter(page)
        await page.get_by_role("link", name="Без ответа").click()
        await page.get_by_role("link", name="Иван Клиентов").click()
        await phone.look("dialog")
        await page.get_by_label("Ваш ответ").fill("Две с половиной")
        await page.get_by_role("button", name="Отправить").click()
        await expect(said(page, "Две с половиной")).to_be_visible()
        await office.says("Спасибо")
        await page.reload()
        await expect(said(page, "Спасибо")).to_be_visible()
        await page.get_by_role("button", name="Ответа не нужно").click()
        await expect(page.get_by_role("button", name="Ответа не нужно")).to_have_count(0)
    assert "Две с половиной" in await office.world.texts_at_vk()


async def test_a_session_that_is_over_leads_to_the_door(browser: Browser, office: Office) -> None:
    context = await browser.new_context(**DESK, locale="ru-RU")
    page, other = await context.new_page(), await context.new_page()
    await office.enter(page)
    await page.goto(await office.dialog())
    await other.goto(f"{office.app}/settings")
    await other.get_by_role("main").get_by_role("button", name="Выйти").click()
    await office.says("Ау")
    await page.wait_for_url("**/sign-in?next=*")
    await context.close()
