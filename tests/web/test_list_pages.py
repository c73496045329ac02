"""The lists of payments and invoices in the cabinet: filters, totals, saved views, live rows."""

import re
from html import unescape
from urllib.parse import parse_qs

import httpx
import pytest

from sigma.domain.accounts.member import Role
from sigma.domain.billing.question import Question, QuestionKind
from sigma.domain.catalogue.service import InvoiceTemplate
from sigma.domain.lists.saved_view import ListKind
from sigma.services.billing.payments import advance
from sigma.services.lists import saved_views
from sigma.web.app import create_app
from sigma.web.cabinet.guards import SESSION_COOKIE
from tests.service_factories import create_service
from tests.web.cabinet_harness import CabinetBrowser, set_role, visible_text
from tests.web.test_inbox_stream import EventStream
from tests.world import World

PAYMENT_LINK = re.compile(r'href="/payments/(pay_\w+)"')
INVOICE_LINK = re.compile(r'href="/invoices/(inv_\w+)"')


def plain(page: str) -> str:
    return visible_text(page).replace("\u00a0", " ")


async def submit(browser: CabinetBrowser, **form: str) -> httpx.Response:
    """Save a view and open the page that follows."""
    response = await browser.submit("/payments/views", **form)
    return await browser.open(response.headers["location"])


async def test_list_shows_client_method_and_totals_of_the_filter(
    world: World, owner_browser: CabinetBrowser
) -> None:
    paid = await world.complete_payment()
    await world.start_payment(payer="browser-2", email="other@example.net")
    page = (await owner_browser.open("/payments?status=captured")).text
    assert set(PAYMENT_LINK.findall(page)) == {paid.id}
    assert "client@example.net" in page
    assert "Найден 1 платёж" in plain(page)
    assert "на 1 500,00 ₽" in plain(page)
    everything = plain((await owner_browser.open("/payments?period=today")).text)
    assert "на 3 000,00 ₽, из них оплачено 1 500,00 ₽" in everything
    assert "Найден" not in plain((await owner_browser.open("/payments")).text)


async def test_filters_offer_services_members_and_own_questions(
    world: World, owner_browser: CabinetBrowser
) -> None:
    question = Question("size", QuestionKind.SELECT, "Размер ноги", options=("36", "37"))
    template = InvoiceTemplate(questions=(question,))
    shoes = await create_service(world, "Туфли", invoice_template=template)
    await create_service(world, "Сапоги")
    invoice = await world.create_invoice(service_id=shoes.id, questions=(question,))
    payment = await world.start_payment(invoice)
    await world.start_payment()
    page = (await owner_browser.open("/payments")).text
    assert f'<option value="{shoes.id}">Туфли</option>' in page
    assert '<option value="size">Размер ноги</option>' in page
    for query in (f"service={shoes.id}", "empty=size"):
        found = (await owner_browser.open(f"/payments?{query}")).text
        assert set(PAYMENT_LINK.findall(found)) == {payment.id}, query
    mine = (await owner_browser.open(f"/payments?member={world.member.actor}")).text
    assert len(set(PAYMENT_LINK.findall(mine))) == 2


async def test_invoice_list_shows_the_client_who_paid_and_searches_by_contact(
    world: World, owner_browser: CabinetBrowser
) -> None:
    payment = await world.start_payment()
    other = await world.create_invoice(title="Стрижка", metadata={"order": "A-77"})
    for query, expected in (
        ("q=client@example.net", payment.invoice_id),
        ("q=8-916-765-43-21", payment.invoice_id),
        ("q=лака", payment.invoice_id),
        ("email=client@example.net", payment.invoice_id),
        ("q=стрижка", other.id),
        ("q=A-77", other.id),
        ("metadata[order]=A-77", other.id),
        (f"q=№ {other.number}", other.id),
    ):
        page = (await owner_browser.open(f"/invoices?{query}")).text
        assert set(INVOICE_LINK.findall(page)) == {expected}, query
    page = (await owner_browser.open("/invoices")).text
    assert "client@example.net" in page


async def test_role_without_answers_sees_masked_contacts_and_finds_none(
    world: World, owner_browser: CabinetBrowser
) -> None:
    payment = await world.start_payment()
    await set_role(world.ctx, Role.VIEWER)
    page = (await owner_browser.open("/payments")).text
    assert "client@example.net" not in page
    assert "c***@example.net" in page
    for path in ("/payments", "/invoices"):
        found = (await owner_browser.open(f"{path}?q=client@example.net")).text
        assert payment.id not in found
        assert "Ничего не найдено" in visible_text(found)
        assert (await owner_browser.open(f"{path}?phone=89167654321")).status_code == 403


