"""What tests of the web share: one sandbox for the run, a small world for each test."""

from collections.abc import AsyncIterator

import pytest

from sigma.services.context import Context
from sigma_sandbox.app import Sandbox, start_sandbox
from tests.vk_world import VkWorld, open_vk_world
from tests.web.api_stage import Program, open_program
from tests.web.cabinet_stage import Browser, empty_house, open_browser
from tests.world import World, open_world


@pytest.fixture(scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox on free ports with nothing kept."""
    async with start_sandbox() as running:
        yield running


@pytest.fixture
async def world(sqlite_database_url: str, sandbox: Sandbox) -> AsyncIterator[World]:
    """A shop with its bank. Services are tried on both databases elsewhere."""
    async with open_world(sqlite_database_url, sandbox) as opened:
        yield opened


@pytest.fixture
async def stranger(world: World) -> AsyncIterator[Browser]:
    """A browser at the cabinet of the world, not signed in."""
    async with open_browser(world.ctx) as browser:
        yield browser


@pytest.fixture
async def owner(world: World, stranger: Browser) -> Browser:
    """A browser in which the owner signed in."""
    await stranger.sign_in("owner@example.org", world.password)
    return stranger


@pytest.fixture
async def empty(sqlite_database_url: str) -> AsyncIterator[Context]:
    """Sigma just installed."""
    async with empty_house(sqlite_database_url) as ctx:
        yield ctx


@pytest.fixture
async def first(empty: Context) -> AsyncIterator[Browser]:
    """The first browser that ever comes."""
    async with open_browser(empty) as browser:
        yield browser


@pytest.fixture
async def program(world: World) -> AsyncIterator[Program]:
    """A program of the world's shop at the API."""
    async with open_program(world) as opened:
        yield opened


@pytest.fixture
async def vk(sqlite_database_url: str, sandbox: Sandbox) -> AsyncIterator[VkWorld]:
    """A shop that talks through a community of VK."""
    async with open_vk_world(sqlite_database_url, sandbox) as opened:
        yield opened


@pytest.fixture
async def answerer(vk: VkWorld) -> AsyncIterator[Browser]:
    """A browser in which the owner of that shop signed in."""
    async with open_browser(vk.ctx) as browser:
        await browser.sign_in("owner@example.org", vk.password)
        yield browser
