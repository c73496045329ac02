"""VK API over HTTP: one key's calls, how fast they go, which are tried again, what answers mean.

Source: dev.vk.ru/ru/api/api-requests. The key goes in a header and never in an address; errors
carry a code and nothing of what was asked or answered.
"""

import asyncio
import hashlib
import http.cookiejar
import random
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from sigma.channels.vk.errors import NO_ANSWER, SOON_S, TOO_FAST, Later, VkError, refusal
from sigma.channels.vk.fields import encoded, public
from sigma.channels.vk.rate_limit import GROUP_PER_S, USER_PER_S, Clock, Pace
from sigma.domain.billing.connection import Connection

API_URL = "https://api.vk.ru"
VERSION = "5.199"
USER_AGENT = "Sigma"
TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 8_000_000
MAX_RETRY_AFTER_S = 3600.0
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30)

RETRIES = 3
FIRST_PAUSE_S = 0.3
QUICK = frozenset({NO_ANSWER, 1, TOO_FAST, 10})
MAX_WAIT_S = 20.0  # a row of calls longer than this goes back to whoever keeps them
MAX_PACES = 1000
# A second one would be a second thing: these are not tried again when the first may be done.
ONCE = frozenset({"groups.addCallbackServer", "market.add", "messages.sendMessageEventAnswer"})

_METHOD = re.compile(r"[a-z]{2,20}\.[A-Za-z]{2,60}", re.ASCII)

OpenClient = Callable[[str | None], httpx.AsyncClient]  # CA bundle's path → a client
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Heard:
    status: int
    body: bytes
    retry_after: str


@dataclass(frozen=True, slots=True)
class _Moments:
    clock: Clock
    sleep: Sleep
    jitter: Callable[[], float]  # 0…1


class Vk:
    """One key's line to VK. Made by Clients; cheap, so made for each piece of work."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        root: str,
        key: str,
        timeout_s: float,
        pace: Pace,
        moments: _Moments,
    ) -> None:
        self._http = http
        self.root = root.rstrip("/")
        self._key = key
        self._timeout_s = timeout_s
        self._pace = pace
        self._moments = moments

    async def call(self, method: str, **params: Any) -> Any:
        """Asks and returns VK's `response`. Raises Later, NeedsPerson, Final.

        None is left out, a list is joined by commas, a bool is 1 or 0, a dict is JSON. A short
        trouble is met by up to three more tries with the very same words.
        """
        assert _METHOD.fullmatch(method), method
        form = encoded({**params, "v": VERSION})
        started, failed, lost = self._moments.clock(), 0, False
        while True:
            try:
                return await self._once(method, form)
            except VkError as error:
                error.lost = lost = lost or error.lost
                spent = self._moments.clock() - started
                if failed == RETRIES or spent >= self._timeout_s or not _quick(method, error):
                    raise
                pause = max(FIRST_PAUSE_S * 2**failed, _asked_pause(error))
            failed += 1
            await self._moments.sleep(pause * (1 + self._moments.jitter() / 2))

    async def upload(self, url: str, field: str, data: bytes, name: str, media_type: str) -> str:
        """Gives a file to the address that VK named; returns the answer's text. Raises Later."""
        files = {field: (name, data, media_type)}
        heard = await self._ask("POST", self._named(url), self._timeout_s, files=files)
        if heard.status != 200:
            raise _lost(f"HTTP {heard.status}", heard.retry_after)
        try:
            return heard.body.decode()
        except UnicodeDecodeError:
            raise _lost("unreadable answer") from None

    async def listen(self, url: str, params: Mapping[str, str], timeout_s: float) -> dict[str, Any]:
        """Asks a long-poll address, which knows us by its own key. Raises Later."""
        heard = await self._ask("GET", self._named(url), timeout_s, params=params)
        if heard.status != 200:
            raise _lost(f"HTTP {heard.status}", heard.retry_after)
        return _object(heard.body)

    async def download(self, url: str) -> bytes:
        """A file that VK's answer names, such as a photo. Raises Later."""
        heard = await self._ask("GET", self._named(url), self._timeout_s)
        if heard.status != 200:
            raise _lost(f"HTTP {heard.status}", heard.retry_after)
        return heard.body

    def _named(self, url: str) -> str:
        """An address that VK's answer names: VK itself names no house of our own network."""
        if public(self.root) and not public(url):
            raise Later(NO_ANSWER, words="bad address")
        return url

    async def _once(self, method: str, form: Mapping[str, str]) -> Any:
        if (wait := self._pace.wait_s()) > MAX_WAIT_S:
            raise Later(TOO_FAST, words="our own row of calls", retry_after_s=wait)
        if wait := self._pace.take():
            await self._moments.sleep(wait)
        heard = await self._ask(
            "POST",
            f"{self.root}/method/{method}",
            self._timeout_s,
            data=form,
            headers={"Authorization": f"Bearer {self._key}"},
        )
        try:
            return _understood(method, heard)
        except VkError as error:
            error.words = error.words.replace(self._key, "…")  # whatever they quote
            raise

    async def _ask(self, verb: str, url: str, timeout_s: float, **more: Any) -> _Heard:
        if not _web(url):
            raise Later(NO_ANSWER, words="bad address")
        try:
            async with asyncio.timeout(timeout_s):  # httpx counts each read alone
                return await self._exchange(verb, url, timeout_s, **more)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as broken:
            raise Later(NO_ANSWER, words=f"no answer: {type(broken).__name__}") from None
        except TimeoutError:
            raise _lost("no answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as broken:
            raise _lost(f"no answer: {type(broken).__name__}") from None

    async def _exchange(self, verb: str, url: str, timeout_s: float, **more: Any) -> _Heard:
        timeout = httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))
        async with self._http.stream(verb, url, timeout=timeout, **more) as response:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MAX_ANSWER_BYTES:
                    raise _lost("unreadable answer: too large")
            retry_after = response.headers.get("retry-after", "")
            return _Heard(response.status_code, bytes(body), retry_after)


