"""Takes the pictures of the documentation: `make screenshots`.

Starts `sigma demo` with data of its own, makes a believable day of invoices by the API, walks it
with Chromium by the steps of the browser tests and writes docs/images/*.png. The pictures of
VKontakte are taken by the test of that journey itself.
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
from tests.browser.windows import DESK, PHONE, picture
from tests.conftest import CHROMIUM_FLAGS

ROOT = Path(__file__).parents[1]
JOURNEY = "tests/browser/test_vk_journey.py"
IMAGES = ROOT / "docs" / "images"

DAY: list[tuple[str, str, str]] = [  # title, sum, what becomes of it
    ("Консультация по уходу", "900.00", "void"),
    ("Окрашивание", "6400.00", "paid"),
    ("Подарочный сертификат", "3000.00", "open"),
    ("Стрижка и укладка", "2700.00", "declined"),
    ("Педикюр", "2200.00", "paid"),
    ("Маникюр с покрытием", "1500.00", "shown"),
]


async def shoot(page: Page, name: str) -> None:
    """One picture."""
    await page.wait_for_load_state("networkidle")
    await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    path = IMAGES / f"{name}.png"
    await picture(page, path)
    print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1024} KB")


async def open_page(browser: Browser, size: dict[str, Any]) -> Page:
    """A fresh browser of a Russian client or seller."""
    context = await browser.new_context(
        **size, locale="ru-RU", timezone_id="Europe/Moscow", color_scheme="light"
    )
    return await context.new_page()


async def client(browser: Browser, url: str, card: str, *, pictures: bool) -> None:
    """A client opens the link, answers, pays."""
    page = await open_page(browser, PHONE)
    await page.goto(url)
    await steps.answer(page)
    if pictures:
        await shoot(page, "payment-360")
    await steps.agree(page)
    await steps.to_bank(page)
    if pictures:
        await shoot(page, "bank-360")
    await steps.pay_by_card(page, card, "")
    if card == steps.MIR:
        await page.wait_for_url("**/r/*")
    if pictures:
        await steps.shown_after_reloads(page, "Чек отправлен")
        await shoot(page, "receipt-360")
    await page.context.close()


async def day(browser: Browser, sigma: Demo) -> dict[str, Any]:
    """A believable day; returns the invoice that the pictures show."""
    shown: dict[str, Any] = {}
    for title, value, fate in DAY:
        more: dict[str, Any] = {"title": title, "amount": {"value": value, "currency": "RUB"}}
        if fate == "open":
            tomorrow = datetime.now(UTC) + timedelta(days=1)
            more["expires_at"] = tomorrow.strftime("%Y-%m-%dT20:59:59Z")
        if fate == "shown":
            more["description"] = "Классический маникюр и покрытие гель-лаком, 1 час 30 минут"
        shown = await sigma.invoice(ask=steps.ASK, **more)
        if fate == "void":
            await sigma.api("POST", f"/invoices/{shown['id']}/void")
        elif fate != "open":
            card = steps.NO_MONEY if fate == "declined" else steps.MIR
            await client(browser, shown["url"], card, pictures=fate == "shown")
    return shown


async def seller(browser: Browser, sigma: Demo, invoice: dict[str, Any]) -> None:
    """The seller signs in and looks around."""
    page = await open_page(browser, DESK)
    await steps.sign_in(page, sigma)
    await page.goto(f"{sigma.app}/invoices")
    await shoot(page, "invoices-1280")
    await steps.open_operation(
        page, steps.Issued(f"{sigma.app}/invoices/{invoice['id']}", invoice["url"])
    )
    await shoot(page, "payment-details-1280")
    await page.goto(f"{sigma.app}/invoices/new")
    await page.locator("[name=title]").fill("Маникюр с покрытием")
    await page.locator("[name=amount]").fill("1500")
    preview = page.frame_locator(".preview-frame")
    await expect(preview.locator("form button")).to_have_text("Оплатить 1 500,00 ₽")
    await shoot(page, "new-invoice-1280")
    await page.context.close()


async def main() -> None:
    """Takes every picture anew."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with tempfile.TemporaryDirectory(prefix="sigma-pictures-") as folder:
        async with running_demo(Path(folder)) as sigma, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
            await seller(browser, sigma, await day(browser, sigma))
            await browser.close()


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    asyncio.run(main())
    told = os.environ | {"DOCS_IMAGES": str(IMAGES)}
    sys.exit(subprocess.call([sys.executable, "-m", "pytest", "-q", JOURNEY], cwd=ROOT, env=told))
