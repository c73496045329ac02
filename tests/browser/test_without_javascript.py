"""Without JavaScript: issue, pay and refund an invoice, wait for the bank."""

from pathlib import Path

from playwright.async_api import Browser, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import open_window

SHOP_HOST = "shop.example"


async def test_invoice_is_issued_paid_and_refunded_without_javascript(
    browser: Browser, demo: Demo, screenshots_dir: Path
) -> None:
    async with (
        open_window(browser, screenshots_dir, "seller-plain", java_script_enabled=False) as seller,
        open_window(
            browser, screenshots_dir, "client-plain", shops=[SHOP_HOST], java_script_enabled=False
        ) as client,
    ):
        await steps.sign_in(seller.page, demo)
        await seller.page.goto(f"{demo.app_url}/invoices/new")
        await steps.fill_invoice(
            seller.page, "Стрижка", "2 700,50", "Длина", f"https://{SHOP_HOST}/thanks"
        )
        await seller.check_page("new-invoice")
        issued = await steps.issue_invoice(seller.page)
        await seller.check_page("invoice")
        page = client.page
        await page.goto(issued.payment_url)
        await client.check_page("pay")
        await steps.fill_answers(page, {"email": "plain@example.ru", "phone": "+7 916 7654321"})
        await page.get_by_label("Длина").fill("До плеч")
        await steps.accept_consent(page)
        await expect(page.locator("form button[type=submit]")).to_have_text("Оплатить 2 700,50 ₽")
        await steps.go_to_bank(page)
        await steps.pay_by_card(page)
        await page.wait_for_url("**/r/*")
        await client.check_page("receipt")
        await page.get_by_role("link", name="Вернуться к продавцу").click()
        await expect(page).to_have_url(f"https://{SHOP_HOST}/thanks")
        await steps.open_payment(seller.page, issued)
        await expect(seller.page.get_by_text("До плеч").first).to_be_visible()
        await steps.fill_refund_form(seller.page, "0,50", "Скидка")
        await seller.page.get_by_role("button", name="Вернуть 0,50 ₽").click()
        await steps.wait_for_text(seller.page, "Возвращён частично")


async def test_waiting_page_reloads_itself_without_javascript(
    browser: Browser, demo: Demo, screenshots_dir: Path
) -> None:
    invoice = await demo.create_invoice(ask=steps.QUESTIONS)
    async with open_window(
        browser, screenshots_dir, "wait-plain", java_script_enabled=False
    ) as client:
        page = client.page
        await page.goto(invoice["url"])
        await steps.fill_answers(page)
        await steps.accept_consent(page)
        bank_page = await steps.go_to_bank(page)
        await page.goto(invoice["url"])
        await page.get_by_role("link", name="Проверить результат").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Ждём подтверждения банка")
        await client.check_page("waiting")
        await demo.pay_at_bank(bank_page, steps.MIR)
        await page.wait_for_url("**/r/*")  # the page reloads itself (meta refresh)
