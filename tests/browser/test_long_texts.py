"""Very long texts do not overflow the pages, on a phone and on a desktop."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import DESKTOP, PHONE, open_window

LONG_WORD = "Ы" * 100
LONG_TEXT = "Очень подробное описание услуги, которое никто не дочитает до конца. " * 20
LONG_ASK = [
    {"key": "email", "required": True},
    {
        "key": "long",
        "kind": "textarea",
        "label": f"Вопрос {LONG_WORD[:60]}",
        "hint": LONG_TEXT[:200],
    },
    {"key": "one", "kind": "select", "label": "Один", "options": [LONG_WORD, "Б"]},
    {
        "key": "some",
        "kind": "multiselect",
        "label": "Много",
        "options": [LONG_WORD, LONG_TEXT[:100].strip()],
    },
]
ITEMS = [
    {
        "name": f"{LONG_WORD}{n}",
        "quantity": "0.5",
        "price": {"value": "139999.98", "currency": "RUB"},
    }
    for n in range(5)
]


@pytest.mark.parametrize(("name", "size"), [("phone", PHONE), ("desk", DESKTOP)])
async def test_long_texts_do_not_overflow(
    browser: Browser, demo: Demo, screenshots_dir: Path, name: str, size: dict[str, Any]
) -> None:
    invoice = await demo.create_invoice(
        title=LONG_WORD,
        description=LONG_TEXT,
        amount={"value": "349999.95", "currency": "RUB"},
        items=ITEMS,
        ask=LONG_ASK,
        metadata={"order": "0" * 100},
        return_url=f"https://shop.example/{'way/' * 60}",
    )
    email = f"{'very.' * 9}long@{'deep.' * 12}example.org"
    async with (
        open_window(browser, screenshots_dir, f"long-client-{name}", size) as client,
        open_window(browser, screenshots_dir, f"long-seller-{name}", size) as seller,
    ):
        page = client.page
        await page.goto(invoice["url"])
        await client.check_page("pay")
        await steps.fill_answers(page, {"email": email, "long": LONG_WORD * 5})
        await page.locator("[name=one]").select_option(LONG_WORD)
        await page.locator("[name=some]").first.check()
        await steps.accept_consent(page)
        await steps.go_to_bank(page)
        await client.check_page("bank")
        await steps.pay_by_card(page, steps.NO_MONEY, "")
        await steps.return_to_seller(page)
        await client.check_page("declined")
        await steps.go_to_bank(page)
        await steps.pay_by_card(page)
        await page.wait_for_url("**/r/*")
        await client.check_page("receipt")
        await page.goto(invoice["url"])
        await client.check_page("closed")

        page = seller.page
        await steps.sign_in(page, demo)
        await seller.check_page("home")
        issued = steps.IssuedInvoice(f"{demo.app_url}/invoices/{invoice['id']}", invoice["url"])
        await steps.open_payment(page, issued)
        await seller.check_page("payment")
        for path in (f"/invoices/{invoice['id']}", "/invoices", "/payments"):
            await page.goto(f"{demo.app_url}{path}")
            await seller.check_page(path.strip("/").split("/")[0] + str(path.count("/")))
        await page.goto(f"{demo.app_url}/invoices/new?like={invoice['id']}")
        await seller.check_page("repeat")
        if name == "desk":  # the navigation leaves a table the least room in a small window
            await page.set_viewport_size({"width": 920, "height": 800})
            for path in ("/", "/invoices", "/payments"):
                await page.goto(f"{demo.app_url}{path}")
                await seller.check_page(f"small{path.strip('/')}")
