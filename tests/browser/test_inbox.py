"""The inbox in Chromium: live updates, two operators, lost connections, phone, no JavaScript."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Browser, Locator, Page, Route, expect

from sigma.domain.accounts.member import Role, User
from sigma.store.accounts import members, users
from sigma.web.app import create_app
from sigma_sandbox.app import Sandbox
from tests.browser.demo import free_port
from tests.browser.waiting import wait_until
from tests.browser.windows import DESKTOP, PHONE, open_window
from tests.vk_world import VkWorld, open_vk_world

LONG_TEXT = "Здравствуйте! Можно ли записаться на маникюр с покрытием и дизайном? " * 6


@dataclass
class Inbox:
    """The served cabinet of a shop with a connected community."""

    world: VkWorld
    app: str

    async def receive(self, text: str, person: int = 0) -> None:
        """Write as a client at VK, then poll VK once so that Sigma stores the message."""
        await self.world.write_as_client(text, person)
        await self.world.poll_events()

    async def conversation_url(self) -> str:
        """Return the URL of the first client's conversation."""
        return f"{self.app}/inbox/{(await self.world.conversation()).id}"

    async def add_operator(self, name: str) -> str:
        """Add an operator with the owner's password; return the login."""
        ctx, shop_id = self.world.ctx, self.world.shop.id
        async with ctx.db.read() as tx:
            owner = await members.find_owner(tx, shop_id)
        assert owner is not None
        login = f"{len(name)}@example.org"
        user = User(
            ctx.new_id("usr", shop_id), login, owner.password_hash, name, "ru", ctx.now_us()
        )
        async with ctx.db.write() as tx:
            await users.save(tx, replace(user))
            await members.add(tx, shop_id, user.id, Role.OPERATOR, ctx.now_us())
        return login

    async def sign_in(self, page: Page, login: str = "owner@example.org") -> None:
        """Sign in and open the list of conversations."""
        await page.goto(f"{self.app}/sign-in?next=/inbox")
        await page.locator("[name=login]").fill(login)
        await page.locator("[name=password]").fill(self.world.password)
        await page.get_by_role("button", name="Войти").click()
        await page.wait_for_url(f"{self.app}/inbox")


