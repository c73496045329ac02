"""Invoices in the cabinet: the form builder, the list, the invoice page and its link."""

import asyncio
import io
import re
from html import unescape

import httpx
import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.billing.invoice import Invoice, InvoiceItem, Status
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.money import Money
from sigma.services.billing import invoices
from tests.web.cabinet_harness import (
    CabinetBrowser,
    field_error,
    field_value,
    set_role,
    visible_text,
)
from tests.world import World

LINK = re.compile(r"/invoices/(inv_\w+)")


def builder_form(nonce: str, **changes: str) -> dict[str, str]:
    """Return the builder form as a browser posts it: required e-mail, one custom question."""
    fields = {
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
    return fields | changes


async def new_nonce(owner: CabinetBrowser) -> str:
    return field_value((await owner.open("/invoices/new")).text, "nonce")


async def list_invoices(world: World) -> list[Invoice]:
    return (await invoices.list_page(world.ctx, world.member, limit=100)).data


async def test_invoice_is_issued_from_the_form(world: World, owner_browser: CabinetBrowser) -> None:
    response = await owner_browser.submit(
        "/invoices/new", **builder_form(await new_nonce(owner_browser), expiry="three_days")
    )
    assert response.status_code == 303, field_error(response.text, "title")
    page = (await owner_browser.open(response.headers["location"])).text
    (invoice,) = await list_invoices(world)
    assert invoice.status is Status.OPEN
    assert invoice.amount == Money(150_050)
    assert invoice.expires_at_us is not None
    assert [(q.key, q.required) for q in invoice.questions] == [
        ("email", True),
        ("pozhelaniya", False),
    ]
    link = invoices.payment_url(world.ctx, invoice)
    assert link in page
    text = visible_text(page)
    assert "Счёт № 1 выставлен. Отправьте ссылку клиенту." in text
    assert "Ждёт оплаты" in text
    assert "Маникюр, 1 500,50 ₽. Оплатить до" in text.replace("\u00a0", " ")


async def test_invalid_form_shows_errors_and_keeps_the_input(
    world: World, owner_browser: CabinetBrowser
) -> None:
    typed = builder_form(
        await new_nonce(owner_browser),
        amount="1.500",
        return_url="vk.me",
        expiry="date",
        expires_on="вчера",
        times="count",
        max_payments="ноль",
        **{"items.0.name": "<b>Снятие</b>", "items.0.price": "сто"},
    )
    response = await owner_browser.submit("/invoices/new", **typed)
    assert response.status_code == 422
    page = response.text
    for name, error in (
        ("amount", "Непонятно, где здесь копейки. Введите сумму так: 1500,50."),
        ("return_url", "Укажите полный адрес, который начинается с https:// или http://."),
        ("expires_on", "Введите дату, например 24.11.2026."),
        ("max_payments", "Введите целое число, например 10."),
        ("items.0.price", "Введите сумму цифрами, например 1500 или 1500,50."),
    ):
        assert field_error(page, name) == error
        assert field_value(page, name) == typed[name]
    assert field_value(page, "items.0.name") == "<b>Снятие</b>"
    assert "<b>Снятие" not in page
    assert field_value(page, "nonce") == typed["nonce"]
    assert await list_invoices(world) == []


async def test_concurrent_submits_of_one_form_issue_one_invoice(
    world: World, owner_browser: CabinetBrowser
) -> None:
    typed = builder_form(await new_nonce(owner_browser))
    responses = await asyncio.gather(
        *(owner_browser.submit("/invoices/new", **typed) for _ in range(6))
    )
    assert {r.status_code for r in responses} == {303}
    assert len({r.headers["location"] for r in responses}) == 1
    assert len(await list_invoices(world)) == 1
    again = await owner_browser.submit("/invoices/new", **typed)
    assert again.headers["location"] == responses[0].headers["location"]


async def test_form_changed_after_submit_needs_confirmation_for_a_second_invoice(
    world: World, owner_browser: CabinetBrowser
) -> None:
    first = builder_form(await new_nonce(owner_browser))
    await owner_browser.submit("/invoices/new", **first)
    response = await owner_browser.submit("/invoices/new", **(first | {"title": "Педикюр"}))
    assert response.status_code == 422
    assert "счёт уже выставлен" in visible_text(response.text)
    assert field_value(response.text, "title") == "Педикюр"
    fresh = field_value(response.text, "nonce")
    assert fresh != first["nonce"]
    await owner_browser.submit("/invoices/new", **(first | {"title": "Педикюр", "nonce": fresh}))
    assert [i.title for i in await list_invoices(world)] == ["Педикюр", "Маникюр"]


async def test_draft_is_issued_once_from_its_page(
    world: World, owner_browser: CabinetBrowser
) -> None:
    response = await owner_browser.submit(
        "/invoices/new", **builder_form(await new_nonce(owner_browser), do="draft")
    )
    url = response.headers["location"]
    page = visible_text((await owner_browser.open(url)).text)
    assert "Черновик № 1 сохранён" in page
    assert "Ссылка заработает, когда вы выставите счёт" in page
    assert (await owner_browser.submit(f"{url}/issue")).status_code == 303
    assert (await list_invoices(world))[0].status is Status.OPEN
    again = await owner_browser.submit(f"{url}/issue")
    assert again.status_code == 409
    assert "уже не черновик" in visible_text(again.text)


async def test_form_rows_change_without_javascript(owner_browser: CabinetBrowser) -> None:
    typed = builder_form(await new_nonce(owner_browser), do="ask-up-4")
    page = (await owner_browser.submit("/invoices/new", **typed)).text
    order = re.findall(r'name="(ask\.\d\.)(?:kind|key)" value="(\w*)"', page)
    assert [key for _, key in order] == ["email", "phone", "name", "pozhelaniya", "address"]
    page = (
        await owner_browser.submit("/invoices/new", **builder_form(typed["nonce"], do="items-add"))
    ).text
    assert field_value(page, "items.0.quantity") == "1"
    item_fields = {"items.0.name": "А", "items.0.price": "700", "items.0.quantity": "2"}
    page = (
        await owner_browser.submit(
            "/invoices/new", **builder_form(typed["nonce"], do="sum", **item_fields)
        )
    ).text
    assert field_value(page, "amount") == "1400"


async def test_preview_shows_the_checkout_page(world: World, owner_browser: CabinetBrowser) -> None:
    typed = builder_form(
        await new_nonce(owner_browser), **{"ask.1.on": "1", "title": "Стрижка <i>"}
    )
    response = await owner_browser.submit("/invoices/preview", **typed)
    assert response.status_code == 200
    page = response.text
    assert "Стрижка &lt;i&gt;" in page
    assert "Оплатить 1\u00a0500,50\u00a0₽" in page
    assert [n for n in ("email", "phone", "name", "pozhelaniya") if f'name="{n}"' in page] == [
        "email",
        "phone",
        "pozhelaniya",
    ]
    assert " inert>" in page
    assert "<script" not in page
    with_preview = await owner_browser.submit("/invoices/new", **(typed | {"do": "preview"}))
    assert "Стрижка &lt;i&gt;" in unescape(with_preview.text)
    assert await list_invoices(world) == []


async def test_preview_of_an_empty_form_is_rendered(owner_browser: CabinetBrowser) -> None:
    assert "Название счёта" in (await owner_browser.submit("/invoices/preview")).text


async def test_invoices_are_filtered_searched_and_paged(
    world: World, owner_browser: CabinetBrowser
) -> None:
    for n in range(55):
        await world.create_invoice(title=f"Букет {n}")
    void_invoice = await world.create_invoice(title="Ёлка")
    await invoices.void(world.ctx, world.member, void_invoice.id)
    page = (await owner_browser.open("/invoices")).text
    assert len(set(LINK.findall(page))) == 50
    next_link = re.search(r'href="(/invoices\?cursor=[^"]+)"', page)
    assert next_link
    next_page = (await owner_browser.open(unescape(next_link[1]))).text
    assert len(set(LINK.findall(next_page))) == 6
    assert "Показать ещё" not in visible_text(next_page)
    void_page = (await owner_browser.open("/invoices?status=void")).text
    assert set(LINK.findall(void_page)) == {void_invoice.id}
    search_page = (await owner_browser.open("/invoices?q=елка")).text
    assert set(LINK.findall(search_page)) == {void_invoice.id}
    empty_text = visible_text((await owner_browser.open("/invoices?q=нигде")).text)
    assert "Ничего не найдено" in empty_text
    odd_query = await owner_browser.open("/invoices?status=x&cursor=%7F&limit=-1&q=%7F%F0")
    assert odd_query.status_code == 200


async def test_empty_list_links_to_a_new_invoice(owner_browser: CabinetBrowser) -> None:
    page = (await owner_browser.open("/invoices")).text
    assert "Счетов пока нет" in visible_text(page)
    assert page.count('href="/invoices/new"') == 1


async def test_invoice_page_shows_all_details(world: World, owner_browser: CabinetBrowser) -> None:
    invoice = await world.create_invoice(
        description="Строка\n<script>alert(1)</script>",
        items=(InvoiceItem("Снятие", "1.5", Money(100_000)),),
        metadata={"order": "<42>"},
        max_payments=None,
        return_url="https://vk.me/studio",
    )
    await world.complete_payment(invoice)
    page = (await owner_browser.open(f"/invoices/{invoice.id}")).text
    assert "<script>alert" not in page
    text = visible_text(page).replace("\u00a0", " ")
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
        assert part in text, part


async def test_unpaid_invoice_is_voided_after_confirmation(
    world: World, owner_browser: CabinetBrowser
) -> None:
    invoice = await world.create_invoice()
    url = f"/invoices/{invoice.id}"
    assert "Отменить счёт № 1?" in visible_text((await owner_browser.open(url)).text)
    assert (await owner_browser.submit(f"{url}/void")).status_code == 303
    page = visible_text((await owner_browser.open(url)).text)
    assert "Счёт № 1 отменён." in page
    assert "Отменить счёт №" not in page
    paid = await world.create_invoice()
    await world.complete_payment(paid)
    response = await owner_browser.submit(f"/invoices/{paid.id}/void")
    assert response.status_code == 409
    assert "Сделайте возврат на странице платежа" in visible_text(response.text)


async def test_repeated_invoice_fills_the_form(world: World, owner_browser: CabinetBrowser) -> None:
    questions = (Question("size", QuestionKind.SELECT, "Размер", options=("S", "M")),)
    invoice = await world.create_invoice(questions=questions, description="Как в прошлый раз")
    page = (await owner_browser.open(f"/invoices/new?like={invoice.id}")).text
    assert field_value(page, "title") == "Маникюр"
    assert field_value(page, "amount") == "1500"
    assert field_value(page, "ask.0.label") == "Размер"
    assert field_value(page, "ask.0.key") == "size"
    assert "Как в прошлый раз" in page


async def test_qr_code_is_served_as_svg_and_png(
    world: World, owner_browser: CabinetBrowser
) -> None:
    invoice = await world.create_invoice()
    svg = await owner_browser.open(f"/invoices/{invoice.id}/qr.svg")
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert svg.text.startswith("<svg")
    png = await owner_browser.open(f"/invoices/{invoice.id}/qr.png")
    assert png.headers["content-disposition"] == 'attachment; filename="invoice-1.png"'
    assert io.BytesIO(png.content).read(8) == b"\x89PNG\r\n\x1a\n"


async def test_viewer_can_only_read_invoices(world: World, owner_browser: CabinetBrowser) -> None:
    invoice = await world.create_invoice()
    await set_role(world.ctx, Role.VIEWER)
    page = (await owner_browser.open(f"/invoices/{invoice.id}")).text
    assert "Отменить счёт" not in visible_text(page)
    assert "/invoices/new" not in page

    async def assert_forbidden(response: httpx.Response) -> None:
        assert response.status_code == 403

    await assert_forbidden(await owner_browser.open("/invoices/new"))
    await assert_forbidden(await owner_browser.submit("/invoices/new", **builder_form("n" * 20)))
    await assert_forbidden(await owner_browser.submit("/invoices/preview"))
    await assert_forbidden(await owner_browser.submit(f"/invoices/{invoice.id}/void"))


@pytest.mark.parametrize("path", ["/invoices/inv_nobody", "/invoices/x", "/invoices/inv_%7F"])
async def test_unknown_invoice_is_not_found(owner_browser: CabinetBrowser, path: str) -> None:
    assert (await owner_browser.open(path)).status_code == 404
    assert (await owner_browser.submit(f"{path}/void")).status_code == 404
