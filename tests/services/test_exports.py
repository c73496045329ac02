"""Exports: exactly what the filter finds, in both formats, over restarts, masked, and deleted."""

import csv
import datetime as dt
import io
from dataclasses import replace
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
import python_calamine

from sigma import worker
from sigma.documents.tables.csv_table import safe_cell
from sigma.domain.accounts.member import Member, Role, Scope
from sigma.domain.errors import RefusedError
from sigma.domain.exports.export import (
    FILE_TTL_US,
    LINK_TTL_US,
    MAX_RUNNING,
    Export,
    FileFormat,
    Kind,
    Status,
)
from sigma.domain.lists.filters import InvoiceFilter, PaymentFilter
from sigma.domain.money import Money
from sigma.domain.origin import NO_ORIGIN
from sigma.services.billing import refunds
from sigma.services.exports import exports, files
from sigma.services.exports.columns import column_names
from sigma.services.exports.exports import ExportRequest
from sigma.services.lists import payments as payment_lists
from sigma.store.exports import exports as stored
from tests.world import World

PAYMENTS = ExportRequest(Kind.PAYMENTS, FileFormat.CSV, PaymentFilter())
XLSX_PAYMENTS = replace(PAYMENTS, file_format=FileFormat.XLSX)
# Formulas, commands and markup of every kind that spreadsheet programs are known to run or read.
HOSTILE = (
    *("=1+1", "+1+1", "-1+1", "@SUM(1)", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x","y")'),
    *('=IMPORTXML("http://x","//a")', '=WEBSERVICE("http://x")', "-2+3+cmd|' /C calc'!A0"),
    *("@A1", "=A1:A9", "={1;2}", "=IF(1,2,3)", "+cmd|'/C calc'!A0", '=DDE("cmd";"/C")', "--1"),
    *('="x"', "=-1", "=+1", "=@a", " =1+1", "\u00a0=1+1", "\uff1d1+1", "\uff0b1", "\uff0d1"),
    *("\uff20a", "a;b", 'a"b', '"=1+1"', "'=1+1", "a,b", "<b>x</b>", "&amp;", "]]>", "_x003D_1"),
    *("%0A=1", "|cmd", "1E5", "0012", "<![CDATA[=1]]>", "x\u2028=1", "-"),
)

FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


async def make_file(world: World, wanted: ExportRequest, member: Member | None = None) -> bytes:
    """Request an export, let the worker make it, and return the file."""
    made = await exports.request(world.ctx, member or world.member, wanted)
    await world.run_jobs()
    return await read_file(world, made, member)


async def read_file(world: World, export: Export, member: Member | None = None) -> bytes:
    opened = await files.open_file(world.ctx, member or world.member, export.id)
    data = b"".join([chunk async for chunk in opened.chunks])
    assert len(data) == opened.size_bytes
    return data


def read_csv(data: bytes) -> list[dict[str, str]]:
    """Return the rows of a file by header; check that its form is what Russian Excel needs."""
    text = data.decode()
    assert text.startswith("\ufeff")
    assert text.endswith("\r\n")
    rows = list(csv.reader(io.StringIO(text[1:], newline=""), delimiter=";", strict=True))
    assert all(len(row) == len(rows[0]) for row in rows)
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def read_xlsx(data: bytes) -> list[dict[str, Any]]:
    """Return the rows of a workbook by header, as two independent readers agree on them."""
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    assert sheet is not None
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    assert not any(cell.data_type == "f" for row in sheet.iter_rows() for cell in row)
    other = python_calamine.load_workbook(io.BytesIO(data)).get_sheet_by_index(0).to_python()
    plain = [["" if value is None else value for value in row] for row in rows]
    assert [[_comparable(v) for v in row] for row in other] == [
        [_comparable(v) for v in row] for row in plain
    ]
    return [dict(zip(map(str, rows[0]), row, strict=True)) for row in rows[1:]]


def _comparable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("_x005F_", "_")  # Excel and calamine do so, openpyxl does not
    if isinstance(value, dt.datetime):
        return (value + dt.timedelta(milliseconds=500)).replace(microsecond=0)
    return float(value) if isinstance(value, int | float) else value


@pytest.mark.both_databases
async def test_export_has_the_rows_and_sums_of_the_filter(world: World) -> None:
    shared = await world.create_invoice(max_payments=None, title="Абонемент")
    paid = [await world.complete_payment(shared) for _ in range(2)]
    other = await world.complete_payment(await world.create_invoice(200_050, title="Маникюр"))
    await world.start_payment(await world.create_invoice(300_000))  # never paid
    await refunds.request(world.ctx, world.member, paid[0].id, Money(50_000), "")
    await world.run_jobs()
    wanted = PaymentFilter(status="captured")

    rows = read_csv(await make_file(world, replace(PAYMENTS, wanted=wanted)))

    totals = await payment_lists.totals(world.ctx, world.member, wanted)
    amounts = [Decimal(row["Сумма"].replace(",", ".")) for row in rows]
    assert sum(amounts) * 100 == totals.sums["RUB"].minor == 500_050
    assert [row["Номер платежа"] for row in rows] == [other.id, paid[1].id, paid[0].id]
    assert [row["Статус"] for row in rows] == ["Оплачен", "Оплачен", "Возвращён частично"]
    assert rows[2]["Возвращено"] == "500,00"
    assert rows[0]["Сумма"] == "2000,50"
    assert rows[0]["E-mail"] == "client@example.net"
    assert rows[0]["Пожелания"] == "без лака"
    workbook = read_xlsx(await make_file(world, replace(XLSX_PAYMENTS, wanted=wanted)))
    assert [row["Сумма"] for row in workbook] == [float(amount) for amount in amounts]
    assert [row["Номер платежа"] for row in workbook] == [row["Номер платежа"] for row in rows]


async def test_time_of_a_row_is_a_date_in_the_zone_of_the_shop(world: World) -> None:
    paid = await world.complete_payment()
    (row,) = read_xlsx(await make_file(world, XLSX_PAYMENTS))
    (line,) = read_csv(await make_file(world, PAYMENTS))
    moscow = dt.datetime.fromtimestamp(paid.created_at_us // 1_000_000, dt.UTC)
    moscow = (moscow + dt.timedelta(hours=3)).replace(tzinfo=None)
    assert abs(row["Создан"] - moscow) < dt.timedelta(seconds=1)
    assert line["Создан"] == moscow.strftime("%d.%m.%Y %H:%M:%S")


async def test_hostile_values_stay_text_in_both_formats(world: World) -> None:
    assert len(HOSTILE) >= 40
    for text in HOSTILE:
        await world.start_payment(await world.create_invoice(title=text), wish=text)
    titles = [
        row.invoice_title
        for row in (
            await payment_lists.list_page(world.ctx, world.member, PaymentFilter(), limit=100)
        ).data
    ]
    assert len(titles) == len(HOSTILE)

    workbook = read_xlsx(await make_file(world, XLSX_PAYMENTS))
    lines = read_csv(await make_file(world, PAYMENTS))

    assert [_comparable(row["За что"]) for row in workbook] == titles
    assert [line["За что"] for line in lines] == [safe_cell(title) for title in titles]
    for column in ("За что", "Пожелания"):
        for line in lines:
            assert (
                not line[column].lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))
            )
            assert all(isinstance(row[column], str) for row in workbook)


