"""The list of acquirer adapters and the HTTP client that they use."""

import http.cookiejar
import ssl
from collections.abc import Mapping

import httpx

from sigma.providers.base import Provider
from sigma.providers.yookassa.adapter import HttpClientFactory, YooKassa

USER_AGENT = "Sigma"
POOL_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30)


def open_http_client(ca_bundle: str | None) -> httpx.AsyncClient:
    """Return an HTTP client without cookies and redirects: connections share it, so it keeps no
    state of any of them.

    With `ca_bundle` (path of a PEM file) only its authorities are trusted. Raises OSError when the
    file cannot be read.
    """
    no_cookies = http.cookiejar.DefaultCookiePolicy(allowed_domains=[])
    return httpx.AsyncClient(
        verify=ssl.create_default_context(cafile=ca_bundle) if ca_bundle else True,
        cookies=http.cookiejar.CookieJar(no_cookies),
        limits=POOL_LIMITS,
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        follow_redirects=False,
    )


def open_providers(open_client: HttpClientFactory = open_http_client) -> dict[str, Provider]:
    """Return all adapters by name. Add a new adapter here."""
    adapters: tuple[Provider, ...] = (YooKassa(open_client),)
    return {adapter.name: adapter for adapter in adapters}


async def close_providers(providers: Mapping[str, Provider]) -> None:
    """Close the HTTP clients of all adapters."""
    for provider in providers.values():
        await provider.aclose()
