"""Requests by http, as a trusted proxy reports them: pages are redirected, all else is refused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from sigma.web.config import WebConfig
from tests.web.apps import web_app
from tests.world import TestSettings, World

HOST = "pay.example.org"
PROXY = "203.0.113.9"


@asynccontextmanager
async def open_behind_proxy(
    world: World, *, scheme: str = "https", trusted: str = PROXY
) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client whose requests come from the proxy of an installation with this scheme."""
    ctx = replace(world.ctx, settings=replace(TestSettings(), base_url=f"{scheme}://{HOST}"))
    with web_app(ctx, WebConfig(secure=scheme == "https", trusted_proxies=(trusted,))) as app:
        transport = httpx.ASGITransport(app, client=(PROXY, 5000))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as http:
            yield http


PLAIN = {"x-forwarded-proto": "http"}


@pytest.mark.parametrize("proto", ["http", "HTTP", " http ", "http, https"])
async def test_api_request_by_http_is_refused_and_not_redirected(world: World, proto: str) -> None:
    async with open_behind_proxy(world) as http:
        for method, path in (
            ("GET", "/api/v1/invoices"),
            ("POST", "/api/v1/invoices"),
            ("GET", "/api/v1/nothing"),
            ("POST", "/hooks/vk/con_x"),
            ("GET", "/metrics"),
        ):
            headers = {"x-forwarded-proto": proto, "authorization": "Bearer sk_x"}
            answer = await http.request(method, path, headers=headers)
            assert answer.status_code == 403, path
            assert "location" not in answer.headers
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "https_required"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/sign-in", "/sign-in"),
        ("/i/abc?payment=x&lang=en", "/i/abc?payment=x&lang=en"),
        ("/s/%D0%B0%2Fb", "/s/%D0%B0%2Fb"),
        ("//evil.example/x", "/evil.example/x"),
        ("/nothing", "/nothing"),
    ],
)
async def test_page_by_http_is_redirected_to_the_base_url(
    world: World, path: str, target: str
) -> None:
    async with open_behind_proxy(world) as http:
        for method in ("GET", "HEAD"):
            answer = await http.request(method, f"http://{HOST}{path}", headers=PLAIN)
            assert answer.status_code == 308
            assert answer.headers["location"] == f"https://{HOST}{target}"


async def test_form_by_http_is_refused_with_the_reason(world: World) -> None:
    async with open_behind_proxy(world) as http:
        for path in ("/sign-in", "/settings/shop"):
            answer = await http.post(path, data={"login": "x", "password": "y"}, headers=PLAIN)
            assert answer.status_code == 403
            assert "без шифрования" in answer.text
            assert "location" not in answer.headers


@pytest.mark.parametrize("headers", [{}, {"x-forwarded-proto": "https"}])
async def test_request_by_https_or_of_a_probe_is_answered(
    world: World, headers: dict[str, str]
) -> None:
    async with open_behind_proxy(world) as http:
        assert (await http.get("/healthz", headers=headers)).status_code == 200
        assert (await http.get("/sign-in", headers=headers)).status_code == 200


async def test_header_counts_only_from_a_trusted_proxy_of_an_https_installation(
    world: World,
) -> None:
    async with open_behind_proxy(world, trusted="198.51.100.1") as http:
        assert (await http.get("/healthz", headers=PLAIN)).status_code == 200
    async with open_behind_proxy(world, scheme="http") as http:
        assert (await http.get("/healthz", headers=PLAIN)).status_code == 200
