"""What an owner, an operator and a client do around VKontakte, as they would say it."""

import io
import re

from PIL import Image, ImageDraw
from playwright.async_api import Page, expect

from tests.browser.demo import Demo

CLUB = "Новая студия"
CLUB_ADDRESS = "/vk/club2"
ABOUT = "Маникюр у метро Чистые пруды. Каждый день с 10 до 21, запись в сообщениях."
RIGHTS = ("manage", "messages", "photos")


def vk(demo: Demo, path: str) -> str:
    """An address in the sandbox's VKontakte."""
    return f"{demo.told['sandbox_url']}{path}"


async def make_key(page: Page, demo: Demo) -> str:
    """Makes an access key of the empty community on VK's own page."""
    await page.goto(vk(demo, f"{CLUB_ADDRESS}/tokens"))
    for right in RIGHTS:
        await expect(page.locator(f"#new-key [name={right}]")).to_be_checked()
    await page.get_by_role("button", name="Создать ключ").click()
    return await page.get_by_label("Новый ключ").input_value()


async def connect(page: Page, key: str) -> None:
    """While none is connected: pastes a key, sees whose community it opens, says yes."""
    await page.get_by_label("Ключ доступа", exact=True).fill(key)
    await page.get_by_role("button", name="Проверить ключ").click()
    await expect(page.get_by_text(CLUB, exact=True)).to_be_visible()
    await page.get_by_role("button", name="Подключить", exact=True).click()
    await page.wait_for_url(re.compile(r"/vk/con_\w+$"))


async def disconnect(page: Page, demo: Demo, name: str) -> None:
    """Takes a community away; its dialogs stay."""
    await page.goto(f"{demo.app}/vk")
    await page.get_by_role("main").get_by_role("link", name=name).click()
    await page.locator("summary", has_text="Отключить сообщество").click()
    await page.get_by_role("button", name="Отключить", exact=True).click()
    await page.wait_for_url(f"{demo.app}/vk")


async def fill_in_vk(page: Page, demo: Demo) -> None:
    """What VK lets only a person do: avatar, contact, the section of services."""
    await page.goto(vk(demo, f"{CLUB_ADDRESS}/manage"))
    await page.locator("#avatar [name=drawn]").first.check(force=True)
    await page.get_by_role("button", name="Сохранить аватар").click()
    await page.get_by_label("Кто это").fill("Администратор")
    await page.get_by_label("Телефон").fill("+7 900 765-43-21")
    await page.get_by_role("button", name="Сохранить контакт").click()
    await page.locator("#sections [name=services]").check(force=True)
    await page.get_by_role("button", name="Сохранить разделы").click()


def photo_of_service() -> bytes:
    """A picture that looks like something: a bottle of varnish on a table."""
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
    page: Page, title: str, price: str, about: str, own: str, return_url: str
) -> None:
    """Fills the form of a new service: what it is, how much, and what its invoice asks."""
    await page.locator("#photo").set_input_files(
        {"name": "lak.jpg", "mimeType": "image/jpeg", "buffer": photo_of_service()}
    )
    await page.get_by_label("Название", exact=True).fill(title)
    await page.get_by_label("Точная", exact=True).check(force=True)
    await page.get_by_label("Сумма", exact=True).fill(price)
    await page.get_by_label("Описание").fill(about)
    await expect(page.get_by_role("switch", name="E-mail")).to_be_checked()
    await page.get_by_role("switch", name="Телефон").check()
    await page.get_by_role("button", name="Своё поле").click()
    question = page.get_by_role("group").filter(has=page.get_by_label("Название поля"))
    await question.get_by_label("Название поля").fill(own)
    await page.get_by_label("Куда вернуть после оплаты").fill(return_url)


async def write(page: Page, words: str) -> None:
    """The client writes in the dialog."""
    await page.get_by_label("Сообщение", exact=True).fill(words)
    await page.get_by_role("button", name="Отправить").click()
    await expect(page.locator(".vk-message.mine").last).to_contain_text(words)


async def answer(page: Page, words: str) -> None:
    """The operator answers in the open dialog; VK has taken it when it is ticked."""
    await page.get_by_label("Ваш ответ").fill(words)
    await page.get_by_role("button", name="Отправить", exact=True).click()
    said = page.locator("#messages .bubble-out").last
    await expect(said).to_contain_text(words)
    await expect(said.get_by_text("отправлено")).to_be_attached()
