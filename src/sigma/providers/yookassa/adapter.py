"""YooKassa API v3 over HTTP: who is called, with which key, and what each HTTP status means.

Source: yookassa.ru/developers/using-api. Only 200 with a readable object is an answer. A 4xx with
YooKassa's own error envelope is a "no"; all the rest (3xx, 202, 408, 429, 5xx, a broken line, a
proxy's page, time over) is Unknown, also where nothing can have been sent: one rule is simpler.

Finding what was lost. A key gives the first result for 24 hours; after that a payment is found in
`list_payments` by our id in its metadata. A refund has no metadata, so our refund's id ends its
description in brackets, and `list_refunds` of its payment reads it back.
"""

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from sigma.domain.billing import payment, refund
from sigma.domain.money import Money
from sigma.providers.base import (
    Access,
    Capabilities,
    FoundRefund,
    KeyTaken,
    Limits,
    Listed,
    NoticeRead,
    Order,
    RefundOrder,
    Rejected,
    Unknown,
)
from sigma.providers.yookassa import wire

DAY_US = 24 * 3600 * 1_000_000
CONNECT_TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 2_000_000
KEY_HEADER = "Idempotence-Key"
MAX_KEY = 64
PAGE = 100
MAX_REFUND_PAGES = 50

# RUB: from a rouble; 350 000 by card and 700 000 by SBP, whose choice is made on YooKassa's page.
CAPABILITIES = Capabilities(
    two_stage=True,
    partial_refund=True,
    list_by_date=True,
    key_lifetime_us=DAY_US,
    refund_events=False,  # a refund that fails is never told
    limits={"RUB": Limits(1_00, 700_000_00)},
)

OpenClient = Callable[[str | None], httpx.AsyncClient]  # CA bundle's path → a client


@dataclass(frozen=True, slots=True)
class _Heard:
    status: int
    body: bytes
    retry_after: str


