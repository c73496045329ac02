"""Import of invoices: columns by header, problems of rows, once over restarts, undo of all."""

import asyncio
from dataclasses import replace

import pytest

from sigma.domain.billing.invoice import Status as InvoiceStatus
from sigma.domain.errors import RefusedError
from sigma.domain.invoice_imports.batch import Batch, RowStatus, Status
from sigma.domain.invoice_imports.table import RowContent, guess_columns
from sigma.domain.limits import INVOICE_IMPORTS
from sigma.domain.lists.filters import InvoiceFilter, parse_invoice_filter
from sigma.domain.money import Money
from sigma.services.billing import invoices
from sigma.services.catalogue import price_list_import
from sigma.services.customers import customer_views
from sigma.services.invoice_imports import imports
from sigma.services.invoice_imports.imports import Choices, Preview
from sigma.services.lists import invoices as invoice_lists
from sigma.services.personal_data import client_erasure, clients, retention
from sigma.store.invoice_imports import imports as stored
from tests.price_lists import xlsx
from tests.world import World

TABLE = """За что;Сумма, ₽;E-mail клиента;Телефон;Срок;Договор
Курс «Основы»;1 500,50;anna@example.net;8 916 765-43-21;31.12.2099;Д-17
Занятие;2000;;;;
;100;;;;
Урок;сто;;;;
Урок;1.500;;;;
Разбор;700;не почта;12;вчера;

Прошлое;700;;;01.01.2020;
"""


async def plan(world: World, data: bytes, **meanings: str) -> Preview:
    book = await price_list_import.read(data)
    choices = Choices({int(name[1:]): meaning for name, meaning in meanings.items()})
    return await imports.preview(world.ctx, world.member, book, choices)


async def start(world: World, data: bytes, **meanings: str) -> Batch:
    found = await plan(world, data, **meanings)
    batch_id = world.ctx.new_id("imp", world.shop.id)
    return await imports.start(world.ctx, world.member, batch_id, "счета.csv", found)


async def test_preview_names_the_problems_of_each_row(world: World) -> None:
    found = await plan(world, TABLE.encode(), c5="metadata")
    assert [str(one.meaning or "") for one in found.columns] == [
        *("title", "amount", "email", "phone", "expires", "metadata")
    ]
    problems = {row.number: sorted({p.field for p in row.problems}) for row in found.rows}
    assert problems == {
        2: [],
        3: [],
        4: ["title"],
        5: ["amount"],
        6: ["amount"],
        7: ["email", "expires_at", "phone"],
        9: ["expires_at"],
    }
    content = found.rows[0].content
    assert (content.title, content.amount_minor) == ("Курс «Основы»", 150_050)
    assert (content.email, content.phone) == ("anna@example.net", "+79167654321")
    assert content.metadata == {"Договор": "Д-17"}


async def test_column_without_a_known_header_is_chosen(world: World) -> None:
    data = "А;Б\nУрок;700\n".encode()
    assert (await plan(world, data)).rows == []
    (row,) = (await plan(world, data, c0="title", c1="amount")).rows
    assert (row.content.title, row.content.amount_minor, row.problems) == ("Урок", 70_000, ())


@pytest.mark.parametrize(
    ("header", "meaning"),
    [
        *[("Договор", None), ("Доставка", None), ("Телеграм", None), ("Вклад", None)],
        *[("Summary", None), ("Format", None), ("Validator", None), ("Мобилизация", None)],
        *[("до", "expires"), ("До (дата)", "expires"), ("Due", "expires"), ("Тел.", "phone")],
        *[("Телефон клиента", "phone"), ("Моб. телефон", "phone"), ("Мобильный", "phone")],
        *[("Sum, RUB", "amount"), ("ВК id", "vk"), ("For what", "title"), ("VK", "vk")],
    ],
)
def test_short_word_of_a_header_is_no_part_of_a_longer_one(
    header: str, meaning: str | None
) -> None:
    (column,) = guess_columns([[header], ["1"]])
    assert column.meaning == meaning


