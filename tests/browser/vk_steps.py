"""Steps of an owner, an operator and a client around VK. Pages are in Russian."""

import io
import re

from PIL import Image, ImageDraw
from playwright.async_api import Page, expect

from tests.browser.demo import Demo

COMMUNITY_NAME = "Новая студия"
COMMUNITY_PATH = "/vk/club2"
COMMUNITY_DESCRIPTION = "Маникюр у метро Чистые пруды. Каждый день с 10 до 21, запись в сообщениях."
_SCOPES = ("manage", "messages", "photos")


def vk_url(demo: Demo, path: str) -> str:
    """Return a URL in the sandbox VK."""
    return f"{demo.info['sandbox_url']}{path}"


async def create_access_key(page: Page, demo: Demo) -> str:
    """Create an access key of the empty community on VK's own page; return it."""
    await page.goto(vk_url(demo, f"{COMMUNITY_PATH}/tokens"))
    for right in _SCOPES:
        await expect(page.locator(f"#new-key [name={right}]")).to_be_checked()
    await page.get_by_role("button", name="Создать ключ").click()
    return await page.get_by_label("Новый ключ").input_value()


async def connect_community(page: Page, key: str) -> None:
    """Connect the first community: paste a key, check the community's name, confirm."""
    await page.get_by_label("Ключ доступа", exact=True).fill(key)
    await page.get_by_role("button", name="Проверить ключ").click()
    await expect(page.get_by_text(COMMUNITY_NAME, exact=True)).to_be_visible()
    await page.get_by_role("button", name="Подключить", exact=True).click()
    await page.wait_for_url(re.compile(r"/vk/con_\w+$"))


async def disconnect_community(page: Page, demo: Demo, name: str) -> None:
    """Disconnect a community; its conversations stay."""
    await page.goto(f"{demo.app_url}/vk")
    await page.get_by_role("main").get_by_role("link", name=name).click()
    await page.locator("summary", has_text="Отключить сообщество").click()
    await page.get_by_role("button", name="Отключить", exact=True).click()
    await page.wait_for_url(f"{demo.app_url}/vk")


async def complete_vk_profile(page: Page, community_url: str) -> None:
    """Set the avatar and the contact on VK's page, which VK's API cannot set."""
    await page.goto(f"{community_url}/manage")
    await page.locator("#avatar [name=drawn]").first.check(force=True)
    await page.get_by_role("button", name="Сохранить аватар").click()
    await expect(page.get_by_role("status")).to_have_text("Аватар сохранён.")
    await page.get_by_label("Кто это").fill("Администратор")
    await page.get_by_label("Телефон").fill("+7 900 765-43-21")
    await page.get_by_role("button", name="Сохранить контакт").click()
    await expect(page.get_by_role("status")).to_have_text("Контакт сохранён.")


async def enable_vk_services(page: Page, community_url: str) -> None:
    """Turn the section of services on, on VK's page."""
    await page.goto(f"{community_url}/manage")
    await page.locator("#sections [name=services]").check(force=True)
    await page.get_by_role("button", name="Сохранить разделы").click()
    await expect(page.get_by_role("status")).to_have_text("Разделы сохранены.")


def make_service_photo() -> bytes:
    """Return a JPEG: a bottle of varnish on a table."""
    image = Image.new("RGB", (1280, 1280), "#f3e3e0")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 860, 1280, 1280), fill="#e2c8c2")
    pen.rounded_rectangle((500, 480, 780, 1020), 60, fill="#b3243f")
    pen.rounded_rectangle((575, 190, 705, 500), 40, fill="#3b2326")
    pen.rounded_rectangle((540, 540, 570, 940), 15, fill="#cf5a70")
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


async def fill_service(
    page: Page, title: str, price: str, description: str, own_question: str, return_url: str
) -> None:
    """Fill the form of a new service: photo, title, price, description, questions."""
    await page.locator("#photo").set_input_files(
        {"name": "lak.jpg", "mimeType": "image/jpeg", "buffer": make_service_photo()}
    )
    await page.get_by_label("Название", exact=True).fill(title)
    await page.get_by_label("Точная", exact=True).check(force=True)
    await page.get_by_label("Сумма", exact=True).fill(price)
    await page.get_by_label("Описание").fill(description)
    await expect(page.get_by_role("switch", name="E-mail")).to_be_checked()
    await page.get_by_role("switch", name="Телефон").check()
    await page.get_by_role("button", name="Своё поле").click()
    question = page.get_by_role("group").filter(has=page.get_by_label("Название поля"))
    await question.get_by_label("Название поля").fill(own_question)
    await page.get_by_label("Куда вернуть клиента после оплаты").fill(return_url)


async def write_as_client(page: Page, text: str) -> None:
    """Write as the client on VK's page."""
    field = page.get_by_label("Сообщение", exact=True)
    await field.fill(text)
    await page.get_by_role("button", name="Отправить").click()
    await expect(page.locator(".vk-message.mine").last).to_contain_text(text)
    # The page empties the field after the message appears: text typed before that is lost.
    await expect(field).to_have_value("")


async def reply_as_operator(page: Page, text: str) -> None:
    """Answer as the operator in the open conversation; wait until VK has accepted it."""
    await page.get_by_label("Ваш ответ").fill(text)
    await page.get_by_role("button", name="Отправить", exact=True).click()
    message = page.locator("#messages .bubble-out").last
    await expect(message).to_contain_text(text)
    await expect(message.get_by_text("отправлено")).to_be_attached()
