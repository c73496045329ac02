"""Without JavaScript everything works: issuing, paying, waiting."""

from pathlib import Path

from playwright.async_api import Browser, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import window

SHOP = "shop.example"


async def test_an_invoice_is_issued_and_paid_without_scripts(
    browser: Browser, demo: Demo, pictures: Path
) -> None:
    plain = {"java_script_enabled": False}
    async with (
        window(browser, pictures, "seller-plain", **plain) as seller,
        window(browser, pictures, "client-plain", shops=[SHOP], **plain) as client,
    ):
        await steps.sign_in(seller.page, demo)
        await seller.page.goto(f"{demo.app}/invoices/new")
        await steps.fill_invoice(
            seller.page, "Стрижка", "2 700,50", "Длина", f"https://{SHOP}/thanks"
        )
        await seller.look("new-invoice")
        issued = await steps.issue(seller.page)
        await seller.look("invoice")
        page = client.page
        await page.goto(issued.link)
        await client.look("pay")
        await steps.answer(page, {"email": "plain@example.ru", "phone": "+7 916 7654321"})
        await page.get_by_label("Длина").fill("До плеч")
        await steps.agree(page)
        await expect(page.locator("form button[type=submit]")).to_have_text("Оплатить 2 700,50 ₽")
        await steps.to_bank(page)
        await steps.pay_by_card(page)
        await page.wait_for_url("**/r/*")
        await client.look("receipt")
        await page.get_by_role("link", name="Вернуться в магазин").click()
        assert page.url == f"https://{SHOP}/thanks"
        await steps.open_operation(seller.page, issued)
        await expect(seller.page.get_by_text("До плеч").first).to_be_visible()
        await steps.ask_refund(seller.page, "0,50", "Скидка")
        await seller.page.get_by_role("button", name="Вернуть 0,50 ₽").click()
        await steps.shown_after_reloads(seller.page, "Возвращён частично")


async def test_the_waiting_page_goes_on_without_scripts(
    browser: Browser, demo: Demo, pictures: Path
) -> None:
    made = await demo.invoice(ask=steps.ASK)
    async with window(browser, pictures, "wait-plain", java_script_enabled=False) as client:
        page = client.page
        await page.goto(made["url"])
        await steps.answer(page)
        await steps.agree(page)
        bank_page = await steps.to_bank(page)
        await page.goto(made["url"])
        await page.get_by_role("link", name="Проверить результат").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Ждём подтверждения банка")
        await client.look("waiting")
        await demo.pay_at_bank(bank_page, steps.MIR)
        await page.wait_for_url("**/r/*")  # the page asked again by itself