@pytest.mark.both_databases
async def test_export_continues_after_its_last_stored_part(world: World) -> None:
    shared = await world.create_invoice(max_payments=None)
    started = [await world.start_payment(shared, payer=f"browser-{n}") for n in range(5)]
    made = await exports.request(world.ctx, world.member, XLSX_PAYMENTS)
    # Each look at the clock is later than a run may last: every run stores one part.
    late = iter(range(10**9, 10**15, 10**9))
    now_us = world.ctx.now_us()
    hasty = replace(world.ctx, now_us=lambda: now_us + next(late))
    runs = 0
    while (await exports.get(world.ctx, world.member, made.id)).is_running:
        await exports.make(hasty, made.id, batch_size=2)
        runs += 1
    found = await exports.get(world.ctx, world.member, made.id)
    assert runs > 4
    assert (found.total, found.progress.part_count) == (5, 3)
    rows = read_xlsx(await read_file(world, found))
    assert [row["Номер платежа"] for row in rows] == [one.id for one in reversed(started)]


async def test_payment_that_comes_after_the_request_is_not_exported(world: World) -> None:
    before = await world.start_payment()
    made = await exports.request(world.ctx, world.member, PAYMENTS)
    await world.start_payment()
    await world.run_jobs()
    rows = read_csv(await read_file(world, made))
    assert [row["Номер платежа"] for row in rows] == [before.id]


