"""Invoices from a conversation: the one-line phrase and the full form."""

import asyncio
import sqlite3
from typing import Any

import pytest

from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.catalogue.service import InvoiceTemplate, PriceKind, Service, ServiceFields
from sigma.domain.money import Money
from sigma.services.billing import invoices
from sigma.services.catalogue import services
from sigma.services.invoice_cards import vk_orders
from tests.conversation_invoices import (
    get_card,
    get_vk_order,
    issue_and_send,
    open_payment_link,
    pay_invoice,
)
from tests.vk_world import VkWorld
from tests.web.cabinet_harness import CabinetBrowser, field_value, visible_text


@pytest.fixture
async def vk_world(vk_world: VkWorld) -> VkWorld:
    """A shop with a VK community and one conversation with a client's question."""
    await vk_world.write_as_client("Здравствуйте, сколько стоит маникюр?")
    await vk_world.poll_events()
    return vk_world


@pytest.fixture
def owner_browser(vk_owner_browser: CabinetBrowser) -> CabinetBrowser:
    """A browser with the owner of this shop signed in."""
    return vk_owner_browser


async def conversation_url(vk: VkWorld) -> str:
    return f"/inbox/{(await vk.conversation()).id}"


async def list_invoices(vk: VkWorld) -> list[Invoice]:
    return (await invoices.list_page(vk.ctx, vk.member, limit=100)).data


async def create_service(vk: VkWorld, **fields: Any) -> Service:
    usual: dict[str, Any] = {
        "price_kind": PriceKind.FIXED,
        "amount": Money(150_000),
        "invoice_template": InvoiceTemplate(
            questions=(Question("phone", QuestionKind.PHONE, required=True),)
        ),
    }
    return await services.save(
        vk.ctx, vk.member, None, ServiceFields("Маникюр классический", **usual | fields)
    )


def plain_text(text: str) -> str:
    return visible_text(text).replace("\xa0", " ")


async def preview(owner: CabinetBrowser, url: str, phrase: str) -> dict[str, str]:
    """Preview a phrase; return the form fields of the button that issues the invoice."""
    page = await owner.open(url)
    nonce = field_value(page.text, "nonce")
    previewed = await owner.submit(f"{url}/phrase", phrase=phrase, nonce=nonce)
    assert previewed.status_code == 200, previewed.text
    names = ("nonce", "phrase", "preview_fingerprint")
    return {name: field_value(previewed.text, name) for name in names} | {"do": "issue"}


