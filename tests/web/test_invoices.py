"""Счета in the cabinet: issuing with the form builder, the list, one invoice and its link."""

import asyncio
import io
import re
import sqlite3
from html import unescape

import httpx
import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.billing.invoice import Invoice, Item, Status
from sigma.domain.billing.question import Kind, Question
from sigma.domain.money import Money
from sigma.services.billing import invoices
from tests.web.cabinet_stage import Browser, fault, field, words
from tests.world import World

LINK = re.compile(r"/invoices/(inv_\w+)")


def form(nonce: str, **typed: str) -> dict[str, str]:
    """The builder as a browser posts it: an e-mail asked, one own field."""
    usual = {
        "nonce": nonce,
        "do": "issue",
        "title": "Маникюр",
        "amount": "1 500,50",
        "ask.0.kind": "email",
        "ask.0.on": "1",
        "ask.0.required": "1",
        "ask.1.kind": "phone",
        "ask.2.kind": "name",
        "ask.3.kind": "address",
        "ask.4.kind": "text",
        "ask.4.label": "Пожелания",
    }
    return usual | typed


async def nonce(owner: Browser) -> str:
    return field((await owner.open("/invoices/new")).text, "nonce")


async def made(world: World) -> list[Invoice]:
    return (await invoices.listing(world.ctx, world.member, limit=100)).data


async def test_an_invoice_is_issued_from_the_form(world: World, owner: Browser) -> None:
    answer = await owner.send("/invoices/new", **form(await nonce(owner), expiry="three_days"))
    assert answer.status_code == 303, fault(answer.text, "title")
    page = (await owner.open(answer.headers["location"])).text
    (invoice,) = await made(world)
    assert invoice.status is Status.OPEN
    assert invoice.amount == Money(150_050)
    assert invoice.expires_at is not None
    assert [(q.key, q.required) for q in invoice.questions] == [
        ("email", True),
        ("pozhelaniya", False),
    ]
    link = invoices.payment_url(world.ctx, invoice)
    assert link in page
    said = words(page)
    assert "Счёт № 1 выставлен. Отправьте ссылку клиенту." in said
    assert "Ждёт оплаты" in said
    assert "Маникюр, 1 500,50 ₽. Оплатить картой до" in said.replace("\u00a0", " ")


async def test_a_wrong_form_keeps_everything_typed(world: World, owner: Browser) -> None:
    typed = form(
        await nonce(owner),
        amount="1.500",
        return_url="vk.me",
        expiry="date",
        expires_on="вчера",
        times="count",
        max_payments="ноль",
        **{"items.0.name": "<b>Снятие</b>", "items.0.price": "сто"},
    )
    answer = await owner.send("/invoices/new", **typed)
    assert answer.status_code == 422
    page = answer.text
    for name, said in (
        ("amount", "Непонятно, где здесь копейки. Введите сумму так: 1500,50."),
        ("return_url", "Укажите полный адрес, который начинается с https:// или http://."),
        ("expires_on", "Введите дату, например 24.11.2026."),
        ("max_payments", "Введите целое число, например 10."),
        ("items.0.price", "Введите сумму цифрами, например 1500 или 1500,50."),
    ):
        assert fault(page, name) == said
        assert field(page, name) == typed[name]
    assert field(page, "items.0.name") == "<b>Снятие</b>"
    assert "<b>Снятие" not in page
    assert field(page, "nonce") == typed["nonce"]
    assert await made(world) == []


async def test_a_form_sent_twice_at_once_makes_one_invoice(world: World, owner: Browser) -> None:
    typed = form(await nonce(owner))
    answers = await asyncio.gather(*(owner.send("/invoices/new", **typed) for _ in range(6)))
    assert {a.status_code for a in answers} == {303}
    assert len({a.headers["location"] for a in answers}) == 1
    assert len(await made(world)) == 1
    again = await owner.send("/invoices/new", **typed)
    assert again.headers["location"] == answers[0].headers["location"]