async def test_member_without_the_right_to_answers_gets_them_masked(world: World) -> None:
    await world.complete_payment()
    viewer = Member("usr_viewer", world.shop.id, Role.VIEWER)
    wanted = PaymentFilter(email="client@example.net")
    with pytest.raises(RefusedError, match="forbidden"):
        await exports.request(world.ctx, viewer, replace(PAYMENTS, wanted=wanted))

    masked = await make_file(world, PAYMENTS, viewer)

    assert b"client@example.net" not in masked
    assert "без лака" not in masked.decode()
    assert "9167654321" not in masked.decode()
    (row,) = read_csv(masked)
    assert row["E-mail"].endswith("@example.net")
    full = await exports.request(world.ctx, world.member, PAYMENTS)
    await world.run_jobs()
    with pytest.raises(RefusedError, match="forbidden"):
        await files.open_file(world.ctx, viewer, full.id)
    assert full.id not in [one.id for one in await exports.list_for_shop(world.ctx, viewer)]
    key = replace(world.member, scopes=frozenset({Scope.PAYMENTS_READ}))
    assert b"client@example.net" not in await make_file(world, PAYMENTS, key)


async def test_export_of_invoices_has_the_chosen_columns_only(world: World) -> None:
    invoice = await world.create_invoice(title="Педикюр", metadata={"order": "=42"})
    wanted = ExportRequest(
        Kind.INVOICES, FileFormat.CSV, InvoiceFilter(), ("number", "amount", "metadata"), "en"
    )
    data = await make_file(world, wanted)
    assert data.decode() == f"\ufeffNo.;Amount;Metadata\r\n{invoice.number};1500.00;order==42\r\n"
    everything = read_csv(await make_file(world, replace(wanted, columns=())))
    assert len(everything[0]) == len(column_names(Kind.INVOICES, world.member))
    assert everything[0]["Link"] == f"http://127.0.0.1:8000/i/{invoice.token}"


async def test_empty_export_has_its_headers(world: World) -> None:
    assert read_csv(await make_file(world, PAYMENTS)) == []
    assert read_xlsx(await make_file(world, XLSX_PAYMENTS)) == []


@pytest.mark.both_databases
async def test_file_is_deleted_when_its_time_is_over(world: World) -> None:
    await world.start_payment()
    world.clock.stop()
    made = await exports.request(world.ctx, world.member, PAYMENTS)
    await world.run_jobs()
    link = files.link(world.ctx, world.member, await exports.get(world.ctx, world.member, made.id))
    await read_file(world, made)
    world.clock.offset_us += FILE_TTL_US
    with pytest.raises(RefusedError, match="not_found"):
        await files.open_file(world.ctx, world.member, made.id)
    await world.run_jobs()
    found = await exports.get(world.ctx, world.member, made.id)
    assert (found.status, found.filter_encrypted) == (Status.EXPIRED, "")
    async with world.ctx.db.read() as tx:
        assert await stored.next_part(tx, made.id, "") is None
    export_id, actor, end, signature = link.split("/")[-4:]
    with pytest.raises(RefusedError, match="not_found"):
        await files.open_link(world.ctx, export_id, actor, end, signature, NO_ORIGIN)


