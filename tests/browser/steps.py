"""Steps of a seller and a client in the browser. Pages are in Russian."""

from collections.abc import Mapping
from dataclasses import dataclass

from playwright.async_api import Page, expect

from tests.browser.demo import Demo
from tests.browser.waiting import wait_until

MIR_WITH_CODE = "2200000000000004"
MIR = "2202474301322987"
NO_MONEY = "2200000000000053"
CODE = "1234"
RELOAD_AFTER_MS = 500  # how long `wait_for_text` looks at a page before it reloads it

QUESTIONS = [
    {"key": "email", "required": True},
    {"key": "phone", "required": True},
    {"key": "wish", "kind": "text", "label": "Пожелания", "required": False},
]
ANSWERS = {
    "email": "irina@example.ru",
    "phone": "8 (916) 765-43-21",
    "wish": "Без лака, форма овал",
}
FORMATTED_PHONE = "+7 916 765-43-21"


@dataclass(frozen=True)
class IssuedInvoice:
    """An issued invoice: URLs of its page in the cabinet and of the client's payment page."""

    page_url: str
    payment_url: str


async def sign_in(page: Page, demo: Demo) -> None:
    """Sign in to the cabinet as the owner."""
    await page.goto(f"{demo.app_url}/")
    await page.locator("[name=login]").fill(demo.info["login"])
    await page.locator("[name=password]").fill(demo.info["password"])
    await page.get_by_role("button", name="Войти").click()
    await page.wait_for_url(f"{demo.app_url}/")


async def fill_invoice(
    page: Page, title: str, amount: str, own_question: str, return_url: str
) -> None:
    """Fill the form of a new invoice with e-mail, phone and a question labelled `own`."""
    await page.get_by_label("Название", exact=True).fill(title)
    await page.get_by_label("Сумма", exact=True).fill(amount)
    await expect(page.get_by_role("switch", name="E-mail")).to_be_checked()
    await page.get_by_role("switch", name="Телефон").check()
    await page.get_by_role("button", name="Своё поле").click()
    question = page.get_by_role("group").filter(has=page.get_by_label("Название поля"))
    await question.get_by_label("Название поля").fill(own_question)
    await question.get_by_label("Обязательно", exact=True).check()
    await page.get_by_label("Куда вернуть клиента после оплаты").fill(return_url)


async def issue_invoice(page: Page) -> IssuedInvoice:
    """Press «Выставить счёт» and read the link on the invoice's page."""
    await page.get_by_role("button", name="Выставить счёт").click()
    await page.wait_for_url("**/invoices/inv_*")
    link = await page.get_by_role("textbox", name="Ссылка для клиента").input_value()
    return IssuedInvoice(page.url.partition("#")[0], link)


async def fill_answers(page: Page, answers: Mapping[str, str] = ANSWERS) -> None:
    """Fill the payment page; each field is named by its question's key."""
    for key, value in answers.items():
        await page.locator(f"[name={key}]").fill(value)


async def accept_consent(page: Page) -> None:
    """Tick the consent; it must not be ticked in advance."""
    consent = page.locator("[name=consent]")
    await expect(consent).not_to_be_checked()
    await consent.check()


async def go_to_bank(page: Page) -> str:
    """Press «Оплатить»; return the URL of the bank's card page."""
    await page.locator("form button[type=submit]").click()
    await page.wait_for_url("**/bank/checkout/*")
    return page.url


async def type_card(page: Page, number: str) -> None:
    """Type a card at the bank and press «Оплатить»."""
    await page.locator("[name=number]").fill(number)
    await page.locator("[name=expiry]").fill("12/30")
    await page.locator("[name=csc]").fill("123")
    await page.locator("button[type=submit]").click()


async def type_code(page: Page, code: str = CODE) -> None:
    """Type the 3-D Secure code and submit it."""
    await page.locator("[name=code]").fill(code)
    await page.locator("button[type=submit]:not([name=decline])").click()


async def pay_by_card(page: Page, number: str = MIR_WITH_CODE, code: str = CODE) -> None:
    """Pay at the bank. `code` is "" for cards without 3-D Secure."""
    await type_card(page, number)
    if code:
        await type_code(page, code)


async def return_to_seller(page: Page) -> None:
    """Return from the bank's page about a declined payment to the payment page."""
    await page.get_by_role("link", name="Вернуться к продавцу").click()
    await page.wait_for_url("**/i/*")


async def open_payment(page: Page, invoice: IssuedInvoice) -> None:
    """Open the first payment from the invoice's page."""
    await page.goto(invoice.page_url)
    await page.locator("a[href^='/payments/pay_']").first.click()
    await page.wait_for_url("**/payments/pay_*")


async def fill_refund_form(page: Page, amount: str, reason: str) -> None:
    """Fill the refund form of a payment and go on to the confirmation page."""
    await page.locator("summary", has_text="Вернуть деньги").click()
    await page.get_by_label("Часть", exact=True).check()
    await page.get_by_label("Сумма возврата").fill(amount)
    await page.get_by_label("Причина").fill(reason)
    await page.get_by_role("button", name="Проверить возврат").click()


async def wait_for_text(page: Page, text: str) -> None:
    """Reload the page until it shows the text. Raises AssertionError after TIMEOUT_MS."""

    async def is_displayed() -> bool:
        try:
            await expect(page.get_by_text(text).first).to_be_visible(timeout=RELOAD_AFTER_MS)
        except AssertionError:
            await page.reload()
            return False
        return True

    await wait_until(is_displayed)
