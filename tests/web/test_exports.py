"""Exports in the cabinet and the API: the filter of the list, progress, links, refusals."""

import csv
import io
import json
import re
from typing import Any
from urllib.parse import urlencode

import httpx

from sigma.domain.accounts.member import Role
from sigma.domain.accounts.session import RECENT_AUTHENTICATION_US
from sigma.domain.audit.deed import Deed
from sigma.services.platform import audit_log
from tests.web.api_harness import ApiClient
from tests.web.cabinet_harness import CabinetBrowser, set_role, visible_text
from tests.world import World

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


async def make_by_api(api: ApiClient, world: World, **body: Any) -> dict[str, Any]:
    response = await api.post("/exports", {"kind": "payments", "format": "csv"} | body)
    assert response.status_code == 202, response.text
    assert response.json()["status"] == "counting"
    assert response.json()["url"] is None
    await world.run_jobs()
    made: dict[str, Any] = (await api.get(f"/exports/{response.json()['id']}")).json()
    return made


def rows_of(response: httpx.Response) -> list[dict[str, str]]:
    text = response.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))


async def test_api_exports_what_its_list_shows(api_client: ApiClient, world: World) -> None:
    paid = await world.complete_payment(await world.create_invoice(metadata={"order": "42"}))
    await world.start_payment()
    wanted = {"status": "captured", "metadata[order]": "42", "amount_from": "1500.00"}
    made = await make_by_api(api_client, world, filter=wanted)
    assert (made["status"], made["rows"], made["total"]) == ("done", 1, 1)
    response = await api_client.http.get(made["url"])
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert int(response.headers["content-length"]) == len(response.content) == made["size_bytes"]
    (row,) = rows_of(response)
    assert (row["Payment ID"], row["Amount"]) == (paid.id, "1500.00")
    assert row["Email"] == "client@example.net"
    entries = (await audit_log.list_page(world.ctx, world.member)).data
    ways = [json.loads(one.detail)["way"] for one in entries if one.deed == Deed.EXPORT_DOWNLOADED]
    assert ways == ["link"]


async def test_repeated_request_makes_one_export(api_client: ApiClient, world: World) -> None:
    body = {"kind": "invoices", "format": "xlsx"}
    first = await api_client.post("/exports", body, key="same")
    again = await api_client.post("/exports", body, key="same")
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await api_client.post("/exports", body | {"format": "csv"}, key="same")
    assert other.json()["code"] == "idempotency_key_reused"
    await world.run_jobs()
    made = (await api_client.get(f"/exports/{first.json()['id']}")).json()
    response = await api_client.http.get(made["url"])
    assert response.headers["content-type"] == XLSX
    assert response.content.startswith(b"PK")


async def test_wrong_request_names_every_field(api_client: ApiClient) -> None:
    wrong = {"kind": "clients", "format": "pdf"}
    response = await api_client.post("/exports", wrong)
    assert response.status_code == 422
    assert {one["field"] for one in response.json()["errors"]} == {"kind", "format"}
    wrong_values: dict[str, Any] = {
        "kind": "invoices",
        "format": "csv",
        "filter": {"statsu": "paid", "method": "card", "amount_from": "x"},
        "columns": ["amount", "phone"],
    }
    response = await api_client.post("/exports", wrong_values)
    fields = {one["field"] for one in response.json()["errors"]}
    assert fields == {"filter.statsu", "filter.method", "filter.amount_from", "columns.1"}


async def test_third_export_at_once_is_refused(api_client: ApiClient) -> None:
    body = {"kind": "payments", "format": "csv"}
    statuses = [(await api_client.post("/exports", body)).status_code for _ in range(3)]
    assert statuses == [202, 202, 429]


async def test_export_button_carries_the_filter_to_the_file(
    world: World, owner_browser: CabinetBrowser
) -> None:
    paid = await world.complete_payment()
    await world.start_payment()
    page = (await owner_browser.open("/payments?status=captured")).text
    match = re.search(r'href="(/exports/new[^"]+)"', page)
    assert match
    form_page = (await owner_browser.open(match[1].replace("&amp;", "&"))).text
    assert 'name="status" value="captured"' in form_page
    response = await owner_browser.submit(
        "/exports", kind="payments", status="captured", format="csv", column="payment_id"
    )
    assert response.headers["location"] == "/exports"
    assert "Считаем строки" in visible_text((await owner_browser.open("/exports")).text)
    await world.run_jobs()
    page = (await owner_browser.open("/exports")).text
    assert "Готов" in visible_text(page)
    match = re.search(r'action="(/exports/exp_[^"]+/file)"', page)
    assert match
    link = (await owner_browser.submit(match[1])).headers["location"]
    response = await owner_browser.http.get(link)
    assert response.headers["content-disposition"].startswith("attachment")
    assert response.content.decode("utf-8-sig") == f"Номер платежа\r\n{paid.id}\r\n"


async def test_form_says_the_filter_in_words(world: World, owner_browser: CabinetBrowser) -> None:
    invoice = await world.create_invoice(title="Стрижка")
    payer = {"kind": "payments", "period": "last_month", "attention": "yes", "status": "captured"}
    ways = {"method": "sbp", "refunded": "part", "empty": "email", "sort": "-amount", "q": "анна"}
    ids = {"invoice_id": invoice.id, "member": world.member.actor}
    bounds = {"amount_from": "1500.50", "metadata[order]": "A-77", "phone": "89167654321"}
    query = urlencode(payer | ways | ids | bounds)
    page = (await owner_browser.open(f"/exports/new?{query}")).text
    found = re.findall(r'<span class="chip chip-quiet">.*?</span>', page)
    texts = {visible_text(one) for one in found}
    assert {
        "Период: Прошлый месяц",
        "Статус: Требуют внимания",
        "Статус: Оплачен",
        "Способ оплаты: СБП",
        "Возврат: Возвращена часть",
        "Не заполнено поле: E-mail",
        "Порядок: Сначала крупные",
        "Поиск: анна",
        f"Счёт: № {invoice.number}, Стрижка",
        "Сумма от: 1 500,50",
        "order: A-77",
        "Телефон: +7 916 765-43-21",
    } <= texts
    assert not [one for one in texts if world.member.actor in one]
    own = "kind=invoices&status=void&created_from=2026-11-01&created_to=2026-11-02T21:00:00Z"
    page = visible_text((await owner_browser.open(f"/exports/new?{own}")).text)
    for text in (
        "Статус: Отменён",
        "Создан с: 1 ноября 2026",
        "Создан по: 3 ноября 2026, 00:00 (МСК)",
    ):
        assert text in page


async def test_export_without_a_column_is_refused(
    world: World, owner_browser: CabinetBrowser
) -> None:
    response = await owner_browser.submit("/exports", kind="payments", format="csv")
    assert response.status_code == 422
    assert 'id="column-error"' in response.text
    assert 'name="column" value="amount" checked' not in response.text


async def test_viewer_reads_that_answers_will_be_masked(
    world: World, owner_browser: CabinetBrowser
) -> None:
    await set_role(world.ctx, Role.VIEWER)
    page = (await owner_browser.open("/exports/new?kind=payments")).text
    assert "будут скрыты" in visible_text(page)


async def test_old_confirmation_of_identity_is_not_enough(
    world: World, owner_browser: CabinetBrowser
) -> None:
    world.clock.offset_us += RECENT_AUTHENTICATION_US + 1
    response = await owner_browser.submit("/exports", kind="payments", format="csv")
    assert response.status_code == 403
    assert "/reauthenticate" in response.text
