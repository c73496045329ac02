"""Invoices that clients could not pay: refused by name, or issued with a plain warning."""

import sqlite3

import pytest

from sigma.domain.accounts.member import Role
from sigma.services.billing import connections
from tests.web.api_harness import ApiClient
from tests.web.cabinet_harness import CabinetBrowser, visible_text
from tests.world import World


def plain_text(page: str) -> str:
    return visible_text(page).replace("\u00a0", " ")


async def disconnect(world: World) -> None:
    await connections.set_active(world.ctx, world.member, world.connection.id, False)


@pytest.mark.parametrize(
    ("amount", "code", "part"),
    [
        ({"value": "0.01", "currency": "RUB"}, "amount_not_accepted", "от 1,00 ₽ до 350 000,00 ₽"),
        ({"value": "700000.01", "currency": "RUB"}, "amount_not_accepted", "350 000,00 ₽"),
        ({"value": "100.00", "currency": "USD"}, "currency_not_accepted", "USD"),
        ({"value": "100.00", "currency": "CNY"}, "currency_not_accepted", "CNY"),
    ],
)
async def test_api_refuses_what_the_acquirer_does_not_take(
    api_client: ApiClient, amount: dict[str, str], code: str, part: str
) -> None:
    body = {"title": "Маникюр", "amount": amount}
    response = await api_client.post("/invoices", body, accept_language="ru")
    assert response.status_code == 422
    (fault,) = response.json()["errors"]
    assert (fault["field"], fault["code"]) == ("amount", code)
    assert part in fault["message"].replace("\u00a0", " ")


@pytest.mark.parametrize(("value", "currency"), [("0.01", "RUB"), ("100.00", "USD")])
async def test_refusal_names_the_acquirer_in_the_language_of_the_reader(
    api_client: ApiClient, value: str, currency: str
) -> None:
    body = {"title": "Manicure", "amount": {"value": value, "currency": currency}}
    for language, name in (("en", "YooKassa"), ("ru", "ЮKassa")):
        response = await api_client.post("/invoices", body, accept_language=language)
        assert name in response.json()["errors"][0]["message"]


async def test_api_warns_when_no_acquirer_is_connected(api_client: ApiClient, world: World) -> None:
    payable = await api_client.create_invoice()
    assert payable["warnings"] == []
    await disconnect(world)
    created = await api_client.create_invoice()
    assert [warning["code"] for warning in created["warnings"]] == ["no_connection"]
    assert "No acquirer is connected" in created["warnings"][0]["message"]
    read = (await api_client.get(f"/invoices/{payable['id']}")).json()
    assert read["warnings"] == created["warnings"]
    listed = (await api_client.get("/invoices")).json()["data"]
    assert [invoice["warnings"] for invoice in listed] == [created["warnings"]] * 2
    voided = (await api_client.post(f"/invoices/{payable['id']}/void")).json()
    assert voided["warnings"] == []


@pytest.mark.parametrize("amount", ["0,01", "0,99", "700 000,01"])
async def test_form_names_the_limits(owner_browser: CabinetBrowser, amount: str) -> None:
    page = await owner_browser.submit("/invoices/new", title="Маникюр", amount=amount, do="issue")
    assert page.status_code == 422
    assert "ЮKassa принимает платежи от 1,00 ₽ до 350 000,00 ₽" in plain_text(page.text)


async def test_form_and_new_invoice_warn_when_no_acquirer_is_connected(
    owner_browser: CabinetBrowser, world: World
) -> None:
    assert "эквайер не подключён" not in (await owner_browser.open("/invoices/new")).text
    await disconnect(world)
    form = (await owner_browser.open("/invoices/new")).text
    assert "эквайер не подключён" in form
    assert 'href="/settings/connections"' in form
    issued = await owner_browser.submit("/invoices/new", title="Маникюр", amount="1500", do="issue")
    page = (await owner_browser.open(issued.headers.get("location", "/invoices"))).text
    assert "оплатить его нельзя: эквайер не подключён" in plain_text(page)
    assert "Отправьте ссылку клиенту" not in plain_text(page)
    assert 'href="/settings/connections"' in page


async def test_operator_is_sent_to_the_owner(
    owner_browser: CabinetBrowser, world: World, sqlite_database_url: str
) -> None:
    await disconnect(world)
    with sqlite3.connect(sqlite_database_url.removeprefix("sqlite:///")) as con:
        con.execute("UPDATE members SET role = ?", (str(Role.OPERATOR),))
    form = (await owner_browser.open("/invoices/new")).text
    assert "Попросите владельца" in plain_text(form)
    assert 'href="/settings/connections"' not in form
