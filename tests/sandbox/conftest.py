"""A sandbox world per test module, and a shop of its own per test."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest

from sigma.sandbox.app import Sandbox, start_sandbox

SHOPS = itertools.count(100_500)


@dataclass
class Merchant:
    """A shop's own program: a client of the API with the shop's key."""

    sandbox: Sandbox
    http: httpx.AsyncClient
    id: str = field(default_factory=lambda: str(next(SHOPS)))

    @property
    def auth(self) -> tuple[str, str]:
        return self.id, "test_secret"

    async def post(self, path: str, body: Any, key: str | None = None) -> httpx.Response:
        headers = {"Idempotence-Key": key or str(uuid4())}
        url = f"{self.sandbox.base_url}/bank/v3{path}"
        return await self.http.post(url, json=body, headers=headers, auth=self.auth)

    async def get(self, path: str, **query: Any) -> httpx.Response:
        url = f"{self.sandbox.base_url}/bank/v3{path}"
        return await self.http.get(url, params=query, auth=self.auth)

    async def payment(self, value: str = "1500.00", **more: Any) -> dict[str, Any]:
        answer = await self.post("/payments", wish(value, **more))
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def pay(self, payment_id: str, card: str, **more: Any) -> httpx.Response:
        url = f"{self.sandbox.base_url}/bank/test/payments/{payment_id}/pay"
        return await self.http.post(url, json={"card": card, **more})

    async def paid(self, value: str = "1500.00", **more: Any) -> dict[str, Any]:
        made = await self.payment(value, **more)
        answer = await self.pay(made["id"], "2202474301322987")
        body: dict[str, Any] = answer.json()
        return body

    async def control(self, **rules: Any) -> None:
        url = f"{self.sandbox.base_url}/control"
        answer = await self.http.post(url, json={"shop": self.id, **rules})
        assert answer.status_code == 200, answer.text


def wish(value: str = "1500.00", **more: Any) -> dict[str, Any]:
    """The body of POST /payments."""
    body = {
        "amount": {"value": value, "currency": "RUB"},
        "capture": True,
        "confirmation": {"type": "redirect", "return_url": "https://shop.example/back"},
        "description": "Счёт 1042",
    }
    return body | more


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox on free ports with nothing kept."""
    async with start_sandbox() as running:
        yield running


@pytest.fixture
async def merchant(sandbox: Sandbox) -> AsyncIterator[Merchant]:
    """A shop nobody else uses."""
    async with httpx.AsyncClient(timeout=5) as http:
        yield Merchant(sandbox, http)
