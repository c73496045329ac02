"""Figures and a month's statement in the browser, on a phone, a tablet and a desktop."""

import io
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from playwright.async_api import Browser, Page, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import PHONE, open_window

TABLET: dict[str, Any] = {"viewport": {"width": 920, "height": 800}}
WIDE: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}


async def pay_as_client(page: Page, demo: Demo, title: str) -> None:
    """Pay an invoice as a client does, with the page's script: so it counts as opened."""
    invoice = await demo.create_invoice(
        title=title, amount={"value": "1500.00", "currency": "RUB"}, ask=[]
    )
    async with page.expect_response(lambda response: response.url.endswith("/seen")):
        await page.goto(invoice["url"])
    await steps.go_to_bank(page)
    await steps.pay_by_card(page)
    await expect(page.locator("body")).to_contain_text("Оплачено")


@pytest.mark.parametrize("size", [PHONE, TABLET, WIDE], ids=["phone", "tablet", "wide"])
async def test_figures_and_statement_are_read_on_every_screen(
    browser: Browser, demo: Demo, screenshots_dir: Path, size: dict[str, Any]
) -> None:
    width = size["viewport"]["width"]
    title = f"Очень длинное название услуги, которое не помещается в строку {width}"
    async with (
        open_window(browser, screenshots_dir, f"payer{width}", size) as payer,
        open_window(browser, screenshots_dir, f"accountant{width}", size) as boss,
    ):
        await pay_as_client(payer.page, demo, title)
        page = boss.page
        await steps.sign_in(page, demo)
        figures = page.locator("#figures")
        await expect(figures).to_contain_text("Чистыми")
        await boss.check_page("figures")
        await figures.get_by_role("link", name="30 дней").click()
        await expect(figures.get_by_role("link", name="30 дней")).to_have_attribute(
            "aria-current", "true"
        )
        chart = figures.get_by_role("img", name="График")
        await expect(chart).to_be_visible()
        await figures.locator("summary", has_text="Таблица по дням").click()
        await expect(figures.get_by_role("table", name="Таблица по дням")).to_be_visible()
        await boss.check_page("figures-table")
        await figures.locator("summary", has_text="Свой период").click()
        await figures.get_by_label("С какого дня").fill("2026-01-02")
        await figures.get_by_label("По какой день").fill("2026-01-01")
        await figures.get_by_role("button", name="Показать").click()
        await expect(figures).to_contain_text("Период пуст")
        await boss.check_page("figures-wrong")
        await figures.get_by_role("link", name="Отчёт за месяц").click()
        await expect(page.locator("h1")).to_have_text("Отчёт за месяц")
        await page.locator("summary", has_text="Итоги по дням").click()
        await boss.check_page("statement")
        async with page.expect_download() as download:
            await page.get_by_role("link", name="Скачать Excel (XLSX)").click()
        path = await (await download.value).path()
        operations = load_workbook(io.BytesIO(path.read_bytes())).worksheets[1]
        assert any(title in str(row) for row in operations.iter_rows(values_only=True))
