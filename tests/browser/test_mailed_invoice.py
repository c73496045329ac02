"""An invoice sent by e-mail from the form, its letter, the stop link, and the switches."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import PHONE, open_window

TABLET: dict[str, Any] = {"viewport": {"width": 920, "height": 900}}
WIDE: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}


@pytest.mark.parametrize(
    ("name", "size", "scheme"),
    [("phone", PHONE, "dark"), ("tablet", TABLET, "light"), ("wide", WIDE, "dark")],
)
async def test_invoice_is_mailed_and_its_reader_stops_further_letters(
    browser: Browser,
    demo: Demo,
    screenshots_dir: Path,
    name: str,
    size: dict[str, Any],
    scheme: Any,
) -> None:
    address = f"reader.{name}@example.ru"
    async with (
        open_window(
            browser, screenshots_dir, f"mail-seller-{name}", size, color_scheme=scheme
        ) as seller,
        open_window(
            browser, screenshots_dir, f"mail-client-{name}", size, color_scheme=scheme
        ) as client,
    ):
        page = seller.page
        await steps.sign_in(page, demo)
        await page.goto(f"{demo.app_url}/settings/reminders")
        await page.get_by_role("switch", name="Напоминать, если счёт истекает завтра").check()
        await seller.check_page("reminders")
        await page.get_by_role("button", name="Сохранить").click()
        await expect(page.get_by_text("Sigma будет напоминать клиентам")).to_be_visible()

        await page.goto(f"{demo.app_url}/invoices/new")
        await page.get_by_label("Название", exact=True).fill("Маникюр")
        await page.get_by_label("Сумма", exact=True).fill("1500")
        await page.get_by_role("radio", name="Через неделю").check()
        await page.get_by_label("E-mail клиента").fill(address)
        await steps.issue_invoice(page)
        await expect(page.get_by_text(address)).to_be_visible()
        await seller.check_page("invoice")
        await page.get_by_role("button", name="Не напоминать об этом счёте").click()
        await expect(page.get_by_text("Sigma не напоминает")).to_be_visible()

        letter = await demo.wait_for_mail(address, 1)
        links = re.findall(r"http://\S+", letter["text"])
        await client.page.goto(next(link for link in links if "/i/" in link))
        await client.check_page("payment")
        await client.page.goto(next(link for link in links if "/stop/" in link))
        await client.check_page("stop")
        await client.page.get_by_role("button", name="Больше не напоминать").click()
        await expect(client.page.get_by_role("heading", level=1)).to_have_text(
            "Больше не напоминаем"
        )
        await client.check_page("stopped")