async def test_wrong_filter_values_are_shown_beside_their_fields(
    owner_browser: CabinetBrowser, world: World
) -> None:
    await world.start_payment()
    page = await owner_browser.open("/payments?amount_from=abc&created_from=31.02.2026&status=zzz")
    assert page.status_code == 200
    assert '<details class="filter-panel" open>' in page.text
    assert 'id="amount_from-error"' in page.text
    assert 'id="created_from-error"' in page.text
    assert 'value="abc"' in page.text
    for query in ("email=abc", "phone=1", "customer_id=!", "period=never"):
        page = await owner_browser.open(f"/payments?{query}")
        panel = page.text.partition('<form class="filter-form card"')[2].partition("</form>")[0]
        assert 'role="alert"' in panel, query


async def test_view_is_saved_opened_and_deleted(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await world.complete_payment()
    await owner_browser.open("/payments?status=captured&period=month")
    saved = await submit(
        owner_browser, filter="status=captured&period=month", name="Месяц", is_shared="1"
    )
    assert "Фильтр сохранён" in visible_text(saved.text)
    (view,) = await saved_views.list_views(world.ctx, world.member, ListKind.PAYMENTS)
    assert view.is_shared
    assert view.filter_values == {"status": "captured", "period": "month"}
    link = re.search(
        r'<a class="filter" href="([^"]+)"[^>]*><svg[^>]*>.*?</svg><span>Месяц', saved.text
    )
    assert link
    assert "period=month" in unescape(link[1])
    assert "Найден 1 платёж" in plain((await owner_browser.open(unescape(link[1]))).text)
    await owner_browser.submit(f"/payments/views/{view.id}/delete")
    assert await saved_views.list_views(world.ctx, world.member, ListKind.PAYMENTS) == []


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"filter": "status=captured", "name": " "}, "укажите название"),
        ({"filter": "status=captured", "name": "x" * 41}, "длиннее 40 символов"),
        ({"filter": "", "name": "Всё"}, "выберите условия"),
        ({"filter": "q=irina%40mail.ru", "name": "Ирина"}, "не хранятся"),
    ],
)
async def test_view_that_cannot_be_saved_says_why(
    world: World, owner_browser: CabinetBrowser, form: dict[str, str], text: str
) -> None:
    await world.start_payment()
    page = await submit(owner_browser, **form)
    assert text in visible_text(page.text)
    assert await saved_views.list_views(world.ctx, world.member, ListKind.PAYMENTS) == []


