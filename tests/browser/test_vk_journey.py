"""The VK journey in Chromium: connect a new community, add a service, reply to a client on a phone,
send an invoice in the conversation, get paid, see the receipt everywhere.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import steps, vk_steps
from tests.browser.demo import Demo, running_demo
from tests.browser.vk_steps import COMMUNITY_NAME, vk_url
from tests.browser.windows import DESKTOP, PHONE, Window, open_window

TITLE = "Маникюр с дизайном"
PRICE, PRICE_TEXT = "2300", "2 300,00 ₽"
DESCRIPTION = (
    "Снятие, комбинированный маникюр, покрытие гель-лаком и дизайн на двух ногтях. Два часа."
)
OWN_QUESTION = "Какой дизайн"
QUESTION = "Здравствуйте! Есть время в субботу после обеда?"
REPLY = "Здравствуйте! В субботу свободно в 15:00. Сейчас пришлю счёт."
ANSWERS = {"email": "maria@example.ru", "phone": "8 (916) 765-43-21"}
DESIGN = "Тонкие золотые линии"


@dataclass(frozen=True)
class Windows:
    """The demo and three browsers: the owner in Sigma and at VK, a client on a phone."""

    demo: Demo
    seller: Window
    owner_at_vk: Window
    client: Window


@pytest.fixture
async def windows(
    browser: Browser, screenshots_dir: Path, docs_images_dir: Path | None, tmp_path: Path
) -> AsyncIterator[Windows]:
    """Open the browsers with a separate demo, because this test disconnects its community."""
    async with AsyncExitStack() as stack:
        demo = await stack.enter_async_context(running_demo(tmp_path))

        async def open_user_window(name: str, size: Mapping[str, Any]) -> Window:
            return await stack.enter_async_context(
                open_window(
                    browser, screenshots_dir, f"vk-{name}", size, docs_images_dir=docs_images_dir
                )
            )

        yield Windows(
            demo,
            await open_user_window("seller", DESKTOP),
            await open_user_window("owner", DESKTOP),
            await open_user_window("client", PHONE),
        )


async def test_client_of_new_community_pays_for_service_in_conversation(
    windows: Windows,
) -> None:
    await _connect(windows)
    await _complete_checklist(windows)
    service_url = await _add_service(windows)
    await windows.seller.page.goto(f"{windows.demo.app_url}/inbox")
    await _mark_document(windows.seller.page)
    await _choose_service_and_write(windows, service_url)
    await _reply_to_client(windows)
    await _issue_invoice(windows)
    await _pay_invoice(windows)
    await _check_conversation(windows)
    await _check_cabinet(windows)
    await _check_mail(windows)


async def _mark_document(page: Page) -> None:
    """Set a variable in the page that a reload would lose."""
    await page.evaluate("window.marked = true")


async def _is_same_document(page: Page) -> bool:
    """Return whether the page has not been reloaded since `_mark_document`."""
    return bool(await page.evaluate("window.marked === true"))


async def _connect(windows: Windows) -> None:
    """Step 1: create an access key of a community at VK and connect it."""
    page = windows.seller.page
    await steps.sign_in(page, windows.demo)
    await vk_steps.disconnect_community(page, windows.demo, "Студия «Лак»")
    await windows.seller.check_page("no-community")
    key = await vk_steps.create_access_key(windows.owner_at_vk.page, windows.demo)
    await windows.owner_at_vk.check_page("keys")
    await vk_steps.connect_community(page, key)
    await expect(page.get_by_text("ВКонтакте отвечает, ключ работает")).to_be_visible()


async def _complete_checklist(windows: Windows) -> None:
    """Steps 2 and 3: set what Sigma can set, set the rest at VK, check again."""
    page = windows.seller.page
    await expect(page.locator("#item-avatar")).to_contain_text("Не хватает")
    messages = page.locator("#item-messages")
    await messages.get_by_role("button", name="Включить").click()
    await expect(messages).to_contain_text("Включены")
    # A checklist older than a minute reloads itself, which would clear the field.
    await expect(page.locator("#list")).not_to_have_attribute("hx-trigger", "load")
    await page.get_by_label("Описание сообщества").fill(vk_steps.COMMUNITY_DESCRIPTION)
    await page.get_by_role("button", name="Сохранить описание").click()
    await expect(page.locator("#item-description")).to_contain_text("Заполнено")
    await windows.seller.check_page("checklist")
    await windows.seller.save_docs_image("vk-checklist-1280", selector="#list")
    community_url = vk_url(windows.demo, vk_steps.COMMUNITY_PATH)
    await vk_steps.complete_vk_profile(windows.owner_at_vk.page, community_url)
    await vk_steps.enable_vk_services(windows.owner_at_vk.page, community_url)
    await windows.owner_at_vk.check_page("manage")
    await page.get_by_role("button", name="Проверить снова").click()
    await expect(page.locator("#item-contact")).to_contain_text("Указан")
    confirm = page.get_by_role("button", name="Да, услуги включены")
    if await confirm.count():
        await confirm.click()
    await expect(page.locator("#list")).to_contain_text("Готово 9 из 9")
    await windows.seller.check_page("checklist-complete")


async def _add_service(windows: Windows) -> str:
    """Step 4: add a service; return the URL of its public page."""
    page, demo = windows.seller.page, windows.demo
    await page.goto(f"{demo.app_url}/services")
    await page.get_by_role("link", name="Добавить услугу").click()
    return_url = vk_url(demo, "/vk/me/novaya_studia")
    await vk_steps.fill_service(page, TITLE, PRICE, DESCRIPTION, OWN_QUESTION, return_url)
    preview = page.frame_locator(".preview-frame")
    await expect(preview.locator("h1")).to_have_text(TITLE)
    await windows.seller.check_page("new-service")
    await page.get_by_role("button", name="Добавить услугу").click()
    await expect(page.get_by_text("Услуга добавлена")).to_be_visible()
    await page.goto(f"{demo.app_url}/services")
    await windows.seller.check_page("services")
    await windows.seller.save_docs_image("services-1280")
    await page.get_by_role("link", name=TITLE).first.click()
    conversation_link = await page.get_by_label("Написать об этой услуге").input_value()
    assert re.search(r"/me/novaya_studia\?ref=svc_\w+", conversation_link)
    return await page.get_by_label("Страница услуги").input_value()


async def _choose_service_and_write(windows: Windows, service_url: str) -> None:
    """Step 5, on a phone: open the public page of services and a service, write at VK."""
    client, page = windows.client, windows.client.page
    await page.goto(service_url.rpartition("/")[0])
    await client.check_page("services")
    await page.get_by_role("link", name=TITLE).click()
    await expect(page.get_by_role("button", name="Оплатить")).to_be_visible()
    await client.check_page("service")
    await client.save_docs_image("service-360")
    await page.get_by_role("link", name="Написать").click()
    await page.wait_for_url("**/vk/**")
    await expect(page.get_by_text("Вы пришли по ссылке")).to_be_visible()
    await vk_steps.write_as_client(page, QUESTION)
    await client.check_page("message-sent")


async def _reply_to_client(windows: Windows) -> None:
    """Steps 5 and 6: the message appears in the open list without a reload; reply to it."""
    page = windows.seller.page
    row = page.locator(".inbox-row", has_text=QUESTION)
    await expect(row).to_contain_text("Мария")
    await expect(row).to_contain_text(TITLE)
    await expect(row).to_contain_text("Ждёт ответа")
    assert await _is_same_document(page)
    await windows.seller.check_page("inbox")
    await row.get_by_role("link").click()
    await expect(page.locator("#client")).to_contain_text(TITLE)
    await vk_steps.reply_as_operator(page, REPLY)
    await expect(windows.client.page.locator(".vk-message").last).to_contain_text(REPLY)


async def _issue_invoice(windows: Windows) -> None:
    """Steps 7 to 9: the form is filled from the service; the invoice is sent to the client."""
    page = windows.seller.page
    await page.get_by_role("link", name=f"Выставить счёт: {TITLE}").click()
    await expect(page.get_by_label("Название", exact=True)).to_have_value(TITLE)
    await expect(page.get_by_label("Сумма", exact=True)).to_have_value(re.compile("^2.?300"))
    await expect(page.get_by_role("switch", name="Телефон")).to_be_checked()
    await expect(page.get_by_label("Название поля")).to_have_value(OWN_QUESTION)
    await windows.seller.check_page("new-invoice")
    await page.get_by_role("button", name="Выставить и отправить").click()
    await page.wait_for_url("**/inbox/cnv_*")
    await expect(page.locator("#messages .bubble-out").last).to_contain_text(TITLE)
    await expect(page.locator("#billing")).to_contain_text(TITLE)
    await windows.seller.check_page("invoice-sent")
    await _mark_document(page)
    pay = windows.client.page.get_by_role("link", name="Оплатить")
    await expect(pay.last).to_be_visible()
    await windows.client.check_page("conversation-invoice")
    await windows.client.save_docs_image("vk-invoice-360")


async def _pay_invoice(windows: Windows) -> None:
    """Steps 10 and 11: open the invoice by its button, pay by card, return to VK."""
    client, conversation = windows.client, windows.client.page
    async with conversation.expect_popup() as popup:
        await conversation.get_by_role("link", name="Оплатить").last.click()
    page = await popup.value
    await expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    await _expect_beside_conversation(windows, "Счёт открыт")
    await steps.fill_answers(page, ANSWERS)
    await page.get_by_label(OWN_QUESTION).fill(DESIGN)
    await steps.accept_consent(page)
    await client.for_page(page).check_page("pay")
    await steps.go_to_bank(page)
    await steps.pay_by_card(page)
    await page.wait_for_url("**/r/*")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Оплачено")
    await client.for_page(page).check_page("receipt")
    await page.get_by_role("link", name="Вернуться к продавцу").click()
    await page.wait_for_url("**/vk/**")
    await expect(page.get_by_role("heading", name=COMMUNITY_NAME)).to_be_visible()
    await page.close()


async def _expect_beside_conversation(windows: Windows, text: str) -> None:
    await expect(windows.seller.page.locator("#billing")).to_contain_text(text)


async def _check_conversation(windows: Windows) -> None:
    """Check on both sides: the invoice card says «Оплачен», the receipt link was sent once."""
    page = windows.client.page
    confirmation = page.locator(".vk-message", has_text="Оплата получена")
    await expect(confirmation).to_have_count(1)
    await expect(page.locator(".vk-message", has_text=f"Счёт № 1. {TITLE}")).to_contain_text(
        "Оплачен"
    )
    await windows.client.check_page("conversation-paid")
    await windows.client.save_docs_image("vk-paid-360")
    receipt_url = await confirmation.get_by_role("link").first.get_attribute("href") or ""
    assert re.search(r"/r/[\w-]{16,}$", receipt_url)
    seller = windows.seller.page
    await _expect_beside_conversation(windows, "Оплачен")
    await expect(seller.locator("#messages")).to_contain_text("Оплата получена")
    await expect(seller.locator("#billing")).not_to_contain_text("не по ссылке")
    assert await _is_same_document(seller)
    await windows.seller.check_page("conversation-paid")
    await seller.goto(seller.url.partition("#")[0])  # without the notice about the sent invoice
    await windows.seller.save_docs_image("conversation-1280")


async def _check_cabinet(windows: Windows) -> None:
    """Step 12: the payment shows every answer; the conversation fits a phone."""
    page = windows.seller.page
    conversation_url = page.url.partition("#")[0].partition("?")[0]
    await page.locator("#billing a[href^='/payments/pay_']").click()
    await page.wait_for_url("**/payments/pay_*")
    await steps.wait_for_text(page, "Отправлено")
    content = page.get_by_role("main")
    answers = {"E-mail": ANSWERS["email"], "Телефон": steps.FORMATTED_PHONE, OWN_QUESTION: DESIGN}
    for label, value in answers.items():
        row = content.locator("dl > div").filter(has=page.get_by_text(label, exact=True))
        await expect(row.filter(has_text=value)).to_be_visible()
    await expect(content).to_contain_text("Оплачено по ссылке из диалога")
    await windows.seller.check_page("payment")
    await page.goto(f"{windows.demo.app_url}/board")
    await windows.seller.check_page("needs-action")
    await windows.seller.save_docs_image("needs-action-1280")
    await page.set_viewport_size({"width": 360, "height": 780})
    await page.goto(conversation_url)
    await expect(page.locator("#messages")).to_contain_text("Оплата получена")
    await windows.seller.check_page("conversation-360")
    await windows.seller.save_docs_image("conversation-360")
    await page.goto(f"{windows.demo.app_url}/inbox")
    await windows.seller.check_page("inbox-360")


async def _check_mail(windows: Windows) -> None:
    mail = await windows.demo.wait_for_mail(ANSWERS["email"], 1)
    assert TITLE in mail["text"]
    assert PRICE_TEXT in _with_plain_spaces(mail["text"])
    assert [file["content_type"] for file in mail["attachments"]] == ["application/pdf"]
    await windows.client.page.goto(f"{windows.demo.info['sandbox_url']}/mail/")
    await expect(windows.client.page.get_by_text(ANSWERS["email"]).first).to_be_visible()


def _with_plain_spaces(text: str) -> str:
    """Return the text with every run of whitespace replaced by one space."""
    return re.sub(r"\s+", " ", text)


async def test_invoice_from_phrase_is_paid_by_another_person(
    browser: Browser, demo: Demo, screenshots_dir: Path
) -> None:
    """Use the demo's community, where a client has already asked about a service."""
    async with (
        open_window(browser, screenshots_dir, "vk-phrase", PHONE) as operator,
        open_window(browser, screenshots_dir, "vk-payer", PHONE) as payer,
    ):
        page = operator.page
        await steps.sign_in(page, demo)
        await page.goto(f"{demo.app_url}/inbox")
        await page.locator(".inbox-row", has_text="Мария").get_by_role("link").click()
        await page.get_by_role("link", name="Клиент и счета").click()
        await _submit_phrase(page, "подарок завтра")
        await expect(page.locator("#phrase-error")).to_be_visible()
        await operator.check_page("phrase-wrong")
        await _submit_phrase(page, "1,9к снятие лака до завтра")
        await expect(page.locator(".phrase-sum")).to_have_text(re.compile("1.900,00.₽"))
        await operator.check_page("phrase-preview")
        await page.get_by_role("button", name="Отправить счёт на").click()
        await expect(page.get_by_text("отправлен клиенту")).to_be_visible()
        sent = page.locator("#messages .bubble-out", has_text="Снятие лака").last
        link = await sent.get_by_role("link").first.get_attribute("href") or ""
        unsigned_url = link.partition("?")[0]
        await payer.page.goto(unsigned_url)
        await steps.fill_answers(payer.page, {"email": "payer@example.ru"})
        await steps.accept_consent(payer.page)
        await steps.go_to_bank(payer.page)
        await steps.pay_by_card(payer.page, steps.MIR, "")
        await payer.page.wait_for_url("**/r/*")
        await expect(page.locator("#billing")).to_contain_text("Оплачено не по ссылке")
        await operator.check_page("paid-by-another")
        for path in ("", "board", "services", "services/exchange", "settings/auto-answers"):
            await page.goto(f"{demo.app_url}/{path}")
            await operator.check_page(path.replace("/", "-") or "home")


async def _submit_phrase(page: Page, phrase: str) -> None:
    await page.get_by_label("Быстрый счёт").fill(phrase)
    await page.get_by_role("button", name="Показать счёт").click()
