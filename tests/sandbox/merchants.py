"""A merchant's program that uses the sandbox bank, and its receiver of notices."""

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from sigma_sandbox.app import Sandbox

_accounts = itertools.count(100_500)


@dataclass
class Merchant:
    """A client of the bank's API with the key of one shop; `id` is the shop's account."""

    sandbox: Sandbox
    http: httpx.AsyncClient
    id: str = field(default_factory=lambda: str(next(_accounts)))

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

    async def create_payment(self, value: str = "1500.00", **more: Any) -> dict[str, Any]:
        """Create a payment; `value` is in roubles. Returns the decoded response."""
        response = await self.post("/payments", payment_body(value, **more))
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body

    async def pay(self, payment_id: str, card: str, **more: Any) -> httpx.Response:
        url = f"{self.sandbox.base_url}/bank/test/payments/{payment_id}/pay"
        return await self.http.post(url, json={"card": card, **more})

    async def complete_payment(self, value: str = "1500.00", **more: Any) -> dict[str, Any]:
        """Create a payment and pay it as the client."""
        created = await self.create_payment(value, **more)
        response = await self.pay(created["id"], "2202474301322987")
        body: dict[str, Any] = response.json()
        return body

    async def inject_faults(self, **rules: Any) -> None:
        """Inject faults for this shop only. Rules: docs/sandbox.md."""
        url = f"{self.sandbox.base_url}/control"
        response = await self.http.post(url, json={"shop": self.id, **rules})
        assert response.status_code == 200, response.text


def payment_body(value: str = "1500.00", **more: Any) -> dict[str, Any]:
    """Return the body of POST /payments; keyword arguments replace fields."""
    body = {
        "amount": {"value": value, "currency": "RUB"},
        "capture": True,
        "confirmation": {"type": "redirect", "return_url": "https://shop.example/back"},
        "description": "Счёт 1042",
    }
    return body | more


@dataclass
class NoticeReceiver:
    """The merchant's notice URL: sends `statuses` in order, then 200. Records the notices."""

    url: str
    statuses: list[int] = field(default_factory=list)
    notices: list[dict[str, Any]] = field(default_factory=list)

    async def wait_for_notices(self, count: int) -> list[dict[str, Any]]:
        """Wait until `count` notices have arrived; fail after three seconds."""
        for _ in range(300):
            if len(self.notices) >= count:
                return self.notices
            await asyncio.sleep(0.01)
        raise AssertionError(f"{len(self.notices)} of {count} notices: {self.notices}")
