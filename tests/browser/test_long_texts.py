"""Absurdly long texts stay inside the pages of a phone and of a desk."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import DESK, PHONE, window

UNBROKEN = "Ы" * 100
SENTENCE = "Очень подробное описание услуги, которое никто не дочитает до конца. " * 20
LONG_ASK = [
    {"key": "email", "required": True},
    {"key": "long", "kind": "textarea", "label": f"Вопрос {UNBROKEN[:60]}", "hint": SENTENCE[:200]},
    {"key": "one", "kind": "select", "label": "Один", "options": [UNBROKEN, "Б"]},
    {
        "key": "some",
        "kind": "multiselect",
        "label": "Много",
        "options": [UNBROKEN, SENTENCE[:100].strip()],
    },
]
ITEMS = [
    {
        "name": f"{UNBROKEN}{n}",
        "quantity": "0.5",
        "price": {"value": "139999.98", "currency": "RUB"},
    }
    for n in range(5)
]


@pytest.mark.parametrize(("name", "size"), [("phone", PHONE), ("desk", DESK)])
async def test_long_texts_stay_inside(
    browser: Browser, demo: Demo, pictures: Path, name: str, size: dict[str, Any]
) -> None:
    made = await demo.invoice(
        title=UNBROKEN,
        description=SENTENCE,
        amount={"value": "349999.95", "currency": "RUB"},
        items=ITEMS,
        ask=LONG_ASK,
        metadata={"order": "0" * 100},
        return_url=f"https://shop.example/{'way/' * 60}",
    )
    mail = f"{'very.' * 9}long@{'deep.' * 12}example.org"
    async with (
        window(browser, pictures, f"long-client-{name}", size) as client,
        window(browser, pictures, f"long-seller-{name}", size) as seller,
    ):
        page = client.page
        await page.goto(made["url"])
        await client.look("pay")
        await steps.answer(page, {"email": mail, "long": UNBROKEN * 5})
        await page.locator("[name=one]").select_option(UNBROKEN)
        await page.locator("[name=some]").first.check()
        await steps.agree(page)
        await steps.to_bank(page)
        await client.look("bank")
        await steps.pay_by_card(page, steps.NO_MONEY, "")
        await steps.back_to_seller(page)
        await client.look("declined")
        await steps.agree(page)
        await steps.to_bank(page)
        await steps.pay_by_card(page)
        await page.wait_for_url("**/r/*")
        await client.look("receipt")
        await page.goto(made["url"])
        await client.look("closed")

        page = seller.page
        await steps.sign_in(page, demo)
        await seller.look("home")
        issued = steps.Issued(f"{demo.app}/invoices/{made['id']}", made["url"])
        await steps.open_operation(page, issued)
        await seller.look("operation")
        for path in (f"/invoices/{made['id']}", "/invoices", "/payments"):
            await page.goto(f"{demo.app}{path}")
            await seller.look(path.strip("/").split("/")[0] + str(path.count("/")))
        await page.goto(f"{demo.app}/invoices/new?like={made['id']}")
        await seller.look("repeat")