@pytest.mark.both_databases
async def test_double_click_starts_one_import(world: World) -> None:
    found = await plan(world, TABLE.encode())
    batch_id = world.ctx.new_id("imp", world.shop.id)
    member = world.member
    started = await asyncio.gather(
        *(imports.start(world.ctx, member, batch_id, "счета.csv", found) for _ in range(3))
    )
    assert {(one.id, one.version) for one in started} == {(batch_id, 1)}
    await world.run_jobs()
    wanted, _ = parse_invoice_filter({"q": ["Занятие"]})
    assert len((await invoice_lists.list_page(world.ctx, member, wanted)).data) == 1


async def test_workbook_is_read_like_a_text_file(world: World) -> None:
    found = await plan(world, xlsx([["Название", "Сумма"], ["Урок", 1500.5], ["Курс", 20]]))
    assert [row.content.amount_minor for row in found.rows] == [150_050, 2_000]


@pytest.mark.both_databases
async def test_valid_rows_become_invoices_of_their_clients(world: World) -> None:
    batch = await start(world, TABLE.encode())
    again = await imports.start(
        world.ctx, world.member, batch.id, "", await plan(world, TABLE.encode())
    )
    assert again.id == batch.id
    await world.run_jobs()
    details = await imports.get_details(world.ctx, world.member, batch.id)
    assert details.batch.status is Status.DONE
    assert (details.batch.created_count, details.batch.refused_count) == (2, 0)
    page = await invoice_lists.list_page(world.ctx, world.member, InvoiceFilter())
    found = {row.invoice.title: row.invoice for row in page.data}
    assert {title: one.amount for title, one in found.items()} == {
        "Курс «Основы»": Money(150_050),
        "Занятие": Money(200_000),
    }
    assert found["Курс «Основы»"].customer_id
    assert found["Занятие"].customer_id is None
    async with world.ctx.db.read() as tx:
        rows = await stored.list_rows(tx, batch.id, 10)
    assert [row.content_encrypted for row in rows] == ["", ""]


@pytest.mark.both_databases
async def test_row_whose_result_was_lost_creates_no_second_invoice(world: World) -> None:
    batch = await start(world, TABLE.encode())
    async with world.ctx.db.read() as tx:
        before = await stored.list_rows(tx, batch.id, 10)
    await world.run_jobs()
    # As if the process had ended before the results were stored.
    async with world.ctx.db.write() as tx:
        for row in await stored.list_rows(tx, batch.id, 10):
            lost = next(one for one in before if one.id == row.id)
            op = stored.ROW_CODEC.save(replace(lost, version=row.version))
            await tx.execute(op.stmt, **op.values)
        done = await stored.get(tx, batch.id)
        assert done is not None
        op = stored.CODEC.save(replace(done, status=Status.CREATING, created_count=0))
        await tx.execute(op.stmt, **op.values)
    await imports.advance(world.ctx, batch.id)
    details = await imports.get_details(world.ctx, world.member, batch.id)
    assert details.batch.created_count == 2
    page = await invoice_lists.list_page(world.ctx, world.member, InvoiceFilter())
    assert len(page.data) == 2


@pytest.mark.both_databases
async def test_undo_voids_what_is_not_paid_and_names_the_rest(world: World) -> None:
    batch = await start(world, TABLE.encode())
    with pytest.raises(RefusedError, match="import_running"):
        await imports.undo(world.ctx, world.member, batch.id)
    await world.run_jobs()
    details = await imports.get_details(world.ctx, world.member, batch.id)
    first, second = details.rows
    paid = await invoices.get(world.ctx, world.member, first.invoice_id)
    await world.complete_payment(paid)
    await imports.undo(world.ctx, world.member, batch.id)
    await world.run_jobs()
    undone = await imports.get_details(world.ctx, world.member, batch.id)
    assert undone.batch.status is Status.UNDONE
    results = {row.id: (row.status, row.problem) for row in undone.rows}
    assert results == {
        first.id: (RowStatus.NOT_VOIDED, ":invoice_already_paid"),
        second.id: (RowStatus.VOIDED, ""),
    }
    voided = await invoices.get(world.ctx, world.member, second.invoice_id)
    assert voided.status is InvoiceStatus.VOID


