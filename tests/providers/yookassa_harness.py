"""The harness of YooKassa: the sandbox bank over real HTTP; faults are injected via /control."""

import itertools
import json
from dataclasses import replace
from typing import Any

import httpx

from sigma.domain.billing.payment import PaymentReply
from sigma.providers.base import ConnectionAccess, Provider
from tests.providers.harness import SLOW_RESPONSE_S, Fault, Operation

account_numbers = itertools.count(900_100)  # other tests of the same run use other numbers
HOUR_S = 3600

RULE_BY_FAULT: dict[Fault, tuple[str, Any]] = {
    Fault.CUT_BEFORE: ("cut_request", True),
    Fault.ERROR_BEFORE: ("http_500_before", True),
    Fault.TOO_MANY: ("http_429", True),
    Fault.SLOW: ("delay_ms", int(SLOW_RESPONSE_S * 1000)),
    Fault.LOST_CUT: ("cut_answer", True),
    Fault.LOST_ERROR: ("http_500_after", True),
    Fault.LOST_IN_PROGRESS: ("http_202", 1800),
    Fault.LOST_GARBAGE: ("garbage", True),
}
CONTROL_NAME_BY_OPERATION = {Operation.CHECK: "me"}


class YooKassaHarness:
    """See `ProviderHarness` for what each method does."""

    mask = "220000******0004"
    brand = "mir"
    decline_reason = "insufficient_funds"

    def __init__(self, provider: Provider, sandbox_url: str, http: httpx.AsyncClient) -> None:
        self.provider = provider
        self._url = sandbox_url
        self._http = http

    def access(self) -> ConnectionAccess:
        account = str(next(account_numbers))
        return ConnectionAccess(account, "test_secret", f"{self._url}/bank/v3", timeout_s=5)

    def with_wrong_secret(self, access: ConnectionAccess) -> ConnectionAccess:
        return replace(access, secret="live_wrong")

    async def pay(self, access: ConnectionAccess, provider_id: str) -> None:
        await self._pay_by_card(provider_id, "2200000000000004")

    async def pay_with_declined_card(self, access: ConnectionAccess, provider_id: str) -> None:
        await self._pay_by_card(provider_id, "2200000000000053")

    async def expire_payments(self, access: ConnectionAccess) -> None:
        await self._inject_faults(access, clock_offset_s=2 * HOUR_S)

    async def expire_operation_keys(self, access: ConnectionAccess) -> None:
        await self._inject_faults(access, clock_offset_s=25 * HOUR_S)

    async def delay_next_refund(self, access: ConnectionAccess) -> None:
        await self._inject_faults(access, refund_pending={"value": 1, "times": 1})

    async def decline_next_refund(self, access: ConnectionAccess) -> None:
        await self._inject_faults(access, refund_decline={"value": self.decline_reason, "times": 1})

    async def inject_fault(
        self, access: ConnectionAccess, fault: Fault, operation: Operation
    ) -> None:
        effect, value = RULE_BY_FAULT[fault]
        rule = {
            "value": value,
            "on": CONTROL_NAME_BY_OPERATION.get(operation, str(operation)),
            "times": 1,
        }
        await self._inject_faults(access, **{effect: rule})

    async def misreport_amount(
        self, access: ConnectionAccess, operation: Operation, *, value: str = "", currency: str = ""
    ) -> None:
        if value:
            rule = {"value": value, "on": str(operation), "times": 1}
            await self._inject_faults(access, wrong_amount=rule)
        if currency:
            rule = {"value": currency, "on": str(operation), "times": 1}
            await self._inject_faults(access, wrong_currency=rule)

    async def count_payments(self, access: ConnectionAccess) -> int:
        return len(await self._list(access, "/payments"))

    async def count_refunds(self, access: ConnectionAccess, provider_id: str) -> int:
        return len(await self._list(access, f"/refunds?payment_id={provider_id}"))

    def make_notice(self, reply: PaymentReply) -> bytes:
        body = {"id": reply.provider_id, "metadata": {"payment": reply.payment_id}}
        notice = {"type": "notification", "event": "payment.succeeded", "object": body}
        return json.dumps(notice).encode()

    async def _pay_by_card(self, provider_id: str, card: str) -> None:
        url = f"{self._url}/bank/test/payments/{provider_id}/pay"
        response = await self._http.post(url, json={"card": card})
        assert response.status_code == 200, response.text

    async def _inject_faults(self, access: ConnectionAccess, **rules: Any) -> None:
        rule = {"shop": access.account, **rules}
        response = await self._http.post(f"{self._url}/control", json=rule)
        assert response.status_code == 200, response.text

    async def _list(self, access: ConnectionAccess, path: str) -> list[Any]:
        """List objects without the adapter, so that the adapter does not check itself."""
        auth = (access.account, access.secret)
        response = await self._http.get(access.base_url + path, auth=auth)
        items: list[Any] = response.json()["items"]
        return items
