"""The other side of the bank: a merchant's program and its ear for notices."""

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from sigma_sandbox.app import Sandbox

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


@dataclass
class Hook:
    """The merchant's side of notices: answers with `statuses` in turn, then 200."""

    url: str
    statuses: list[int] = field(default_factory=list)
    heard: list[dict[str, Any]] = field(default_factory=list)

    async def wait(self, count: int) -> list[dict[str, Any]]:
        """Until so many notices came; three seconds at most."""
        for _ in range(300):
            if len(self.heard) >= count:
                return self.heard
            await asyncio.sleep(0.01)
        raise AssertionError(f"{len(self.heard)} notices of {count}: {self.heard}")
