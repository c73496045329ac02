"""Every page is in one language, Russian or English, in the light and the dark colour scheme."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import DESKTOP, PHONE, Window, open_window

# Returns all texts of a page, visible and for screen readers, except parts in another language.
PAGE_TEXTS_JS = """() => {
  const lang = document.documentElement.lang;
  const texts = [document.title];
  const others = ", script, noscript, style, template, .avatar, .customer a";
  for (const e of document.querySelectorAll("body, body *")) {
    if (e.closest(`[lang]:not([lang=${lang}])${others}`)) continue;
    for (const node of e.childNodes) if (node.nodeType === Node.TEXT_NODE) texts.push(node.data);
    for (const name of ["aria-label", "title", "placeholder", "alt"])
      texts.push(e.getAttribute(name));
  }
  return texts.filter((text) => text?.trim());
}"""
ASK = [
    *steps.QUESTIONS[:2],
    {"key": "name"},
    {"key": "address"},
    {"key": "day", "kind": "date", "label": "¤day"},
    {"key": "size", "kind": "select", "label": "¤size", "options": ["¤1", "¤2"]},
    {"key": "extras", "kind": "multiselect", "label": "¤extras", "options": ["¤3", "¤4"]},
]
ITEMS = [
    {"name": f"¤{n}", "quantity": "2", "price": {"value": "100.00", "currency": "RUB"}}
    for n in range(5)
]
SELLER_TEXT = re.compile(r"¤\w+")  # marks texts written by the seller, in any language

NEUTRAL_WORDS = {
    *("mail", "PDF", "QR", "API", "Sigma", "Kassa", "CVC", "RUB", "SMTP", "Visa", "Mastercard"),
    *(
        "SberPay",
        "id",
        *("CSV", "XLSX", "Excel", "OpenDocument"),
        *("iPhone", "iPad", "iOS", "Safari", "Telegram", "BotFather", "newbot", "Bot", "Pay"),
        "Money",  # ЮMoney
        "UTC",
        "English",
        "Русский",
        "Chromium",
        "PNG",
        "shopId",
        "URL",
        "HTTP",
        "https",
        "http",
        "PEM",
    ),
}
NOT_WORDS = re.compile(
    r"\{\w+\}|\S+@\S+|https?://\S+|\b[\w-]+(?:\.[\w-]+)+\b|\b[a-z]{2,3}_[\w-]+|\b\w*\d\w*\b"
)


async def find_foreign_words(page: Page, seller_texts: Iterable[str]) -> list[str]:
    """Return words in the other language, except those in `seller_texts`."""
    found = []
    is_russian = await page.evaluate("document.documentElement.lang") == "ru"
    for text in await page.evaluate(PAGE_TEXTS_JS):
        rest = SELLER_TEXT.sub("", text)
        for seller_text in seller_texts:
            rest = rest.replace(seller_text, "")
        rest = NOT_WORDS.sub("", rest)
        words = re.findall(r"[A-Za-z]{2,}" if is_russian else r"[А-Яа-яЁё]+", rest)
        found += [f"{word} in «{text.strip()}»" for word in words if word not in NEUTRAL_WORDS]
    return found


@pytest.fixture(scope="session")
async def seller_texts(
    demo: Demo, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """Texts that the seller entered in the settings and in services, longest first."""
    services = (await demo.call_api("GET", "/services?limit=100"))["data"]
    labels = [question["label"] for service in services for question in service["ask"]]
    async with open_window(
        browser, tmp_path_factory.mktemp("seller-texts"), "seller-texts"
    ) as seller:
        page = seller.page
        await steps.sign_in(page, demo)
        await page.goto(f"{demo.app_url}/settings/shop")
        fields = page.locator("input[type=text], input[type=email], textarea")
        typed = [await field.input_value() for field in await fields.all()]
        user_names = [t for t in await page.locator(".menu-user").all_inner_texts() if t]
        shop_name = await page.locator("[name=name]").input_value()
        await page.goto(f"{demo.app_url}/settings/connections")
        account_names = await page.locator(
            "a[href^='/settings/connections/con_'] b"
        ).all_inner_texts()
        await page.goto(f"{demo.app_url}/customers")
        clients = await page.locator(".customer").all_inner_texts()
    initials = "".join(word[0] for word in re.findall(r"\w+", shop_name)[:2]).upper()
    lines = [
        line
        for text in [
            *(typed + user_names + account_names + labels + clients),
            *(service["title"] for service in services),
            *(initials, "demo"),
        ]
        for line in text.splitlines()
        if line
    ]
    return sorted(lines, key=len, reverse=True)


async def _check_client_pages(client: Window, demo: Demo, seller_texts: list[str]) -> None:
    """Open every page of a client and check that it is in one language."""
    page = client.page

    async def check(name: str) -> None:
        await client.check_page(name)
        assert await find_foreign_words(page, seller_texts) == [], name

    amount = {"value": "1000.00", "currency": "RUB"}
    invoice = await demo.create_invoice(
        title="¤title",
        description="¤text",
        amount=amount,
        items=ITEMS,
        ask=ASK,
        return_url="https://shop.example/",
        expires_at="2099-12-31T20:59:59Z",
    )
    await page.goto(invoice["url"])
    await check("pay")
    await page.locator("form button[type=submit]").click()
    await expect(page.locator("[aria-invalid=true]").first).to_be_visible()
    await check("pay-wrong")
    await steps.fill_answers(page, {"email": "lang@example.ru", "phone": "89167654321"})
    await steps.accept_consent(page)
    bank_page = await steps.go_to_bank(page)
    await page.goto(invoice["url"])
    await check("pay-started")
    await page.locator("a[href*='/wait/']").click()
    await page.wait_for_url("**/wait/*")
    await check("waiting")
    await demo.pay_at_bank(bank_page, steps.NO_MONEY)
    await page.wait_for_url("**?payment=*")
    await check("declined")
    await demo.pay_at_bank(await steps.go_to_bank(page), steps.MIR)
    (paid, _) = await demo.list_payments(invoice)
    part = {"amount": {"value": "10.00", "currency": "RUB"}, "reason": "¤reason"}
    await page.goto(invoice["url"])
    await page.locator("a[href*='/wait/'], a[href*='/r/']").first.click()
    await page.wait_for_url("**/r/*")
    await demo.call_api("POST", f"/payments/{paid['id']}/refunds", part)
    await page.reload()
    await check("receipt")
    await page.goto(invoice["url"])
    await check("closed")
    voided = await demo.create_invoice(title="¤void")
    await demo.call_api("POST", f"/invoices/{voided['id']}/void")
    await page.goto(voided["url"])
    await check("void")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["ru-RU", "en-US"])
async def test_client_pages_are_in_one_language_and_follow_color_scheme(
    browser: Browser,
    demo: Demo,
    screenshots_dir: Path,
    seller_texts: list[str],
    locale: str,
    scheme: str,
) -> None:
    size = PHONE if (scheme == "dark") == (locale == "ru-RU") else DESKTOP
    name = f"{locale[:2]}-{scheme}"
    async with open_window(
        browser, screenshots_dir, name, size, locale=locale, color_scheme=scheme
    ) as client:
        await _check_client_pages(client, demo, seller_texts)
        assert await client.page.evaluate("document.documentElement.lang") == locale[:2]
        assert await _is_dark(client.page) == (scheme == "dark")


async def _is_dark(page: Page) -> bool:
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(float(n) for n in re.findall(r"[\d.]+", background)[:3]) < 3 * 64


async def test_language_chosen_by_client_is_used_until_mail(
    browser: Browser, demo: Demo, screenshots_dir: Path, seller_texts: list[str]
) -> None:
    invoice = await demo.create_invoice(title="¤title", ask=ASK[:2])
    async with open_window(browser, screenshots_dir, "choose-language") as client:
        page = client.page
        await page.goto(invoice["url"])
        await page.get_by_role("link", name="Read in English").click()
        await expect(page.get_by_role("button", name="Pay")).to_be_visible()
        await page.get_by_role("button", name="Pay").click()
        await expect(page.locator("[aria-invalid=true]").first).to_be_visible()
        assert await find_foreign_words(page, seller_texts) == []
        await steps.fill_answers(page, {"email": "en@example.ru", "phone": "+7 916 765 43 21"})
        await steps.accept_consent(page)
        await steps.go_to_bank(page)
        await steps.pay_by_card(page)
        await page.wait_for_url("**/r/*")
        assert await find_foreign_words(page, seller_texts) == []
    mail = await demo.wait_for_mail("en@example.ru", 1)
    assert "₽" in mail["text"]
    rest = mail["text"].replace("¤title", "")
    for seller_text in seller_texts:
        rest = rest.replace(seller_text, "")
    assert re.findall(r"[А-Яа-яЁё]+", rest) == []


CABINET_PATHS = [
    *("/", "/invoices", "/invoices/new", "/payments", "/settings", "/settings/shop"),
    *("/settings/connections", "/settings/mail", "/settings/keys", "/settings/jobs"),
    *("/settings/access", "/settings/team", "/shops", "/installation/shops", "/settings/data"),
    *("/customers", "/exports", "/invoices/import", "/reports/statement"),
    "/settings/notifications",
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["ru", "en"])
async def test_cabinet_pages_are_in_one_language_and_follow_color_scheme(
    browser: Browser,
    demo: Demo,
    screenshots_dir: Path,
    seller_texts: list[str],
    locale: str,
    scheme: str,
) -> None:
    size = PHONE if (scheme == "light") == (locale == "ru") else DESKTOP
    invoice = await demo.create_invoice(title="¤title", ask=ASK)
    titles = [i["title"] for i in (await demo.call_api("GET", "/invoices?limit=100"))["data"]]
    name = f"cabinet-{locale}-{scheme}"
    async with open_window(browser, screenshots_dir, name, size, color_scheme=scheme) as seller:
        page = seller.page
        await steps.sign_in(page, demo)
        await _set_language(page, demo, locale)
        try:
            for path in [*CABINET_PATHS, f"/invoices/{invoice['id']}"]:
                await page.goto(f"{demo.app_url}{path}")
                await seller.check_page(path.strip("/").replace("/", "-") or "home")
                assert await find_foreign_words(page, [*titles, *seller_texts]) == [], path
            assert await _is_dark(page) == (scheme == "dark")
        finally:
            await _set_language(page, demo, "ru")


async def _set_language(page: Page, demo: Demo, locale: str) -> None:
    """Set the language of the cabinet."""
    await page.goto(f"{demo.app_url}/settings")
    await page.locator(f"button[name=locale][value={locale}]").click()
    await expect(page.locator("html")).to_have_attribute("lang", locale)
