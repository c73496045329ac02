"""A team in the browser, on a phone and a desktop: a shop, an invitation, hand-over, removal."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import DESKTOP, PHONE, Window, open_window

PASSWORD = "три случайных слова"


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_shop_is_created_shared_handed_over_and_left(
    browser: Browser, demo: Demo, screenshots_dir: Path, size: dict[str, Any]
) -> None:
    width = size["viewport"]["width"]
    shop, login = f"Филиал {width}", f"colleague{width}@example.org"
    async with (
        open_window(browser, screenshots_dir, f"boss{width}", size) as boss,
        open_window(browser, screenshots_dir, f"colleague{width}", size) as colleague,
    ):
        await steps.sign_in(boss.page, demo)
        await _create_and_open_shop(boss, demo, shop)
        link = await _invite(boss, demo, login)
        assert link in (await demo.wait_for_mail(login, 1))["text"]
        await _accept(colleague, demo, link, shop)
        page = boss.page
        await page.goto(f"{demo.app_url}/settings/team")
        row = page.locator("tr", has_text=login)
        await row.locator("summary", has_text="Изменить роль").click()
        await row.locator("select[name=role]").select_option("admin")
        await boss.check_page("team-role")
        await row.get_by_role("button", name="Сохранить роль").click()
        await expect(page.get_by_text("Роль изменена")).to_be_visible()
        await row.locator("summary", has_text="Передать магазин").click()
        await boss.check_page("team-hand-over")
        await row.get_by_role("button", name="Передать магазин").click()
        await expect(page.get_by_text("Магазин передан")).to_be_visible()
        await boss.check_page("team-handed-over")
        await _remove(colleague, demo)
        await page.goto(f"{demo.app_url}/settings")
        await page.wait_for_url("**/sign-in*")
        await steps.sign_in(page, demo)
        await expect(page.locator("body")).not_to_contain_text(shop)


async def _create_and_open_shop(boss: Window, demo: Demo, shop: str) -> None:
    page = boss.page
    await page.goto(f"{demo.app_url}/settings")
    await page.get_by_role("link", name="Магазины Sigma").click()
    await page.locator("summary", has_text="Новый магазин").click()
    await page.get_by_role("button", name="Создать магазин").click()
    await expect(page.get_by_label("Название магазина", exact=True).last).to_be_visible()
    await boss.check_page("installation-wrong")
    await page.locator("[name=name]").fill(shop)
    await page.locator("[name=login]").fill(demo.info["login"])
    await page.get_by_role("button", name="Создать магазин").click()
    await expect(page.get_by_text(f"Магазин «{shop}» создан")).to_be_visible()
    await boss.check_page("installation")
    await page.get_by_role("link", name="без квот").first.click()
    await boss.check_page("quotas")
    await page.goto(f"{demo.app_url}/shops")
    await boss.check_page("own-shops")
    await page.locator("tr", has_text=shop).get_by_role("button", name="Открыть").click()
    await expect(page.get_by_text(f"Открыт магазин «{shop}»")).to_be_visible()
    await boss.check_page("switched")


async def _invite(boss: Window, demo: Demo, login: str) -> str:
    page = boss.page
    await page.goto(f"{demo.app_url}/settings")
    await page.get_by_role("link", name="Команда").click()
    await page.locator("summary", has_text="Что может каждая роль").click()
    await boss.check_page("team")
    await page.locator("[name=login]").fill(login)
    await page.get_by_role("radio", name="Бухгалтер").check()
    await page.get_by_role("button", name="Пригласить").click()
    link = await page.get_by_role("textbox", name="Ссылка приглашения").input_value()
    await boss.check_page("team-invited")
    return link


async def _accept(colleague: Window, demo: Demo, link: str, shop: str) -> None:
    page = colleague.page
    await page.goto(link)
    await colleague.check_page("invitation")
    await page.get_by_role("button", name="Принять приглашение").click()
    await expect(page.locator("#name-error")).to_be_visible()
    await colleague.check_page("invitation-wrong")
    await page.get_by_label("Ваше имя").fill("Клим Коллегин")
    await page.locator("[name=password]").fill(PASSWORD)
    await page.get_by_role("button", name="Принять приглашение").click()
    await page.wait_for_url(f"{demo.app_url}/")
    await expect(page.get_by_text(f"Вы в команде магазина «{shop}»")).to_be_visible()
    await colleague.check_page("accountant-home")
    await page.goto(link)
    await colleague.check_page("invitation-used")


async def _remove(colleague: Window, demo: Demo) -> None:
    page = colleague.page
    await page.goto(f"{demo.app_url}/settings/team")
    row = page.locator("tr", has_text=demo.info["login"])
    await row.locator("summary", has_text="Исключить").click()
    await colleague.check_page("team-remove")
    await row.get_by_role("button", name="Исключить из команды").click()
    await expect(page.get_by_text("Сотрудник исключён")).to_be_visible()


async def test_key_is_created_with_its_scopes(
    browser: Browser, demo: Demo, screenshots_dir: Path
) -> None:
    async with open_window(browser, screenshots_dir, "keys", PHONE) as owner:
        page = owner.page
        await steps.sign_in(page, demo)
        await page.goto(f"{demo.app_url}/settings/keys")
        await owner.check_page("keys")
        await page.get_by_label("Название").fill("Касса")
        await page.get_by_role("button", name="Создать ключ").click()
        await expect(page.locator("#scopes-error")).to_be_visible()
        await owner.check_page("keys-wrong")
        await page.get_by_label("Читать счета").check()
        await page.get_by_role("button", name="Создать ключ").click()
        await expect(page.get_by_text("Ключ создан")).to_be_visible()
        await owner.check_page("key-made")
        key = await page.get_by_role("textbox", name="Ключ").input_value()
        headers = {"Authorization": f"Bearer {key}"}
        allowed = await demo.http.get(f"{demo.app_url}/api/v1/invoices", headers=headers)
        refused = await demo.http.get(f"{demo.app_url}/api/v1/payments", headers=headers)
        assert (allowed.status_code, refused.status_code) == (200, 403)