@asynccontextmanager
async def serve(world: VkWorld) -> AsyncIterator[Inbox]:
    """Serve the cabinet of a world on a free port."""
    app, port = create_app(world.ctx), free_port()
    config = uvicorn.Config(app, port=port, log_config=None, ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await wait_until(started)
    try:
        yield Inbox(world, f"http://127.0.0.1:{port}")
    finally:
        app.drain()
        server.should_exit = True
        await running


@pytest.fixture
async def inbox(sqlite_database_url: str, sandbox: Sandbox) -> AsyncIterator[Inbox]:
    """An inbox with one unread message from one client."""
    async with open_vk_world(sqlite_database_url, sandbox) as world, serve(world) as inbox:
        await inbox.receive("Здравствуйте, сколько стоит маникюр?")
        yield inbox


def message_bubble(page: Page, text: str) -> Locator:
    """Return the message with this text in the open conversation."""
    return page.locator("#messages .bubble", has_text=text)


async def test_new_message_appears_without_reload_and_reply_is_sent_from_keyboard(
    browser: Browser, inbox: Inbox, screenshots_dir: Path
) -> None:
    async with open_window(browser, screenshots_dir, "inbox-desk", DESKTOP) as desk:
        page = desk.page
        await inbox.sign_in(page)
        await expect(page).to_have_title(re.compile(r"^\(1\) Диалоги"))
        await desk.check_page("list")
        await inbox.receive("А есть время завтра?")
        await expect(page.locator(".inbox-row-preview")).to_have_text("А есть время завтра?")
        await page.get_by_role("link", name="Иван Клиентов").click()
        await page.wait_for_url("**/inbox/cnv_*")
        await expect(page.locator("#unread")).to_be_hidden()
        field = page.get_by_label("Ваш ответ")
        await field.fill("ещё пишу, не мешайте")
        await inbox.receive("И сколько это длится?")
        await expect(message_bubble(page, "И сколько это длится?")).to_be_in_viewport()
        await expect(page.locator("#inbox-news")).to_have_text("Новое сообщение: Иван Клиентов")
        await expect(field).to_have_value("ещё пишу, не мешайте")
        await field.fill("Полтора часа, 2 500 ₽")
        await field.press("Control+Enter")
        await expect(message_bubble(page, "Полтора часа")).to_have_count(1)
        await expect(field).to_have_value("")
        await expect(
            message_bubble(page, "Полтора часа").get_by_text("Отправляется")
        ).to_be_visible()
        await wait_until(lambda: _is_delivered_once(inbox, "Полтора часа, 2 500 ₽"))
        await expect(
            message_bubble(page, "Полтора часа").get_by_text("отправлено")
        ).to_be_attached()
        await desk.check_page("conversation")
        await expect(page.locator(".conversation-answered")).to_have_count(0)


async def _is_delivered_once(inbox: Inbox, text: str) -> bool:
    """Run the due jobs; return whether VK has the message exactly once."""
    await inbox.world.run_jobs()
    return (await inbox.world.vk_texts()).count(text) == 1


async def test_operator_sees_who_else_is_replying(
    browser: Browser, inbox: Inbox, screenshots_dir: Path
) -> None:
    anna = await inbox.add_operator("Анна")
    async with (
        open_window(browser, screenshots_dir, "inbox-one", DESKTOP) as one,
        open_window(browser, screenshots_dir, "inbox-two", DESKTOP) as two,
    ):
        await inbox.sign_in(one.page)
        await inbox.sign_in(two.page, anna)
        await two.page.goto(await inbox.conversation_url())
        await two.page.get_by_label("Ваш ответ").press_sequentially("Здрав")
        await expect(one.page.locator(".inbox-row")).to_contain_text("Отвечает Анна")
        await one.page.goto(await inbox.conversation_url())
        await expect(one.page.locator("#conversation-notes")).to_contain_text(
            "Сейчас отвечает Анна"
        )
        await one.check_page("operator-replying")
        await expect(two.page.locator("#conversation-notes")).not_to_contain_text("отвечает")
        await two.page.get_by_label("Ваш ответ").fill("Добрый день")
        await two.page.get_by_role("button", name="Отправить").click()
        await expect(message_bubble(one.page, "Добрый день")).to_contain_text("Анна")
        await expect(one.page.locator("#conversation-notes")).not_to_contain_text("отвечает")


async def test_phone_shows_list_conversation_and_client_one_at_a_time(
    browser: Browser, inbox: Inbox, screenshots_dir: Path
) -> None:
    for n in range(3):
        await inbox.receive(f"{LONG_TEXT} {n}")
    async with open_window(browser, screenshots_dir, "inbox-phone", PHONE) as phone:
        page = phone.page
        await inbox.sign_in(page)
        await expect(page.locator(".menu-item-inbox")).to_contain_text("1")
        await phone.check_page("list")
        await page.get_by_role("link", name="Иван Клиентов").click()
        await expect(page.locator(".menu-item-inbox")).to_be_hidden()
        await expect(page.get_by_label("Ваш ответ")).to_be_in_viewport()
        await expect(page.locator("#messages .bubble").last).to_be_in_viewport()
        await phone.check_page("conversation")
        await page.get_by_role("link", name="Клиент и счета").click()
        await expect(page.get_by_role("link", name="Страница во ВКонтакте")).to_be_in_viewport()
        await phone.check_page("client")
        await page.get_by_role("link", name="Закрыть").click()
        await expect(page.get_by_role("link", name="Страница во ВКонтакте")).to_be_hidden()
        await page.get_by_role("link", name="К списку диалогов").click()
        await page.wait_for_url(f"{inbox.app}/inbox")


async def test_new_message_keeps_scroll_position_and_shows_button_to_newest(
    browser: Browser, inbox: Inbox, screenshots_dir: Path
) -> None:
    for n in range(8):
        await inbox.world.write_as_client(f"{LONG_TEXT} {n}")
    await inbox.world.poll_events()
    async with open_window(browser, screenshots_dir, "inbox-above", DESKTOP) as desk:
        page = desk.page
        await inbox.sign_in(page)
        await page.goto(await inbox.conversation_url())
        await page.locator("#message-scroll").evaluate("(e) => (e.scrollTop = -600)")
        message_above = page.locator("#messages .bubble").nth(4)
        before = await message_above.bounding_box()
        await inbox.receive("Новое внизу")
        to_newest = page.get_by_role("button", name="К последним сообщениям")
        await expect(to_newest).to_be_visible()
        # The page marks the message read, which brings a second update without new messages.
        await expect(page.locator("#unread")).to_be_hidden()
        await expect(to_newest).to_be_visible()
        after = await message_above.bounding_box()
        assert before is not None
        assert after is not None
        assert abs(before["y"] - after["y"]) < 2
        await to_newest.click()
        await expect(message_bubble(page, "Новое внизу")).to_be_in_viewport()


async def test_reply_is_sent_once_despite_lost_response_and_lost_connection(
    browser: Browser, inbox: Inbox
) -> None:
    context = await browser.new_context(**DESKTOP, locale="ru-RU")
    page = await context.new_page()
    await inbox.sign_in(page)
    await page.goto(await inbox.conversation_url())
    field = page.get_by_label("Ваш ответ")
    send_requests = 0

    async def lose_first_response(route: Route) -> None:
        """Let the server store the message, but drop its response."""
        nonlocal send_requests
        send_requests += 1
        if send_requests > 1:
            await route.continue_()
            return
        await route.fetch()
        await route.abort()

    await page.route("**/send*", lose_first_response)
    await field.fill("Записала вас")
    await page.get_by_role("button", name="Отправить").click()
    await expect(message_bubble(page, "Записала вас").locator("time")).to_be_visible()
    assert send_requests
    await page.unroute("**/send*")
    await context.set_offline(True)
    await expect(page.locator("#offline-note")).to_be_visible()
    await field.fill("До встречи")
    await page.get_by_role("button", name="Отправить").click()
    await expect(message_bubble(page, "До встречи").get_by_text("Нет связи")).to_be_visible()
    await field.fill("и этого не потеряем")
    await context.set_offline(False)
    await expect(page.locator("#offline-note")).to_be_hidden()
    await wait_until(lambda: _is_delivered_once(inbox, "До встречи"))
    assert (await inbox.world.vk_texts())[1:] == ["Записала вас", "До встречи"]
    await expect(page.locator("#messages .bubble-out")).to_have_count(2)
    await page.reload()
    await expect(page.get_by_label("Ваш ответ")).to_have_value("и этого не потеряем")
    await context.close()


async def test_refused_reply_returns_to_message_field(browser: Browser, inbox: Inbox) -> None:
    context = await browser.new_context(**DESKTOP, locale="ru-RU")
    page = await context.new_page()
    await inbox.sign_in(page)
    await page.goto(await inbox.conversation_url())
    await page.get_by_label("Приложить фото").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"}
    )
    await expect(page.locator("#composer-photo")).to_be_visible()
    await page.get_by_label("Ваш ответ").fill("Вот работа")
    await page.get_by_role("button", name="Отправить").click()
    await expect(page.get_by_text("Подойдут JPEG, PNG и WebP")).to_be_visible()
    await expect(page.get_by_label("Ваш ответ")).to_have_value("Вот работа")
    await expect(page.locator("#messages .bubble-out")).to_have_count(0)
    await context.close()


