"""YooKassa API v3 over HTTP: endpoints, idempotency keys and the meaning of HTTP statuses.

Source: https://yookassa.ru/developers/using-api. Only status 200 with a JSON object is an answer. A
4xx with YooKassa's error object is a rejection. Everything else (3xx, 202, 408, 429, 5xx, broken
connection, a proxy's page, timeout) is an unknown outcome, even when the request was certainly not
sent: one rule is simpler.

How lost operations are found: a key returns the first result for 24 hours. After that a payment is
found in `list_payments` by our id in its metadata. A refund has no metadata, so its description
ends with our refund id in brackets, and `list_refunds` of its payment reads it back.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import msgspec

from sigma.domain.billing import payment, refund
from sigma.domain.billing.connection import AmountLimits
from sigma.domain.money import Money
from sigma.domain.time_units import DAY_US
from sigma.outbound import http
from sigma.providers.base import (
    AcquirerRefund,
    Capabilities,
    ConnectionAccess,
    IdempotencyKeyConflictError,
    ParsedNotice,
    PaymentPage,
    PaymentRequest,
    RefundPage,
    RefundRequest,
    RejectedError,
    UnknownOutcomeError,
)
from sigma.providers.yookassa import notice, wire

MAX_RESPONSE_BYTES = 2_000_000
KEY_HEADER = "Idempotence-Key"
MAX_KEY_LENGTH = 64  # characters
PAGE_SIZE = 100
MAX_REFUND_PAGES = 50

# The client chooses the method on YooKassa's page: a card takes 1 to 350 000 RUB, SBP 1 to
# 700 000 RUB. A test shop has no SBP. Shops settle in roubles.
# Source: https://yookassa.ru/developers/payment-acceptance (payment methods)
SMALLEST, LARGEST_BY_CARD, LARGEST_BY_SBP = Money(1_00), Money(350_000_00), Money(700_000_00)
CAPABILITIES = Capabilities(
    two_stage=True,
    key_lifetime_us=DAY_US,
    limits={"RUB": AmountLimits(SMALLEST, LARGEST_BY_SBP)},
    test_limits={"RUB": AmountLimits(SMALLEST, LARGEST_BY_CARD)},
    test_secret_prefix="test_",  # noqa: S106 - not a secret
    # `confirmation_url` is on the first; the second is YooKassa's own site.
    redirect_origins=("https://yoomoney.ru", "https://yookassa.ru"),
    # Registers of payouts come by e-mail only; `/payouts` of the API sends money to people.
    reports_payouts=False,
)

# PEM certificates that alone are trusted, or None → a client that goes through the outbound guard
HttpClientFactory = Callable[[str | None], httpx.AsyncClient]


class YooKassa:
    """The adapter. Its only state is the open HTTP clients, one per (base URL, certificates)."""

    name = "yookassa"
    titles: Mapping[str, str] = {"ru": "ЮKassa", "en": "YooKassa"}
    base_url = "https://api.yookassa.ru/v3"
    capabilities = CAPABILITIES

    def __init__(self, open_client: HttpClientFactory) -> None:
        self._open_client = open_client
        self._clients: dict[tuple[str, str | None], httpx.AsyncClient] = {}

    async def aclose(self) -> None:
        """Close the clients; a later call opens new ones."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    async def start_payment(
        self, access: ConnectionAccess, request: PaymentRequest
    ) -> payment.PaymentReply:
        """POST /payments.

        Raises UnknownOutcomeError, RejectedError, IdempotencyKeyConflictError.
        """
        body = wire.payment_body(request)
        reply = wire.payment_reply(
            await self._post(access, "/payments", body, request.operation_key)
        )
        if reply.payment_id not in ("", request.payment_id):
            raise UnknownOutcomeError("the answer is about another payment")
        return reply

    async def fetch_payment(
        self, access: ConnectionAccess, provider_id: str
    ) -> payment.PaymentReply:
        """GET /payments/{id}. Raises UnknownOutcomeError, RejectedError."""
        return wire.payment_reply(await self._get(access, _path("payments", provider_id)))

    async def capture(
        self, access: ConnectionAccess, provider_id: str, amount: Money, operation_key: str
    ) -> payment.PaymentReply:
        """POST /payments/{id}/capture. Raises UnknownOutcomeError, RejectedError.

        YooKassa answers 400 when the payment is no longer authorized (a lost answer, a late click).
        Then the payment is fetched and its final state returned. RejectedError is raised only if it
        is still pending or authorized.
        """
        body = {"amount": wire.amount_body(amount)}
        return await self._post_action(access, provider_id, "capture", body, operation_key)

    async def cancel(
        self, access: ConnectionAccess, provider_id: str, operation_key: str
    ) -> payment.PaymentReply:
        """POST /payments/{id}/cancel. Treats a 400 as `capture` does.

        Raises UnknownOutcomeError, RejectedError.
        """
        return await self._post_action(access, provider_id, "cancel", {}, operation_key)

    async def start_refund(
        self, access: ConnectionAccess, request: RefundRequest
    ) -> refund.RefundReply:
        """POST /refunds.

        Raises UnknownOutcomeError, RejectedError, IdempotencyKeyConflictError.
        """
        data = await self._post(
            access, "/refunds", wire.refund_body(request), request.operation_key
        )
        acquirer_refund = wire.refund_reply(data)
        if data.get("payment_id") != request.provider_payment_id:
            raise UnknownOutcomeError("the answer is about another payment")
        return acquirer_refund.reply

    async def fetch_refund(self, access: ConnectionAccess, provider_id: str) -> refund.RefundReply:
        """GET /refunds/{id}. Raises UnknownOutcomeError, RejectedError."""
        return wire.refund_reply(await self._get(access, _path("refunds", provider_id))).reply

    async def list_refunds(
        self, access: ConnectionAccess, provider_payment_id: str
    ) -> tuple[AcquirerRefund, ...]:
        """GET /refunds?payment_id=, all pages. Raises UnknownOutcomeError, RejectedError."""
        query = {"payment_id": provider_payment_id, "limit": str(PAGE_SIZE)}
        refunds: list[AcquirerRefund] = []
        for _ in range(MAX_REFUND_PAGES):
            data = await self._get(access, "/refunds", query)
            refunds += map(wire.refund_reply, wire.list_items(data))
            cursor = wire.next_cursor(data)
            if cursor is None:
                return tuple(refunds)
            query["cursor"] = cursor
        raise UnknownOutcomeError("the list of refunds has no end")

    async def list_payments(
        self, access: ConnectionAccess, since_us: int, until_us: int, cursor: str | None = None
    ) -> PaymentPage:
        """GET /payments by creation time, newest first.

        Raises UnknownOutcomeError, RejectedError.
        """
        query = _date_query(since_us, until_us, cursor)
        return wire.payment_page(await self._get(access, "/payments", query))

    async def list_refunds_by_date(
        self, access: ConnectionAccess, since_us: int, until_us: int, cursor: str | None = None
    ) -> RefundPage:
        """GET /refunds by creation time, newest first.

        Raises UnknownOutcomeError, RejectedError.
        """
        query = _date_query(since_us, until_us, cursor)
        return wire.refund_page(await self._get(access, "/refunds", query))

    async def describe_account(self, access: ConnectionAccess) -> str:
        """GET /me: "100500, test". Raises UnknownOutcomeError, RejectedError."""
        return wire.account_label(await self._get(access, "/me"))

    def parse_notice(self, body: bytes) -> ParsedNotice:
        """Parse a notice. YooKassa does not sign notices. Raises ValueError."""
        return notice.parse_notice(body)

    async def _post_action(
        self,
        access: ConnectionAccess,
        provider_id: str,
        action: str,
        body: Mapping[str, Any],
        operation_key: str,
    ) -> payment.PaymentReply:
        try:
            path = _path("payments", provider_id, action)
            return wire.payment_reply(await self._post(access, path, body, operation_key))
        except RejectedError as rejection:
            if rejection.code != "bad_request":
                raise
            reply = await self.fetch_payment(access, provider_id)
            if reply.event in (payment.Event.PENDING, payment.Event.AUTHORIZED):
                raise
            return reply

    async def _get(
        self, access: ConnectionAccess, path: str, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        return await self._call(access, "GET", path, params=query)

    async def _post(
        self, access: ConnectionAccess, path: str, body: Mapping[str, Any], operation_key: str
    ) -> dict[str, Any]:
        assert 0 < len(operation_key) <= MAX_KEY_LENGTH
        headers = {KEY_HEADER: operation_key, "Content-Type": "application/json"}
        return await self._call(
            access, "POST", path, headers=headers, content=msgspec.json.encode(body)
        )

    async def _call(
        self,
        access: ConnectionAccess,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        try:
            response = await http.send(
                self._client(access),
                method,
                access.base_url.rstrip("/") + path,
                timeout_s=access.timeout_s,
                max_bytes=MAX_RESPONSE_BYTES,
                headers={"Authorization": _basic_auth(access), **(headers or {})},
                **more,
            )
        except http.NoResponseError as error:
            raise UnknownOutcomeError(str(error)) from None
        return _parse_response(response)

    def _client(self, access: ConnectionAccess) -> httpx.AsyncClient:
        key = (access.base_url, access.ca_certificates)
        if key not in self._clients:
            self._clients[key] = self._open_client(access.ca_certificates)
        return self._clients[key]


def _date_query(since_us: int, until_us: int, cursor: str | None) -> dict[str, str]:
    """Return the query of a list by creation time; a range never shrinks by rounding."""
    query = {
        "created_at.gte": wire.format_time(since_us),
        "created_at.lt": wire.format_time(until_us, round_up=True),
        "limit": str(PAGE_SIZE),
    }
    return query if cursor is None else query | {"cursor": cursor}


def _path(kind: str, provider_id: str, action: str = "") -> str:
    if not wire.is_object_id(provider_id):  # it may come from a notice, which is not authenticated
        raise RejectedError("not_found", parameter="id")
    return f"/{kind}/{provider_id}" + (f"/{action}" if action else "")


def _basic_auth(access: ConnectionAccess) -> str:
    """Return the Basic header. It is set per call: connections of several shops share a client."""
    pair = f"{access.account}:{access.secret}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _parse_response(response: http.HttpResponse) -> dict[str, Any]:
    """Return the JSON object of an answer.

    Raises UnknownOutcomeError, RejectedError, IdempotencyKeyConflictError.
    """
    if response.status == 200:
        return wire.parse_object(response.body)
    unknown = UnknownOutcomeError(
        f"HTTP {response.status}", wire.retry_after_s(None, response.retry_after)
    )
    if response.status == 401:
        raise RejectedError("credentials")
    try:
        data = wire.parse_object(response.body)
    except UnknownOutcomeError:
        raise unknown from None
    if response.status == 202:
        raise UnknownOutcomeError("HTTP 202", wire.retry_after_s(data, response.retry_after))
    status = response.status
    if not 400 <= status < 500 or status in (408, 429) or data.get("type") != "error":
        raise unknown
    rejection = wire.rejection(status, data)
    if rejection.parameter.lower() == KEY_HEADER.lower():
        # YooKassa knows this key with another body: the first call arrived and may have succeeded.
        raise IdempotencyKeyConflictError("the key was used with other data")
    raise rejection
