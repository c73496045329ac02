"""A client of the HTTP API, connected to the whole application in process."""

import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from sigma.services.accounts import api_keys
from tests.web.apps import web_app
from tests.world import World

Json = dict[str, Any]

RUB_1500 = {"value": "1500.00", "currency": "RUB"}
INVOICE_REQUEST: Json = {"title": "Маникюр", "amount": RUB_1500}


@dataclass
class ApiClient:
    """A client with an API key; every POST has a new Idempotency-Key unless one is given."""

    http: httpx.AsyncClient
    api_key: str
    key_numbers: Iterator[int] = field(default_factory=itertools.count)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Send GET under /api/v1."""
        return await self.http.get(f"/api/v1{path}", headers=self._headers(headers))

    async def post(
        self, path: str, body: Any = None, *, key: str | None = None, **headers: str
    ) -> httpx.Response:
        """Send POST under /api/v1. A `bytes` body is sent as it is; `key` "" sends no key."""
        content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        key = f"key-{next(self.key_numbers)}" if key is None else key
        more = {"idempotency-key": key} if key else {}
        return await self.http.post(
            f"/api/v1{path}", content=content, headers=self._headers(headers) | more
        )

    async def create_invoice(self, **more: Any) -> Json:
        """Create an invoice; return the decoded response."""
        response = await self.post("/invoices", INVOICE_REQUEST | more)
        assert response.status_code == 201, response.text
        created: Json = response.json()
        return created

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        defaults = {"authorization": f"Bearer {self.api_key}", "content-type": "application/json"}
        return defaults | {name.replace("_", "-"): value for name, value in more.items()}


@asynccontextmanager
async def open_api_client(world: World) -> AsyncIterator[ApiClient]:
    """Create an API key of the world's shop and yield a client that uses it."""
    _, secret = await api_keys.create(world.ctx, world.member, "Касса")
    with web_app(world.ctx) as app:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield ApiClient(http, secret)
