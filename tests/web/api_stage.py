"""A shop's program at the API's door, through the whole application."""

import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from sigma.services.accounts import api_keys
from sigma.web.app import create_app
from tests.world import World

Json = dict[str, Any]

RUB_1500 = {"value": "1500.00", "currency": "RUB"}
ASKED: Json = {"title": "Маникюр", "amount": RUB_1500}


@dataclass
class Program:
    """Speaks JSON with a key; every POST has an Idempotency-Key of its own unless one is given."""

    http: httpx.AsyncClient
    secret: str
    made: Iterator[int] = field(default_factory=itertools.count)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """GET under /api/v1."""
        return await self.http.get(f"/api/v1{path}", headers=self._headers(headers))

    async def post(
        self, path: str, body: Any = None, *, key: str | None = None, **headers: str
    ) -> httpx.Response:
        """POST under /api/v1; bytes go as they are, `key` "" sends none."""
        content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        key = f"key-{next(self.made)}" if key is None else key
        more = {"idempotency-key": key} if key else {}
        return await self.http.post(
            f"/api/v1{path}", content=content, headers=self._headers(headers) | more
        )

    async def issued(self, **more: Any) -> Json:
        """A new invoice."""
        answer = await self.post("/invoices", ASKED | more)
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        usual = {"authorization": f"Bearer {self.secret}", "content-type": "application/json"}
        return usual | {name.replace("_", "-"): value for name, value in more.items()}


@asynccontextmanager
async def open_program(world: World) -> AsyncIterator[Program]:
    """A program of the world's shop."""
    _, secret = await api_keys.create(world.ctx, world.member, "Касса")
    app = create_app(world.ctx)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://127.0.0.1:8000",
    ) as http:
        yield Program(http, secret)
