"""A seller exports and erases a client's data, and reads who did it, in Chromium."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import DESKTOP, PHONE, open_window


@pytest.mark.parametrize(("name", "size"), [("phone", PHONE), ("desk", DESKTOP)])
async def test_seller_exports_and_erases_a_client(
    browser: Browser, demo: Demo, screenshots_dir: Path, name: str, size: dict[str, Any]
) -> None:
    email = f"erase-{name}@example.org"
    ask = [{"key": "email", "required": True}, {"key": "name"}]
    invoice = await demo.create_invoice(title="Стрижка", ask=ask)
    async with (
        open_window(browser, screenshots_dir, f"data-client-{name}", size) as client,
        open_window(browser, screenshots_dir, f"data-seller-{name}", size) as seller,
    ):
        page = client.page
        await page.goto(invoice["url"])
        await steps.fill_answers(page, {"email": email, "name": "Роза Лунная"})
        await steps.accept_consent(page)
        await steps.go_to_bank(page)
        await steps.pay_by_card(page)
        await page.wait_for_url("**/r/*")

        page = seller.page
        await steps.sign_in(page, demo)
        await page.goto(f"{demo.app_url}/settings/data")
        await seller.check_page("periods")
        await page.get_by_role("link", name="Найти клиента").click()
        await page.get_by_role("searchbox", name="Найти клиента").fill(email)
        await page.get_by_role("button", name="Найти клиента").click()
        await page.get_by_role("link", name="Роза Лунная").click()
        await page.wait_for_url("**/customers/cus_*")
        await seller.check_page("card")
        await page.get_by_role("link", name="Данные клиента").click()
        await page.wait_for_url("**/data")
        await seller.check_page("client")
        async with page.expect_download() as started:
            await page.get_by_role("button", name="Выгрузить данные").click()
        with zipfile.ZipFile(await (await started.value).path()) as archive:
            document = json.loads(archive.read("client.json"))
        texts = [one["text"] for one in document["answers"][0]["answers"]]
        assert texts == [email, "Роза Лунная"]

        await page.get_by_role("button", name="Удалить данные").click()
        await expect(page.get_by_text("Напишите слово как показано.")).to_be_visible()
        await seller.check_page("refused")
        await page.get_by_label("Напишите УДАЛИТЬ, чтобы подтвердить").fill("УДАЛИТЬ")
        await page.get_by_role("button", name="Удалить данные").click()
        await page.wait_for_url("**/settings/data")
        await expect(page.get_by_text("Данные клиента удалены.")).to_be_visible()
        await seller.check_page("erased")

        await page.goto(f"{demo.app_url}/settings/audit")
        await expect(page.locator("#audit tr").first).to_contain_text("Данные клиента удалены")
        await seller.check_page("audit")
        await page.get_by_text("Найти в журнале").click()
        await page.get_by_label("Что сделано").select_option(label="Данные клиента выгружены")
        await page.get_by_role("button", name="Найти").click()
        rows = page.locator("#audit tr")
        await expect(rows.first).to_contain_text("Данные клиента выгружены")
        await seller.check_page("audit-found")
        await page.goto(f"{demo.app_url}/invoices/new")
        await seller.check_page("keep-days")
