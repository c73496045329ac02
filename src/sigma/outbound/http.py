"""HTTP requests through the guard: no redirects, no cookies, a deadline, a size limit.

Two private names of httpx and httpcore are used, `AsyncHTTPTransport._pool` and `AnyIOStream`:
httpx has no parameter for the network backend. `tests/outbound` opens real connections and fails
when a new version renames them.
"""

import asyncio
import http.cookiejar
import socket
import typing
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.abc
import httpcore
import httpx
from httpcore._backends.anyio import AnyIOStream

from sigma.outbound.addresses import normalize_host
from sigma.outbound.guard import CONNECT_TIMEOUT_S, Outbound, log_failure
from sigma.outbound.policy import DeniedError
from sigma.outbound.urls import InvalidUrlError, parse_url

USER_AGENT = "Sigma"
MAX_CONNECTIONS, MAX_IDLE_CONNECTIONS, IDLE_S = 100, 20, 30  # of one client and scheme


class NoResponseError(Exception):
    """No usable response. The text is the same for every reason, because a form may show it: it
    must not tell what runs in the network. The reason is in the log.

    `is_sent`: the request may have been carried out.
    """

    def __init__(self, *, is_sent: bool) -> None:
        super().__init__("no answer")
        self.is_sent = is_sent


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole response. `retry_after` is the header as received, "" without one."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str = ""


def open_client(outbound: Outbound, ca_certificates: str | None = None) -> httpx.AsyncClient:
    """Return an HTTP client without cookies and redirects. Several connections of shops share it,
    so it keeps no state of any of them.

    With `ca_certificates` (PEM) only these are trusted. The TLS context is built at the first
    https request. Proxies and passwords of the environment are ignored.
    """
    no_cookies = http.cookiejar.DefaultCookiePolicy(allowed_domains=[])
    return httpx.AsyncClient(
        mounts={
            "https://": _GuardedTransport(outbound, "https", ca_certificates),
            "http://": _GuardedTransport(outbound, "http", None),
        },
        transport=_NoTransport(),
        cookies=http.cookiejar.CookieJar(no_cookies),
        # Uncompressed: a small compressed body may unpack to any size.
        headers={
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        },
        follow_redirects=False,
        trust_env=False,
    )


async def send(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    timeout_s: float,
    max_bytes: int,
    **more: Any,
) -> HttpResponse:
    """Send a request and read the whole response within `timeout_s`. Raises NoResponseError.

    `more`: headers, params, content, data, files of httpx.
    """
    timeout = httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))
    try:
        parsed = parse_url(url, "https", "http")
    except InvalidUrlError as error:
        log_failure("", 0, error)
        raise NoResponseError(is_sent=False) from None
    try:
        async with asyncio.timeout(timeout_s):  # httpx limits single reads only
            async with client.stream(
                method, url, timeout=timeout, follow_redirects=False, **more
            ) as response:
                body = await _read(response, max_bytes)
                retry_after = response.headers.get("retry-after", "")
                return HttpResponse(response.status_code, body, retry_after)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        log_failure(parsed.host, parsed.port, error, str(error))  # nothing has been sent yet
        raise NoResponseError(is_sent=False) from None
    except (
        httpx.HTTPError,
        httpx.InvalidURL,
        OSError,
        ValueError,
        _UnreadableError,
    ) as error:
        log_failure(parsed.host, parsed.port, error)
        raise NoResponseError(is_sent=not isinstance(error, httpx.InvalidURL)) from None


class _UnreadableError(Exception):
    """The body is too large, or compressed although that was not accepted."""


async def _read(response: httpx.Response, max_bytes: int) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise _UnreadableError("compressed")
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > max_bytes:
            raise _UnreadableError("too large")
    return bytes(body)


class _NoTransport(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.UnsupportedProtocol("only https and http", request=request)


class _GuardedTransport(httpx.AsyncBaseTransport):
    """Sends requests of one scheme. Its connection pools are opened at the first request."""

    def __init__(self, outbound: Outbound, scheme: str, ca_certificates: str | None) -> None:
        self._outbound = outbound
        self._scheme = scheme
        self._ca_certificates = ca_certificates
        self._pools: dict[bool, httpx.AsyncHTTPTransport] = {}  # key: via the proxy

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        via_proxy = self._is_for_proxy(request)
        if via_proxy not in self._pools:
            pool = await self._open_pool(via_proxy)
            self._pools.setdefault(via_proxy, pool)  # another request may have been faster
        return await self._pools[via_proxy].handle_async_request(request)

    async def aclose(self) -> None:
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()

    def _is_for_proxy(self, request: httpx.Request) -> bool:
        """Return whether a request goes via the proxy: https to a host that is not exempt.

        The proxy resolves the host, so only its text can be checked here. Raises
        httpx.ConnectError for a host that is not public.
        """
        if self._outbound.proxy is None or self._scheme != "https":
            return False
        policy, port = self._outbound.policy, request.url.port or 443
        try:
            host = normalize_host(request.url.host)
            if policy.is_exempt(host, port):
                return False
            policy.check_public(host, port, self._scheme, is_encrypted=True)
        except (ValueError, DeniedError) as error:
            raise httpx.ConnectError(f"denied: {error}", request=request) from error
        return True

    async def _open_pool(self, via_proxy: bool) -> httpx.AsyncHTTPTransport:
        if self._scheme == "https":
            try:
                context = await self._outbound.tls_context(self._ca_certificates)
            except OSError as error:  # unreadable certificates; ssl.SSLError is an OSError
                raise httpx.ConnectError("certificates") from error
        else:
            context = httpx.create_ssl_context(verify=False)
        transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False)
        proxy = self._outbound.proxy if via_proxy else None
        transport._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            proxy=httpcore.Proxy(proxy.origin) if proxy else None,
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_IDLE_CONNECTIONS,
            keepalive_expiry=IDLE_S,
            network_backend=_Backend(self._outbound, self._scheme, via_proxy),
        )
        return transport


class _Stream(AnyIOStream):
    """A connection that is also closed when the deadline passes during the TLS handshake."""

    async def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        try:
            return await super().start_tls(*args, **kwargs)
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await self.aclose()
            raise


class _Backend(httpcore.AsyncNetworkBackend):
    """Opens the connections of a pool through the guard."""

    def __init__(self, outbound: Outbound, scheme: str, via_proxy: bool) -> None:
        self._outbound = outbound
        self._scheme = scheme
        self._via_proxy = via_proxy

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore passes it
        local_address: str | None = None,
        socket_options: Iterable[typing.Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            sock = await self._connect(host, port, timeout)
            return _Stream(await anyio.abc.SocketStream.from_socket(sock))
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except OSError as error:
            # The pool drops the cause, so the text has all that the log needs.
            raise httpcore.ConnectError(f"{type(error).__name__}: {error}") from error

    async def _connect(self, host: str, port: int, timeout_s: float | None) -> socket.socket:
        if self._via_proxy:
            return await self._outbound.connect_to_proxy(timeout_s)
        return await self._outbound.connect(
            host, port, self._scheme, is_encrypted=self._scheme == "https", timeout_s=timeout_s
        )

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
