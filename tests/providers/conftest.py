"""Fixtures of the provider contract tests: every adapter runs the same tests in its harness."""

from collections.abc import AsyncIterator

import httpx
import pytest

from sigma.providers.base import ConnectionAccess
from sigma.providers.registry import close_providers, open_providers
from sigma_sandbox.app import Sandbox
from tests.outbound.local import open_local_client
from tests.providers.harness import ProviderHarness
from tests.providers.yookassa_harness import YooKassaHarness


@pytest.fixture(scope="session")
async def harnesses(sandbox: Sandbox) -> AsyncIterator[dict[str, ProviderHarness]]:
    """One harness for each adapter. Add new adapters here."""
    providers = open_providers(open_local_client)
    async with httpx.AsyncClient(timeout=5) as http:
        yield {
            "yookassa": YooKassaHarness(providers["yookassa"], sandbox.base_url, http),
        }
    await close_providers(providers)


@pytest.fixture(params=sorted(open_providers(open_local_client)))
def harness(
    request: pytest.FixtureRequest, harnesses: dict[str, ProviderHarness]
) -> ProviderHarness:
    """The harness of each adapter in the registry; fails for an adapter without one."""
    return harnesses[request.param]


@pytest.fixture
def access(harness: ProviderHarness) -> ConnectionAccess:
    """Access to a fresh account."""
    return harness.access()
