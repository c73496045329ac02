"""Russian pages are Russian, English pages are English, and both can be read in the dark."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import DESK, PHONE, Window, window

# Everything a page says, to eyes and to screen readers; not what is marked as another language.
SAID = """() => {
  const own = document.documentElement.lang;
  const said = [document.title];
  for (const e of document.querySelectorAll("body, body *")) {
    if (e.closest(`[lang]:not([lang=${own}]), script, style, template`)) continue;
    for (const node of e.childNodes) if (node.nodeType === Node.TEXT_NODE) said.push(node.data);
    for (const name of ["aria-label", "title", "placeholder", "alt"])
      said.push(e.getAttribute(name));
  }
  return said.filter((text) => text?.trim());
}"""
ASK = [
    *steps.ASK[:2],
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
OWN = re.compile(r"¤\w+")  # the seller's own words in these tests

EVERYWHERE = {
    *("mail", "PDF", "QR", "API", "Sigma", "Kassa", "CVC", "RUB", "SMTP", "Visa", "Mastercard"),
    *(
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
ADDRESSES = re.compile(
    r"\{\w+\}|\S+@\S+|https?://\S+|\b[\w-]+(?:\.[\w-]+)+\b|\b[a-z]{2,3}_[\w-]+|\b\w*\d\w*\b"
)


async def foreign(page: Page, names: Iterable[str]) -> list[str]:
    """Words of the other language; `names` are the seller's own texts."""
    found = []
    russian = await page.evaluate("document.documentElement.lang") == "ru"
    for text in await page.evaluate(SAID):
        rest = OWN.sub("", text)
        for name in names:
            rest = rest.replace(name, "")
        rest = ADDRESSES.sub("", rest)
        words = re.findall(r"[A-Za-z]{2,}" if russian else r"[А-Яа-яЁё]+", rest)
        found += [f"{word} in «{text.strip()}»" for word in words if word not in EVERYWHERE]
    return found


@pytest.fixture(scope="session")
async def names(
    demo: Demo, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """What the seller wrote about himself, longest first."""
    async with window(browser, tmp_path_factory.mktemp("names"), "names") as seller:
        page = seller.page
        await steps.sign_in(page, demo)
        await page.goto(f"{demo.app}/settings/shop")
        fields = page.locator("input[type=text], input[type=email], textarea")
        typed = [await field.input_value() for field in await fields.all()]
        who = [t for t in await page.locator(".places-user").all_inner_texts() if t]
        shop = await page.locator("[name=name]").input_value()
        await page.goto(f"{demo.app}/settings/connections")
        who += await page.locator("a[href^='/settings/connections/con_'] b").all_inner_texts()
    initials = "".join(word[0] for word in re.findall(r"\w+", shop)[:2]).upper()
    lines = [
        line for text in [*typed, *who, initials, "demo"] for line in text.splitlines() if line
    ]
    return sorted(lines, key=len, reverse=True)


async def _walk(client: Window, demo: Demo, names: list[str]) -> None:
    """Through every page that a client can meet; each speaks one language."""
    page = client.page

    async def reads(name: str) -> None:
        await client.look(name)
        assert await foreign(page, names) == [], name

    amount = {"value": "1000.00", "currency": "RUB"}
    made = await demo.invoice(
        title="¤title",
        description="¤text",
        amount=amount,
        items=ITEMS,
        ask=ASK,
        return_url="https://shop.example/",
        expires_at="2099-12-31T20:59:59Z",
    )
    await page.goto(made["url"])
    await reads("pay")
    await page.locator("form button[type=submit]").click()
    await reads("pay-wrong")
    await steps.answer(page, {"email": "lang@example.ru", "phone": "89167654321"})
    await steps.agree(page)
    bank_page = await steps.to_bank(page)
    await page.goto(made["url"])
    await reads("pay-started")
    await page.locator("a[href*='/wait/']").click()
    await page.wait_for_url("**/wait/*")
    await reads("waiting")
    await demo.pay_at_bank(bank_page, steps.NO_MONEY)
    await page.wait_for_url("**?payment=*")
    await reads("declined")
    await steps.agree(page)
    await demo.pay_at_bank(await steps.to_bank(page), steps.MIR)
    (paid, _) = await demo.payments(made)
    part = {"amount": {"value": "10.00", "currency": "RUB"}, "reason": "¤reason"}
    await page.goto(f"{made['url']}")
    await page.locator("a[href*='/wait/'], a[href*='/r/']").first.click()
    await page.wait_for_url("**/r/*")
    await demo.api("POST", f"/payments/{paid['id']}/refunds", part)
    await page.reload()
    await reads("receipt")
    await page.goto(made["url"])
    await reads("closed")
    other = await demo.invoice(title="¤void")
    await demo.api("POST", f"/invoices/{other['id']}/void")
    await page.goto(other["url"])
    await reads("void")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["ru-RU", "en-US"])
