"""A payment with an unknown outcome: the client waits, and the page continues by itself."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import Window, open_window


@pytest.fixture
async def acquirer_account(demo: Demo) -> AsyncIterator[str]:
    """Yield the shop's account number at the bank; remove its faults afterwards."""
    invoice = await demo.create_invoice()
    started = await demo.http.post(invoice["url"], data={"nonce": "learn-account-number"})
    paid = await demo.pay_at_bank(started.headers["location"], steps.MIR)
    number = str(paid["recipient"]["account_id"])
    yield number
    await demo.http.delete(f"{demo.info['sandbox_url']}/control", params={"shop": number})


async def _start_payment(client: Window, url: str) -> Page:
    page = client.page
    await page.goto(url)
    await steps.fill_answers(page)
    await steps.accept_consent(page)
    await page.locator("form button[type=submit]").click()
    return page


async def test_lost_response_shows_unknown_outcome_until_bank_is_queried_again(
    browser: Browser, demo: Demo, screenshots_dir: Path, acquirer_account: str
) -> None:
    invoice = await demo.create_invoice(ask=steps.QUESTIONS)
    await demo.inject_faults(shop=acquirer_account, cut_answer={"on": "create"})
    async with open_window(browser, screenshots_dir, "unknown") as client:
        page = await _start_payment(client, invoice["url"])
        await page.wait_for_url("**/wait/*")
        heading = page.get_by_role("heading", level=1)
        await expect(heading).to_have_text("Уточняем у банка")
        await expect(page.get_by_text("Не платите второй раз")).to_be_visible()
        await client.check_page("unknown")
        await page.reload()
        await expect(heading).to_have_text("Уточняем у банка")
        await page.goto(invoice["url"])  # as after closing the tab and opening the link again
        await page.get_by_role("link", name="Проверить результат").click()
        await expect(heading).to_have_text("Уточняем у банка")

        await demo.inject_faults(shop=acquirer_account, cut_answer=None)
        await expect(heading).to_have_text("Ждём подтверждения банка")
        await client.check_page("known")
        await page.get_by_role("link", name="Вернуться на страницу оплаты").click()
        await steps.pay_by_card(page)
        await page.wait_for_url("**/r/*")
    assert [p["status"] for p in await demo.list_payments(invoice)] == ["captured"]


async def test_captured_payment_is_found_after_bank_errors_without_notice(
    browser: Browser, demo: Demo, screenshots_dir: Path, acquirer_account: str
) -> None:
    invoice = await demo.create_invoice(ask=steps.QUESTIONS)
    async with open_window(browser, screenshots_dir, "silent") as client:
        page = client.page
        await page.goto(invoice["url"])
        await steps.fill_answers(page)
        await steps.accept_consent(page)
        await steps.go_to_bank(page)
        await demo.inject_faults(
            shop=acquirer_account, http_500_before={"on": "get"}, notices_off=True
        )
        await steps.pay_by_card(page)
        await page.wait_for_url("**/wait/*")
        await client.check_page("waiting")
        await page.reload()
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await demo.inject_faults(shop=acquirer_account, http_500_before=None)
        await page.wait_for_url("**/r/*")  # found by polling: no notice was sent
    assert [p["status"] for p in await demo.list_payments(invoice)] == ["captured"]
