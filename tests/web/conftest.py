"""Fixtures for web tests: one sandbox for the run, a world on SQLite for each test."""

from collections.abc import AsyncIterator

import pytest

from sigma.services.context import Context
from sigma_sandbox.app import Sandbox, start_sandbox
from tests.vk_world import VkWorld, open_vk_world
from tests.web.api_harness import ApiClient, open_api_client
from tests.web.cabinet_harness import CabinetBrowser, open_browser, open_empty_installation
from tests.world import World, open_world


@pytest.fixture(scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    """The sandbox on free ports, without persistence."""
    async with start_sandbox() as running:
        yield running


@pytest.fixture
async def world(sqlite_database_url: str, sandbox: Sandbox) -> AsyncIterator[World]:
    """A shop with its bank, on SQLite only: service tests run on both databases."""
    async with open_world(sqlite_database_url, sandbox) as opened:
        yield opened


@pytest.fixture
async def anonymous_browser(world: World) -> AsyncIterator[CabinetBrowser]:
    """A browser at the world's cabinet, not signed in."""
    async with open_browser(world.ctx) as browser:
        yield browser


@pytest.fixture
async def owner_browser(world: World, anonymous_browser: CabinetBrowser) -> CabinetBrowser:
    """A browser at the world's cabinet, signed in as the owner."""
    await anonymous_browser.sign_in("owner@example.org", world.password)
    return anonymous_browser


@pytest.fixture
async def empty_installation(sqlite_database_url: str) -> AsyncIterator[Context]:
    """A context on an empty database, as after the installation."""
    async with open_empty_installation(sqlite_database_url) as ctx:
        yield ctx


@pytest.fixture
async def first_browser(empty_installation: Context) -> AsyncIterator[CabinetBrowser]:
    """The first browser at a new installation."""
    async with open_browser(empty_installation) as browser:
        yield browser


@pytest.fixture
async def api_client(world: World) -> AsyncIterator[ApiClient]:
    """An API client of the world's shop."""
    async with open_api_client(world) as opened:
        yield opened


@pytest.fixture
async def vk_world(sqlite_database_url: str, sandbox: Sandbox) -> AsyncIterator[VkWorld]:
    """A shop with a connected VK community."""
    async with open_vk_world(sqlite_database_url, sandbox) as opened:
        yield opened


@pytest.fixture
async def vk_owner_browser(vk_world: VkWorld) -> AsyncIterator[CabinetBrowser]:
    """A browser signed in as the owner of the shop with a VK community."""
    async with open_browser(vk_world.ctx) as browser:
        await browser.sign_in("owner@example.org", vk_world.password)
        yield browser
