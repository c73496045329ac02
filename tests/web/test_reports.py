"""Figures on the home page, the page of a month's statement, and its files."""

import io
import json
import zipfile
from dataclasses import replace
from datetime import timedelta

import httpx
import pypdf
import pytest
from openpyxl import load_workbook

from sigma.documents.statement_pdf import statement_pdf
from sigma.domain.accounts.member import Role
from sigma.domain.audit.entry import EntryFilter
from sigma.domain.figures import Attribution, Figures, Source, Tally
from sigma.domain.limits import STATEMENT_DOWNLOAD
from sigma.domain.local_time import local_date
from sigma.domain.money import Money
from sigma.domain.reports.periods import month_period
from sigma.domain.reports.statement import MAX_PDF_OPERATIONS
from sigma.services.billing import refunds
from sigma.services.platform import audit_log
from sigma.services.reports.statement import get_statement
from sigma.store.reports import totals
from sigma.texts import Translator
from sigma.texts.statement_view import build_statement_view
from tests.web.cabinet_harness import CabinetBrowser, set_role, visible_text
from tests.web.two_shops import signed_in_actor
from tests.world import World


async def pay_and_refund(world: World) -> None:
    """Three payments of 1,500 roubles, one named like a formula; 500 of one are refunded."""
    paid = None
    for title in ("Маникюр", "=1+1", "Педикюр"):
        invoice = await world.create_invoice(150_000, title=title)
        paid = await world.complete_payment(invoice)
    assert paid is not None
    await refunds.request(world.ctx, world.member, paid.id, Money(50_000), "")
    await world.run_jobs()


def month_of(world: World) -> str:
    return f"{local_date(world.ctx.now_us(), world.shop.tz):%Y-%m}"


def plain(page: httpx.Response) -> str:
    return visible_text(page.text).replace("\xa0", " ")


async def test_home_shows_the_chosen_period_with_a_chart_and_its_table(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await pay_and_refund(world)
    page = await owner_browser.open("/?period=30")
    text = plain(page)
    for named in (
        "Чистыми 3 842,50 ₽",
        "Поступления 4 500 ₽",
        "Возвраты 500 ₽",
        "Комиссия эквайера 157,50 ₽",
        "Средний платёж 1 500 ₽",
        "Открыли и оплатили 100 %",
        "Таблица по дням",
        "По услугам Без услуги 4 500 ₽ 3 платежа · возвращено 500 ₽ · оплачено 100 %",
        "По сотрудникам Пётр 4 500 ₽",
        "Откуда платежи Кабинет 4 500 ₽",
    ):
        assert named in text, named
    assert 'role="img" aria-label="График: поступления 4\xa0500,00\xa0₽' in page.text
    assert page.text.count('class="bar-gross" x=') == 1, "one day has payments"
    assert page.text.count('<tr><th scope="row">') == 30
    assert 'aria-current="true">30 дней' in page.text


async def test_own_period_is_compared_with_as_many_days_before(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await pay_and_refund(world)
    today = local_date(world.ctx.now_us(), world.shop.tz)
    world.clock.advance(days=3)
    since, until = today + timedelta(1), today + timedelta(3)
    page = await owner_browser.open(f"/?period=own&since={since}&until={until}")
    text = plain(page)
    assert "Поступления 0 ₽ Изменение: \u2212100 % Раньше: 4 500 ₽" in text
    assert f'value="{since}"' in page.text


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("since=2026-11-05&until=2026-11-01", "Период пуст"),
        ("since=2024-01-01&until=2026-01-01", "Период длиннее 366 дней"),
        ("since=&until=x", "Введите дату, наприм"),
        ("since=0001-01-01&until=0001-01-02", ""),
        ("since=9999-12-31&until=9999-12-31", ""),
    ],
)
async def test_invalid_own_period_shows_the_problem_and_what_was_typed(
    world: World, owner_browser: CabinetBrowser, query: str, problem: str
) -> None:
    page = await owner_browser.open(f"/?period=own&{query}")
    assert page.status_code == 200
    assert problem in plain(page)
    assert 'aria-invalid="true"' in page.text
    assert "Чистыми 0 ₽" in plain(page)


async def test_operator_sees_what_needs_action_but_no_turnover(world: World) -> None:
    await pay_and_refund(world)
    async with signed_in_actor(world.ctx, world.shop.id, Role.OPERATOR) as operator:
        page = await operator.http.get("/")
        assert page.status_code == 200
        assert 'id="figures"' not in page.text
        assert "/reports/statement" not in page.text
        assert (await operator.http.get("/reports/statement")).status_code == 403
        month = month_of(world)
        assert (await operator.http.get(f"/reports/statement/{month}/pdf")).status_code == 403