async def test_a_form_changed_after_sending_asks_before_a_second_invoice(
    world: World, owner: Browser
) -> None:
    first = form(await nonce(owner))
    await owner.send("/invoices/new", **first)
    answer = await owner.send("/invoices/new", **(first | {"title": "Педикюр"}))
    assert answer.status_code == 422
    assert "счёт уже выставлен" in words(answer.text)
    assert field(answer.text, "title") == "Педикюр"
    fresh = field(answer.text, "nonce")
    assert fresh != first["nonce"]
    await owner.send("/invoices/new", **(first | {"title": "Педикюр", "nonce": fresh}))
    assert [i.title for i in await made(world)] == ["Педикюр", "Маникюр"]


async def test_a_draft_is_seen_here_only_until_it_is_issued(world: World, owner: Browser) -> None:
    answer = await owner.send("/invoices/new", **form(await nonce(owner), do="draft"))
    here = answer.headers["location"]
    page = words((await owner.open(here)).text)
    assert "Черновик № 1 сохранён" in page
    assert "Ссылка заработает, когда вы выставите счёт" in page
    assert (await owner.send(f"{here}/issue")).status_code == 303
    assert (await made(world))[0].status is Status.OPEN
    again = await owner.send(f"{here}/issue")
    assert again.status_code == 409
    assert "уже не черновик" in words(again.text)


async def test_rows_change_without_scripts(owner: Browser) -> None:
    typed = form(await nonce(owner), do="ask-up-4")
    page = (await owner.send("/invoices/new", **typed)).text
    order = re.findall(r'name="(ask\.\d\.)(?:kind|key)" value="(\w*)"', page)
    assert [key for _, key in order] == ["email", "phone", "name", "pozhelaniya", "address"]
    page = (await owner.send("/invoices/new", **form(typed["nonce"], do="items-add"))).text
    assert field(page, "items.0.quantity") == "1"
    both = {"items.0.name": "А", "items.0.price": "700", "items.0.quantity": "2"}
    page = (await owner.send("/invoices/new", **form(typed["nonce"], do="sum", **both))).text
    assert field(page, "amount") == "1400"


async def test_the_preview_is_the_clients_own_page(world: World, owner: Browser) -> None:
    typed = form(await nonce(owner), **{"ask.1.on": "1", "title": "Стрижка <i>"})
    answer = await owner.send("/invoices/preview", **typed)
    assert answer.status_code == 200
    page = answer.text
    assert "Стрижка &lt;i&gt;" in page
    assert "Оплатить 1\u00a0500,50\u00a0₽" in page
    assert [n for n in ("email", "phone", "name", "pozhelaniya") if f'name="{n}"' in page] == [
        "email",
        "phone",
        "pozhelaniya",
    ]
    assert " inert>" in page
    assert "<script" not in page
    looked = await owner.send("/invoices/new", **(typed | {"do": "look"}))
    assert "Стрижка &lt;i&gt;" in unescape(looked.text)
    assert await made(world) == []


async def test_the_preview_of_an_empty_form_is_a_page(owner: Browser) -> None:
    assert "Название счёта" in (await owner.send("/invoices/preview")).text


async def test_the_list_is_narrowed_searched_and_goes_on(world: World, owner: Browser) -> None:
    for n in range(30):
        await world.invoice(title=f"Букет {n}")
    gone = await world.invoice(title="Ёлка")
    await invoices.void(world.ctx, world.member, gone.id)
    page = (await owner.open("/invoices")).text
    assert len(set(LINK.findall(page))) == 25
    more = re.search(r'href="(/invoices\?cursor=[^"]+)"', page)
    assert more
    rest = (await owner.open(unescape(more[1]))).text
    assert len(set(LINK.findall(rest))) == 6
    assert "Показать ещё" not in words(rest)
    void = (await owner.open("/invoices?status=void")).text
    assert set(LINK.findall(void)) == {gone.id}
    found = (await owner.open("/invoices?q=елка")).text
    assert set(LINK.findall(found)) == {gone.id}
    nothing = words((await owner.open("/invoices?q=50%25_")).text)
    assert "Ничего не нашлось" in nothing
    strange = await owner.open("/invoices?status=x&cursor=%00&limit=-1&q=%00%F0")
    assert strange.status_code == 200


