"""The public page of services: browse and pay on a phone, with and without JavaScript."""

from pathlib import Path

from playwright.async_api import Browser, FilePayload, Page, expect

from tests.browser import steps
from tests.browser.demo import Demo
from tests.browser.windows import DESKTOP, Window, open_window
from tests.photos import make_photo

LONG_WORD = "Ы" * 100
LONG_TEXT = "Очень подробное описание услуги, которое никто не дочитает до конца. " * 20
SLUG = "studio-test"


async def add_service(
    page: Page, demo: Demo, title: str, price_kind: str, amount: str, description: str = ""
) -> str:
    """Add a service with a photo; return its id. `price_kind` is the label of a radio button."""
    await page.goto(f"{demo.app_url}/services/new")
    await page.get_by_label("Название", exact=True).fill(title)
    await page.get_by_label(price_kind, exact=True).check()
    if amount:
        await page.get_by_label("Сумма", exact=True).fill(amount)
    await page.get_by_label("Описание").fill(description)
    file = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": make_photo(900, 1200)}
    await page.get_by_label("Выбрать фото").set_input_files(file)  # type: ignore[arg-type]
    await page.get_by_role("button", name="Добавить услугу").click()
    await page.wait_for_url("**/services/svc_*")
    return page.url.rsplit("/", 1)[-1]


async def publish_services(seller: Window, demo: Demo) -> None:
    """Turn the public page of services on, with the address SLUG."""
    page = seller.page
    await page.goto(f"{demo.app_url}/services/page")
    if not await page.locator("#on").is_checked():
        await page.get_by_text("Показывать страницу услуг").click()
    await page.get_by_label("Адрес страницы").fill(SLUG)
    await page.get_by_role("button", name="Сохранить").click()
    await expect(page.get_by_text("Страница услуг открыта.")).to_be_visible()
    await seller.check_page("page")


async def test_client_chooses_service_and_pays_for_it(
    browser: Browser, demo: Demo, screenshots_dir: Path
) -> None:
    async with open_window(browser, screenshots_dir, "storefront-seller", DESKTOP) as seller:
        page = seller.page
        await steps.sign_in(page, demo)
        service_id = await add_service(
            page, demo, "Стрижка", "Точная", "1800", "Час работы мастера"
        )
        await seller.check_page("service")
        await add_service(
            page, demo, LONG_WORD, "От суммы", "9999999,99", LONG_TEXT + LONG_WORD * 3
        )
        await seller.check_page("long-service")
        await page.goto(f"{demo.app_url}/services")
        await seller.check_page("services")
        await publish_services(seller, demo)
    async with open_window(browser, screenshots_dir, "storefront") as client:
        page = client.page
        await page.goto(f"{demo.app_url}/s/{SLUG}")
        await client.check_page("list")
        await page.get_by_role("link", name=LONG_WORD).click()
        await page.wait_for_url("**/svc_*")
        await client.check_page("long")
        await expect(page.get_by_role("link", name="Написать")).to_be_visible()
        await page.get_by_role("link", name="Все услуги").click()
        await page.wait_for_url(f"**/s/{SLUG}")
        await page.get_by_role("link", name="Стрижка").click()
        await page.wait_for_url("**/svc_*")
        await client.check_page("service")
        await page.get_by_role("button", name="Оплатить").click()
        await page.wait_for_url("**/i/*")
        await client.check_page("invoice")
        invoice_url = page.url
        await page.goto(f"{demo.app_url}/s/{SLUG}/{service_id}")
        await page.get_by_role("button", name="Оплатить").click()
        await page.wait_for_url("**/i/*")
        assert page.url == invoice_url
        await steps.fill_answers(page, {"email": "buyer@example.ru"})
        await steps.accept_consent(page)
        await steps.go_to_bank(page)
        await steps.pay_by_card(page)
        await page.wait_for_url("**/r/*")
        await expect(page.get_by_text("Стрижка").first).to_be_visible()


async def test_storefront_works_in_dark_scheme_without_javascript(
    browser: Browser, demo: Demo, screenshots_dir: Path
) -> None:
    async with open_window(browser, screenshots_dir, "storefront-dark-seller", DESKTOP) as seller:
        await steps.sign_in(seller.page, demo)
        await publish_services(seller, demo)
    async with open_window(
        browser,
        screenshots_dir,
        "storefront-dark",
        java_script_enabled=False,
        color_scheme="dark",
    ) as client:
        page = client.page
        await page.goto(f"{demo.app_url}/s/{SLUG}")
        await page.get_by_role("link", name="Маникюр с покрытием").click()
        await page.wait_for_url("**/svc_*")
        await page.screenshot(path=screenshots_dir / "storefront-dark-service.png", full_page=True)
        await page.get_by_role("button", name="Оплатить").click()
        await page.wait_for_url("**/i/*")
        await expect(page.get_by_role("heading", name="Маникюр с покрытием")).to_be_visible()


async def test_service_pages_of_cabinet_fit_phone(
    browser: Browser, demo: Demo, screenshots_dir: Path
) -> None:
    async with open_window(browser, screenshots_dir, "services-phone") as seller:
        page = seller.page
        await steps.sign_in(page, demo)
        for path in ("services", "services/new", "services/page", "services/exchange"):
            await page.goto(f"{demo.app_url}/{path}")
            await seller.check_page(path.replace("/", "-"))
        await page.goto(f"{demo.app_url}/services/exchange")
        price_list = "Прайс;;\nУслуга;Цена;Фото\nАРЕНДА;;\nЗал;1500-2000 руб/час;a.jpg\nДом;сто;\n"
        file: FilePayload = {"name": "a.csv", "mimeType": "text/csv", "buffer": price_list.encode()}
        await page.set_input_files("#file", file)
        await page.get_by_role("button", name="Посмотреть, что изменится").click()
        await expect(page.get_by_label("Цена")).to_have_value("price")
        await seller.check_page("services-price-list")
        await page.goto(f"{demo.app_url}/services")
        await page.locator(".service-link").first.click()
        await seller.check_page("one")
        await page.goto(f"{demo.app_url}/settings")
        await page.get_by_role("link", name="Услуги").click()
        await page.wait_for_url("**/services")
