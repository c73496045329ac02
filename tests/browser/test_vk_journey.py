"""All twelve steps in Chromium: a community connected from scratch, a client who finds a service on
a phone and writes, an answer, an invoice in the dialog, money, the receipt everywhere.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser import steps, vk_steps
from tests.browser.demo import Demo, running_demo
from tests.browser.vk_steps import CLUB, vk
from tests.browser.windows import DESK, PHONE, Window, window

TITLE = "Маникюр с дизайном"
PRICE, SHOWN = "2300", "2 300,00 ₽"
ABOUT = "Снятие, комбинированный маникюр, покрытие гель-лаком и дизайн на двух ногтях. Два часа."
OWN = "Какой дизайн"
QUESTION = "Здравствуйте! Есть время в субботу после обеда?"
REPLY = "Здравствуйте! В субботу свободно в 15:00. Сейчас пришлю счёт."
ANSWERS = {"email": "maria@example.ru", "phone": "8 (916) 765-43-21"}
DESIGN = "Тонкие золотые линии"


@dataclass(frozen=True)
class Stage:
    """Who takes part: an owner at a desk, the same person at VK, a client on a phone."""

    demo: Demo
    seller: Window
    at_vk: Window
    client: Window


@pytest.fixture
async def stage(
    browser: Browser, pictures: Path, shots: Path | None, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A demo of its own: this story changes which communities are connected."""
    async with AsyncExitStack() as stack:
        demo = await stack.enter_async_context(running_demo(tmp_path))

        async def opened(name: str, size: dict[str, object]) -> Window:
            return await stack.enter_async_context(
                window(browser, pictures, f"vk-{name}", size, shots=shots)
            )

        yield Stage(
            demo,
            await opened("seller", DESK),
            await opened("owner", DESK),
            await opened("client", PHONE),
        )


async def test_a_client_of_a_fresh_community_pays_for_a_service_in_the_dialog(
    stage: Stage,
) -> None:
    await _connect(stage)
    await _pass_the_checklist(stage)
    service_url = await _add_a_service(stage)
    await stage.seller.page.goto(f"{stage.demo.app}/inbox")
    await _mark(stage.seller.page)
    await _leaf_and_write(stage, service_url)
    await _see_who_wrote_and_answer(stage)
    await _issue_beside_the_dialog(stage)
    await _pay_from_the_dialog(stage)
    await _receipt_in_the_dialog(stage)
    await _everything_is_known(stage)
    await _letter(stage)


async def _mark(page: Page) -> None:
    """Leaves a mark in a page as it is loaded now."""
    await page.evaluate("window.marked = true")


async def _is_marked(page: Page) -> bool:
    """Whether it is the same page still: what is new came without loading it again."""
    return bool(await page.evaluate("window.marked === true"))


async def _connect(stage: Stage) -> None:
    """Step 1: a community that exists, and its key."""
    page = stage.seller.page
    await steps.sign_in(page, stage.demo)
    await vk_steps.disconnect(page, stage.demo, "Студия «Лак»")
    await stage.seller.look("no-community")
    key = await vk_steps.make_key(stage.at_vk.page, stage.demo)
    await stage.at_vk.look("keys")
    await vk_steps.connect(page, key)
    await expect(page.get_by_text("ВКонтакте отвечает, ключ работает")).to_be_visible()


async def _pass_the_checklist(stage: Stage) -> None:
    """Steps 2 and 3: what Sigma may, by a press; the rest at VK; then looked at again."""
    page = stage.seller.page
    await expect(page.locator("#item-avatar")).to_contain_text("Не хватает")
    messages = page.locator("#item-messages")
    await messages.get_by_role("button", name="Включить").click()
    await expect(messages).to_contain_text("Включены")
    await page.get_by_label("Описание сообщества").fill(vk_steps.ABOUT)
    await page.get_by_role("button", name="Записать описание").click()
    await expect(page.locator("#item-description")).to_contain_text("Заполнено")
    await stage.seller.look("checklist")
    await stage.seller.shoot("vk-checklist-1280", at="#list")
    await vk_steps.fill_in_vk(stage.at_vk.page, stage.demo)
    await stage.at_vk.look("manage")
    await page.get_by_role("button", name="Проверить снова").click()
    await expect(page.locator("#item-contact")).to_contain_text("Указан")
    said = page.get_by_role("button", name="Да, услуги включены")
    if await said.count():
        await said.click()
    await expect(page.locator("#list")).to_contain_text("Готово 9 из 9")
    await stage.seller.look("ready")


