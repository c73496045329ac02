"""Take the screenshots of the documentation: `make screenshots`.

Starts `sigma demo` in a temporary folder, creates invoices by the API, opens the pages in Chromium
with the steps of the browser tests and writes docs/images/*.png. The VKontakte screenshots are
taken by the browser test of that journey.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser import steps
from tests.browser.demo import Demo, running_demo
from tests.browser.windows import DESKTOP, PHONE, save_screenshot
from tests.conftest import CHROMIUM_FLAGS

ROOT = Path(__file__).parents[1]
VK_JOURNEY_TEST = "tests/browser/test_vk_journey.py"
IMAGES = ROOT / "docs" / "images"

INVOICES: list[tuple[str, str, str]] = [  # title, amount in RUB, outcome
    ("Консультация по уходу", "900.00", "void"),
    ("Окрашивание", "6400.00", "paid"),
    ("Подарочный сертификат", "3000.00", "open"),
    ("Стрижка и укладка", "2700.00", "declined"),
    ("Педикюр", "2200.00", "paid"),
    ("Маникюр с покрытием", "1500.00", "screenshots"),
]


async def take_screenshot(page: Page, name: str) -> None:
    """Write docs/images/{name}.png."""
    await page.wait_for_load_state("networkidle")
    await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    path = IMAGES / f"{name}.png"
    await save_screenshot(page, path)
    print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1024} KB")


async def open_page(browser: Browser, size: dict[str, Any]) -> Page:
    """Open a page in a new browser context with Russian locale and Moscow time."""
    context = await browser.new_context(
        **size, locale="ru-RU", timezone_id="Europe/Moscow", color_scheme="light"
    )
    return await context.new_page()


async def pay_as_client(browser: Browser, url: str, card: str, *, take_screenshots: bool) -> None:
    """Open a payment link, fill in the form and pay as a client."""
    page = await open_page(browser, PHONE)
    await page.goto(url)
    await steps.fill_answers(page)
    if take_screenshots:
        await take_screenshot(page, "payment-360")
    await steps.accept_consent(page)
    await steps.go_to_bank(page)
    if take_screenshots:
        await take_screenshot(page, "bank-360")
    await steps.pay_by_card(page, card, "")
    if card == steps.MIR:
        await page.wait_for_url("**/r/*")
    if take_screenshots:
        await steps.wait_for_text(page, "Квитанция отправлена")
        await take_screenshot(page, "receipt-360")
    await page.context.close()


async def create_invoices(browser: Browser, sigma: Demo) -> dict[str, Any]:
    """Create the invoices and bring each to its outcome; return the one for the screenshots."""
    invoice: dict[str, Any] = {}
    for title, value, outcome in INVOICES:
        fields: dict[str, Any] = {"title": title, "amount": {"value": value, "currency": "RUB"}}
        if outcome == "open":
            tomorrow = datetime.now(UTC) + timedelta(days=1)
            fields["expires_at"] = tomorrow.strftime("%Y-%m-%dT20:59:59Z")
        if outcome == "screenshots":
            fields["description"] = "Классический маникюр и покрытие гель-лаком, 1 час 30 минут"
        invoice = await sigma.create_invoice(ask=steps.QUESTIONS, **fields)
        if outcome == "void":
            await sigma.call_api("POST", f"/invoices/{invoice['id']}/void")
        elif outcome != "open":
            card = steps.NO_MONEY if outcome == "declined" else steps.MIR
            await pay_as_client(
                browser, invoice["url"], card, take_screenshots=outcome == "screenshots"
            )
    return invoice


async def visit_cabinet(browser: Browser, sigma: Demo, invoice: dict[str, Any]) -> None:
    """Sign in as the seller and open the pages of the cabinet."""
    page = await open_page(browser, DESKTOP)
    await steps.sign_in(page, sigma)
    await page.goto(f"{sigma.app_url}/invoices")
    await take_screenshot(page, "invoices-1280")
    await steps.open_payment(
        page, steps.IssuedInvoice(f"{sigma.app_url}/invoices/{invoice['id']}", invoice["url"])
    )
    await take_screenshot(page, "payment-details-1280")
    await page.goto(f"{sigma.app_url}/invoices/new")
    await page.locator("[name=title]").fill("Маникюр с покрытием")
    await page.locator("[name=amount]").fill("1500")
    preview = page.frame_locator(".preview-frame")
    await expect(preview.locator("form button[type=submit]")).to_have_text("Оплатить 1 500,00 ₽")
    await take_screenshot(page, "new-invoice-1280")
    await page.context.close()


async def main() -> None:
    """Take every screenshot."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with tempfile.TemporaryDirectory(prefix="sigma-screenshots-") as folder:
        async with running_demo(Path(folder)) as sigma, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
            await visit_cabinet(browser, sigma, await create_invoices(browser, sigma))
            await browser.close()


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    asyncio.run(main())
    environ = os.environ | {"DOCS_IMAGES": str(IMAGES)}
    command = [sys.executable, "-m", "pytest", "-q", VK_JOURNEY_TEST]
    sys.exit(subprocess.call(command, cwd=ROOT, env=environ))