def open_client(ca_bundle: str | None) -> httpx.AsyncClient:
    """A client that keeps nothing of one community for another: no cookies, no redirects.

    With `ca_bundle` only its authorities are trusted. Raises OSError when it cannot be read.
    """
    no_cookies = http.cookiejar.DefaultCookiePolicy(allowed_domains=[])
    return httpx.AsyncClient(
        verify=ssl.create_default_context(cafile=ca_bundle) if ca_bundle else True,
        cookies=http.cookiejar.CookieJar(no_cookies),
        limits=LIMITS,
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        follow_redirects=False,
    )


class Clients:
    """What all keys share: the HTTP clients, and each key's pace."""

    def __init__(
        self,
        open_client: OpenClient = open_client,
        *,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._open_client = open_client
        self._moments = _Moments(clock, sleep, jitter)
        self._https: dict[str | None, httpx.AsyncClient] = {}
        self._paces: dict[bytes, Pace] = {}

    def of(self, connection: Connection, key: str, *, user: bool = False) -> Vk:
        """The line of a community's key, or of a person's with `user`, which may ask less often.

        Settings: api_url, timeout_s, ca_bundle.
        """
        settings = connection.settings
        ca_bundle = settings.get("ca_bundle")
        if ca_bundle not in self._https:
            self._https[ca_bundle] = self._open_client(ca_bundle)
        return Vk(
            self._https[ca_bundle],
            settings.get("api_url", API_URL),
            key,
            float(settings.get("timeout_s", TIMEOUT_S)),
            self._pace(key, USER_PER_S if user else GROUP_PER_S),
            self._moments,
        )

    async def close(self) -> None:
        """Close the HTTP clients; the next line would open new ones."""
        https, self._https = self._https, {}
        for client in https.values():
            await client.aclose()

    def _pace(self, key: str, per_second: int) -> Pace:
        name = hashlib.sha256(key.encode()).digest()
        if name not in self._paces:
            if len(self._paces) >= MAX_PACES:
                self._paces = {n: p for n, p in self._paces.items() if not p.idle}
            self._paces[name] = Pace(per_second, self._moments.clock)
        return self._paces[name]


def _quick(method: str, error: VkError) -> bool:
    """Whether another try at once is sensible, and cannot do the thing twice."""
    if not isinstance(error, Later) or error.code not in QUICK:
        return False
    return not (error.lost and method in ONCE) and error.retry_after_s <= SOON_S


def _asked_pause(error: VkError) -> float:
    """The wait that an error itself asks for: a second after "too many", else none."""
    return 1.0 if error.code == TOO_FAST else 0.0


def _understood(method: str, heard: _Heard) -> Any:
    """The answer's `response`. Raises VkError. VK's refusals come with 200."""
    if heard.status >= 500 or heard.status == 429:
        raise _lost(f"HTTP {heard.status}", heard.retry_after)
    said = _object(heard.body)
    if isinstance(error := said.get("error"), dict):
        raise said_no(method, error)
    if heard.status != 200 or "response" not in said:
        raise _lost(f"HTTP {heard.status}, unreadable answer")
    return said["response"]


def said_no(method: str, error: Mapping[str, Any]) -> VkError:
    """VK's `error` object, or a recipient's own inside an answer, as one of ours."""
    code = error.get("error_code", error.get("code"))
    if type(code) is not int:
        return _lost("unreadable error")
    subcode = error.get("error_subcode")
    words = error.get("error_msg", error.get("description"))
    return refusal(
        method,
        code,
        subcode if type(subcode) is int else None,
        words if isinstance(words, str) else "",
    )


def unreadable(what: str) -> Later:
    """An answer that has not the shape it must have."""
    return _lost(f"unreadable answer: {what}")


def _lost(words: str, retry_after: str = "") -> Later:
    seconds = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else SOON_S
    wait = min(max(seconds, SOON_S), MAX_RETRY_AFTER_S)
    return Later(NO_ANSWER, words=words, lost=True, retry_after_s=wait)


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise unreadable("JSON") from None
    if not isinstance(said, dict):
        raise unreadable("an object")
    return said


def _web(url: str) -> bool:
    """Whether it is an http(s) address; VK names some of them in its answers."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