async def test_phrase_is_previewed_before_the_invoice_is_issued(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    url = await conversation_url(vk_world)
    await owner_browser.open(url)
    response = await owner_browser.submit(f"{url}/phrase", phrase="2500 педикюр до завтра")
    text = plain_text(response.text)
    assert response.status_code == 200
    assert "Педикюр 2 500,00 ₽" in text
    assert "Оплатить до" in text
    assert "Спросим: e-mail" in text.replace("E-mail", "e-mail")
    assert "Отправить счёт на 2 500,00 ₽" in text
    assert await list_invoices(vk_world) == []
    fragment = await owner_browser.submit(
        f"{url}/phrase", {"hx-request": "true"}, phrase="2500 педикюр до завтра"
    )
    assert fragment.text.lstrip().startswith("<form")
    assert "<html" not in fragment.text


async def test_double_submit_of_a_phrase_issues_one_invoice(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    url = await conversation_url(vk_world)
    form = await preview(owner_browser, url, "2500 педикюр до завтра")
    responses = await asyncio.gather(
        *(owner_browser.submit(f"{url}/phrase", **form) for _ in range(5))
    )
    assert {(r.status_code, r.headers["location"]) for r in responses} == {(303, url)}
    (invoice,) = await list_invoices(vk_world)
    assert (invoice.title, invoice.amount) == ("Педикюр", Money(250_000))
    assert invoice.conversation_id == url.removeprefix("/inbox/")
    await vk_world.run_jobs()
    assert len(await vk_world.vk_texts()) == 2
    page = await owner_browser.open(url)
    assert "Счёт № 1 отправлен клиенту" in plain_text(page.text)
    again = await owner_browser.submit(f"{url}/phrase", **form)
    assert again.headers["location"] == url
    assert len(await list_invoices(vk_world)) == 1


async def test_phrase_changed_after_issuing_is_previewed_again(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    url = await conversation_url(vk_world)
    form = await preview(owner_browser, url, "2500 педикюр")
    await owner_browser.submit(f"{url}/phrase", **form)
    changed = await owner_browser.submit(f"{url}/phrase", **form | {"phrase": "9900 педикюр"})
    assert changed.status_code == 200
    assert "изменился" in plain_text(changed.text)
    assert "9 900,00 ₽" in plain_text(changed.text)
    assert len(await list_invoices(vk_world)) == 1
    fingerprint = field_value(changed.text, "preview_fingerprint")
    second = form | {
        "phrase": "9900 педикюр",
        "preview_fingerprint": fingerprint,
        "nonce": field_value(changed.text, "nonce"),
    }
    response = await owner_browser.submit(f"{url}/phrase", **second)
    if response.status_code == 200:  # the nonce is used up: the preview has a new one
        second["nonce"] = field_value(response.text, "nonce")
        response = await owner_browser.submit(f"{url}/phrase", **second)
    assert response.status_code == 303
    assert [i.amount for i in await list_invoices(vk_world)] == [Money(990_000), Money(250_000)]


async def test_previewed_phrase_can_be_edited(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    url = await conversation_url(vk_world)
    form = await preview(owner_browser, url, "2500 педикюр")
    for headers in ({}, {"hx-request": "true"}):
        response = await owner_browser.submit(f"{url}/phrase", headers, **form | {"do": "edit"})
        assert response.status_code == 200
        assert field_value(response.text, "phrase") == "2500 педикюр"
        assert "Показать счёт" in plain_text(response.text)
        assert "phrase-error" not in response.text
    assert await list_invoices(vk_world) == []


async def test_invoice_that_differs_from_its_preview_is_previewed_again(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    url = await conversation_url(vk_world)
    form = await preview(owner_browser, url, "2500 педикюр до завтра")
    vk_world.clock.advance(days=1)
    response = await owner_browser.submit(f"{url}/phrase", **form)
    assert response.status_code == 200
    assert "изменился" in plain_text(response.text)
    assert await list_invoices(vk_world) == []
    form = await preview(owner_browser, url, "1500 маникюр классический")
    await create_service(vk_world)
    response = await owner_browser.submit(f"{url}/phrase", **form)
    assert "Услуга:" in plain_text(response.text)
    assert await list_invoices(vk_world) == []


async def test_phrase_with_a_service_title_uses_its_questions(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    service = await create_service(
        vk_world,
        invoice_template=InvoiceTemplate(
            questions=(Question("phone", QuestionKind.PHONE),), expires_days=3
        ),
    )
    url = await conversation_url(vk_world)
    form = await preview(owner_browser, url, "1300 маникюр классический")
    vk_world.clock.advance(seconds=30)  # the expiry of three days moves with the clock
    assert (await owner_browser.submit(f"{url}/phrase", **form)).status_code == 303
    (invoice,) = await list_invoices(vk_world)
    assert (invoice.service_id, invoice.amount) == (service.id, Money(130_000))
    assert [q.kind for q in invoice.questions] == [QuestionKind.PHONE]


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("маникюр завтра", "Не хватает суммы"),
        ("2500", "Добавьте название"),
        ("0 маникюр", "больше нуля"),
        ("25 евро маникюр", "евро. Подключение принимает только: российский рубль"),
        ("маникюр 2200 7001 2345 6789", "Уберите номер карты"),
        ("2500 маникюр до 25.11.2020", "уже прошёл"),
        ("2500 маникюр до 31.02", "Такого дня нет"),
        ("<script>alert(1)</script>", "Не хватает суммы"),
        ("700001 свадьба", "принимает платежи от 1,00 ₽ до 350 000,00 ₽"),
        ("0,50 ₽ наклейка", "принимает платежи от 1,00 ₽ до 350 000,00 ₽"),
    ],
)
async def test_invalid_phrase_shows_an_error_and_keeps_the_input(
    vk_world: VkWorld, owner_browser: CabinetBrowser, typed: str, error: str
) -> None:
    url = await conversation_url(vk_world)
    await owner_browser.open(url)
    response = await owner_browser.submit(f"{url}/phrase", phrase=typed, do="issue")
    assert response.status_code == 422
    assert error in plain_text(response.text)
    assert field_value(response.text, "phrase") == typed
    assert 'id="phrase-error"' in response.text
    assert "<script>alert" not in response.text
    assert await list_invoices(vk_world) == []


async def test_invoice_title_is_escaped_on_every_page(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    hostile_title = "<img src=x onerror=alert(1)>"
    url = await conversation_url(vk_world)
    form = await preview(owner_browser, url, f"2500 {hostile_title}")
    assert (await owner_browser.submit(f"{url}/phrase", **form)).status_code == 303
    await vk_world.run_jobs()
    (invoice,) = await list_invoices(vk_world)
    pages = (url, f"/invoices/{invoice.id}", f"/invoices/{invoice.id}/send", "/inbox")
    for path in pages:
        page = await owner_browser.open(path)
        assert page.status_code == 200
        assert "<img src=x" not in page.text.casefold()


async def fill_invoice_form(owner: CabinetBrowser, address: str, **changes: str) -> dict[str, str]:
    """Open the full invoice form of the conversation; return its fields, filled."""
    page = await owner.open(address)
    assert page.status_code == 200, page.text
    names = [n for n in ("conversation", "service", "order") if f'name="{n}"' in page.text]
    values = {name: field_value(page.text, name) for name in ("nonce", "title", "amount", *names)}
    return values | {"ask.0.kind": "email", "ask.0.on": "1", "do": "issue"} | changes


async def test_full_form_keeps_its_conversation_and_service(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    service, url = await create_service(vk_world), await conversation_url(vk_world)
    redirect = await owner_browser.open(f"{url}/invoice?service={service.id}")
    form = await fill_invoice_form(owner_browser, redirect.headers["location"])
    assert (form["title"], form["service"]) == ("Маникюр классический", service.id)
    page = (await owner_browser.open(redirect.headers["location"])).text
    assert "Счёт получит" in plain_text(page)
    assert "Выставить и отправить" in plain_text(page)
    assert 'value="draft"' not in page, "a draft belongs to no conversation"
    responses = await asyncio.gather(
        *(owner_browser.submit("/invoices/new", **form) for _ in range(3))
    )
    assert {(r.status_code, r.headers.get("location")) for r in responses} == {(303, url)}
    (invoice,) = await list_invoices(vk_world)
    assert (invoice.service_id, f"/inbox/{invoice.conversation_id}") == (service.id, url)
    await vk_world.run_jobs()
    assert len(await vk_world.vk_texts()) == 2


async def test_invalid_full_form_keeps_its_conversation(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    url = await conversation_url(vk_world)
    address = f"/invoices/new?conversation={url.removeprefix('/inbox/')}"
    form = await fill_invoice_form(owner_browser, address, title="", amount="сто")
    response = await owner_browser.submit("/invoices/new", **form)
    assert response.status_code == 422
    assert field_value(response.text, "conversation") == form["conversation"]
    assert "Счёт получит" in plain_text(response.text)


async def test_vk_order_is_invoiced_once(vk_world: VkWorld, owner_browser: CabinetBrowser) -> None:
    group = f"communities/{vk_world.group_id}"
    await vk_world.call_vk_test_api(group, market="advanced")
    item = await vk_world.call_vk_test_api(f"{group}/items", title="Набор кистей", price=99_900)
    author = {"person_id": vk_world.client_id, "group_id": vk_world.group_id}
    await vk_world.call_vk_test_api("orders", **author, lines=[[item["item_id"], 1]])
    await vk_world.update_community(key_scopes=("manage", "messages", "market"))
    await vk_orders.fetch(vk_world.ctx, vk_world.community_id)
    order, url = await get_vk_order(vk_world), await conversation_url(vk_world)
    page = plain_text((await owner_browser.open(url)).text)
    assert f"Счёт по заказу {order.display_id}" in page
    redirect = await owner_browser.open(f"{url}/invoice?order={order.id}")
    form = await fill_invoice_form(owner_browser, redirect.headers["location"])
    assert form["order"] == order.id
    assert form["amount"].replace("\xa0", " ").startswith("999")
    assert (await owner_browser.submit("/invoices/new", **form)).headers["location"] == url
    second_form = await fill_invoice_form(owner_browser, redirect.headers["location"])
    response = await owner_browser.submit("/invoices/new", **second_form)
    assert response.status_code == 422
    assert "уже есть счёт № 1" in plain_text(response.text)
    assert len(await list_invoices(vk_world)) == 1


async def test_blocked_conversation_suggests_copying_the_link(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    await vk_world.act_as_client("deny")
    await vk_world.poll_events()
    url = await conversation_url(vk_world)
    form = await preview(owner_browser, url, "2500 педикюр")
    assert (await owner_browser.submit(f"{url}/phrase", **form)).headers["location"] == url
    page = plain_text((await owner_browser.open(url)).text)
    assert "Счёт № 1 выставлен, но ВКонтакте не даёт написать клиенту" in page
    assert "Скопируйте ссылку" in page


async def test_payment_page_shows_whether_the_client_of_the_conversation_paid(
    vk_world: VkWorld, owner_browser: CabinetBrowser
) -> None:
    own = await issue_and_send(vk_world)
    await open_payment_link(vk_world, own, "client")
    by_client = await pay_invoice(vk_world, own, "client")
    other = await issue_and_send(vk_world)
    by_friend = await pay_invoice(vk_world, other, "friend")
    name = (await vk_world.conversation()).title
    page = plain_text((await owner_browser.open(f"/payments/{by_client.id}")).text)
    assert f"Оплачено по ссылке из диалога: {name}" in page
    page = plain_text((await owner_browser.open(f"/payments/{by_friend.id}")).text)
    assert "Возможно, платил другой человек" in page
    assert (await get_card(vk_world, own)).payer_hash
    unlinked = await vk_world.complete_payment()
    page = plain_text((await owner_browser.open(f"/payments/{unlinked.id}")).text)
    assert "диалога" not in page


async def test_viewer_sees_no_conversation_and_sends_no_invoice(
    vk_world: VkWorld, owner_browser: CabinetBrowser, sqlite_database_url: str
) -> None:
    invoice = await issue_and_send(vk_world)
    url = await conversation_url(vk_world)
    with sqlite3.connect(sqlite_database_url.removeprefix("sqlite:///")) as con:
        con.execute("UPDATE members SET role = 'viewer'")
    page = await owner_browser.open(f"/invoices/{invoice.id}")
    assert page.status_code == 200
    assert url not in page.text
    assert "/send" not in page.text
    for path in (f"/invoices/{invoice.id}/send", f"{url}/invoice"):
        assert (await owner_browser.open(path)).status_code == 403
    for path in (f"/invoices/{invoice.id}/send/{url.removeprefix('/inbox/')}", f"{url}/phrase"):
        assert (
            await owner_browser.submit(path, phrase="2500 педикюр", do="issue")
        ).status_code == 403
    assert len(await list_invoices(vk_world)) == 1


@pytest.mark.parametrize("path", ["/inbox/cnv_no/invoice", "/invoices/inv_no/send"])
async def test_unknown_conversation_or_invoice_is_not_found(
    owner_browser: CabinetBrowser, path: str
) -> None:
    response = await owner_browser.open(path)
    if response.status_code in (302, 303, 307):
        response = await owner_browser.open(response.headers["location"])
    assert response.status_code == 404


@pytest.mark.parametrize(
    "query", ["service=svc_no", "order=ord_no", "conversation=cnv_no", "order=1'--"]
)
async def test_form_for_an_unknown_object_is_not_found(
    owner_browser: CabinetBrowser, query: str
) -> None:
    assert (await owner_browser.open(f"/invoices/new?{query}")).status_code == 404
