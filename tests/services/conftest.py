"""Fixtures for service tests: a world on each database."""

from collections.abc import AsyncIterator

import pytest

from sigma_sandbox.app import Sandbox
from tests.notification_ways import Ways, link_all
from tests.push_service import PushService, open_push_service
from tests.vk_world import VkWorld, open_vk_world
from tests.world import World, open_world


@pytest.fixture
async def world(database_url: str, sandbox: Sandbox) -> AsyncIterator[World]:
    """A shop with its bank; the test runs once on each database."""
    async with open_world(database_url, sandbox) as opened:
        yield opened


@pytest.fixture
async def two_stage_world(database_url: str, sandbox: Sandbox) -> AsyncIterator[World]:
    """A shop with two-stage payments: the bank holds the money until the shop captures it."""
    async with open_world(database_url, sandbox, connection={"two_stage": True}) as opened:
        yield opened


@pytest.fixture
async def vk_world(database_url: str, sandbox: Sandbox) -> AsyncIterator[VkWorld]:
    """A shop with a connected VK community; the test runs once on each database."""
    async with open_vk_world(database_url, sandbox) as opened:
        yield opened


@pytest.fixture
async def push_service() -> AsyncIterator[PushService]:
    """A push service on this machine."""
    async with open_push_service() as opened:
        yield opened


@pytest.fixture
async def ways(vk_world: VkWorld, push_service: PushService) -> Ways:
    """The owner gets everything by every way; only tests move the clock."""
    vk_world.clock.stop()
    return await link_all(vk_world, push_service)
