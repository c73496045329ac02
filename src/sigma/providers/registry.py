"""Every acquirer there is, by name, and the HTTP client that they are given."""

import http.cookiejar
import ssl
from collections.abc import Mapping

import httpx

from sigma.providers.base import Provider
from sigma.providers.yookassa.adapter import OpenClient, YooKassa

USER_AGENT = "Sigma"
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=30)


def open_client(ca_bundle: str | None) -> httpx.AsyncClient:
    """A client that keeps nothing from one connection for another: no cookies, no redirects.

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


def open_providers(open_client: OpenClient = open_client) -> dict[str, Provider]:
    """All adapters by name. A new one gets its line here."""
    adapters: tuple[Provider, ...] = (YooKassa(open_client),)
    return {adapter.name: adapter for adapter in adapters}


async def close_providers(providers: Mapping[str, Provider]) -> None:
    """Close their HTTP clients."""
    for provider in providers.values():
        await provider.aclose()
