"""Auto-replies: greeting and payment link, an operator who takes over, a payment reminder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser import steps, vk_steps
from tests.browser.demo import Demo, running_demo
from tests.browser.vk_steps import vk_url
from tests.browser.windows import DESKTOP, PHONE, Window, open_window

SERVICE = "Маникюр с покрытием"
CLIENT = "Дмитрий Орлов"


@pytest.fixture
async def own_demo(tmp_path: Path) -> AsyncIterator[Demo]:
    """A separate demo, because this test turns auto-replies on."""
    async with running_demo(tmp_path) as demo:
        yield demo


async def test_client_gets_payment_link_by_auto_reply_and_reminder_from_operator(
    browser: Browser, own_demo: Demo, screenshots_dir: Path
) -> None:
    async with (
        open_window(browser, screenshots_dir, "auto-owner", DESKTOP) as owner,
        open_window(browser, screenshots_dir, "auto-client", PHONE) as client,
    ):
        await _enable_auto_replies(owner, own_demo)
        await _choose_service(client, own_demo)
        await _take_over(owner, client)
        await _remind(owner, client, own_demo)


async def _enable_auto_replies(owner: Window, demo: Demo) -> None:
    page = owner.page
    await steps.sign_in(page, demo)
    await page.goto(f"{demo.app_url}/settings")
    await page.get_by_role("link", name="Автоответы").click()
    await page.get_by_role("switch", name="Отвечать автоматически").check()
    await owner.check_page("settings")
    await page.get_by_role("button", name="Сохранить").click()
    await expect(page.get_by_text("Автоответы включены")).to_be_visible()


async def _choose_service(client: Window, demo: Demo) -> None:
    page = client.page
    await page.goto(vk_url(demo, "/vk/"))
    await page.get_by_role("button", name=CLIENT).click()
    await page.goto(vk_url(demo, "/vk/write-1"))
    await vk_steps.write_as_client(page, "Добрый вечер")
    await expect(_last_community_message(page)).to_contain_text("Выберите услугу")
    await client.check_page("greeting")
    service_button = page.get_by_role("button", name=SERVICE)
    await service_button.click()
    await expect(page.get_by_role("link", name="Оплатить 2 200")).to_be_visible()
    await expect(_last_community_message(page)).to_contain_text(f"Счёт № 1. {SERVICE}")
    await client.check_page("link")
    # The page ignores a press while the previous press of the same button is being sent.
    await expect(service_button).not_to_have_attribute("aria-busy", "true")
    await service_button.click()
    await expect(_last_community_message(page)).to_contain_text("уже выставлен")


async def _take_over(owner: Window, client: Window) -> None:
    page = owner.page
    await page.get_by_role("link", name="Диалоги").first.click()
    await page.locator(".inbox-row", has_text=CLIENT).get_by_role("link").click()
    await expect(page.locator("#messages")).to_contain_text("Автоответ")
    await expect(page.locator("#client")).to_contain_text(SERVICE)
    await page.get_by_role("button", name="Ответить самому").click()
    await expect(page.get_by_text("Автоответы в этом диалоге отключены")).to_be_visible()
    await owner.check_page("taken-over")
    service_button = client.page.get_by_role("button", name=SERVICE)
    await expect(service_button).not_to_have_attribute("aria-busy", "true")
    await service_button.click()
    await expect(page.locator("#messages .bubble-in")).to_have_count(4)
    await vk_steps.reply_as_operator(page, "Это Анна. Счёт уже у вас, отвечу на любые вопросы.")
    await expect(_last_community_message(client.page)).to_contain_text("Это Анна")


async def _remind(owner: Window, client: Window, demo: Demo) -> None:
    page = owner.page
    await page.goto(f"{demo.app_url}/board")
    item = page.locator(".board-item", has_text=CLIENT)
    await expect(item).to_have_count(1)
    await item.get_by_role("button", name="Напомнить").click()
    await expect(page.get_by_text("Напоминание отправлено")).to_be_visible()
    await expect(_last_community_message(client.page)).to_contain_text("Напоминаем")
    await owner.check_page("needs-action")
    await client.check_page("reminded")


def _last_community_message(page: Page) -> Locator:
    """Return the last message of the community on the client's page."""
    return page.locator(".vk-message:not(.mine)").last