async def test_every_page_of_a_client_speaks_one_language_by_day_and_by_night(
    browser: Browser, demo: Demo, pictures: Path, names: list[str], locale: str, scheme: str
) -> None:
    size = PHONE if (scheme == "dark") == (locale == "ru-RU") else DESK
    name = f"{locale[:2]}-{scheme}"
    options = {"locale": locale, "color_scheme": scheme}
    async with window(browser, pictures, name, size, **options) as client:
        await _walk(client, demo, names)
        assert await client.page.evaluate("document.documentElement.lang") == locale[:2]
        assert await _is_dark(client.page) == (scheme == "dark")


async def _is_dark(page: Page) -> bool:
    ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(float(n) for n in re.findall(r"[\d.]+", ground)[:3]) < 3 * 64


async def test_a_client_chooses_english_and_keeps_it(
    browser: Browser, demo: Demo, pictures: Path, names: list[str]
) -> None:
    made = await demo.invoice(title="¤title", ask=ASK[:2])
    async with window(browser, pictures, "chooses") as client:
        page = client.page
        await page.goto(made["url"])
        await page.get_by_role("link", name="Read in English").click()
        await expect(page.get_by_role("button", name="Pay")).to_be_visible()
        await page.get_by_role("button", name="Pay").click()
        assert await foreign(page, names) == []
        await steps.answer(page, {"email": "en@example.ru", "phone": "+7 916 765 43 21"})
        await steps.agree(page)
        await steps.to_bank(page)
        await steps.pay_by_card(page)
        await page.wait_for_url("**/r/*")
        assert await foreign(page, names) == []
    assert "₽" in (await demo.letter("en@example.ru", 1))["text"]
    letter = await demo.letter("en@example.ru", 1)
    rest = letter["text"].replace("¤title", "")
    for name in names:
        rest = rest.replace(name, "")
    assert re.findall(r"[А-Яа-яЁё]+", rest) == []


CABINET = [
    *("/", "/invoices", "/invoices/new", "/payments", "/settings", "/settings/shop"),
    *("/settings/connections", "/settings/mail", "/settings/keys", "/settings/jobs"),
    *("/settings/access",),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["ru", "en"])
async def test_every_page_of_the_cabinet_speaks_one_language_by_day_and_by_night(
    browser: Browser, demo: Demo, pictures: Path, names: list[str], locale: str, scheme: str
) -> None:
    size = PHONE if (scheme == "light") == (locale == "ru") else DESK
    made = await demo.invoice(title="¤title", ask=ASK)
    titles = [i["title"] for i in (await demo.api("GET", "/invoices?limit=100"))["data"]]
    name = f"cabinet-{locale}-{scheme}"
    async with window(browser, pictures, name, size, color_scheme=scheme) as seller:
        page = seller.page
        await steps.sign_in(page, demo)
        await _choose(page, demo, locale)
        try:
            for path in [*CABINET, f"/invoices/{made['id']}"]:
                await page.goto(f"{demo.app}{path}")
                await seller.look(path.strip("/").replace("/", "-") or "home")
                assert await foreign(page, [*titles, *names]) == [], path
            assert await _is_dark(page) == (scheme == "dark")
        finally:
            await _choose(page, demo, "ru")


async def _choose(page: Page, demo: Demo, locale: str) -> None:
    """Takes a language for the cabinet."""
    await page.goto(f"{demo.app}/settings")
    await page.locator(f"button[name=locale][value={locale}]").click()
    await expect(page.locator("html")).to_have_attribute("lang", locale)
