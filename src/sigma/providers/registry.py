"""The list of acquirer adapters."""

from collections.abc import Mapping

from sigma.providers.base import Provider
from sigma.providers.yookassa.adapter import HttpClientFactory, YooKassa


def open_providers(open_client: HttpClientFactory) -> dict[str, Provider]:
    """Return all adapters by name. Add a new adapter here.

    `open_client`: `sigma.outbound.http.open_client` with the guard of the process.
    """
    adapters: tuple[Provider, ...] = (YooKassa(open_client),)
    return {adapter.name: adapter for adapter in adapters}


async def close_providers(providers: Mapping[str, Provider]) -> None:
    """Close the HTTP clients of all adapters."""
    for provider in providers.values():
        await provider.aclose()