async def test_import_of_another_shop_is_not_found(world: World) -> None:
    batch = await start(world, TABLE.encode())
    stranger = replace(world.member, shop_id="shp_other")
    with pytest.raises(RefusedError, match="not_found"):
        await imports.get_details(world.ctx, stranger, batch.id)
    with pytest.raises(RefusedError, match="not_found"):
        await imports.undo(world.ctx, stranger, batch.id)


async def test_imports_of_a_shop_have_a_limit(world: World) -> None:
    for _ in range(INVOICE_IMPORTS.amount):
        await start(world, "Название;Сумма\nУрок;700\n".encode())
    with pytest.raises(RefusedError, match="too_many_requests"):
        await start(world, "Название;Сумма\nУрок;700\n".encode())


ERASED = """Название;Сумма;E-mail;Телефон;ВК
Урок;100;CLIENT@example.net;;
Урок;200;;8 916 765-43-21;
Урок, писать на client@example.net;300;;;
Урок;400;boris@example.net;;id77
"""


@pytest.mark.both_databases
async def test_waiting_rows_of_an_erased_client_become_no_invoices(world: World) -> None:
    payment = await world.complete_payment()
    assert payment.customer_id is not None
    batch = await start(world, ERASED.encode())
    found = await clients.find(world.ctx, world.member, payment.customer_id)
    chosen = [one.key for one in found]
    erasure = await client_erasure.erase(world.ctx, world.member, payment.customer_id, chosen)
    assert erasure.counts["import_rows"] == 3
    async with world.ctx.db.read() as tx:
        rows = await stored.list_rows(tx, batch.id, 10)
    assert [bool(row.content_encrypted) for row in rows] == [False, False, False, True]
    await world.run_jobs()
    done = (await imports.get_details(world.ctx, world.member, batch.id)).batch
    assert (done.status, done.created_count, done.refused_count) == (Status.DONE, 1, 3)
    page = await customer_views.list_page(world.ctx, world.member)
    contacts = [contact.text for row in page.data for contact in row.contacts]
    assert contacts == ["77", "boris@example.net"]


@pytest.mark.both_databases
async def test_erasure_while_rows_are_created_brings_no_client_back(world: World) -> None:
    payment = await world.complete_payment()
    assert payment.customer_id is not None
    batch = await start(world, ERASED.encode())
    async with world.ctx.db.read() as tx:
        (row, *_) = await stored.list_rows(tx, batch.id, 10)
    found = await clients.find(world.ctx, world.member, payment.customer_id)
    chosen = [one.key for one in found]
    await client_erasure.erase(world.ctx, world.member, payment.customer_id, chosen)
    content = RowContent("Урок", 10_000, email="client@example.net")
    with pytest.raises(imports.RowChangedError):
        await imports.find_customer(world.ctx, world.member, row, content)


@pytest.mark.both_databases
async def test_rows_that_wait_too_long_are_deleted_by_date(world: World) -> None:
    batch = await start(world, ERASED.encode())
    world.clock.advance(days=4000)
    await retention.shred(world.ctx, world.shop.id)
    async with world.ctx.db.read() as tx:
        rows = await stored.list_rows(tx, batch.id, 10)
        known = await stored.get(tx, batch.id)
    assert {(row.content_encrypted, row.problem) for row in rows} == {("", ":import_expired")}
    assert known is not None
    assert known.refused_count == 4
    await imports.advance(world.ctx, batch.id)
    details = await imports.get_details(world.ctx, world.member, batch.id)
    assert (details.batch.status, details.batch.created_count) == (Status.DONE, 0)
