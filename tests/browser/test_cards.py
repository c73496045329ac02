"""Every test card of the documentation: its outcome in the client's words, and what comes next."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import window

DOCS = Path(__file__).parents[2] / "docs" / "sandbox.md"

# What a client understands, by the bank's word for it.
WORDS = {
    "3d_secure_failed": "Банк не подтвердил вход",
    "call_issuer": "Позвоните в банк",
    "card_expired": "Срок карты истёк",
    "fraud_suspected": "Банк счёл операцию необычной",
    "general_decline": "не назвал причину",
    "insufficient_funds": "На карте не хватает денег",
    "invalid_card_number": "Номер карты введён с ошибкой",
    "invalid_csc": "Код с обратной стороны карты",
    "issuer_unavailable": "сейчас не отвечает",
    "payment_method_limit_exceeded": "Превышен лимит по карте",
    "payment_method_restricted": "Операции по этой карте запрещены",
    "country_forbidden": "Картой, выпущенной в этой стране",
}


def listed_cards() -> dict[str, list[str]]:
    """Rows of the table in docs/sandbox.md: the first cell → the cards of the row."""
    rows = re.findall(r"^\| (.+?) \|((?: *\d{16} \||  *\|)+)$", DOCS.read_text(), re.MULTILINE)
    return {name: re.findall(r"\d{16}", cells) for name, cells in rows}


CARDS = listed_cards()
PAID = {name: cards for name, cards in CARDS.items() if name.startswith("paid")}
DECLINED = {name.split("`")[1]: cards for name, cards in CARDS.items() if name not in PAID}


def asks_code(name: str) -> bool:
    return "asks for a code" in next(row for row in CARDS if name in row)


def test_the_documentation_lists_every_outcome() -> None:
    assert len(PAID) == 2
    assert sum(map(len, PAID.values())) == 6
    assert DECLINED.keys() == WORDS.keys()


async def _pay(page: Page, card: str, row: str) -> None:
    """From a payment page with its answers to the bank's last word."""
    await steps.agree(page)
    await steps.to_bank(page)
    await steps.pay_by_card(page, card, steps.CODE if asks_code(row) else "")


@pytest.mark.parametrize("reason", DECLINED)
async def test_a_declined_card_is_explained_and_another_one_pays(
    browser: Browser, demo: Demo, pictures: Path, reason: str
) -> None:
    made = await demo.invoice(ask=steps.ASK)
    async with window(browser, pictures, f"card-{reason}") as client:
        page = client.page
        await page.goto(made["url"])
        await steps.answer(page)
        for card in DECLINED[reason]:
            await _pay(page, card, reason)
            await steps.back_to_seller(page)
            told = page.get_by_role("alert")
            await expect(told).to_contain_text("Оплата не прошла")
            await expect(told).to_contain_text(WORDS[reason])
            assert reason not in await page.content()
            await expect(page.locator("[name=email]")).to_have_value(steps.ANSWERS["email"])
            await expect(page.locator("[name=phone]")).to_have_value(steps.PHONE_SHOWN)
            await expect(page.locator("[name=wish]")).to_have_value(steps.ANSWERS["wish"])
        await client.look("declined")
        await _pay(page, steps.MIR, "paid, no code")
        await page.wait_for_url("**/r/*")
    paid = await demo.payments(made)
    assert [p["status"] for p in paid] == ["captured"] + ["failed"] * len(DECLINED[reason])
    assert {p["failure"]["code"] for p in paid[1:]} == {reason}


@pytest.mark.parametrize("row", PAID)
async def test_a_good_card_pays(browser: Browser, demo: Demo, pictures: Path, row: str) -> None:
    made = await demo.invoice(ask=steps.ASK, max_payments=len(PAID[row]))
    async with window(browser, pictures, "card-good") as client:
        page = client.page
        await page.goto(made["url"])
        await steps.answer(page)
        for card in PAID[row]:
            await _pay(page, card, row)
            await page.wait_for_url("**/r/*")
            await expect(page.get_by_role("article")).to_contain_text(card[-4:])
            await page.goto(made["url"])
    assert [p["status"] for p in await demo.payments(made)] == ["captured"] * len(PAID[row])