async def test_an_empty_list_says_what_to_do_next(owner: Browser) -> None:
    page = (await owner.open("/invoices")).text
    assert "Счетов пока нет" in words(page)
    assert page.count('href="/invoices/new"') == 1


async def test_details_show_everything_of_an_invoice(world: World, owner: Browser) -> None:
    invoice = await world.invoice(
        description="Строка\n<script>alert(1)</script>",
        items=(Item("Снятие", "1.5", Money(100_000)),),
        metadata={"order": "<42>"},
        max_payments=None,
        return_url="https://vk.me/studio",
    )
    await world.paid(invoice)
    page = (await owner.open(f"/invoices/{invoice.id}")).text
    assert "<script>alert" not in page
    said = words(page).replace("\u00a0", " ")
    for part in (
        "№ 1",
        "1 500,00 ₽",
        "E-mail",
        "Пожелания",
        "1, без ограничения",
        "1,5 × 1 000,00 ₽",
        "order",
        "<42>",
        "https://vk.me/studio",
        "Счёт выставлен (вы)",
        "Оплачен",
    ):
        assert part in said, part


async def test_an_invoice_is_called_off_after_a_question(world: World, owner: Browser) -> None:
    invoice = await world.invoice()
    here = f"/invoices/{invoice.id}"
    assert "Отменить счёт № 1?" in words((await owner.open(here)).text)
    assert (await owner.send(f"{here}/void")).status_code == 303
    page = words((await owner.open(here)).text)
    assert "Счёт № 1 отменён." in page
    assert "Отменить счёт №" not in page
    paid = await world.invoice()
    await world.paid(paid)
    answer = await owner.send(f"/invoices/{paid.id}/void")
    assert answer.status_code == 409
    assert "Верните деньги на странице оплаты" in words(answer.text)


async def test_an_invoice_is_repeated(world: World, owner: Browser) -> None:
    ask = (Question("size", Kind.SELECT, "Размер", options=("S", "M")),)
    invoice = await world.invoice(questions=ask, description="Как в прошлый раз")
    page = (await owner.open(f"/invoices/new?like={invoice.id}")).text
    assert field(page, "title") == "Маникюр"
    assert field(page, "amount") == "1500"
    assert field(page, "ask.0.label") == "Размер"
    assert field(page, "ask.0.key") == "size"
    assert "Как в прошлый раз" in page


async def test_the_qr_code_leads_to_the_payment_page(world: World, owner: Browser) -> None:
    invoice = await world.invoice()
    svg = await owner.open(f"/invoices/{invoice.id}/qr.svg")
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert svg.text.startswith("<svg")
    png = await owner.open(f"/invoices/{invoice.id}/qr.png")
    assert png.headers["content-disposition"] == 'attachment; filename="invoice-1.png"'
    assert io.BytesIO(png.content).read(8) == b"\x89PNG\r\n\x1a\n"


def become(database_url: str, role: Role) -> None:
    """Gives everybody another role."""
    path = database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as con:
        con.execute("UPDATE members SET role = ?", (str(role),))


async def test_a_viewer_looks_and_changes_nothing(
    world: World, owner: Browser, sqlite_database_url: str
) -> None:
    invoice = await world.invoice()
    become(sqlite_database_url, Role.VIEWER)
    page = (await owner.open(f"/invoices/{invoice.id}")).text
    assert "Отменить счёт" not in words(page)
    assert "/invoices/new" not in page

    async def refused(answer: httpx.Response) -> None:
        assert answer.status_code == 403

    await refused(await owner.open("/invoices/new"))
    await refused(await owner.send("/invoices/new", **form("n" * 20)))
    await refused(await owner.send("/invoices/preview"))
    await refused(await owner.send(f"/invoices/{invoice.id}/void"))


@pytest.mark.parametrize("path", ["/invoices/inv_nobody", "/invoices/x", "/invoices/inv_%00"])
async def test_an_invoice_that_is_not_here_is_not_found(owner: Browser, path: str) -> None:
    assert (await owner.open(path)).status_code == 404
    assert (await owner.send(f"{path}/void")).status_code == 404
