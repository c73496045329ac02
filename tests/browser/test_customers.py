"""A seller finds a client's card, notes, merges two cards and undoes it, in Chromium."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import PHONE, Window, open_window

WIDE: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"}
TABLET: dict[str, Any] = {"viewport": {"width": 920, "height": 900}}
LONG_NAME = "Константина-Валентина Преображенская-Задунайская фон Штауффенберг"


async def pay(browser: Browser, demo: Demo, folder: Path, **answers: str) -> None:
    """Pay a new invoice as a client who gives these answers."""
    ask = [{"key": "email", "required": True}, {"key": "phone"}, {"key": "name"}]
    invoice = await demo.create_invoice(title="Стрижка", ask=ask)
    async with open_window(browser, folder, "payer", PHONE) as client:
        page = client.page
        await page.goto(invoice["url"])
        await steps.fill_answers(page, answers)
        await steps.accept_consent(page)
        await steps.go_to_bank(page)
        await steps.pay_by_card(page)
        await page.wait_for_url("**/r/*")


@pytest.mark.parametrize("size", [PHONE, TABLET, WIDE], ids=["360", "920", "1440"])
async def test_seller_merges_two_cards_of_one_client_and_undoes_it(
    browser: Browser, demo: Demo, screenshots_dir: Path, size: dict[str, Any]
) -> None:
    width = size["viewport"]["width"]
    phone = f"8 916 555-{width % 100:02d}-01"
    own, other = f"anna{width}@example.org", f"work{width}@example.org"
    await pay(browser, demo, screenshots_dir, email=own, phone=phone, name="Анна Лунная")
    await pay(browser, demo, screenshots_dir, email=other, phone=phone, name=LONG_NAME)
    async with open_window(browser, screenshots_dir, f"customers{width}", size) as seller:
        page = seller.page
        await steps.sign_in(page, demo)
        await page.goto(f"{demo.app_url}/customers")
        await seller.check_page("list")
        await find(seller, own, "Анна Лунная")
        await page.get_by_role("textbox", name="Заметки").fill("Аллергия на лак «Рубин»")
        await page.get_by_role("textbox", name="Метки", exact=True).fill("постоянная, опт")
        await page.get_by_role("button", name="Сохранить").click()
        await expect(page.get_by_role("link", name="#постоянная")).to_be_visible()
        await expect(page.get_by_text("общий телефон")).to_be_visible()
        await seller.check_page("card")
        await page.get_by_role("link", name="Сравнить и объединить").click()
        await seller.check_page("compare")
        await page.get_by_role("button", name="Объединить").click()
        await expect(page.get_by_text("Клиенты объединены.")).to_be_visible()
        await expect(page.locator("#payments > li")).to_have_count(2)
        await seller.check_page("merged")
        await page.get_by_role("button", name="Отменить").click()
        await expect(page.get_by_text("Отменено.")).to_be_visible()
        await expect(page.locator("#payments > li")).to_have_count(1)
        await page.locator("summary", has_text="Разделить").click()
        await page.get_by_role("button", name="Отделить отмеченное").click()
        await expect(page.get_by_text("Отметьте хотя бы один контакт")).to_be_visible()
        await seller.check_page("split-refused")
        await page.get_by_role("link", name="Выставить счёт").first.click()
        await expect(page.get_by_text("Счёт для клиента: Анна Лунная")).to_be_visible()
        await page.goto(f"{demo.app_url}/customers?q=никого")
        await expect(page.get_by_text("Никого не нашли")).to_be_visible()
        await seller.check_page("nobody")


async def find(seller: Window, query: str, name: str) -> None:
    """Search the list and open the card."""
    page = seller.page
    await page.get_by_role("searchbox", name="Найти клиента").fill(query)
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name=name).click()
    await page.wait_for_url("**/customers/cus_*")
