"""Parts of every request: security headers, proxies, health, metrics, static files, errors, log."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import get
from litestar.params import FromPath

from sigma.domain.errors import RefusedError
from sigma.web.app import build_router, create_app
from sigma.web.config import WebConfig
from tests.leaks import captured_log
from tests.web.apps import damage_invoices, web_app
from tests.world import World


@asynccontextmanager
async def open_app(
    world: World, config: WebConfig | None = None, client: str = "203.0.113.9"
) -> AsyncIterator[httpx.AsyncClient]:
    """Return an HTTP client of the application with this client address."""
    with web_app(world.ctx, config) as app:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(client, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield http


async def test_content_security_policy_forbids_other_hosts(world: World) -> None:
    invoice = await world.create_invoice()
    async with open_app(world) as http:
        for path in ("/sign-in", f"/i/{invoice.token}", "/i/nothing", "/nothing"):
            headers = (await http.get(path)).headers
            policy = dict(
                part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
            )
            assert policy["default-src"] == "'none'", path
            assert policy["script-src"] == policy["style-src"] == "'self'"
            assert policy["frame-ancestors"] == "'self'"
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] in ("same-origin", "no-referrer")


async def test_hsts_header_is_sent_only_over_https(world: World) -> None:
    for secure in (True, False):
        async with open_app(world, WebConfig(secure=secure)) as http:
            response = await http.get("/healthz")
        assert ("strict-transport-security" in response.headers) is secure


async def test_readiness_reports_a_late_worker(world: World) -> None:
    async with open_app(world) as http:
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (200, "ok")
        await world.start_payment()
        world.clock.advance(hours=1)  # a job is due and no worker runs it
        late = await http.get("/readyz")
        assert (late.status_code, late.json()["worker"]) == (503, "late")


async def test_metrics_require_localhost_or_a_token(world: World) -> None:
    async with open_app(world) as http:
        assert (await http.get("/metrics")).status_code == 401
    async with open_app(world, client="127.0.0.1") as http:
        await http.get("/healthz")
        text = (await http.get("/metrics")).text
        assert 'sigma_requests_total{method="GET",route="/healthz",status="200"} 1.0' in text
        behind = await http.get("/metrics", headers={"x-forwarded-for": "203.0.113.9"})
        assert behind.status_code == 401
    async with open_app(world, WebConfig(metrics_token="secret")) as http:
        assert (await http.get("/metrics")).status_code == 401
        bearer = {"authorization": "Bearer secret"}
        assert (await http.get("/metrics", headers=bearer)).status_code == 200


@pytest.mark.parametrize("trusted", [(), ("198.51.100.0/24",)])
@pytest.mark.parametrize("header", ["x-forwarded-for", "Forwarded", "Via", "x-real-ip"])
async def test_metrics_are_not_shown_through_a_proxy_of_this_machine(
    world: World, trusted: tuple[str, ...], header: str
) -> None:
    async with open_app(world, WebConfig(trusted_proxies=trusted), client="127.0.0.1") as http:
        assert (await http.get("/metrics")).status_code == 200
        assert (await http.get("/metrics", headers={header: "203.0.113.9"})).status_code == 401


async def test_metrics_contain_no_payment_links(world: World) -> None:
    invoice = await world.create_invoice()
    async with open_app(world, client="127.0.0.1") as http:
        await http.get(f"/i/{invoice.token}")
        await http.get(f"/nothing/{invoice.token}")
        text = (await http.get("/metrics")).text
    assert invoice.token not in text
    assert 'route="/i/{token}"' in text
    assert 'route="unknown"' in text


@pytest.mark.parametrize(
    ("trusted", "forwarded", "status"),
    [
        ((), "127.0.0.1", 401),
        (("203.0.113.0/24",), "127.0.0.1", 200),
        (("203.0.113.0/24",), "127.0.0.1, 198.51.100.7", 401),
        (("203.0.113.0/24",), "198.51.100.7, 127.0.0.1, 203.0.113.3", 200),
        (("10.0.0.0/8",), "127.0.0.1", 401),
    ],
)
async def test_forwarded_address_is_used_only_from_trusted_proxies(
    world: World, trusted: tuple[str, ...], forwarded: str, status: int
) -> None:
    """/metrics is open to 127.0.0.1 only, so it shows which client address the application sees."""
    async with open_app(world, WebConfig(trusted_proxies=trusted)) as http:
        response = await http.get("/metrics", headers={"x-forwarded-for": forwarded})
    assert response.status_code == status


async def test_static_files_are_immutable_and_nothing_else_is_served(world: World) -> None:
    static = Path("src/sigma/web/static")
    name = json.loads((static / "manifest.json").read_text())["app.css"]
    async with open_app(world) as http:
        response = await http.get(f"/static/{name}")
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
        for path in ("/static/none.css", "/static/..%2fapp.py", "/static/%2e%2e/app.py"):
            assert (await http.get(path)).status_code == 404, path


async def test_internal_error_page_shows_only_the_request_id(world: World) -> None:
    invoice = await world.create_invoice()
    await damage_invoices(world.ctx)
    async with open_app(world) as http:
        response = await http.get(f"/i/{invoice.token}")
    assert response.status_code == 500
    assert response.headers["x-request-id"] in response.text
    assert "Traceback" not in response.text


@pytest.mark.parametrize("log_addresses", [True, False])
async def test_request_log_has_the_address_if_the_installation_says_so(
    world: World, *, log_addresses: bool
) -> None:
    config = WebConfig(trusted_proxies=("127.0.0.1",), log_addresses=log_addresses)
    with captured_log() as log, web_app(world.ctx, config) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sigma") as http:
            await http.get("/sign-in", headers={"x-forwarded-for": "203.0.113.9"})
    (record,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert record.get("ip") == ("203.0.113.9" if log_addresses else None)


async def test_request_log_record_has_no_link_and_no_query(world: World) -> None:
    invoice = await world.create_invoice()
    with captured_log() as log:
        async with open_app(world) as http:
            response = await http.get(f"/i/{invoice.token}?email=client@example.net")
    (record,) = [json.loads(line) for line in log.getvalue().splitlines()]
    ms: Any = record.pop("ms")
    record.pop("timestamp")
    assert ms > 0
    assert record == {
        "event": "request",
        "level": "info",
        "method": "GET",
        "route": "/i/{token}",
        "status": 200,
        "request_id": response.headers["x-request-id"],
    }


@pytest.mark.parametrize(
    "glue",
    [
        *(
            ".",
            ",",
            ")",
            ").",
            "]",
            "»",
            "”",
            '"',
            "'",
            ">",
            "!",
            "?!",
            "…",
            ";",
            ":",
            "*",
            " ",
            "\u00a0",
        ),
        *("\u200b", "\ufeff", "%20", "%22", ".%20", ")/", ".Спасибо", " и ещё", "%E2%80%A6"),
        *("-", "_", "\\", "%5C", "—"),
    ],
)
async def test_punctuation_glued_to_a_link_leads_to_the_page(world: World, glue: str) -> None:
    payment = await world.complete_payment()
    invoice = await world.create_invoice()
    async with open_app(world) as http:
        glue = glue.replace("?", "%3F")
        for path in (f"/i/{invoice.token}", f"/r/{payment.token}", f"/r/{payment.token}.pdf"):
            response = await http.get(path + glue)
            assert (response.status_code, response.headers["location"]) == (302, path)
            assert (await http.get(path)).status_code == 200


async def test_punctuation_glued_to_other_links_leads_to_the_page(world: World) -> None:
    signature = "a" * 24
    async with open_app(world) as http:
        for glued, path in (
            ("/sign-in.", "/sign-in"),
            ("/s/lak)", "/s/lak"),
            ("/invoices/inv_0123456789abc».", "/invoices/inv_0123456789abc"),
            (f"/i/x?d={signature}.", f"/i/x?d={signature}"),
            (f"/i/x?lang=en&d={signature}%29%C2%BB", f"/i/x?lang=en&d={signature}"),
            ("/%20", "/"),
        ):
            response = await http.get(glued)
            assert (response.status_code, response.headers["location"]) == (302, path), glued
            assert "content-security-policy" in response.headers


async def test_repaired_link_never_leads_to_another_site(world: World) -> None:
    async with open_app(world) as http:
        for path in (
            "//evil.example.",
            "///evil.example)",
            "/\\evil.example.",
            "/%5Cevil.example.",
        ):
            response = await http.get(f"http://127.0.0.1:8000{path}")
            assert response.status_code != 302, path


@pytest.mark.parametrize(
    "path", ["/photos/%2e%2e%2f", "/s/lak/%3Cscript%3E", "/nothing/.", "/s/%D0%BB)"]
)
async def test_path_that_is_not_ours_is_not_repaired(world: World, path: str) -> None:
    async with open_app(world) as http:
        assert (await http.get(path)).status_code == 404


async def test_links_of_programs_are_not_repaired(world: World) -> None:
    async with open_app(world) as http:
        assert (await http.get("/api/v1/openapi.json.")).status_code == 404
        assert (await http.post("/sign-in.")).status_code in (404, 405)
        page = await http.get("/invoices?q=слово.")
        assert page.headers["location"].startswith("/sign-in")


async def test_head_is_answered_like_get(world: World, tmp_path: Path) -> None:
    payment = await world.complete_payment()
    invoice = await world.create_invoice()
    async with open_app(world) as http:
        for path in (
            *(
                f"/i/{invoice.token}",
                f"/r/{payment.token}",
                f"/r/{payment.token}.pdf",
                "/i/nothing",
            ),
            *(
                "/healthz",
                "/readyz",
                "/sign-in",
                "/",
                "/invoices",
                "/s/nothing",
                "/accent/ff0000.css",
            ),
            *("/api/v1/openapi.json", "/api/v1/invoices", "/nothing", f"/i/{invoice.token}."),
            f"/i/{invoice.token}/wait/nothing",
        ):
            get, head = await http.get(path), await http.head(path)
            assert head.status_code == get.status_code, path
            assert head.content == b""
            for name in ("content-type", "content-length", "cache-control", "location"):
                assert head.headers.get(name) == get.headers.get(name), (path, name)


async def test_head_of_a_page_that_only_accepts_post_is_refused(world: World) -> None:
    async with open_app(world) as http:
        head = await http.head("/hooks/vk/nothing")
        assert head.status_code == (await http.get("/hooks/vk/nothing")).status_code


async def test_stopping_process_is_not_ready_and_closes_connections(world: World) -> None:
    with web_app(world.ctx) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            before = await http.get("/readyz")
            app.drain()
            ready, page = await http.get("/readyz"), await http.get("/sign-in")
    assert (before.status_code, "connection" in before.headers) == (200, False)
    assert (ready.status_code, ready.json()["process"]) == (503, "stopping")
    assert (page.status_code, page.headers["connection"]) == (200, "close")


@get("/refused/{code:str}")
async def refused(code: FromPath[str]) -> None:
    raise RefusedError(code)


@pytest.mark.parametrize(
    ("code", "title"),
    [("changed_meanwhile", "Данные изменились"), ("invoice_not_open", "Действие недоступно")],
)
async def test_page_of_a_conflict_is_titled_by_its_reason(
    world: World, code: str, title: str
) -> None:
    router = build_router()
    router.register(refused)
    transport = httpx.ASGITransport(create_app(world.ctx, router=router))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
        page = await http.get(f"/refused/{code}", headers={"accept-language": "ru"})
    assert page.status_code == 409
    assert f"<h1>{title}</h1>" in page.text