async def test_operator_saves_own_views_but_shares_none(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await world.start_payment()
    await owner_browser.submit(
        "/payments/views", filter="status=failed", name="Общий", is_shared="1"
    )
    (shared,) = await saved_views.list_views(world.ctx, world.member, ListKind.PAYMENTS)
    await set_role(world.ctx, Role.OPERATOR)
    refused = await owner_browser.submit(
        "/payments/views", filter="status=failed", name="Ещё", is_shared="1"
    )
    assert refused.status_code == 403
    refused_again = await owner_browser.submit(f"/payments/views/{shared.id}/delete")
    assert refused_again.status_code == 403
    await owner_browser.submit("/payments/views", filter="status=failed", name="Мой")
    names = await saved_views.list_views(world.ctx, world.member, ListKind.PAYMENTS)
    assert {view.name: view.is_shared for view in names} == {"Общий": True, "Мой": False}


async def test_stream_reports_a_payment_that_changes_the_list(
    world: World, owner_browser: CabinetBrowser
) -> None:
    payment = await world.start_payment()
    page = (await owner_browser.open("/payments?status=captured")).text
    live = re.search(r'data-list-live="([^"]+)"', page)
    assert live
    path, _, query = unescape(live[1]).partition("?")
    cookie = ("cookie", f"{SESSION_COOKIE}={owner_browser.http.cookies[SESSION_COOKIE]}")
    app = create_app(world.ctx)
    stream = EventStream(app, path, query, [cookie])
    assert "retry" in await stream.next_chunk()
    await world.pay(payment)
    await world.complete_payment(payer="browser-2")
    assert "event: changed" in await stream.next_chunk()
    app.router.state.change_feed.close()
    await stream.task


async def test_stream_reports_a_change_that_came_before_it_connected(
    world: World, owner_browser: CabinetBrowser
) -> None:
    page = (await owner_browser.open("/payments")).text
    live = re.search(r'data-list-live="([^"]+)"', page)
    assert live
    path, _, query = unescape(live[1]).partition("?")
    await world.start_payment()
    cookie = ("cookie", f"{SESSION_COOKIE}={owner_browser.http.cookies[SESSION_COOKIE]}")
    app = create_app(world.ctx)
    stream = EventStream(app, path, query, [cookie])
    assert "retry" in await stream.next_chunk()
    assert "event: changed" in await stream.next_chunk()
    app.router.state.change_feed.close()
    await stream.task


@pytest.mark.parametrize("kind", ["payments", "invoices"])
async def test_export_link_has_the_filter_that_the_list_shows(
    world: World, owner_browser: CabinetBrowser, kind: str
) -> None:
    """Values that the list ignored or read in another way are not passed on as they were typed."""
    await world.start_payment()
    query = "q=%20Маникюр%20&amount_from=1%20000,00&amount_to=abc&status=zzz&foo=1"
    page = (await owner_browser.open(f"/{kind}?{query}&sort=amount")).text
    link = re.search(r'href="(/exports/new[^"]+)"', page)
    assert link
    wanted = {"kind": [kind], "q": ["Маникюр"], "amount_from": ["1000.00"], "sort": ["amount"]}
    assert parse_qs(unescape(link[1]).partition("?")[2]) == wanted


async def test_invoice_list_shows_how_a_paid_invoice_was_paid(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await world.start_payment()
    assert 'class="muted small method"' not in (await owner_browser.open("/invoices")).text
    await world.complete_payment(payer="browser-2")
    page = (await owner_browser.open("/invoices?status=paid")).text
    assert plain(page).count("Мир 2987") == 1


async def test_row_has_the_time_that_the_period_filters_by(
    world: World, owner_browser: CabinetBrowser
) -> None:
    """A payment that was started yesterday and paid today is among those of yesterday."""
    world.clock.advance(days=-1)  # the bank's clock, which says when it took the money, stays
    payment = await world.start_payment()
    world.clock.advance(days=1)
    await world.pay(payment)
    await advance(world.ctx, payment.id)
    page = plain((await owner_browser.open("/payments?period=yesterday")).text)
    assert "вчера, " in page
    assert "получен сегодня, " in page
    assert "Найден 1 платёж" in page
    assert "Ничего не найдено" in plain((await owner_browser.open("/payments?period=today")).text)


async def test_condition_without_a_field_is_named_and_can_be_removed(
    world: World, owner_browser: CabinetBrowser
) -> None:
    payment = await world.complete_payment()
    customer_id = payment.customer_id
    assert customer_id
    query = f"customer_id={customer_id}&metadata[order]=A-77&email=client@example.net"
    page = (await owner_browser.open(f"/payments?{query}")).text
    tags = page.partition('class="filter-tags"')[2].partition("</ul>")[0]
    assert "Клиент: " in tags
    assert customer_id not in visible_text(tags)
    for condition in ("order: A-77", "E-mail: client@example.net"):
        assert condition in visible_text(tags)
    urls = [unescape(url) for url in re.findall(r'href="([^"]+)"', tags)]
    assert [len(parse_qs(url.partition("?")[2])) for url in urls] == [2, 2, 2]
    assert "сохранить нельзя" in visible_text(page), "a view would store the address"


async def test_columns_sort_the_list_and_turn_its_order(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await world.start_payment()
    page = (await owner_browser.open("/payments?status=pending")).text
    assert page.count("aria-sort") == 1
    assert '<th scope="col" aria-sort="descending"><a class="sort" href="/payments?' in page
    by_amount = (await owner_browser.open("/payments?sort=-amount")).text
    assert re.search(
        r'aria-sort="descending"><a class="sort" href="/payments\?sort=amount"', by_amount
    )
    assert 'href="/payments?sort=created"' not in by_amount


async def test_wrong_date_stays_as_it_was_typed(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await world.start_payment()
    page = (await owner_browser.open("/payments?created_from=2026-13-45")).text
    field = re.search(r'<input id="created_from"[^>]*>', page)
    assert field
    assert 'type="text"' in field[0], "a date input would drop the value"
    assert 'value="2026-13-45"' in field[0]
