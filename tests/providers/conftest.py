"""The stages on which every adapter plays the same contract."""

from collections.abc import AsyncIterator

import httpx
import pytest

from sigma.providers.base import Access
from sigma.providers.registry import close_providers, open_providers
from sigma_sandbox.app import Sandbox
from tests.providers.stage import Stage
from tests.providers.yookassa_stage import YooKassaStage


@pytest.fixture(scope="session")
async def stages(sandbox: Sandbox) -> AsyncIterator[dict[str, Stage]]:
    """A stage for each adapter. A new adapter gets its line here."""
    providers = open_providers()
    async with httpx.AsyncClient(timeout=5) as http:
        yield {
            "yookassa": YooKassaStage(providers["yookassa"], sandbox.base_url, http),
        }
    await close_providers(providers)


@pytest.fixture(params=sorted(open_providers()))
def stage(request: pytest.FixtureRequest, stages: dict[str, Stage]) -> Stage:
    """Every adapter in the registry has a stage, or this fails."""
    return stages[request.param]


@pytest.fixture
def access(stage: Stage) -> Access:
    """A fresh account."""
    return stage.access()
