"""What a seller and a client do, step by step, as they would say it. Pages are in Russian."""

from collections.abc import Mapping
from dataclasses import dataclass

from playwright.async_api import Page, expect

from tests.browser.demo import Demo

MIR_WITH_CODE = "2200000000000004"
MIR = "2202474301322987"
NO_MONEY = "2200000000000053"
CODE = "1234"

ASK = [
    {"key": "email", "required": True},
    {"key": "phone", "required": True},
    {"key": "wish", "kind": "text", "label": "Пожелания", "required": False},
]
ANSWERS = {
    "email": "irina@example.ru",
    "phone": "8 (916) 765-43-21",
    "wish": "Без лака, форма овал",
}
PHONE_SHOWN = "+7 916 765-43-21"


@dataclass(frozen=True)
class Issued:
    """An invoice as the cabinet shows it: its own page there, and the client's link."""

    page: str
    link: str


async def sign_in(page: Page, demo: Demo) -> None:
    """From the door of the cabinet to its first page."""
    await page.goto(f"{demo.app}/")
    await page.locator("[name=login]").fill(demo.told["login"])
    await page.locator("[name=password]").fill(demo.told["password"])
    await page.get_by_role("button", name="Войти").click()
    await page.wait_for_url(f"{demo.app}/")


async def fill_invoice(page: Page, title: str, amount: str, own: str, return_url: str) -> None:
    """Fills the form of a new invoice: what for, how much, e-mail, phone and an own question."""
    await page.get_by_label("Название", exact=True).fill(title)
    await page.get_by_label("Сумма", exact=True).fill(amount)
    await expect(page.get_by_role("switch", name="E-mail")).to_be_checked()
    await page.get_by_role("switch", name="Телефон").check()
    await page.get_by_role("button", name="Своё поле").click()
    question = page.get_by_role("group").filter(has=page.get_by_label("Название поля"))
    await question.get_by_label("Название поля").fill(own)
    await question.get_by_label("Обязательно", exact=True).check()
    await page.get_by_label("Куда вернуть после оплаты").fill(return_url)


async def issue(page: Page) -> Issued:
    """Presses «Выставить счёт»; on the invoice's page there is its link."""
    await page.get_by_role("button", name="Выставить счёт").click()
    await page.wait_for_url("**/invoices/inv_*")
    link = await page.get_by_role("textbox", name="Ссылка для клиента").input_value()
    return Issued(page.url.partition("#")[0], link)


async def answer(page: Page, answers: Mapping[str, str] = ANSWERS) -> None:
    """Fills the payment page; every field goes by the key of its question."""
    for key, value in answers.items():
        await page.locator(f"[name={key}]").fill(value)


async def agree(page: Page) -> None:
    """Ticks the consent, which nobody ticks for the client."""
    consent = page.locator("[name=consent]")
    await expect(consent).not_to_be_checked()
    await consent.check()


async def to_bank(page: Page) -> str:
    """Presses «Оплатить»; gives the address of the bank's card page."""
    await page.locator("form button[type=submit]").click()
    await page.wait_for_url("**/bank/checkout/*")
    return page.url


async def type_card(page: Page, number: str) -> None:
    """Types a card at the bank and presses «Оплатить»."""
    await page.locator("[name=number]").fill(number)
    await page.locator("[name=expiry]").fill("12/30")
    await page.locator("[name=csc]").fill("123")
    await page.locator("button[type=submit]").click()


async def type_code(page: Page, code: str = CODE) -> None:
    """Types the code of 3-D Secure."""
    await page.locator("[name=code]").fill(code)
    await page.locator("button[type=submit]:not([name=decline])").click()


async def pay_by_card(page: Page, number: str = MIR_WITH_CODE, code: str = CODE) -> None:
    """Pays at the bank; an empty code for cards that ask for none."""
    await type_card(page, number)
    if code:
        await type_code(page, code)


async def back_to_seller(page: Page) -> None:
    """From the bank's word about a declined payment back to the payment page."""
    await page.get_by_role("link", name="Вернуться к продавцу").click()
    await page.wait_for_url("**/i/*")


async def open_operation(page: Page, issued: Issued) -> None:
    """From an invoice's page to the payment that paid it."""
    await page.goto(issued.page)
    await page.locator("a[href^='/payments/pay_']").first.click()
    await page.wait_for_url("**/payments/pay_*")


async def ask_refund(page: Page, amount: str, reason: str) -> None:
    """Fills the refund form of a payment; the next page asks whether to."""
    await page.locator("summary", has_text="Вернуть деньги").click()
    await page.get_by_label("Часть", exact=True).check()
    await page.get_by_label("Сумма возврата").fill(amount)
    await page.get_by_label("Причина").fill(reason)
    await page.get_by_role("button", name="Проверить и вернуть").click()


async def shown_after_reloads(page: Page, text: str, times: int = 50) -> None:
    """Reloads until the page says so, as a person who waits for something does."""
    found = page.get_by_text(text).first
    for _ in range(times):
        if await found.is_visible():
            return
        await page.wait_for_timeout(200)
        await page.reload()
    await expect(found).to_be_visible()