async def _add_a_service(stage: Stage) -> str:
    """Step 4. Gives the address of its public page."""
    page, demo = stage.seller.page, stage.demo
    await page.goto(f"{demo.app}/services")
    await page.get_by_role("link", name="Добавить услугу").click()
    back = vk(demo, "/vk/me/novaya_studia")
    await vk_steps.fill_service(page, TITLE, PRICE, ABOUT, OWN, back)
    preview = page.frame_locator(".preview-frame")
    await expect(preview.locator("h1")).to_have_text(TITLE)
    await stage.seller.look("new-service")
    await page.get_by_role("button", name="Добавить услугу").click()
    await expect(page.get_by_text("Услуга добавлена")).to_be_visible()
    await page.goto(f"{demo.app}/services")
    await stage.seller.look("services")
    await stage.seller.shoot("services-1280")
    await page.get_by_role("link", name=TITLE).first.click()
    ref = await page.get_by_label("Написать об этой услуге").input_value()
    assert re.search(r"/me/novaya_studia\?ref=svc_\w+", ref)
    return await page.get_by_label("Страница услуги").input_value()


async def _leaf_and_write(stage: Stage, service_url: str) -> None:
    """Step 5, on a phone: the shop's page, the service, the dialog."""
    client, page = stage.client, stage.client.page
    await page.goto(service_url.rpartition("/")[0])
    await client.look("services")
    await page.get_by_role("link", name=TITLE).click()
    await expect(page.get_by_role("button", name="Оплатить")).to_be_visible()
    await client.look("service")
    await client.shoot("service-360")
    await page.get_by_role("link", name="Написать").click()
    await page.wait_for_url("**/vk/**")
    await expect(page.get_by_text("Вы пришли по ссылке")).to_be_visible()
    await vk_steps.write(page, QUESTION)
    await client.look("written")


async def _see_who_wrote_and_answer(stage: Stage) -> None:
    """Steps 5 and 6: the list was open before the client wrote, and is not loaded again."""
    page = stage.seller.page
    row = page.locator(".talk-row", has_text=QUESTION)
    await expect(row).to_contain_text("Мария")
    await expect(row).to_contain_text(TITLE)
    await expect(row).to_contain_text("Ждёт ответа")
    assert await _is_marked(page)
    await stage.seller.look("inbox")
    await row.get_by_role("link").click()
    await expect(page.locator("#client")).to_contain_text(TITLE)
    await vk_steps.answer(page, REPLY)
    await expect(stage.client.page.locator(".vk-message").last).to_contain_text(REPLY)


async def _issue_beside_the_dialog(stage: Stage) -> None:
    """Steps 7 to 9: the form knows the service; the invoice goes into the dialog at once."""
    page = stage.seller.page
    await page.get_by_role("link", name=f"Выставить счёт: {TITLE}").click()
    await expect(page.get_by_label("Название", exact=True)).to_have_value(TITLE)
    await expect(page.get_by_label("Сумма", exact=True)).to_have_value(re.compile("^2.?300"))
    await expect(page.get_by_role("switch", name="Телефон")).to_be_checked()
    await expect(page.get_by_label("Название поля")).to_have_value(OWN)
    await stage.seller.look("new-invoice")
    await page.get_by_role("button", name="Выставить и отправить в диалог").click()
    await page.wait_for_url("**/inbox/dlg_*")
    await expect(page.locator("#messages .bubble-out").last).to_contain_text(TITLE)
    await expect(page.locator("#dealings")).to_contain_text(TITLE)
    await stage.seller.look("dialog-issued")
    await _mark(page)
    pay = stage.client.page.get_by_role("link", name="Оплатить")
    await expect(pay.last).to_be_visible()
    await stage.client.look("dialog-invoice")
    await stage.client.shoot("vk-invoice-360")


async def _pay_from_the_dialog(stage: Stage) -> None:
    """Steps 10 and 11: the button, the fields, a test card; the receipt and the way back."""
    client, dialog = stage.client, stage.client.page
    async with dialog.expect_popup() as opening:
        await dialog.get_by_role("link", name="Оплатить").last.click()
    page = await opening.value
    await expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    await _seller_sees(stage, "Счёт открыт")
    await steps.answer(page, ANSWERS)
    await page.get_by_label(OWN).fill(DESIGN)
    await steps.agree(page)
    await client.at(page).look("pay")
    await steps.to_bank(page)
    await steps.pay_by_card(page)
    await page.wait_for_url("**/r/*")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Оплачено")
    await client.at(page).look("receipt")
    await page.get_by_role("link", name="Вернуться в магазин").click()
    await page.wait_for_url("**/vk/**")
    await expect(page.get_by_role("heading", name=CLUB)).to_be_visible()
    await page.close()


async def _seller_sees(stage: Stage, words: str) -> None:
    await expect(stage.seller.page.locator("#dealings")).to_contain_text(words)


