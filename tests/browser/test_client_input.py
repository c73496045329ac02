"""What clients type and keep: foreign phones, the consent, a declined card, a shared device, text
of double size.
"""

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import open_window

# As people write them: Vietnam, Maldives, Hong Kong, Belarus, Kazakhstan, Uzbekistan, Turkey,
# Great Britain, Japan, the USA.
FOREIGN_PHONES = {
    "+84 912 345 678": "+84912345678",
    "+960 771 2345": "+9607712345",
    "+852 9123 4567": "+85291234567",
    "+375 (29) 123-45-67": "+375291234567",
    "+7 701 123 45 67": "+77011234567",
    "+998 90 123 45 67": "+998901234567",
    "+90 532 123 45 67": "+905321234567",
    "+44 (0)20 7946 0958": "+442079460958",
    "+81 90-1234-5678": "+819012345678",
    "(+1) 202 555 0123": "+12025550123",
}
# Elements that are wider than the screen or cut their own text off.
CLIPPED_JS = """() => [...document.querySelectorAll("body *")].filter((e) => {
  if (!e.checkVisibility() || e.closest(".visually-hidden, .skip, svg")) return false;
  const box = e.getBoundingClientRect(), style = getComputedStyle(e);
  const isCut = style.overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1;
  return box.right > innerWidth + 0.5 || box.left < -0.5 || (isCut && !e.matches("input, select"));
}).map((e) => `${e.tagName} ${e.className} ${e.innerText?.slice(0, 40)}`)"""


async def double_text_size(page: Page) -> None:
    """Enlarge the text as the setting of a phone or a browser does."""
    await page.evaluate("document.documentElement.style.fontSize = '200%'")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
async def test_foreign_phones_are_stored_with_their_own_country(
    browser: Browser, demo: Demo, screenshots_dir: Path, scripts: bool
) -> None:
    invoice = await demo.create_invoice(ask=steps.QUESTIONS)
    async with open_window(
        browser, screenshots_dir, f"phones-{scripts}", java_script_enabled=scripts
    ) as client:
        page = client.page
        await page.goto(invoice["url"])
        phone = page.get_by_label("Телефон")
        for typed in FOREIGN_PHONES if scripts else [next(iter(FOREIGN_PHONES))]:
            await phone.fill("")
            await phone.press_sequentially(typed)
            await phone.press("Tab")
            await expect(phone).to_have_value(typed)
            await page.locator("form button[type=submit]").click()  # the e-mail is missing
            await expect(page.get_by_label("E-mail")).to_have_attribute("aria-invalid", "true")
            await expect(phone).to_have_value(typed)
            await expect(phone).not_to_have_attribute("aria-invalid", "true")
        await phone.fill("375291234567")
        await page.locator("form button[type=submit]").click()
        await expect(page.locator("#phone-error")).to_contain_text("+375 29 123-45-67")
        last = next(iter(FOREIGN_PHONES))
        await steps.fill_answers(page, {"email": "phone@example.ru", "phone": last})
        await steps.accept_consent(page)
        await steps.go_to_bank(page)
    (payment,) = await demo.list_payments(invoice)
    assert payment["answers"]["phone"] == FOREIGN_PHONES[last]


async def test_declined_client_pays_with_two_presses(
    browser: Browser, demo: Demo, screenshots_dir: Path
) -> None:
    invoice = await demo.create_invoice(ask=steps.QUESTIONS)
    async with open_window(browser, screenshots_dir, "declined") as client:
        page = client.page
        await page.goto(invoice["url"])
        await steps.accept_consent(page)
        await page.locator("form button[type=submit]").click()
        await expect(page.locator("#email-error")).to_be_visible()
        await expect(page.locator("[name=consent]")).to_be_checked()  # kept after an error
        await steps.fill_answers(page)
        await steps.go_to_bank(page)
        await steps.pay_by_card(page, steps.NO_MONEY, "")
        await steps.return_to_seller(page)
        await expect(page.get_by_role("alert")).to_contain_text("На карте не хватает денег")
        await expect(page.get_by_label("E-mail")).to_be_hidden()
        await client.check_page("short-form")
        await page.get_by_text("Изменить").click()
        await expect(page.get_by_label("E-mail")).to_have_value(steps.ANSWERS["email"])
        await page.get_by_text("Изменить").click()
        button = page.get_by_role("button", name="Попробовать другую карту")
        await expect(button).to_be_in_viewport()
        await button.click()
        await page.wait_for_url("**/bank/checkout/*")
        await steps.type_card(page, steps.MIR)
        await page.wait_for_url("**/r/*")


async def test_next_client_of_a_shared_device_sees_an_empty_form(
    browser: Browser, demo: Demo, screenshots_dir: Path
) -> None:
    invoice = await demo.create_invoice(ask=steps.QUESTIONS, max_payments=None)
    async with open_window(browser, screenshots_dir, "kiosk") as device:
        page = device.page
        for email, card in (("one@example.ru", steps.NO_MONEY), ("two@example.ru", steps.MIR)):
            await page.goto(invoice["url"])
            for key in steps.ANSWERS:
                await expect(page.locator(f"[name={key}]")).to_have_value("")
            await expect(page.locator("a[href*='/r/'], a[href*='/wait/']")).to_have_count(0)
            await steps.fill_answers(page, {**steps.ANSWERS, "email": email})
            await steps.accept_consent(page)
            await steps.go_to_bank(page)
            await steps.pay_by_card(page, card, "")
            await expect(page.locator("h1")).to_be_visible()
        await page.wait_for_url("**/r/*")
        await page.goto(invoice["url"])
        await expect(page.locator("[name=email]")).to_have_value("")
        await expect(page.locator("[name=consent]")).not_to_be_checked()
        await expect(page.locator("a[href*='/r/']")).to_have_count(0)


async def test_payment_pages_reflow_with_text_of_double_size(
    browser: Browser, demo: Demo, screenshots_dir: Path
) -> None:
    item = {"name": "Окрашивание", "price": {"value": "61950.00", "currency": "RUB"}}
    invoice = await demo.create_invoice(
        title="Наращивание и окрашивание",
        amount={"value": "123900.00", "currency": "RUB"},
        items=[{**item, "quantity": "2"}],
        ask=[*steps.QUESTIONS, {"key": "day", "kind": "date", "label": "Дата визита"}],
        expires_at="2099-12-31T20:59:59Z",
    )
    async with open_window(browser, screenshots_dir, "large-text") as client:
        page = client.page
        await page.goto(invoice["url"])
        await double_text_size(page)
        await client.check_page("pay")
        assert await page.evaluate(CLIPPED_JS) == []
        assert await page.locator(".big-sum").inner_text() == "123\u00a0900,00\u00a0₽"
        await page.locator("form button[type=submit]").click()
        await expect(page.locator("#email-error")).to_be_visible()
        await double_text_size(page)
        assert await page.evaluate(CLIPPED_JS) == []
        await client.check_page("pay-wrong")
        await steps.fill_answers(page)
        await steps.accept_consent(page)
        await steps.go_to_bank(page)
        await steps.pay_by_card(page, steps.NO_MONEY, "")
        await steps.return_to_seller(page)
        await double_text_size(page)
        assert await page.evaluate(CLIPPED_JS) == []
        await client.check_page("declined")
        await steps.go_to_bank(page)
        await page.goto(invoice["url"])
        await page.locator("a[href*='/wait/']").click()
        await page.wait_for_url("**/wait/*")
        await double_text_size(page)
        assert await page.evaluate(CLIPPED_JS) == []
        await client.check_page("waiting")
