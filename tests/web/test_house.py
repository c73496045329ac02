"""What surrounds every request: headers, proxies, health, counts, files, and faults of ours."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from sigma.web.app import create_app
from sigma.web.config import Doors
from tests.leaks import kept_log
from tests.world import World


@asynccontextmanager
async def house(
    world: World, doors: Doors | None = None, client: str = "203.0.113.9"
) -> AsyncIterator[httpx.AsyncClient]:
    """The application, asked from an address."""
    app = create_app(world.ctx, doors)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(client, 5000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
        yield http


async def test_pages_load_nothing_from_elsewhere(world: World) -> None:
    made = await world.invoice()
    async with house(world) as http:
        for path in ("/sign-in", f"/i/{made.token}", "/i/nothing", "/nothing"):
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


async def test_only_the_payment_page_may_lead_to_the_acquirer(world: World) -> None:
    made = await world.invoice()
    async with house(world, Doors(secure=True)) as http:
        pay = (await http.get(f"/i/{made.token}")).headers["content-security-policy"]
        other = (await http.get("/sign-in")).headers["content-security-policy"]
    assert "form-action 'self' https:" in pay
    assert other.endswith("form-action 'self'")


async def test_https_is_insisted_on_only_where_clients_use_it(world: World) -> None:
    for secure in (True, False):
        async with house(world, Doors(secure=secure)) as http:
            answer = await http.get("/healthz")
        assert ("strict-transport-security" in answer.headers) is secure


async def test_health_tells_what_is_wrong(world: World) -> None:
    async with house(world) as http:
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        good = await http.get("/readyz")
        assert (good.status_code, good.json()["status"]) == (200, "ok")
        await world.started()
        world.clock.move(hours=1)  # its job is due and nobody does it
        late = await http.get("/readyz")
        assert (late.status_code, late.json()["worker"]) == (503, "late")


async def test_counts_are_for_this_machine_or_for_a_token(world: World) -> None:
    async with house(world) as http:
        assert (await http.get("/metrics")).status_code == 401
    async with house(world, client="127.0.0.1") as http:
        await http.get("/healthz")
        text = (await http.get("/metrics")).text
        assert 'sigma_requests_total{method="GET",route="/healthz",status="200"} 1' in text
        behind = await http.get("/metrics", headers={"x-forwarded-for": "203.0.113.9"})
        assert behind.status_code == 401
    async with house(world, Doors(metrics_token="secret")) as http:
        assert (await http.get("/metrics")).status_code == 401
        bearer = {"authorization": "Bearer secret"}
        assert (await http.get("/metrics", headers=bearer)).status_code == 200


async def test_counts_never_hold_a_link(world: World) -> None:
    made = await world.invoice()
    async with house(world, client="127.0.0.1") as http:
        await http.get(f"/i/{made.token}")
        await http.get(f"/nothing/{made.token}")
        text = (await http.get("/metrics")).text
    assert made.token not in text
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
async def test_only_proxies_of_ours_say_who_asks(
    world: World, trusted: tuple[str, ...], forwarded: str, status: int
) -> None:
    """/metrics answers to 127.0.0.1 only, so it shows whom the house takes the client for."""
    async with house(world, Doors(trusted_proxies=trusted)) as http:
        answer = await http.get("/metrics", headers={"x-forwarded-for": forwarded})
    assert answer.status_code == status


async def test_built_files_are_kept_for_ever_and_nothing_else_is_served(world: World) -> None:
    static = Path("src/sigma/web/static")
    name = json.loads((static / "manifest.json").read_text())["app.css"]
    async with house(world) as http:
        answer = await http.get(f"/static/{name}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        for path in ("/static/none.css", "/static/..%2fapp.py", "/static/%2e%2e/app.py"):
            assert (await http.get(path)).status_code == 404, path


async def test_a_fault_of_ours_is_a_kind_page_with_a_number(world: World) -> None:
    made = await world.invoice()
    await world.ctx.db.close()
    async with house(world) as http:
        for path in (f"/i/{made.token}", "/"):
            answer = await http.get(path)
            assert answer.status_code == 500
            assert answer.headers["x-request-id"] in answer.text or path.startswith("/i/")
            assert "Traceback" not in answer.text


async def test_a_request_is_one_line_of_the_log_without_its_link(world: World) -> None:
    made = await world.invoice()
    with kept_log() as out:
        async with house(world) as http:
            answer = await http.get(f"/i/{made.token}?email=client@example.net")
    (line,) = [json.loads(one) for one in out.getvalue().splitlines()]
    ms: Any = line.pop("ms")
    line.pop("timestamp")
    assert ms > 0
    assert line == {
        "event": "request",
        "level": "info",
        "method": "GET",
        "route": "/i/{token}",
        "status": 200,
        "request_id": answer.headers["x-request-id"],
    }
