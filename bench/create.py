"""Measure creation of invoices by API and opening of the payment page, over real HTTP."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec

from bench import limits, load
from bench.stage import DRAFT, SECRET, Harness
from sigma.domain.billing import invoice as domain
from sigma.domain.change import Change
from sigma.domain.idempotency import StoredResponse
from sigma.store import changes
from sigma.store.accounts import api_keys, shops
from sigma.store.billing import invoices
from sigma.store.engine.interface import Op
from sigma.store.engine.postgres import PostgresDatabase
from sigma.web.app import create_app

CLIENTS = 16
BODY = msgspec.json.encode(
    {
        "title": DRAFT.title,
        "amount": {"value": "1500.00", "currency": "RUB"},
        "description": DRAFT.description,
        "ask": [
            {"key": "email", "required": True},
            {"key": "phone"},
            {"key": "wish", "kind": "text", "label": "Пожелания"},
        ],
        "return_url": DRAFT.return_url,
    }
)


def api_headers(api_key: str, idempotency_key: str) -> dict[str, str]:
    """Return the headers of an API request."""
    return {
        "Authorization": f"Bearer {api_key}",
        "Content-Type": "application/json",
        "Idempotency-Key": idempotency_key,
    }


@asynccontextmanager
async def running_server(
    url: str, port: int, settings: Mapping[str, str] | None = None
) -> AsyncIterator[None]:
    """Run `sigma serve` in its own process; stop it when the block ends.

    `settings`: more variables of its environment.
    """
    env = os.environ | {
        "SIGMA_DATABASE_URL": url,
        "SIGMA_SECRET_KEY": SECRET,
        "SIGMA_BASE_URL": f"http://127.0.0.1:{port}",
        "SIGMA_LOG_LEVEL": "warning",
        **(settings or {}),
    }
    command: list[str | Path] = [
        Path(sys.executable).with_name("sigma"),
        "serve",
        "--port",
        str(port),
    ]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        async with httpx.AsyncClient() as client:
            for _ in range(1200):
                try:
                    if (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200:
                        break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
            else:
                raise RuntimeError("sigma serve did not start")
        yield
    finally:
        process.terminate()
        process.wait(10)


async def measure_creation(
    port: int, api_key: str, duration_s: float, key_prefix: str
) -> load.LoadResult:
    """Measure POST /api/v1/invoices over CLIENTS connections.

    `key_prefix` must differ between rounds: it makes the idempotency keys.
    """

    def make(number: int) -> bytes:
        return load.build_request(
            "POST", "/api/v1/invoices", api_headers(api_key, f"{key_prefix}-{number}"), BODY
        )

    measured = await load.closed_loop(port, CLIENTS, duration_s, make)
    assert measured.error_count == 0, f"{measured.error_count} refusals"
    return measured


async def measure_page(
    port: int, tokens: Sequence[str], rate_per_s: float, duration_s: float
) -> load.LoadResult:
    """Measure the latency of GET /i/{token} at a constant rate per second."""
    measured = await load.open_loop(
        port,
        rate_per_s,
        duration_s,
        lambda n: load.build_request("GET", f"/i/{tokens[n % len(tokens)]}", {}),
    )
    assert measured.error_count == 0, f"{measured.error_count} refusals"
    return measured


async def page_rate(port: int, tokens: Sequence[str], duration_s: float) -> float:
    """Return payment pages per second over CLIENTS connections without pauses."""
    measured = await load.closed_loop(
        port,
        CLIENTS,
        duration_s,
        lambda n: load.build_request("GET", f"/i/{tokens[n % len(tokens)]}", {}),
    )
    assert measured.error_count == 0, f"{measured.error_count} refusals"
    return measured.rate_per_s


async def page_script(harness: Harness, token: str) -> str:
    """Return the pgbench script of the payment page: its reads, always of the same invoice."""
    db = harness.ctx.db
    assert isinstance(db, PostgresDatabase)
    transport = httpx.ASGITransport(cast("Any", create_app(harness.ctx)))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:

        async def open_page() -> None:
            answer = await client.get(f"/i/{token}")
            assert answer.status_code == 200, answer.text

        await open_page()
        statements = await limits.record_statements(db, open_page)
    return limits.pgbench_script(statements, statements)


async def page_limit(path: Path, tokens: Sequence[str], count: int) -> float:
    """Return the rate of the same read on the bare driver."""
    compiled = invoices._find_for_payment_page.compiled_for("sqlite")
    arguments = [compiled.arguments({"token": tokens[n % len(tokens)]}) for n in range(count)]
    return await asyncio.to_thread(limits.sqlite_read_rate, path, compiled.sql, arguments)


async def postgres_script(harness: Harness) -> str:
    """Return the pgbench script of one creation by API, with everything the request executes."""
    db = harness.ctx.db
    assert isinstance(db, PostgresDatabase)
    transport = httpx.ASGITransport(cast("Any", create_app(harness.ctx)))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:

        async def post(key: str) -> None:
            answer = await client.post(
                "/api/v1/invoices", content=BODY, headers=api_headers(harness.api_key, key)
            )
            assert answer.status_code == 201, answer.text

        await post("warm")
        first = await limits.record_statements(db, lambda: post("one"))
        second = await limits.record_statements(db, lambda: post("two"))
    return limits.pgbench_script(first, second)


async def sqlite_limit(harness: Harness, path: Path, count: int) -> float:
    """Return the rate of the same reads and writes on the bare driver, one COMMIT each."""
    key_prefix = harness.ctx.new_token()
    first = harness.ctx.now_us() // 1000  # invoice numbers that no other round uses
    decisions = [_statements(harness, first + n, f"{key_prefix}-{n}") for n in range(count)]
    return await asyncio.to_thread(limits.sqlite_rate, path, decisions)


def _statements(harness: Harness, number: int, key: str) -> list[tuple[str, Sequence[Any]]]:
    ctx, shop_id = harness.ctx, harness.member.shop_id
    now_us = ctx.now_us()
    _, change = domain.create(
        DRAFT,
        shop_id=shop_id,
        number=number,
        token=ctx.new_token(),
        now_us=now_us,
        new_id=ctx.id_factory(shop_id),
        actor=harness.member.actor,
    )
    stored_response = StoredResponse(shop_id, key, "0" * 64, 201, "x" * 900, now_us)
    ops, _ = changes.write_ops(change + Change(response=stored_response), now_us)
    authenticate = Op(api_keys._find, {"secret_hash": "0" * 64})
    counter = Op(shops._next_invoice_number, {"shop_id": shop_id, "name": "invoice", "value": 1})
    return [
        (op.stmt.compiled_for("sqlite").sql, op.stmt.compiled_for("sqlite").arguments(op.values))
        for op in [authenticate, counter, *ops]
    ]
