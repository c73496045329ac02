"""Every test card of docs/sandbox.md: what the client reads after paying with it."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import open_window

DOCS = Path(__file__).parents[2] / "docs" / "sandbox.md"

# The text on the payment page by the bank's decline reason.
DECLINE_TEXTS = {
    "3d_secure_failed": "Оплата не подтверждена",
    "call_issuer": "Позвоните в банк",
    "card_expired": "Срок карты истёк",
    "fraud_suspected": "Банк счёл платёж необычным",
    "general_decline": "не назвал причину",
    "insufficient_funds": "На карте не хватает денег",
    "invalid_card_number": "Номер карты введён с ошибкой",
    "invalid_csc": "Код с обратной стороны карты",
    "issuer_unavailable": "сейчас не отвечает",
    "payment_method_limit_exceeded": "Превышен лимит по карте",
    "payment_method_restricted": "Оплата этой картой запрещена",
    "country_forbidden": "Картой, выпущенной в этой стране",
}


def read_cards() -> dict[str, list[str]]:
    """Parse the table in docs/sandbox.md: text of the first cell → card numbers of the row."""
    rows = re.findall(r"^\| (.+?) \|((?: *\d{16} \||  *\|)+)$", DOCS.read_text(), re.MULTILINE)
    return {name: re.findall(r"\d{16}", cells) for name, cells in rows}


CARDS = read_cards()
PAID = {name: cards for name, cards in CARDS.items() if name.startswith("paid")}
DECLINED = {name.split("`")[1]: cards for name, cards in CARDS.items() if name not in PAID}


def requires_code(outcome: str) -> bool:
    """Return whether the bank asks for a 3-D Secure code; `outcome` is a part of the first cell."""
    return "asks for a code" in next(row for row in CARDS if outcome in row)


def test_documentation_lists_every_outcome() -> None:
    assert len(PAID) == 2
    assert sum(map(len, PAID.values())) == 6
    assert DECLINED.keys() == DECLINE_TEXTS.keys()


async def _pay(page: Page, card: str, outcome: str) -> None:
    """Pay from a filled payment page; stop on the page that follows the bank's decision."""
    await steps.go_to_bank(page)
    await steps.pay_by_card(page, card, steps.CODE if requires_code(outcome) else "")


@pytest.mark.parametrize("reason", DECLINED)
async def test_declined_card_is_explained_and_another_card_pays(
    browser: Browser, demo: Demo, screenshots_dir: Path, reason: str
) -> None:
    invoice = await demo.create_invoice(ask=steps.QUESTIONS)
    async with open_window(browser, screenshots_dir, f"card-{reason}") as client:
        page = client.page
        await page.goto(invoice["url"])
        await steps.fill_answers(page)
        await steps.accept_consent(page)
        for card in DECLINED[reason]:
            await _pay(page, card, reason)
            await steps.return_to_seller(page)
            alert = page.get_by_role("alert")
            await expect(alert).to_contain_text("Оплата не прошла")
            await expect(alert).to_contain_text(DECLINE_TEXTS[reason])
            assert reason not in await page.content()
            await expect(page.locator("[name=email]")).to_have_value(steps.ANSWERS["email"])
            await expect(page.locator("[name=phone]")).to_have_value(steps.FORMATTED_PHONE)
            await expect(page.locator("[name=wish]")).to_have_value(steps.ANSWERS["wish"])
            await expect(page.locator("[name=consent]")).to_be_checked()
        await client.check_page("declined")
        await _pay(page, steps.MIR, "paid, no code")
        await page.wait_for_url("**/r/*")
    payments = await demo.list_payments(invoice)
    assert [p["status"] for p in payments] == ["captured"] + ["failed"] * len(DECLINED[reason])
    assert {p["failure"]["code"] for p in payments[1:]} == {reason}


@pytest.mark.parametrize("outcome", PAID)
async def test_accepted_card_pays(
    browser: Browser, demo: Demo, screenshots_dir: Path, outcome: str
) -> None:
    invoice = await demo.create_invoice(ask=steps.QUESTIONS, max_payments=len(PAID[outcome]))
    async with open_window(browser, screenshots_dir, "card-good") as client:
        page = client.page
        await page.goto(invoice["url"])
        for card in PAID[outcome]:
            await steps.fill_answers(page)
            await steps.accept_consent(page)
            await _pay(page, card, outcome)
            await page.wait_for_url("**/r/*")
            await expect(page.get_by_role("article")).to_contain_text(card[-4:])
            await page.goto(invoice["url"])
    assert [p["status"] for p in await demo.list_payments(invoice)] == ["captured"] * len(
        PAID[outcome]
    )
