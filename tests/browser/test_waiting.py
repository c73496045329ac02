"""When the bank does not say what became of a payment, the client waits in an honest way."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import Window, window


@pytest.fixture
async def account(demo: Demo) -> AsyncIterator[str]:
    """The shop's number at the bank; afterwards the bank behaves again."""
    made = await demo.invoice()
    started = await demo.http.post(made["url"], data={"nonce": "to-learn-the-account"})
    paid = await demo.pay_at_bank(started.headers["location"], steps.MIR)
    number = str(paid["recipient"]["account_id"])
    yield number
    await demo.http.delete(f"{demo.told['sandbox_url']}/control", params={"shop": number})


async def _press_pay(client: Window, url: str) -> Page:
    page = client.page
    await page.goto(url)
    await steps.answer(page)
    await steps.agree(page)
    await page.locator("form button[type=submit]").click()
    return page


async def test_a_lost_answer_is_told_honestly_and_survives_a_reload(
    browser: Browser, demo: Demo, pictures: Path, account: str
) -> None:
    made = await demo.invoice(ask=steps.ASK)
    await demo.control(shop=account, cut_answer={"on": "create"})
    async with window(browser, pictures, "unknown") as client:
        page = await _press_pay(client, made["url"])
        await page.wait_for_url("**/wait/*")
        heading = page.get_by_role("heading", level=1)
        await expect(heading).to_have_text("Уточняем у банка")
        await expect(page.get_by_text("Не платите второй раз")).to_be_visible()
        await client.look("unknown")
        await page.reload()
        await expect(heading).to_have_text("Уточняем у банка")
        await page.goto(made["url"])  # a closed tab, and the link opened anew
        await page.get_by_role("link", name="Проверить результат").click()
        await expect(heading).to_have_text("Уточняем у банка")

        await demo.control(shop=account, cut_answer=None)
        await expect(heading).to_have_text("Ждём подтверждения банка", timeout=30_000)
        await client.look("known")
        await page.get_by_role("link", name="Вернуться на страницу банка").click()
        await steps.pay_by_card(page)
        await page.wait_for_url("**/r/*")
    assert [p["status"] for p in await demo.payments(made)] == ["captured"]


async def test_a_bank_that_lost_its_word_after_the_card_is_asked_until_it_answers(
    browser: Browser, demo: Demo, pictures: Path, account: str
) -> None:
    made = await demo.invoice(ask=steps.ASK)
    async with window(browser, pictures, "silent") as client:
        page = client.page
        await page.goto(made["url"])
        await steps.answer(page)
        await steps.agree(page)
        await steps.to_bank(page)
        await demo.control(shop=account, http_500_before={"on": "get"}, notices_off=True)
        await steps.pay_by_card(page)
        await page.wait_for_url("**/wait/*")
        await client.look("waiting")
        await page.reload()
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await demo.control(shop=account, http_500_before=None)
        await page.wait_for_url("**/r/*")  # by itself, though no notice ever came
    assert [p["status"] for p in await demo.payments(made)] == ["captured"]