async def test_conversation_works_without_javascript(
    browser: Browser, inbox: Inbox, screenshots_dir: Path
) -> None:
    async with open_window(
        browser, screenshots_dir, "inbox-plain", PHONE, java_script_enabled=False
    ) as phone:
        page = phone.page
        await inbox.sign_in(page)
        await page.get_by_role("link", name="Без ответа").click()
        await page.get_by_role("link", name="Иван Клиентов").click()
        await phone.check_page("conversation")
        await page.get_by_label("Ваш ответ").fill("Две с половиной")
        await page.get_by_role("button", name="Отправить").click()
        await expect(message_bubble(page, "Две с половиной")).to_be_visible()
        await inbox.receive("Спасибо")
        await page.reload()
        await expect(message_bubble(page, "Спасибо")).to_be_visible()
        await page.get_by_role("button", name="Ответ не нужен").click()
        await expect(page.get_by_role("button", name="Ответ не нужен")).to_have_count(0)
    assert "Две с половиной" in await inbox.world.vk_texts()


async def test_ended_session_leads_to_sign_in_page(browser: Browser, inbox: Inbox) -> None:
    context = await browser.new_context(**DESKTOP, locale="ru-RU")
    page, settings_page = await context.new_page(), await context.new_page()
    await inbox.sign_in(page)
    await page.goto(await inbox.conversation_url())
    await settings_page.goto(f"{inbox.app}/settings")
    await settings_page.get_by_role("main").get_by_role("button", name="Выйти").click()
    await settings_page.wait_for_url("**/sign-in*")
    await inbox.receive("Ау")
    await page.wait_for_url("**/sign-in?next=*")
    await context.close()


async def test_unsent_reply_is_stored_encrypted_and_leaves_the_browser_at_sign_out(
    browser: Browser, inbox: Inbox, screenshots_dir: Path
) -> None:
    typed = "Анна, ждём вас на Лесной, 5"
    async with open_window(browser, screenshots_dir, "inbox-draft", DESKTOP) as desk:
        page = desk.page
        await inbox.sign_in(page)
        await page.get_by_role("link", name="Иван Клиентов").click()
        await page.wait_for_url("**/inbox/cnv_*")
        await page.locator("#text").fill(typed)
        stored = """() => JSON.stringify({...sessionStorage, ...localStorage})"""
        await page.wait_for_function(f"({stored})().includes('inbox:draft:')")
        content = await page.evaluate(stored)
        databases = await page.evaluate("indexedDB.databases()")
        for word in ("Анна", "Лесной", "text", "\\u0410"):
            assert word not in content
        assert databases == []
        await page.reload()
        await expect(page.locator("#text")).to_have_value(typed)
        await page.evaluate("document.querySelector('form[action=\"/sign-out\"]').requestSubmit()")
        await page.wait_for_url("**/sign-in")
        left = json.loads(await page.evaluate(stored))
        # How far the list was scrolled, and the path of this page, by htmx.
        assert left | {"inbox:list": "0"} == {
            "inbox:list": "0",
            "htmx-current-path-for-history": "/sign-in",
        }
