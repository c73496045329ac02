"""The lists of payments and invoices in a browser: filters by thumb, live rows, no cut columns."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import PHONE, open_window

SIZES = {
    "phone": PHONE,
    "half": {"viewport": {"width": 920, "height": 800}},
    "desk": {"viewport": {"width": 1440, "height": 900}},
}
ASK = [{"key": "email", "required": True}, {"key": "name"}]


@pytest.mark.parametrize("name", SIZES)
async def test_list_is_filtered_saved_and_updates_by_itself(
    browser: Browser, demo: Demo, screenshots_dir: Path, name: str
) -> None:
    title = f"Букет {name}"
    invoice = await demo.create_invoice(
        title=title, amount={"value": "1777.00", "currency": "RUB"}, ask=ASK
    )
    async with (
        open_window(browser, screenshots_dir, f"lists-seller-{name}", SIZES[name]) as seller,
        open_window(browser, screenshots_dir, f"lists-client-{name}", SIZES[name]) as client,
    ):
        page = seller.page
        await steps.sign_in(page, demo)
        await page.goto(f"{demo.app_url}/invoices?q={title}")
        row = page.locator("#invoices tr")
        await expect(row).to_have_count(1)
        # The row turns to "paid" without a reload while the client pays.
        await client.page.goto(invoice["url"])
        await steps.fill_answers(
            client.page, {"email": f"{name}@example.net", "name": "Анна Кузнецова"}
        )
        await steps.accept_consent(client.page)
        await steps.go_to_bank(client.page)
        await steps.pay_by_card(client.page)
        await client.page.wait_for_url("**/r/*")
        await expect(row.locator(".chip")).to_have_text("Оплачен")
        await expect(row.locator(".payer-name")).to_have_text("Анна Кузнецова")
        await seller.check_page("invoices")

        await page.goto(f"{demo.app_url}/payments")
        await page.get_by_role("link", name="Сегодня").click()
        await page.locator(".filter-panel > summary").click()
        await seller.check_page("panel")
        await page.locator("#amount_from").fill("1 777,00")
        await page.locator("#amount_to").fill("1777")
        await page.locator("#status").select_option("captured")
        await page.get_by_role("button", name="Показать", exact=True).click()
        await expect(page.locator("#list-totals")).to_contain_text("Найден")
        await expect(page.locator("#payments")).to_contain_text(title)
        await seller.check_page("payments")
        await page.locator(".filter-panel > summary").click()
        await page.locator("#name").fill(f"Мой {name}")
        await page.get_by_role("button", name="Сохранить фильтр").click()
        await expect(page.get_by_role("link", name=f"Мой {name}")).to_have_attribute(
            "aria-current", "true"
        )
        await page.get_by_role("searchbox").fill(f"{name}@example.net")
        await page.get_by_role("searchbox").press("Enter")
        await expect(page.locator("#payments tr")).to_have_count(1)
