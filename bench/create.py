"""How fast invoices are created by API, over real HTTP, and how fast the payment page opens."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from bench import limits, load
from bench.stage import DRAFT, SECRET, Stage
from sigma.domain.billing import invoice as domain
from sigma.store import changes
from sigma.store.accounts import shops, users
from sigma.store.billing import invoices
from sigma.store.engine.interface import Op
from sigma.store.engine.postgres import PostgresDatabase
from sigma.store.idempotency import Answered
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


def headers(api_key: str, idempotency_key: str) -> dict[str, str]:
    """What a program sends."""
    return {
        "Authorization": f"Bearer {api_key}",
        "Content-Type": "application/json",
        "Idempotency-Key": idempotency_key,
    }


@asynccontextmanager
async def server(url: str, port: int) -> AsyncIterator[None]:
    """`sigma serve` as a person would start it, in a process of its own."""
    env = os.environ | {
        "SIGMA_DATABASE_URL": url,
        "SIGMA_SECRET_KEY": SECRET,
        "SIGMA_BASE_URL": f"http://127.0.0.1:{port}",
        "SIGMA_LOG_LEVEL": "warning",
    }
    command = [Path(sys.executable).with_name("sigma"), "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        async with httpx.AsyncClient() as client:
            for _ in range(200):
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


async def ours(port: int, api_key: str, seconds: float, mark: str) -> load.Measured:
    """POST /api/v1/invoices by CLIENTS connections."""

    def make(number: int) -> bytes:
        return load.request("POST", "/api/v1/invoices", headers(api_key, f"{mark}-{number}"), BODY)

    measured = await load.closed_loop(port, CLIENTS, seconds, make)
    assert measured.errors == 0, f"{measured.errors} refusals"
    return measured


async def page(port: int, tokens: Sequence[str], rate: float, seconds: float) -> load.Measured:
    """GET /i/{token} at a steady rate."""
    measured = await load.open_loop(
        port,
        rate,
        seconds,
        lambda n: load.request("GET", f"/i/{tokens[n % len(tokens)]}", {}),
    )
    assert measured.errors == 0, f"{measured.errors} refusals"
    return measured


async def opened(port: int, tokens: Sequence[str], seconds: float) -> float:
    """Payment pages a second by CLIENTS connections that never rest."""
    measured = await load.closed_loop(
        port,
        CLIENTS,
        seconds,
        lambda n: load.request("GET", f"/i/{tokens[n % len(tokens)]}", {}),
    )
    assert measured.errors == 0, f"{measured.errors} refusals"
    return measured.rate


async def page_script(stage: Stage, token: str) -> str:
    """The pgbench script of opening the payment page: its reads, always of the same invoice."""
    db = stage.ctx.db
    assert isinstance(db, PostgresDatabase)
    transport = httpx.ASGITransport(create_app(stage.ctx))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:

        async def open_page() -> None:
            answer = await client.get(f"/i/{token}")
            assert answer.status_code == 200, answer.text

        await open_page()
        said = await limits.record(db, open_page)
    return limits.script(said, said)


async def page_limit(path: Path, tokens: Sequence[str], count: int) -> float:
    """The same read on the bare driver."""
    compiled = invoices.PUBLIC.on("sqlite")
    asked = [compiled.arguments({"token": tokens[n % len(tokens)]}) for n in range(count)]
    return await asyncio.to_thread(limits.sqlite_reads, path, compiled.sql, asked)


async def postgres_script(stage: Stage) -> str:
    """The pgbench script of a creation by API, recorded from the door inwards."""
    db = stage.ctx.db
    assert isinstance(db, PostgresDatabase)
    transport = httpx.ASGITransport(create_app(stage.ctx))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:

        async def post(key: str) -> None:
            answer = await client.post(
                "/api/v1/invoices", content=BODY, headers=headers(stage.api_key, key)
            )
            assert answer.status_code == 201, answer.text

        await post("warm")
        first = await limits.record(db, lambda: post("one"))
        second = await limits.record(db, lambda: post("two"))
    return limits.script(first, second)


async def sqlite_limit(stage: Stage, path: Path, count: int) -> float:
    """The same reads and writes on the bare driver, one COMMIT each."""
    mark = stage.ctx.new_token()
    first = stage.ctx.now() // 1000  # numbers that no other round has
    decisions = [_statements(stage, first + n, f"{mark}-{n}") for n in range(count)]
    return await asyncio.to_thread(limits.sqlite_rate, path, decisions)


def _statements(stage: Stage, number: int, key: str) -> list[tuple[str, Sequence[Any]]]:
    ctx, shop_id = stage.ctx, stage.member.shop_id
    now = ctx.now()
    _, change = domain.create(
        DRAFT,
        shop_id=shop_id,
        number=number,
        token=ctx.new_token(),
        now=now,
        new_id=ctx.ids_of(shop_id),
        actor=stage.member.actor,
    )
    answered = Answered(shop_id, key, "0" * 64, 201, "x" * 900, now)
    ops, _ = changes.operations(change, now, answered)
    authenticate = Op(users.KEY_BY_SECRET, {"secret_hash": "0" * 64})
    counter = Op(shops.NEXT, {"shop_id": shop_id, "name": "invoice", "value": 1})
    return [
        (op.stmt.on("sqlite").sql, op.stmt.on("sqlite").arguments(op.values))
        for op in [authenticate, counter, *ops]
    ]
