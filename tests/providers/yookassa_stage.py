"""YooKassa's stage: the sandbox bank over real HTTP, told to misbehave through /control."""

import itertools
import json
from dataclasses import replace
from typing import Any

import httpx

from sigma.domain.billing.payment import Reply
from sigma.providers.base import Access, Provider
from tests.providers.stage import SLOW_S, Call, Trouble

ACCOUNTS = itertools.count(900_100)  # no other suite of the same run uses these
HOUR_S = 3600

EFFECTS: dict[Trouble, tuple[str, Any]] = {
    Trouble.CUT_BEFORE: ("cut_request", True),
    Trouble.ERROR_BEFORE: ("http_500_before", True),
    Trouble.TOO_MANY: ("http_429", True),
    Trouble.SLOW: ("delay_ms", int(SLOW_S * 1000)),
    Trouble.LOST_CUT: ("cut_answer", True),
    Trouble.LOST_ERROR: ("http_500_after", True),
    Trouble.LOST_LATER: ("http_202", 1800),
    Trouble.LOST_GARBAGE: ("garbage", True),
}
OPERATIONS = {Call.CHECK: "me"}


class YooKassaStage:
    """See Stage."""

    mask = "220000******0004"
    brand = "mir"
    decline_reason = "insufficient_funds"

    def __init__(self, provider: Provider, sandbox_url: str, http: httpx.AsyncClient) -> None:
        self.provider = provider
        self._url = sandbox_url
        self._http = http

    def access(self) -> Access:
        account = str(next(ACCOUNTS))
        return Access(account, "test_secret", f"{self._url}/bank/v3", timeout_s=5)

    def without_rights(self, access: Access) -> Access:
        return replace(access, secret="live_wrong")

    async def pay(self, access: Access, provider_id: str) -> None:
        await self._card(provider_id, "2200000000000004")

    async def decline(self, access: Access, provider_id: str) -> None:
        await self._card(provider_id, "2200000000000053")

    async def expire(self, access: Access) -> None:
        await self._control(access, clock_offset_s=2 * HOUR_S)

    async def forget_keys(self, access: Access) -> None:
        await self._control(access, clock_offset_s=25 * HOUR_S)

    async def hold_refunds(self, access: Access) -> None:
        await self._control(access, refund_pending={"value": 1, "times": 1})

    async def refuse_refunds(self, access: Access) -> None:
        await self._control(access, refund_decline={"value": self.decline_reason, "times": 1})

    async def trouble(self, access: Access, trouble: Trouble, call: Call) -> None:
        effect, value = EFFECTS[trouble]
        rule = {"value": value, "on": OPERATIONS.get(call, str(call)), "times": 1}
        await self._control(access, **{effect: rule})

    async def misname(
        self, access: Access, call: Call, *, value: str = "", currency: str = ""
    ) -> None:
        if value:
            rule = {"value": value, "on": str(call), "times": 1}
            await self._control(access, wrong_amount=rule)
        if currency:
            rule = {"value": currency, "on": str(call), "times": 1}
            await self._control(access, wrong_currency=rule)

    async def created(self, access: Access) -> int:
        return len(await self._list(access, "/payments"))

    async def refunds(self, access: Access, provider_id: str) -> int:
        return len(await self._list(access, f"/refunds?payment_id={provider_id}"))

    def notice(self, reply: Reply) -> bytes:
        thing = {"id": reply.provider_id, "metadata": {"payment": reply.our_id}}
        notice = {"type": "notification", "event": "payment.succeeded", "object": thing}
        return json.dumps(notice).encode()

    async def _card(self, provider_id: str, card: str) -> None:
        url = f"{self._url}/bank/test/payments/{provider_id}/pay"
        answer = await self._http.post(url, json={"card": card})
        assert answer.status_code == 200, answer.text

    async def _control(self, access: Access, **rules: Any) -> None:
        rule = {"shop": access.account, **rules}
        answer = await self._http.post(f"{self._url}/control", json=rule)
        assert answer.status_code == 200, answer.text

    async def _list(self, access: Access, path: str) -> list[Any]:
        """Asked past the adapter, so that it is no witness in its own cause."""
        answer = await self._http.get(access.base_url + path, auth=(access.account, access.secret))
        found: list[Any] = answer.json()["items"]
        return found