async def test_statement_page_shows_totals_and_the_result_of_reconciliation(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await pay_and_refund(world)
    text = plain(await owner_browser.open("/reports/statement"))
    assert "За месяц 3 4 500,00 ₽ 500,00 ₽ 157,50 ₽ 3 842,50 ₽" in text
    assert "С эквайером не сверялось" in text
    assert "Месяц ещё не закончился" in text
    assert "API ЮKassa их не сообщает" in text
    for wrong in ("2026-13", "0000-01", "9999-12", "x", "2026-1"):
        page = await owner_browser.open(f"/reports/statement?month={wrong}")
        assert page.status_code == 404, wrong
    assert (await owner_browser.open("/reports/statement/2026-11/exe")).status_code == 404


async def test_files_have_the_sums_of_the_page_and_are_recorded(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await pay_and_refund(world)
    month = month_of(world)
    xlsx = await owner_browser.http.get(f"/reports/statement/{month}/xlsx")
    assert xlsx.headers["content-disposition"] == f'attachment; filename="sigma-{month}.xlsx"'
    assert xlsx.headers["cache-control"] == "no-store"
    book = load_workbook(io.BytesIO(xlsx.content), data_only=False)
    totals, operations = book.worksheets
    (month_row,) = [row for row in totals.iter_rows(values_only=True) if row[0] == "За месяц"]
    assert month_row[1:7] == (3, 1, 4500, 500, 157.5, 3842.5)
    rows = list(operations.iter_rows(min_row=2, values_only=True))
    assert len(rows) == 4
    sums = [sum(float(str(row[n] or 0)) for row in rows) for n in (6, 7, 8, 9)]
    assert sums == [4500, 500, 157.5, 3842.5]
    assert {row[4] for row in rows} == {"client@example.net"}
    formula = next(cell for cell in operations["D"] if cell.value == "=1+1")
    assert formula.data_type == "s", "a text stays a text"
    assert (
        "<f>"
        not in zipfile.ZipFile(io.BytesIO(xlsx.content)).read("xl/worksheets/sheet2.xml").decode()
    )
    pdf = await owner_browser.http.get(f"/reports/statement/{month}/pdf")
    assert pdf.content.startswith(b"%PDF-")
    entries = (await audit_log.list_page(world.ctx, world.member, EntryFilter())).data
    recorded = [one for one in entries if one.deed == "statement.downloaded"]
    details = [json.loads(one.detail) for one in recorded]
    assert [one["format"] for one in details] == ["pdf", "xlsx"]
    assert all(one["month"] == month for one in details)


async def test_accountant_gets_masked_clients_in_the_files(world: World) -> None:
    await pay_and_refund(world)
    async with signed_in_actor(world.ctx, world.shop.id, Role.ACCOUNTANT) as accountant:
        assert "Отчёт за месяц" in (await accountant.http.get("/")).text
        xlsx = await accountant.http.get(f"/reports/statement/{month_of(world)}/xlsx")
    operations = load_workbook(io.BytesIO(xlsx.content)).worksheets[1]
    clients = {row[4] for row in operations.iter_rows(min_row=2, values_only=True)}
    assert clients == {"c***@example.net"}


async def test_downloads_of_a_shop_are_limited(world: World, owner_browser: CabinetBrowser) -> None:
    url = "/reports/statement/2026-01/xlsx"
    for _ in range(STATEMENT_DOWNLOAD.amount):
        assert (await owner_browser.http.get(url)).status_code == 200
    refused = await owner_browser.http.get(url)
    assert refused.status_code == 429
    assert "Слишком много запросов" in visible_text(refused.text)


async def test_payment_shows_its_fee_and_expected_payout(
    world: World, owner_browser: CabinetBrowser
) -> None:
    payment = await world.complete_payment(await world.create_invoice(150_000))
    await refunds.request(world.ctx, world.member, payment.id, Money(50_000), "")
    await world.run_jobs()
    text = plain(await owner_browser.open(f"/payments/{payment.id}"))
    assert "Комиссия эквайера 52,50 ₽ Вместе с НДС" in text
    assert "К выплате 947,50 ₽" in text
    for role, sees_fees in ((Role.ACCOUNTANT, True), (Role.OPERATOR, False)):
        await set_role(world.ctx, role)
        page = plain(await owner_browser.open(f"/payments/{payment.id}"))
        assert ("52,50" in page, "947,50" in page) == (sees_fees, sees_fees), role


def test_each_source_has_a_name() -> None:
    assert {str(source) for source in Source} == {"conversation", "storefront", "api", "cabinet"}


async def test_month_with_many_operations_says_that_its_pdf_has_totals_only(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await pay_and_refund(world)
    url = f"/reports/statement?month={month_of(world)}"
    assert "только итоги" not in plain(await owner_browser.open(url))
    figures = Figures(payment_count=MAX_PDF_OPERATIONS)
    tally = Tally(world.shop.id, world.ctx.now_us(), "RUB", Attribution(), figures)
    async with world.ctx.db.write() as tx:
        await tx.write_all(totals.add_ops([tally]))
    page = plain(await owner_browser.open(url))
    assert "В месяце больше 1 000 операций: в PDF войдут только итоги." in page
    assert "Скачать PDF (только итоги)" in page


async def test_pdf_without_its_operations_says_so_on_its_first_page(world: World) -> None:
    await pay_and_refund(world)
    year, month = map(int, month_of(world).split("-"))
    period = month_period(year, month, world.shop.tz)
    translator = Translator("ru", world.shop.tz)
    statement = await get_statement(world.ctx, world.member, period)
    view = build_statement_view(statement, world.shop, translator, world.ctx.now_us())
    many = replace(view, operations=view.operations * (MAX_PDF_OPERATIONS // 2))
    for one, expected in ((view, False), (many, True)):
        pages = pypdf.PdfReader(io.BytesIO(statement_pdf(one, translator))).pages
        text = " ".join(pages[0].extract_text().split())
        assert ("В этом PDF только итоги: операций 2 000, больше 1 000." in text) is expected
        assert ("=1+1" in " ".join(page.extract_text() for page in pages)) is not expected
