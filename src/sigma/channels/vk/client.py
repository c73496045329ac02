"""VK API over HTTP: calls of one access key with rate limiting, retries and error mapping.

Source: dev.vk.ru/ru/api/api-requests. The key is sent in a header, never in a URL. The text of an
error is only its code: requests and responses hold personal data and must not reach a log.
"""

import asyncio
import hashlib
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from sigma.channels.vk.errors import (
    NO_RESPONSE,
    SHORT_DELAY_S,
    TOO_MANY_REQUESTS,
    RetryLaterError,
    VkError,
    error_for_code,
)
from sigma.channels.vk.fields import encode_params
from sigma.channels.vk.rate_limit import COMMUNITY_CALLS_PER_S, Clock, RateLimiter
from sigma.domain.billing.connection import Connection
from sigma.outbound import http

API_URL = "https://api.vk.ru"
API_VERSION = "5.199"
DEFAULT_LANG = "ru"
TIMEOUT_S = 10.0
MAX_RESPONSE_BYTES = 8_000_000
MAX_RETRY_AFTER_S = 3600.0

MAX_RETRIES = 3
FIRST_RETRY_DELAY_S = 0.3
# VK error codes after which `VkClient.call` retries at once.
FAST_RETRY_CODES = frozenset({NO_RESPONSE, 1, TOO_MANY_REQUESTS, 10})
MAX_QUEUE_WAIT_S = 20.0  # a call that would wait longer raises RetryLaterError instead
MAX_RATE_LIMITERS = 1000
# Not idempotent: these are not retried when an earlier attempt may have been performed.
NOT_IDEMPOTENT = frozenset(
    {"groups.addCallbackServer", "market.add", "messages.sendMessageEventAnswer"}
)

_METHOD = re.compile(r"[a-z]{2,20}\.[A-Za-z]{2,60}", re.ASCII)

# PEM certificates, always None here → a client that goes through the outbound guard
OpenClient = Callable[[str | None], httpx.AsyncClient]
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Timing:
    clock: Clock
    sleep: Sleep
    jitter: Callable[[], float]  # 0…1


class VkClient:
    """Calls VK with one access key. Created by VkClients; cheap, so created for each use."""

    def __init__(
        self,
        http_client: httpx.AsyncClient,
        base_url: str,
        access_key: str,
        timeout_s: float,
        rate_limiter: RateLimiter,
        timing: _Timing,
        lang: str,
    ) -> None:
        self._http_client = http_client
        self.base_url = base_url.rstrip("/")
        self._access_key = access_key
        self._timeout_s = timeout_s
        self._rate_limiter = rate_limiter
        self._timing = timing
        self._lang = lang

    async def call(self, method: str, **params: Any) -> Any:
        """Call a method and return VK's `response`.

        Parameters that are None are left out, a list is joined by commas, a bool is 1 or 0, a dict
        is JSON. Every call has the client's language: without it VK writes Russian names in Latin
        letters. A brief failure is retried up to three times with the same parameters. Raises
        RetryLaterError, NeedsOwnerError, PermanentError.
        """
        assert _METHOD.fullmatch(method), method
        form = encode_params({**params, "lang": self._lang, "v": API_VERSION})
        started_s, retries, outcome_unknown = self._timing.clock(), 0, False
        while True:
            try:
                return await self._call_once(method, form)
            except VkError as error:
                error.is_outcome_unknown = outcome_unknown = (
                    outcome_unknown or error.is_outcome_unknown
                )
                elapsed_s = self._timing.clock() - started_s
                if (
                    retries == MAX_RETRIES
                    or elapsed_s >= self._timeout_s
                    or not _can_retry_now(method, error)
                ):
                    raise
                delay_s = max(FIRST_RETRY_DELAY_S * 2**retries, _min_retry_delay_s(error))
            retries += 1
            await self._timing.sleep(delay_s * (1 + self._timing.jitter() / 2))

    async def upload(self, url: str, field: str, data: bytes, name: str, media_type: str) -> str:
        """Upload a file to a URL from a VK response; return the response text.

        Raises RetryLaterError.
        """
        files = {field: (name, data, media_type)}
        response = await self._request("POST", url, self._timeout_s, files=files)
        if response.status != 200:
            raise _unknown_outcome(f"HTTP {response.status}", response.retry_after)
        try:
            return response.body.decode()
        except UnicodeDecodeError:
            raise _unknown_outcome("unreadable answer") from None

    async def long_poll(
        self, url: str, params: Mapping[str, str], timeout_s: float
    ) -> dict[str, Any]:
        """Request a long-poll URL, which is authorized by a key in `params`.

        Raises RetryLaterError.
        """
        response = await self._request("GET", url, timeout_s, params=params)
        if response.status != 200:
            raise _unknown_outcome(f"HTTP {response.status}", response.retry_after)
        return _decode_object(response.body)

    async def download(self, url: str) -> bytes:
        """Return the file at a URL from a VK response, such as a photo. Raises RetryLaterError."""
        response = await self._request("GET", url, self._timeout_s)
        if response.status != 200:
            raise _unknown_outcome(f"HTTP {response.status}", response.retry_after)
        return response.body

    async def _call_once(self, method: str, form: Mapping[str, str]) -> Any:
        if (wait_s := self._rate_limiter.wait_s()) > MAX_QUEUE_WAIT_S:
            raise RetryLaterError(
                TOO_MANY_REQUESTS, detail="own rate limit reached", retry_after_s=wait_s
            )
        if wait_s := self._rate_limiter.reserve():
            await self._timing.sleep(wait_s)
        response = await self._request(
            "POST",
            f"{self.base_url}/method/{method}",
            self._timeout_s,
            data=form,
            headers={"Authorization": f"Bearer {self._access_key}"},
        )
        try:
            return _read_response(method, response)
        except VkError as error:
            error.detail = error.detail.replace(self._access_key, "…")  # VK may quote the request
            raise

    async def _request(
        self, verb: str, url: str, timeout_s: float, **more: Any
    ) -> http.HttpResponse:
        """Send a request through the guard: some URLs come from VK's responses."""
        try:
            return await http.send(
                self._http_client,
                verb,
                url,
                timeout_s=timeout_s,
                max_bytes=MAX_RESPONSE_BYTES,
                **more,
            )
        except http.NoResponseError as error:
            if not error.is_sent:
                raise RetryLaterError(NO_RESPONSE, detail=str(error)) from None
            raise _unknown_outcome(str(error)) from None


