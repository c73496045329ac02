"""The rate limit of the API: headers on every response, 429 per key, wrong keys per address."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from sigma.domain.limits import API_REFUSALS
from tests.web.api_harness import INVOICE_REQUEST, ApiClient, open_api_client
from tests.world import TestSettings, World


@pytest.fixture
async def limited_client(world: World) -> AsyncIterator[ApiClient]:
    """An API client whose key may make three requests per minute."""
    settings = world.ctx.settings
    assert isinstance(settings, TestSettings)
    world.ctx = replace(world.ctx, settings=replace(settings, api_requests_per_minute=3))
    async with open_api_client(world) as opened:
        yield opened


def rate_limit(response: httpx.Response) -> tuple[int, int]:
    """Return limit and remaining requests of a response; checks the other two headers."""
    headers = response.headers
    assert 1 <= int(headers["ratelimit-reset"]) <= 60
    assert headers["ratelimit-policy"] == f"{headers['ratelimit-limit']};w=60"
    return int(headers["ratelimit-limit"]), int(headers["ratelimit-remaining"])


async def test_every_response_says_what_is_left_of_the_limit(limited_client: ApiClient) -> None:
    created = await limited_client.post("/invoices", INVOICE_REQUEST)
    assert (created.status_code, rate_limit(created)) == (201, (3, 2))
    refused = await limited_client.post("/invoices", {})
    assert (refused.status_code, rate_limit(refused)) == (422, (3, 1))
    missing = await limited_client.get("/invoices/inv_0000000000000000000000")
    assert (missing.status_code, rate_limit(missing)) == (404, (3, 0))
    for _ in range(3):
        response = await limited_client.get("/invoices")
        assert (response.status_code, rate_limit(response)) == (429, (3, 0))


async def test_refused_request_says_when_to_repeat_it_and_uses_no_idempotency_key(
    world: World, limited_client: ApiClient
) -> None:
    for _ in range(3):
        await limited_client.get("/invoices")
    response = await limited_client.post("/invoices", INVOICE_REQUEST, key="order-42")
    problem: dict[str, Any] = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (problem["status"], problem["code"]) == (429, "too_many_requests")
    wait_s = int(response.headers["retry-after"])
    assert 1 <= wait_s <= 60
    assert f"in {wait_s} seconds" in problem["detail"]
    russian = await limited_client.get("/invoices", accept_language="ru")
    assert "Повторите через" in russian.json()["detail"]
    world.clock.advance(seconds=61)
    again = await limited_client.post("/invoices", INVOICE_REQUEST, key="order-42")
    assert (again.status_code, rate_limit(again)) == (201, (3, 2))


async def test_each_key_has_a_limit_of_its_own(world: World, limited_client: ApiClient) -> None:
    statuses = [(await limited_client.get("/invoices")).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    async with open_api_client(world) as other:
        assert (await other.get("/invoices")).status_code == 200


async def test_wrong_keys_are_limited_by_address_but_a_valid_key_is_not(
    api_client: ApiClient,
) -> None:
    http = api_client.http
    wrong = ("", "Bearer", "Bearer sk_wrong", "Basic x", f"Bearer sk_{'a' * 43}")
    codes = []
    for n in range(API_REFUSALS.amount + 5):
        headers = {"authorization": wrong[n % len(wrong)]}
        response = await http.get("/api/v1/invoices", headers=headers)
        codes.append(response.status_code)
        assert rate_limit(response)[0] == API_REFUSALS.amount
    assert codes == [401] * API_REFUSALS.amount + [429] * 5
    assert "retry-after" in (await http.get("/api/v1/invoices")).headers
    assert (await api_client.get("/invoices")).status_code == 200


async def test_document_is_not_counted(limited_client: ApiClient) -> None:
    for _ in range(6):
        response = await limited_client.http.get("/api/v1/openapi.json")
        assert response.status_code == 200
        assert "ratelimit-limit" not in response.headers