class YooKassa:
    """The adapter. Holds nothing but open clients, one for each pair of address and CA bundle."""

    name = "yookassa"
    titles: Mapping[str, str] = {"ru": "ЮKassa", "en": "YooKassa"}
    base_url = "https://api.yookassa.ru/v3"
    capabilities = CAPABILITIES

    def __init__(self, open_client: OpenClient) -> None:
        self._open_client = open_client
        self._clients: dict[tuple[str, str | None], httpx.AsyncClient] = {}

    async def aclose(self) -> None:
        """Close the clients; the next call would open new ones."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    async def start_payment(self, access: Access, order: Order) -> payment.Reply:
        """POST /payments. Raises Unknown, Rejected."""
        body = wire.payment_body(order)
        reply = wire.payment_reply(await self._post(access, "/payments", body, order.operation_key))
        if reply.our_id not in ("", order.payment_id):
            raise Unknown("the answer is about another payment")
        return reply

    async def fetch_payment(self, access: Access, provider_id: str) -> payment.Reply:
        """GET /payments/{id}. Raises Unknown, Rejected."""
        return wire.payment_reply(await self._get(access, _path("payments", provider_id)))

    async def capture(
        self, access: Access, provider_id: str, amount: Money, key: str
    ) -> payment.Reply:
        """POST /payments/{id}/capture. Raises Unknown, Rejected.

        YooKassa says 400 to a payment that waits no longer (a lost answer, a late click): then what
        is, is the answer. Only while the money is still held, or not yet, the 400 stands.
        """
        body = {"amount": wire.amount_body(amount)}
        return await self._decide(access, provider_id, "capture", body, key)

    async def cancel(self, access: Access, provider_id: str, key: str) -> payment.Reply:
        """POST /payments/{id}/cancel. Raises Unknown, Rejected. A 400 is met as in `capture`."""
        return await self._decide(access, provider_id, "cancel", {}, key)

    async def start_refund(self, access: Access, order: RefundOrder) -> refund.Reply:
        """POST /refunds. Raises Unknown, Rejected."""
        said = await self._post(access, "/refunds", wire.refund_body(order), order.operation_key)
        found = wire.refund_reply(said)
        if said.get("payment_id") != order.provider_payment_id:
            raise Unknown("the answer is about another payment")
        return found.reply

    async def fetch_refund(self, access: Access, provider_id: str) -> refund.Reply:
        """GET /refunds/{id}. Raises Unknown, Rejected."""
        return wire.refund_reply(await self._get(access, _path("refunds", provider_id))).reply

    async def list_refunds(
        self, access: Access, provider_payment_id: str
    ) -> tuple[FoundRefund, ...]:
        """GET /refunds?payment_id=, all pages. Raises Unknown, Rejected."""
        query = {"payment_id": provider_payment_id, "limit": str(PAGE)}
        found: list[FoundRefund] = []
        for _ in range(MAX_REFUND_PAGES):
            said = await self._get(access, "/refunds", query)
            found += map(wire.refund_reply, wire.items(said))
            cursor = wire.next_cursor(said)
            if cursor is None:
                return tuple(found)
            query["cursor"] = cursor
        raise Unknown("the list of refunds has no end")

    async def list_payments(
        self, access: Access, since_us: int, until_us: int, cursor: str | None = None
    ) -> Listed:
        """GET /payments by the time of creation, newest first. Raises Unknown, Rejected."""
        query = {
            "created_at.gte": wire.moment_out(since_us),
            "created_at.lt": wire.moment_out(until_us, up=True),
            "limit": str(PAGE),
        }
        if cursor is not None:
            query["cursor"] = cursor
        return wire.listed(await self._get(access, "/payments", query))

    async def check(self, access: Access) -> str:
        """GET /me: "100500, test". Raises Unknown, Rejected."""
        return wire.account_fact(await self._get(access, "/me"))

    def read_notice(self, body: bytes) -> NoticeRead:
        """What a notice is about. It carries no signature. Raises ValueError."""
        return wire.read_notice(body)

    async def _decide(
        self, access: Access, provider_id: str, verb: str, body: Mapping[str, Any], key: str
    ) -> payment.Reply:
        try:
            path = _path("payments", provider_id, verb)
            return wire.payment_reply(await self._post(access, path, body, key))
        except Rejected as refused:
            if refused.code != "bad_request":
                raise
            now = await self.fetch_payment(access, provider_id)
            if now.event in (payment.Event.PENDING, payment.Event.AUTHORIZED):
                raise
            return now

    async def _get(
        self, access: Access, path: str, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        return await self._call(access, "GET", path, params=query)

    async def _post(
        self, access: Access, path: str, body: Mapping[str, Any], key: str
    ) -> dict[str, Any]:
        assert 0 < len(key) <= MAX_KEY
        headers = {KEY_HEADER: key, "Content-Type": "application/json"}
        return await self._call(
            access, "POST", path, headers=headers, content=msgspec.json.encode(body)
        )

    async def _call(self, access: Access, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            urlsplit(access.base_url).port  # noqa: B018, httpx would let a port of 99999 through
            async with asyncio.timeout(access.timeout_s):  # httpx counts each read alone
                heard = await self._exchange(access, method, path, **more)
        except TimeoutError:
            raise Unknown("no answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as broken:
            raise Unknown(f"no answer: {type(broken).__name__}") from None
        return _understood(heard)

    async def _exchange(
        self,
        access: Access,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> _Heard:
        timeout = httpx.Timeout(access.timeout_s, connect=min(CONNECT_TIMEOUT_S, access.timeout_s))
        client = self._client(access)
        async with client.stream(
            method,
            access.base_url.rstrip("/") + path,
            headers={"Authorization": _basic(access), **(headers or {})},
            timeout=timeout,
            follow_redirects=False,
            **more,
        ) as response:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MAX_ANSWER_BYTES:
                    raise Unknown("unreadable answer: too large")
            retry_after = response.headers.get("retry-after", "")
            return _Heard(response.status_code, bytes(body), retry_after)

    def _client(self, access: Access) -> httpx.AsyncClient:
        place = (access.base_url, access.ca_bundle)
        if place not in self._clients:
            self._clients[place] = self._open_client(access.ca_bundle)
        return self._clients[place]


def _path(kind: str, provider_id: str, verb: str = "") -> str:
    if not wire.is_id(provider_id):  # it may come from a notice, that is, from anybody
        raise Rejected("not_found", parameter="id")
    return f"/{kind}/{provider_id}" + (f"/{verb}" if verb else "")


def _basic(access: Access) -> str:
    """HTTP Basic by hand: the shop's id and secret belong to a call, not to a shared client."""
    pair = f"{access.account}:{access.secret}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _understood(heard: _Heard) -> dict[str, Any]:
    """The answer's object if there is one. Raises Unknown, Rejected."""
    if heard.status == 200:
        return wire.read_json(heard.body)
    lost = Unknown(f"HTTP {heard.status}", wire.retry_after_s(None, heard.retry_after))
    if heard.status == 401:
        raise Rejected("credentials")
    try:
        said = wire.read_json(heard.body)
    except Unknown:
        raise lost from None
    if heard.status == 202:
        raise Unknown("HTTP 202", wire.retry_after_s(said, heard.retry_after))
    if not 400 <= heard.status < 500 or heard.status in (408, 429) or said.get("type") != "error":
        raise lost
    refused = wire.rejection(heard.status, said)
    if refused.parameter.lower() == KEY_HEADER.lower():
        # "Used with other data": so the first call was heard, and may well have been done.
        raise KeyTaken("the key was used with other data")
    raise refused