class VkClients:
    """Creates a VkClient for a key. Holds the HTTP client and the rate limiter of each key."""

    def __init__(
        self,
        open_client: OpenClient,
        *,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._open_client = open_client
        self._timing = _Timing(clock, sleep, jitter)
        self._http_client: httpx.AsyncClient | None = None
        self._rate_limiters: dict[bytes, RateLimiter] = {}

    def for_key(
        self, connection: Connection, access_key: str, lang: str = DEFAULT_LANG
    ) -> VkClient:
        """Return a client for the access key of a community.

        `lang`: the shop's locale, in which VK writes names, texts and prices.
        Connection settings that are used: api_url, timeout_s.
        """
        settings = connection.settings
        if self._http_client is None:
            self._http_client = self._open_client(None)
        return VkClient(
            self._http_client,
            settings.get("api_url", API_URL),
            access_key,
            float(settings.get("timeout_s", TIMEOUT_S)),
            self._rate_limiter(access_key),
            self._timing,
            lang,
        )

    async def close(self) -> None:
        """Close the HTTP client. A later client would open a new one."""
        opened, self._http_client = self._http_client, None
        if opened is not None:
            await opened.aclose()

    def _rate_limiter(self, access_key: str) -> RateLimiter:
        key_hash = hashlib.sha256(access_key.encode()).digest()
        if key_hash not in self._rate_limiters:
            if len(self._rate_limiters) >= MAX_RATE_LIMITERS:
                self._rate_limiters = {
                    h: p for h, p in self._rate_limiters.items() if not p.is_idle
                }
            self._rate_limiters[key_hash] = RateLimiter(COMMUNITY_CALLS_PER_S, self._timing.clock)
        return self._rate_limiters[key_hash]


def _can_retry_now(method: str, error: VkError) -> bool:
    """Return whether an immediate retry is useful and cannot perform the action twice."""
    if not isinstance(error, RetryLaterError) or error.code not in FAST_RETRY_CODES:
        return False
    return (
        not (error.is_outcome_unknown and method in NOT_IDEMPOTENT)
        and error.retry_after_s <= SHORT_DELAY_S
    )


def _min_retry_delay_s(error: VkError) -> float:
    """Return the least delay before a retry, in seconds: 1 after code 6 (too many per second)."""
    return 1.0 if error.code == TOO_MANY_REQUESTS else 0.0


def _read_response(method: str, response: http.HttpResponse) -> Any:
    """Return the `response` of VK's JSON. Raises VkError. VK sends its errors with status 200."""
    if response.status >= 500 or response.status == 429:
        raise _unknown_outcome(f"HTTP {response.status}", response.retry_after)
    body = _decode_object(response.body)
    if isinstance(error := body.get("error"), dict):
        raise error_from_object(method, error)
    if response.status != 200 or "response" not in body:
        raise _unknown_outcome(f"HTTP {response.status}, unreadable answer")
    return body["response"]


def error_from_object(method: str, error: Mapping[str, Any]) -> VkError:
    """Return the exception for VK's `error` object.

    Also takes the error of one recipient inside a response, with fields `code` and `description`.
    """
    code = error.get("error_code", error.get("code"))
    if type(code) is not int:
        return _unknown_outcome("unreadable error")
    subcode = error.get("error_subcode")
    detail = error.get("error_msg", error.get("description"))
    return error_for_code(
        method,
        code,
        subcode if type(subcode) is int else None,
        detail if isinstance(detail, str) else "",
    )


def unreadable_response(expected: str) -> RetryLaterError:
    """Return the error for a response of unexpected shape. `expected`: its shape in words."""
    return _unknown_outcome(f"unreadable answer: {expected}")


def _unknown_outcome(detail: str, retry_after: str = "") -> RetryLaterError:
    retry_after_s = (
        float(retry_after) if retry_after.isascii() and retry_after.isdigit() else SHORT_DELAY_S
    )
    delay_s = min(max(retry_after_s, SHORT_DELAY_S), MAX_RETRY_AFTER_S)
    return RetryLaterError(
        NO_RESPONSE, detail=detail, is_outcome_unknown=True, retry_after_s=delay_s
    )


def _decode_object(body: bytes) -> dict[str, Any]:
    try:
        decoded = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise unreadable_response("JSON") from None
    if not isinstance(decoded, dict):
        raise unreadable_response("an object")
    return decoded