async def test_link_works_until_its_end_and_not_with_another_signature(world: World) -> None:
    await world.start_payment()
    world.clock.stop()
    made = await exports.request(world.ctx, world.member, PAYMENTS)
    await world.run_jobs()
    found = await exports.get(world.ctx, world.member, made.id)
    export_id, actor, end, signature = files.link(world.ctx, world.member, found).split("/")[-4:]
    opened = await files.open_link(world.ctx, export_id, actor, end, signature, NO_ORIGIN)
    assert b"".join([chunk async for chunk in opened.chunks]) == await read_file(world, found)
    wrong = "A" if signature[0] != "A" else "B"
    for parts in (
        (export_id, actor, end, wrong + signature[1:]),
        (export_id, actor, str(int(end) + 1), signature),
        (export_id[:-1] + ("0" if export_id[-1] != "0" else "1"), actor, end, signature),
        (export_id, actor + "0", end, signature),
        (export_id, actor, end, ""),
        (export_id, actor, "9" * 30, signature),
        (export_id, actor, "١٢", signature),
    ):
        with pytest.raises(RefusedError, match="not_found"):
            await files.open_link(world.ctx, *parts, NO_ORIGIN)
    world.clock.offset_us += LINK_TTL_US
    with pytest.raises(RefusedError, match="not_found"):
        await files.open_link(world.ctx, export_id, actor, end, signature, NO_ORIGIN)


@pytest.mark.both_databases
async def test_shop_has_a_bounded_number_of_exports_at_once(world: World) -> None:
    for _ in range(MAX_RUNNING):
        await exports.request(world.ctx, world.member, PAYMENTS)
    with pytest.raises(RefusedError, match="exports_running"):
        await exports.request(world.ctx, world.member, PAYMENTS)
    await world.run_jobs()
    await exports.request(world.ctx, world.member, PAYMENTS)


async def test_member_of_another_shop_does_not_find_an_export(world: World) -> None:
    made = await exports.request(world.ctx, world.member, PAYMENTS)
    stranger = replace(world.member, shop_id="shp_other")
    with pytest.raises(RefusedError, match="not_found"):
        await exports.get(world.ctx, stranger, made.id)


async def test_nothing_of_a_file_is_stored_in_plain_text(world: World) -> None:
    await world.complete_payment()
    made = await exports.request(
        world.ctx, world.member, replace(PAYMENTS, wanted=PaymentFilter(query="client@example.net"))
    )
    await world.run_jobs()
    async with world.ctx.db.read() as tx:
        found = await stored.get(tx, made.id)
        part = await stored.next_part(tx, made.id, "")
    assert found is not None
    assert part is not None
    assert found.total == 1
    assert "example" not in repr(found) + part.body_encrypted
    assert part.body_encrypted.startswith(world.ctx.cipher.current_prefix)


async def test_large_export_is_rendered_by_a_process_of_its_own(world: World) -> None:
    from sigma.services.exports.rendering import PROCESS_ROWS, Batch, PartRenderer, Rendering

    made = await exports.request(world.ctx, world.member, PAYMENTS)
    large = replace(made, total=PROCESS_ROWS + 1)
    part_renderer = PartRenderer(large, world.ctx.cipher, "http://x", "Europe/Moscow")
    rendering = Rendering(part_renderer)
    batch = Batch("exp_x.000000", [], [], 0, is_last=True)
    try:
        there = await rendering.render(batch, 0)
    finally:
        rendering.end()
    here = part_renderer.render(batch, 0)
    assert (there.crc, there.size_bytes) == (here.crc, here.size_bytes)


def test_every_job_of_exports_has_a_handler() -> None:
    assert worker.HANDLERS["export.make"] is exports.make
