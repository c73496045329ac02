"""Rules of every API route: API keys, idempotency, problem documents, separation of shops."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from sigma.domain.accounts.api_key import COMMAND_LINE
from sigma.domain.accounts.member import Member, Role
from sigma.domain.accounts.shop import Shop
from sigma.domain.change import Change
from sigma.services.accounts import api_keys
from sigma.services.billing import invoices
from sigma.store import changes
from tests.web.api_harness import INVOICE_REQUEST, ApiClient
from tests.web.apps import damage_invoices
from tests.world import World


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer sk_wrong", "Basic c2tfOng=", "Bearer " + "x" * 5000]
)
async def test_request_without_a_valid_api_key_is_unauthorized(
    api_client: ApiClient, header: str
) -> None:
    response = await api_client.http.get("/api/v1/invoices", headers={"authorization": header})
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.json()["code"] == "unauthorized"


async def test_revoked_api_key_stops_working_at_once(api_client: ApiClient, world: World) -> None:
    key = (await api_keys.list_for_shop(world.ctx, world.member))[0]
    await api_keys.revoke(world.ctx, world.member, key.id)
    assert (await api_client.get("/invoices")).status_code == 401


async def test_problem_document_has_all_its_fields(api_client: ApiClient) -> None:
    response = await api_client.get("/invoices/inv_0000000000000000000000")
    body = response.json()
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["content-language"] == "en"
    assert body == {
        "type": "urn:sigma:problem:not_found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no such object in this shop.",
        "code": "not_found",
        "request_id": response.headers["x-request-id"],
    }


@pytest.mark.parametrize(
    ("header", "title"),
    [
        ("ru", "Не найдено"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "Не найдено"),
        ("en,ru;q=0.5", "Not found"),
        ("de", "Not found"),
        ("", "Not found"),
        ("%%%", "Not found"),
    ],
)
async def test_problem_title_follows_accept_language(
    api_client: ApiClient, header: str, title: str
) -> None:
    response = await api_client.get("/refunds/ref_x", accept_language=header)
    assert response.json()["title"] == title


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/invoices/x", "/invoices/pay_0000000000000000000000", "/payments/%20", "/i/v"],
)
async def test_unknown_path_is_a_not_found_problem(api_client: ApiClient, path: str) -> None:
    response = await api_client.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_wrong_method_is_refused_with_an_allow_header(api_client: ApiClient) -> None:
    response = await api_client.http.delete("/api/v1/invoices")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert {"GET", "HEAD", "POST"} <= set(response.headers["allow"].replace(",", " ").split())


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/invoices", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/api/v1/openapi.json", {"GET", "HEAD", "OPTIONS"}),
        ("/healthz", {"GET", "HEAD", "OPTIONS"}),
        ("/i/AAAAAAAAAAAAAAAAAAAAAA", {"GET", "HEAD", "OPTIONS", "POST"}),
    ],
)
async def test_options_lists_the_methods_of_a_path(
    api_client: ApiClient, path: str, methods: set[str]
) -> None:
    response = await api_client.http.options(path)
    assert set(response.headers["allow"].split(", ")) == methods


@pytest.mark.parametrize("path", ["/i/AAAAAAAAAAAAAAAAAAAAAA", "/r/AAAAAAAAAAAAAAAAAAAAAA", "/s/a"])
async def test_wrong_method_on_a_page_of_a_client_is_405(api_client: ApiClient, path: str) -> None:
    response = await api_client.http.put(path)
    assert response.status_code == 405
    assert "HEAD" in response.headers["allow"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"title": "a", "title": "b"}', "title"),
        (b'{"title": "a", "metadata": {"order": "1", "order": "2"}}', "order"),
        (b'{"title": "a", "metadata": {"a": "1", "a\xe2\x80\x8b": "2"}}', "metadata.a\u200b"),
    ],
)
async def test_duplicate_names_in_an_object_are_refused(
    api_client: ApiClient, body: bytes, field: str
) -> None:
    response = await api_client.post("/invoices", body)
    assert response.status_code == 422
    codes = {(error["field"], error["code"]) for error in response.json()["errors"]}
    assert (field, "duplicate_field") in codes


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nope",
        b"\xff\xfe",
        b'{"title": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"title": "a\x00b"}',
    ],
)
async def test_malformed_json_is_a_bad_request(api_client: ApiClient, body: bytes) -> None:
    response = await api_client.post("/invoices", body)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")


async def test_oversized_body_is_refused(api_client: ApiClient) -> None:
    response = await api_client.post(
        "/invoices", INVOICE_REQUEST | {"description": "x" * 2_000_000}
    )
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


async def test_nul_byte_in_url_is_a_bad_request(api_client: ApiClient) -> None:
    for path in ("/invoices/%00", "/invoices?query=%00", "/payments?invoice_id=inv_%00"):
        assert (await api_client.get(path)).status_code == 400


@pytest.mark.parametrize("query", ["%ED%A0%80", "%FF", "%", "a%26query=b", "%25_\\'\"--"])
async def test_unusual_characters_in_search_find_nothing(api_client: ApiClient, query: str) -> None:
    response = await api_client.get(f"/invoices?query={query}")
    assert (response.status_code, response.json()["data"]) == (200, [])


@pytest.mark.parametrize("key", ["", "tab\tkey", "x" * 129])
async def test_post_without_a_valid_idempotency_key_is_refused(
    api_client: ApiClient, key: str
) -> None:
    response = await api_client.post("/invoices", INVOICE_REQUEST, key=key)
    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_missing")


async def test_repeated_request_gets_the_stored_response_byte_for_byte(
    api_client: ApiClient, world: World
) -> None:
    first = await api_client.post("/invoices", INVOICE_REQUEST, key="order-42")
    await invoices.void(world.ctx, world.member, first.json()["id"])
    again = await api_client.post("/invoices", INVOICE_REQUEST, key="order-42")
    assert (again.status_code, again.content) == (201, first.content)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len((await api_client.get("/invoices")).json()["data"]) == 1


async def test_idempotency_key_with_another_body_is_refused(api_client: ApiClient) -> None:
    await api_client.post("/invoices", INVOICE_REQUEST, key="order-42")
    other = await api_client.post(
        "/invoices", INVOICE_REQUEST | {"title": "Педикюр"}, key="order-42"
    )
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


async def test_idempotency_key_at_another_path_is_refused(api_client: ApiClient) -> None:
    one, two = await api_client.create_invoice(), await api_client.create_invoice()
    await api_client.post(f"/invoices/{one['id']}/void", key="void-1")
    other = await api_client.post(f"/invoices/{two['id']}/void", key="void-1")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


async def test_refused_request_does_not_use_up_its_idempotency_key(api_client: ApiClient) -> None:
    bad = await api_client.post("/invoices", INVOICE_REQUEST | {"title": ""}, key="order-42")
    good = await api_client.post("/invoices", INVOICE_REQUEST, key="order-42")
    assert (bad.status_code, good.status_code) == (422, 201)


async def test_sixteen_concurrent_requests_with_one_key_create_one_invoice(
    api_client: ApiClient,
) -> None:
    responses = await asyncio.gather(
        *(api_client.post("/invoices", INVOICE_REQUEST, key="order-42") for _ in range(16))
    )
    created_ids = {r.json()["id"] for r in responses if r.status_code == 201}
    other_codes = {r.json()["code"] for r in responses if r.status_code != 201}
    assert len(created_ids) == 1
    assert other_codes <= {"idempotency_in_flight"}
    assert len((await api_client.get("/invoices")).json()["data"]) == 1


async def test_idempotency_key_of_a_request_in_flight_is_refused(
    api_client: ApiClient, world: World
) -> None:
    world.ctx.in_flight.add((world.shop.id, "order-42"))
    waiting = await api_client.post("/invoices", INVOICE_REQUEST, key="order-42")
    world.ctx.in_flight.clear()
    after = await api_client.post("/invoices", INVOICE_REQUEST, key="order-42")
    assert (waiting.status_code, waiting.json()["code"]) == (409, "idempotency_in_flight")
    assert (after.status_code, after.headers.get("idempotent-replayed")) == (201, None)


async def open_second_shop(program: ApiClient, world: World) -> ApiClient:
    """Create a second shop in the same database; return an API client with its key."""
    ctx, now_us = world.ctx, world.ctx.now_us()
    shop = Shop(id=ctx.new_id("shp"), name="Соседи", created_at_us=now_us)
    await changes.commit(ctx.db, Change((shop,)), now_us)
    _, secret = await api_keys.create(
        ctx, Member(COMMAND_LINE, shop.id, Role.OWNER), "Касса соседей"
    )
    return ApiClient(program.http, secret)


async def test_objects_of_another_shop_are_not_found(api_client: ApiClient, world: World) -> None:
    payment = await world.complete_payment()
    amount = {"value": "1.00", "currency": "RUB"}
    refund = await api_client.post(f"/payments/{payment.id}/refunds", {"amount": amount})
    other_shop = await open_second_shop(api_client, world)
    invoice_path, payment_path = f"/invoices/{payment.invoice_id}", f"/payments/{payment.id}"
    refused = [
        await other_shop.get(invoice_path),
        await other_shop.get(payment_path),
        await other_shop.get(f"{payment_path}/refunds"),
        await other_shop.get(f"/refunds/{refund.json()['id']}"),
        await other_shop.post(f"{invoice_path}/void"),
        await other_shop.post(f"{payment_path}/refunds", {"amount": amount}),
    ]
    assert {(a.status_code, a.json()["code"]) for a in refused} == {(404, "not_found")}
    for path in ("/invoices", "/payments", f"/payments?invoice_id={payment.invoice_id}"):
        assert (await other_shop.get(path)).json() == {"data": [], "next_cursor": None}
    assert (await api_client.get(invoice_path)).json()["status"] == "paid"
    assert len((await api_client.get(f"{payment_path}/refunds")).json()["data"]) == 1


async def test_cursor_of_another_shop_reveals_nothing_of_it(
    api_client: ApiClient, world: World
) -> None:
    theirs = [await api_client.create_invoice(title=f"Чужой {n}") for n in range(3)]
    other_shop = await open_second_shop(api_client, world)
    own = await other_shop.create_invoice(title="Свой")
    newest = (await api_client.create_invoice(title="Чужой последний"))["id"]
    for cursor in (theirs[1]["id"], newest):
        response = await other_shop.get(f"/invoices?cursor={cursor}")
        listed = response.json().get("data", [])
        assert {invoice["id"] for invoice in listed} <= {own["id"]}


async def test_idempotency_keys_of_two_shops_are_separate(
    api_client: ApiClient, world: World
) -> None:
    other_shop = await open_second_shop(api_client, world)
    first = await api_client.post("/invoices", INVOICE_REQUEST, key="order-42")
    second = await other_shop.post("/invoices", INVOICE_REQUEST, key="order-42")
    assert (first.status_code, second.status_code) == (201, 201)
    assert "idempotent-replayed" not in second.headers
    assert first.json()["id"] != second.json()["id"]
    assert (first.json()["number"], second.json()["number"]) == ("1", "1")


def _has_security_headers(response: httpx.Response) -> bool:
    policy = response.headers["content-security-policy"]
    return (
        "default-src 'none'" in policy and response.headers["x-content-type-options"] == "nosniff"
    )


@pytest.mark.parametrize("path", ["/api/v1/invoices", "/api/v1/nothing", "/nothing", "/healthz"])
async def test_every_response_has_a_request_id_and_security_headers(
    api_client: ApiClient, path: str
) -> None:
    response = await api_client.http.get(path)
    assert len(response.headers["x-request-id"]) == 16
    assert _has_security_headers(response)


async def test_internal_error_reveals_only_the_request_id(
    api_client: ApiClient, world: World
) -> None:
    invoice = await api_client.create_invoice()
    await damage_invoices(world.ctx)
    response = await api_client.get(f"/invoices/{invoice['id']}")
    body: dict[str, Any] = json.loads(response.content)
    assert (response.status_code, body["code"]) == (500, "internal")
    assert body["request_id"] == response.headers["x-request-id"]
    assert "Traceback" not in response.text


async def test_expired_key_and_foreign_address_have_codes_of_their_own(
    world: World, api_client: ApiClient
) -> None:
    _, expiring = await api_keys.create(world.ctx, world.member, "Касса", lifetime_days=1)
    _, bound = await api_keys.create(world.ctx, world.member, "Касса", networks="203.0.113.0/24")
    _, local = await api_keys.create(world.ctx, world.member, "Касса", networks="127.0.0.1")
    answers = {}
    for secret in (bound, local):
        response = await api_client.get("/invoices", authorization=f"Bearer {secret}")
        answers[secret] = (response.status_code, response.json().get("code"))
    assert answers == {bound: (403, "address_not_allowed"), local: (200, None)}
    world.clock.advance(days=2)
    response = await api_client.get("/invoices", authorization=f"Bearer {expiring}")
    assert (response.status_code, response.json()["code"]) == (401, "key_expired")
    assert response.headers["www-authenticate"].startswith("Bearer")
