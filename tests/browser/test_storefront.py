"""The public page of services at a phone: leafing, buying, with and without scripts."""

from pathlib import Path

from playwright.async_api import Browser, Page, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import DESK, Window, window
from tests.photos import photo

UNBROKEN = "Ы" * 100
SENTENCE = "Очень подробное описание услуги, которое никто не дочитает до конца. " * 20
SLUG = "studio-test"


async def add(page: Page, demo: Demo, title: str, price: str, amount: str, text: str = "") -> str:
    """Adds a service with a photo; gives its id."""
    await page.goto(f"{demo.app}/services/new")
    await page.get_by_label("Название", exact=True).fill(title)
    await page.get_by_label(price, exact=True).check()
    if amount:
        await page.get_by_label("Сумма", exact=True).fill(amount)
    await page.get_by_label("Описание").fill(text)
    picture = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": photo(900, 1200)}
    await page.get_by_label("Выбрать фото").set_input_files(picture)  # type: ignore[arg-type]
    await page.get_by_role("button", name="Добавить услугу").click()
    await page.wait_for_url("**/services/svc_*")
    return page.url.rsplit("/", 1)[-1]


async def open_page(seller: Window, demo: Demo) -> None:
    """Switches the public page on under its name."""
    page = seller.page
    await page.goto(f"{demo.app}/services/page")
    if not await page.locator("#on").is_checked():
        await page.get_by_text("Показывать страницу услуг").click()
    await page.get_by_label("Имя в адресе").fill(SLUG)
    await page.get_by_role("button", name="Сохранить").click()
    await expect(page.get_by_text("Страница услуг открыта.")).to_be_visible()
    await seller.look("page")


async def test_a_client_leafs_services_and_pays_one(
    browser: Browser, demo: Demo, pictures: Path
) -> None:
    async with window(browser, pictures, "storefront-seller", DESK) as seller:
        page = seller.page
        await steps.sign_in(page, demo)
        service = await add(page, demo, "Стрижка", "Точная", "1800", "Час работы мастера")
        await seller.look("service")
        await add(page, demo, UNBROKEN, "От суммы", "9999999,99", SENTENCE + UNBROKEN * 3)
        await seller.look("long-service")
        await page.goto(f"{demo.app}/services")
        await seller.look("services")
        await open_page(seller, demo)
    async with window(browser, pictures, "storefront") as client:
        page = client.page
        await page.goto(f"{demo.app}/s/{SLUG}")
        await client.look("list")
        await page.get_by_role("link", name=UNBROKEN).click()
        await page.wait_for_url("**/svc_*")
        await client.look("long")
        await expect(page.get_by_role("link", name="Написать")).to_be_visible()
        await page.get_by_role("link", name="Все услуги").click()
        await page.get_by_role("link", name="Стрижка").click()
        await client.look("service")
        await page.get_by_role("button", name="Оплатить").click()
        await page.wait_for_url("**/i/*")
        await client.look("invoice")
        first = page.url
        await page.goto(f"{demo.app}/s/{SLUG}/{service}")
        await page.get_by_role("button", name="Оплатить").click()
        await page.wait_for_url("**/i/*")
        assert page.url == first
        await steps.answer(page, {"email": "buyer@example.ru"})
        await steps.agree(page)
        await steps.to_bank(page)
        await steps.pay_by_card(page)
        await page.wait_for_url("**/r/*")
        await expect(page.get_by_text("Стрижка").first).to_be_visible()


async def test_the_page_works_in_the_dark_without_scripts(
    browser: Browser, demo: Demo, pictures: Path
) -> None:
    async with window(browser, pictures, "storefront-dark-seller", DESK) as seller:
        await steps.sign_in(seller.page, demo)
        await open_page(seller, demo)
    options = {"java_script_enabled": False, "color_scheme": "dark"}
    async with window(browser, pictures, "storefront-dark", **options) as client:
        page = client.page
        await page.goto(f"{demo.app}/s/{SLUG}")
        await page.get_by_role("link", name="Маникюр с покрытием").click()
        await page.wait_for_url("**/svc_*")
        await page.screenshot(path=pictures / "storefront-dark-service.png", full_page=True)
        await page.get_by_role("button", name="Оплатить").click()
        await page.wait_for_url("**/i/*")
        await expect(page.get_by_role("heading", name="Маникюр с покрытием")).to_be_visible()


async def test_the_cabinets_services_fit_a_phone(
    browser: Browser, demo: Demo, pictures: Path
) -> None:
    async with window(browser, pictures, "services-phone") as seller:
        page = seller.page
        await steps.sign_in(page, demo)
        for path in ("services", "services/new", "services/page", "services/exchange"):
            await page.goto(f"{demo.app}/{path}")
            await seller.look(path.replace("/", "-"))
        await page.goto(f"{demo.app}/services")
        await page.locator(".service-link").first.click()
        await seller.look("one")
        await page.goto(f"{demo.app}/settings")
        await page.get_by_role("link", name="Услуги").click()
        await page.wait_for_url("**/services")
