"""From the dialog to money on the pages: the phrase, the full form, sending what was issued."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sigma.domain.billing.invoice import Invoice
from sigma.domain.billing.question import Kind, Question
from sigma.domain.catalogue.service import PriceKind, Service, Template
from sigma.domain.money import Money
from sigma.services.billing import invoices
from sigma.services.catalogue import services
from sigma.services.catalogue.services import Offer
from sigma.services.invoice_cards import vk_orders
from sigma_sandbox.app import Sandbox
from tests.dialog_money import card_of, in_dialog, opens, order_of, pays
from tests.vk_world import VkWorld, open_vk_world
from tests.web.cabinet_stage import Browser, field, open_browser, words


@pytest.fixture
async def vk(sqlite_database_url: str, sandbox: Sandbox) -> AsyncIterator[VkWorld]:
    """A shop that talks through a community of VK, in which a client has asked."""
    async with open_vk_world(sqlite_database_url, sandbox) as opened:
        await opened.client_writes("Здравствуйте, сколько стоит маникюр?")
        await opened.hear()
        yield opened


@pytest.fixture
async def owner(vk: VkWorld) -> AsyncIterator[Browser]:
    """A browser in which the owner signed in."""
    async with open_browser(vk.ctx) as browser:
        await browser.sign_in("owner@example.org", vk.password)
        yield browser


async def dialog(vk: VkWorld) -> str:
    return f"/inbox/{(await vk.conversation()).id}"


async def issued(vk: VkWorld) -> list[Invoice]:
    return (await invoices.listing(vk.ctx, vk.member, limit=100)).data


async def service(vk: VkWorld, **more: Any) -> Service:
    usual: dict[str, Any] = {
        "price": PriceKind.FIXED,
        "amount": Money(150_000),
        "template": Template(questions=(Question("phone", Kind.PHONE, required=True),)),
    }
    return await services.save(
        vk.ctx, vk.member, None, Offer("Маникюр классический", **usual | more)
    )


def plain(text: str) -> str:
    return words(text).replace("\xa0", " ")


async def preview(owner: Browser, here: str, phrase: str) -> dict[str, str]:
    """Types a phrase and looks; the fields of the button that issues it."""
    page = await owner.open(here)
    nonce = field(page.text, "nonce")
    seen = await owner.send(f"{here}/phrase", phrase=phrase, nonce=nonce)
    assert seen.status_code == 200, seen.text
    names = ("nonce", "phrase", "seen")
    return {name: field(seen.text, name) for name in names} | {"do": "issue"}


async def test_a_phrase_is_shown_before_it_is_issued(vk: VkWorld, owner: Browser) -> None:
    here = await dialog(vk)
    await owner.open(here)
    answer = await owner.send(f"{here}/phrase", phrase="2500 педикюр завтра")
    said = plain(answer.text)
    assert answer.status_code == 200
    assert "Педикюр 2 500,00 ₽" in said
    assert "Оплатить до" in said
    assert "Спросим: e-mail" in said.replace("E-mail", "e-mail")
    assert "Выставить и отправить 2 500,00 ₽" in said
    assert await issued(vk) == []
    part = await owner.send(f"{here}/phrase", {"hx-request": "true"}, phrase="2500 педикюр завтра")
    assert part.text.lstrip().startswith("<form")
    assert "<html" not in part.text


async def test_a_phrase_is_issued_and_sent_once_on_a_double_click(
    vk: VkWorld, owner: Browser
) -> None:
    here = await dialog(vk)
    form = await preview(owner, here, "2500 педикюр завтра")
    answers = await asyncio.gather(*(owner.send(f"{here}/phrase", **form) for _ in range(5)))
    assert {(a.status_code, a.headers["location"]) for a in answers} == {(303, here)}
    (invoice,) = await issued(vk)
    assert (invoice.title, invoice.amount) == ("Педикюр", Money(250_000))
    assert invoice.conversation_id == here.removeprefix("/inbox/")
    await vk.work()
    assert len(await vk.texts_at_vk()) == 2
    page = await owner.open(here)
    assert "Счёт № 1 отправлен в диалог" in plain(page.text)
    again = await owner.send(f"{here}/phrase", **form)
    assert again.headers["location"] == here
    assert len(await issued(vk)) == 1


async def test_a_phrase_changed_after_it_was_sent_is_shown_first(
    vk: VkWorld, owner: Browser
) -> None:
    here = await dialog(vk)
    form = await preview(owner, here, "2500 педикюр")
    await owner.send(f"{here}/phrase", **form)
    changed = await owner.send(f"{here}/phrase", **form | {"phrase": "9900 педикюр"})
    assert changed.status_code == 200
    assert "изменился" in plain(changed.text)
    assert "9 900,00 ₽" in plain(changed.text)
    assert len(await issued(vk)) == 1
    seen = field(changed.text, "seen")
    second = form | {"phrase": "9900 педикюр", "seen": seen, "nonce": field(changed.text, "nonce")}
    answer = await owner.send(f"{here}/phrase", **second)
    if answer.status_code == 200:  # the nonce was used up: a fresh one came with the preview
        second["nonce"] = field(answer.text, "nonce")
        answer = await owner.send(f"{here}/phrase", **second)
    assert answer.status_code == 303
    assert [i.amount for i in await issued(vk)] == [Money(990_000), Money(250_000)]


async def test_a_phrase_is_typed_over(vk: VkWorld, owner: Browser) -> None:
    here = await dialog(vk)
    form = await preview(owner, here, "2500 педикюр")
    for headers in ({}, {"hx-request": "true"}):
        back = await owner.send(f"{here}/phrase", headers, **form | {"do": "edit"})
        assert back.status_code == 200
        assert field(back.text, "phrase") == "2500 педикюр"
        assert "Показать счёт" in plain(back.text)
        assert "phrase-error" not in back.text
    assert await issued(vk) == []


async def test_what_was_seen_is_issued_or_shown_again(vk: VkWorld, owner: Browser) -> None:
    here = await dialog(vk)
    form = await preview(owner, here, "2500 педикюр завтра")
    vk.clock.move(days=1)
    answer = await owner.send(f"{here}/phrase", **form)
    assert answer.status_code == 200
    assert "изменился" in plain(answer.text)
    assert await issued(vk) == []
    form = await preview(owner, here, "1500 маникюр классический")
    await service(vk)
    answer = await owner.send(f"{here}/phrase", **form)
    assert "Услуга из каталога" in plain(answer.text)
    assert await issued(vk) == []


async def test_a_phrase_that_names_a_service_takes_its_questions(
    vk: VkWorld, owner: Browser
) -> None:
    known = await service(
        vk, template=Template(questions=(Question("phone", Kind.PHONE),), expires_days=3)
    )
    here = await dialog(vk)
    form = await preview(owner, here, "1300 маникюр классический")
    vk.clock.move(seconds=30)  # the term of three days moves along
    assert (await owner.send(f"{here}/phrase", **form)).status_code == 303
    (invoice,) = await issued(vk)
    assert (invoice.service_id, invoice.amount) == (known.id, Money(130_000))
    assert [q.kind for q in invoice.questions] == [Kind.PHONE]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("маникюр завтра", "Не видно суммы"),
        ("2500", ""),
        ("0 маникюр", ""),
        ("2500 маникюр до 31.02", "Такого дня нет"),
        ("<script>alert(1)</script>", "Не видно суммы"),
    ],
)
async def test_a_phrase_that_means_nothing_is_kept_and_explained(
    vk: VkWorld, owner: Browser, typed: str, said: str
) -> None:
    here = await dialog(vk)
    await owner.open(here)
    answer = await owner.send(f"{here}/phrase", phrase=typed, do="issue")
    assert answer.status_code == 422
    assert said in plain(answer.text)
    assert field(answer.text, "phrase") == typed
    assert 'id="phrase-error"' in answer.text
    assert "<script>alert" not in answer.text
    assert await issued(vk) == []


async def test_a_title_is_words_on_every_page(vk: VkWorld, owner: Browser) -> None:
    evil = "<img src=x onerror=alert(1)>"
    here = await dialog(vk)
    form = await preview(owner, here, f"2500 {evil}")
    assert (await owner.send(f"{here}/phrase", **form)).status_code == 303
    await vk.work()
    (invoice,) = await issued(vk)
    pages = (here, f"/invoices/{invoice.id}", f"/invoices/{invoice.id}/send", "/inbox")
    for path in pages:
        page = await owner.open(path)
        assert page.status_code == 200
        assert "<img src=x" not in page.text.casefold()


async def full(owner: Browser, address: str, **more: str) -> dict[str, str]:
    """The full form of a dialog, filled."""
    page = await owner.open(address)
    assert page.status_code == 200, page.text
    names = [n for n in ("dialog", "service", "order") if f'name="{n}"' in page.text]
    given = {name: field(page.text, name) for name in ("nonce", "title", "amount", *names)}
    return given | {"ask.0.kind": "email", "ask.0.on": "1", "do": "issue"} | more


async def test_the_full_form_knows_its_dialog_and_service(vk: VkWorld, owner: Browser) -> None:
    known, here = await service(vk), await dialog(vk)
    moved = await owner.open(f"{here}/invoice?service={known.id}")
    form = await full(owner, moved.headers["location"])
    assert (form["title"], form["service"]) == ("Маникюр классический", known.id)
    page = (await owner.open(moved.headers["location"])).text
    assert "Счёт уйдёт в диалог" in plain(page)
    assert "Выставить и отправить в диалог" in plain(page)
    assert 'value="draft"' not in page, "a draft is in no dialog"
    answers = await asyncio.gather(*(owner.send("/invoices/new", **form) for _ in range(3)))
    assert {(a.status_code, a.headers.get("location")) for a in answers} == {(303, here)}
    (invoice,) = await issued(vk)
    assert (invoice.service_id, f"/inbox/{invoice.conversation_id}") == (known.id, here)
    await vk.work()
    assert len(await vk.texts_at_vk()) == 2


async def test_a_wrong_full_form_keeps_its_dialog(vk: VkWorld, owner: Browser) -> None:
    here = await dialog(vk)
    address = f"/invoices/new?dialog={here.removeprefix('/inbox/')}"
    form = await full(owner, address, title="", amount="сто")
    answer = await owner.send("/invoices/new", **form)
    assert answer.status_code == 422
    assert field(answer.text, "dialog") == form["dialog"]
    assert "Счёт уйдёт в диалог" in plain(answer.text)


async def test_an_order_is_invoiced_once(vk: VkWorld, owner: Browser) -> None:
    group = f"communities/{vk.group_id}"
    await vk.vk_test(group, market="advanced")
    item = await vk.vk_test(f"{group}/items", title="Набор кистей", price=99_900)
    who = {"person_id": vk.person, "group_id": vk.group_id}
    await vk.vk_test("orders", **who, lines=[[item["item_id"], 1]])
    await vk.change_community(rights=("manage", "messages", "market"))
    await vk_orders.read(vk.ctx, vk.community_id)
    order, here = await order_of(vk), await dialog(vk)
    page = plain((await owner.open(here)).text)
    assert f"Счёт по заказу {order.display_id}" in page
    moved = await owner.open(f"{here}/invoice?order={order.id}")
    form = await full(owner, moved.headers["location"])
    assert form["order"] == order.id
    assert form["amount"].replace("\xa0", " ").startswith("999")
    assert (await owner.send("/invoices/new", **form)).headers["location"] == here
    other = await full(owner, moved.headers["location"])
    answer = await owner.send("/invoices/new", **other)
    assert answer.status_code == 422
    assert "уже есть счёт № 1" in plain(answer.text)
    assert len(await issued(vk)) == 1


async def test_an_invoice_is_sent_into_a_dialog_from_its_page(vk: VkWorld, owner: Browser) -> None:
    invoice = await vk.invoice()
    page = await owner.open(f"/invoices/{invoice.id}")
    assert f'href="/invoices/{invoice.id}/send"' in page.text
    chosen = await owner.open(f"/invoices/{invoice.id}/send")
    here = await dialog(vk)
    action = f"/invoices/{invoice.id}/send/{here.removeprefix('/inbox/')}"
    assert f'action="{action}"' in chosen.text
    for _ in range(2):
        assert (await owner.send(action)).headers["location"] == here
    await vk.work()
    assert len(await vk.texts_at_vk()) == 2
    chosen = await owner.open(f"/invoices/{invoice.id}/send")
    assert "Счёт отправлен в этот диалог" in plain(chosen.text)
    assert f'action="{action}"' not in chosen.text
    await opens(vk, invoice)
    page = await owner.open(f"/invoices/{invoice.id}")
    assert f'href="{here}"' in page.text
    assert "Открыт, не оплачен, открыт" in plain(page.text)
    nobody = await owner.open(f"/invoices/{invoice.id}/send?q=никто")
    assert "Такого диалога нет" in plain(nobody.text)


async def test_what_cannot_be_paid_is_not_sent_and_the_page_says_why(
    vk: VkWorld, owner: Browser
) -> None:
    invoice, here = await vk.invoice(), await dialog(vk)
    await invoices.void(vk.ctx, vk.member, invoice.id)
    page = await owner.open(f"/invoices/{invoice.id}")
    assert f"/invoices/{invoice.id}/send" not in page.text
    answer = await owner.send(f"/invoices/{invoice.id}/send/{here.removeprefix('/inbox/')}")
    assert answer.status_code == 409
    assert "отмен" in plain(answer.text)
    await vk.work()
    assert len(await vk.texts_at_vk()) == 1


async def test_a_closed_dialog_is_told_with_another_way(vk: VkWorld, owner: Browser) -> None:
    await vk.client_does("deny")
    await vk.hear()
    here = await dialog(vk)
    form = await preview(owner, here, "2500 педикюр")
    assert (await owner.send(f"{here}/phrase", **form)).headers["location"] == here
    page = plain((await owner.open(here)).text)
    assert "Счёт № 1 выставлен, но ВКонтакте не даёт написать этому человеку" in page
    assert "Скопируйте ссылку" in page


async def test_a_payment_tells_whether_the_dialogs_client_paid(vk: VkWorld, owner: Browser) -> None:
    mine = await in_dialog(vk)
    await opens(vk, mine, "client")
    paid = await pays(vk, mine, "client")
    other = await in_dialog(vk)
    by_friend = await pays(vk, other, "friend")
    name = (await vk.conversation()).title
    page = plain((await owner.open(f"/payments/{paid.id}")).text)
    assert f"Оплачено по ссылке из диалога: это {name}" in page
    page = plain((await owner.open(f"/payments/{by_friend.id}")).text)
    assert "Мог платить и другой человек" in page
    assert (await card_of(vk, mine)).payer
    plain_one = await vk.paid()
    page = plain((await owner.open(f"/payments/{plain_one.id}")).text)
    assert "диалога" not in page


async def test_a_viewer_sees_no_dialogs_and_sends_nothing(
    vk: VkWorld, owner: Browser, sqlite_database_url: str
) -> None:
    invoice = await in_dialog(vk)
    here = await dialog(vk)
    with sqlite3.connect(sqlite_database_url.removeprefix("sqlite:///")) as con:
        con.execute("UPDATE members SET role = 'viewer'")
    page = await owner.open(f"/invoices/{invoice.id}")
    assert page.status_code == 200
    assert here not in page.text
    assert "/send" not in page.text
    for path in (f"/invoices/{invoice.id}/send", f"{here}/invoice"):
        assert (await owner.open(path)).status_code == 403
    for path in (f"/invoices/{invoice.id}/send/{here.removeprefix('/inbox/')}", f"{here}/phrase"):
        assert (await owner.send(path, phrase="2500 педикюр", do="issue")).status_code == 403
    assert len(await issued(vk)) == 1


@pytest.mark.parametrize("path", ["/inbox/dlg_no/invoice", "/invoices/inv_no/send"])
async def test_what_is_not_here_is_not_found(owner: Browser, path: str) -> None:
    answer = await owner.open(path)
    if answer.status_code in (302, 303, 307):
        answer = await owner.open(answer.headers["location"])
    assert answer.status_code == 404


@pytest.mark.parametrize("query", ["service=svc_no", "order=ord_no", "dialog=dlg_no", "order=1'--"])
async def test_a_form_for_what_is_not_here_is_not_found(owner: Browser, query: str) -> None:
    assert (await owner.open(f"/invoices/new?{query}")).status_code == 404
