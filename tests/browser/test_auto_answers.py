"""A client is greeted and gets a link while nobody is there; a person takes over and reminds."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser import steps, vk_steps
from tests.browser.demo import Demo, running_demo
from tests.browser.vk_steps import vk
from tests.browser.windows import DESK, PHONE, Window, window

SERVICE = "Маникюр с покрытием"
CLIENT = "Дмитрий Орлов"


@pytest.fixture
async def quiet_demo(tmp_path: Path) -> AsyncIterator[Demo]:
    """A demo of its own: here the shop answers by itself."""
    async with running_demo(tmp_path) as started:
        yield started


async def test_a_client_gets_a_link_from_nobody_and_a_reminder_from_somebody(
    browser: Browser, quiet_demo: Demo, pictures: Path
) -> None:
    async with (
        window(browser, pictures, "auto-owner", DESK) as owner,
        window(browser, pictures, "auto-client", PHONE) as client,
    ):
        await _switch_on(owner, quiet_demo)
        await _choose(client, quiet_demo)
        await _take_over(owner, client)
        await _remind(owner, client, quiet_demo)


async def _switch_on(owner: Window, demo: Demo) -> None:
    page = owner.page
    await steps.sign_in(page, demo)
    await page.goto(f"{demo.app}/settings")
    await page.get_by_role("link", name="Автоответы").click()
    await page.get_by_role("switch", name="Отвечать автоматически").check()
    await owner.look("settings")
    await page.get_by_role("button", name="Сохранить").click()
    await expect(page.get_by_text("Автоответы включены")).to_be_visible()


async def _choose(client: Window, demo: Demo) -> None:
    page = client.page
    await page.goto(vk(demo, "/vk/"))
    await page.get_by_role("button", name=CLIENT).click()
    await page.goto(vk(demo, "/vk/write-1"))
    await vk_steps.write(page, "Добрый вечер")
    await expect(_theirs(page)).to_contain_text("Выберите услугу")
    await client.look("greeting")
    await page.get_by_role("button", name=SERVICE).click()
    await expect(page.get_by_role("link", name="Оплатить 2 200")).to_be_visible()
    await expect(_theirs(page)).to_contain_text(f"Счёт № 1. {SERVICE}")
    await client.look("link")
    await page.get_by_role("button", name=SERVICE).click()
    await expect(_theirs(page)).to_contain_text("уже ждёт вас")


async def _take_over(owner: Window, client: Window) -> None:
    page = owner.page
    await page.get_by_role("link", name="Диалоги").first.click()
    await page.locator(".talk-row", has_text=CLIENT).get_by_role("link").click()
    await expect(page.locator("#messages")).to_contain_text("Написано автоматически")
    await expect(page.locator("#client")).to_contain_text(SERVICE)
    await page.get_by_role("button", name="Взять на себя").click()
    await expect(page.get_by_text("автоответы молчат")).to_be_visible()
    await owner.look("taken-over")
    await client.page.get_by_role("button", name=SERVICE).click()
    await expect(page.locator("#messages .bubble-in")).to_have_count(4)
    await vk_steps.answer(page, "Это Анна. Счёт уже у вас, отвечу на любые вопросы.")
    await expect(_theirs(client.page)).to_contain_text("Это Анна")


async def _remind(owner: Window, client: Window, demo: Demo) -> None:
    page = owner.page
    await page.goto(f"{demo.app}/board")
    line = page.locator(".board-line", has_text=CLIENT)
    await expect(line).to_have_count(1)
    await line.get_by_role("button", name="Напомнить").click()
    await expect(page.get_by_text("Напоминание отправлено в диалог")).to_be_visible()
    await expect(_theirs(client.page)).to_contain_text("Напоминаем")
    await owner.look("board")
    await client.look("reminded")


def _theirs(page: Page) -> Locator:
    """The last message of the community."""
    return page.locator(".vk-message:not(.mine)").last