async def _receipt_in_the_dialog(stage: Stage) -> None:
    """The card says that it is paid, and the receipt's link is there once, on both sides."""
    page = stage.client.page
    thanks = page.locator(".vk-message", has_text="Оплата получена")
    await expect(thanks).to_have_count(1)
    await expect(page.locator(".vk-message", has_text=f"Счёт № 1. {TITLE}")).to_contain_text(
        "Оплачен"
    )
    await stage.client.look("dialog-paid")
    await stage.client.shoot("vk-paid-360")
    receipt = await thanks.get_by_role("link").first.get_attribute("href") or ""
    assert re.search(r"/r/[\w-]{16,}$", receipt)
    seller = stage.seller.page
    await _seller_sees(stage, "Оплачен")
    await expect(seller.locator("#messages")).to_contain_text("Оплата получена")
    await expect(seller.locator("#dealings")).not_to_contain_text("не по ссылке")
    assert await _is_marked(seller)
    await stage.seller.look("dialog-paid")
    await seller.goto(seller.url.partition("#")[0])  # without the word about what was done
    await stage.seller.shoot("dialog-1280")


async def _everything_is_known(stage: Stage) -> None:
    """Step 12: every answer in the operation; the dialog on the operator's own phone."""
    page = stage.seller.page
    dialog = page.url.partition("#")[0].partition("?")[0]
    await page.locator("#dealings a[href^='/payments/pay_']").click()
    await page.wait_for_url("**/payments/pay_*")
    await steps.shown_after_reloads(page, "Отправлено")
    content = page.get_by_role("main")
    wanted = {"E-mail": ANSWERS["email"], "Телефон": steps.PHONE_SHOWN, OWN: DESIGN}
    for label, value in wanted.items():
        shown = content.locator("dl > div").filter(has=page.get_by_text(label, exact=True))
        await expect(shown.filter(has_text=value)).to_be_visible()
    await expect(content).to_contain_text("Оплачено по ссылке из диалога")
    await stage.seller.look("operation")
    await page.goto(f"{stage.demo.app}/board")
    await stage.seller.look("board")
    await stage.seller.shoot("board-1280")
    await page.set_viewport_size({"width": 360, "height": 780})
    await page.goto(dialog)
    await expect(page.locator("#messages")).to_contain_text("Оплата получена")
    await stage.seller.look("dialog-360")
    await stage.seller.shoot("dialog-360")
    await page.goto(f"{stage.demo.app}/inbox")
    await stage.seller.look("inbox-360")


async def _letter(stage: Stage) -> None:
    letter = await stage.demo.letter(ANSWERS["email"], 1)
    assert TITLE in letter["text"]
    assert SHOWN in _plain(letter["text"])
    assert [one["content_type"] for one in letter["attachments"]] == ["application/pdf"]
    await stage.client.page.goto(f"{stage.demo.told['sandbox_url']}/mail/")
    await expect(stage.client.page.get_by_text(ANSWERS["email"]).first).to_be_visible()


def _plain(text: str) -> str:
    """A text with usual spaces only."""
    return re.sub(r"\s+", " ", text)


async def test_a_phrase_becomes_an_invoice_that_another_person_may_pay(
    browser: Browser, demo: Demo, pictures: Path
) -> None:
    """The demo's own community: a client has asked about a service already."""
    async with (
        window(browser, pictures, "vk-phrase", PHONE) as operator,
        window(browser, pictures, "vk-stranger", PHONE) as stranger,
    ):
        page = operator.page
        await steps.sign_in(page, demo)
        await page.goto(f"{demo.app}/inbox")
        await page.locator(".talk-row", has_text="Мария").get_by_role("link").click()
        await page.get_by_role("link", name="Клиент и счета").click()
        await _type(page, "маникюр завтра")
        await expect(page.locator("#phrase-error")).to_be_visible()
        await operator.look("phrase-wrong")
        await _type(page, "1,9к снятие лака завтра")
        await expect(page.locator(".phrase-sum")).to_have_text(re.compile("1.900,00.₽"))
        await operator.look("phrase-seen")
        await page.get_by_role("button", name="Выставить и отправить").click()
        await expect(page.get_by_text("отправлен в диалог")).to_be_visible()
        said = page.locator("#messages .bubble-out", has_text="Снятие лака").last
        link = await said.get_by_role("link").first.get_attribute("href") or ""
        invoice = link.partition("?")[0]
        await stranger.page.goto(invoice)  # without the mark, in another browser
        await steps.answer(stranger.page, {"email": "stranger@example.ru"})
        await steps.agree(stranger.page)
        await steps.to_bank(stranger.page)
        await steps.pay_by_card(stranger.page, steps.MIR, "")
        await stranger.page.wait_for_url("**/r/*")
        await expect(page.locator("#dealings")).to_contain_text("Заплачено не по ссылке")
        await operator.look("paid-by-other")
        for place in ("", "board", "services", "services/exchange", "settings/auto-answers"):
            await page.goto(f"{demo.app}/{place}")
            await operator.look(place.replace("/", "-") or "home")


async def _type(page: Page, phrase: str) -> None:
    await page.get_by_label("Счёт одной фразой").fill(phrase)
    await page.get_by_role("button", name="Показать счёт").click()
