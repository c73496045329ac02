"""Fixtures for browser tests: one demo for the run and folders for screenshots."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.demo import Demo, running_demo
from tests.browser.waiting import TIMEOUT_MS

expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="session")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """A running `sigma demo`, as `make demo` starts it."""
    async with running_demo(tmp_path_factory.mktemp("demo")) as started:
        yield started


@pytest.fixture(scope="session")
def screenshots_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder for the screenshots of all checked pages."""
    return tmp_path_factory.mktemp("screenshots")


@pytest.fixture(scope="session")
def docs_images_dir() -> Path | None:
    """Folder for documentation images: set by `make screenshots`, None in test runs."""
    folder = os.environ.get("DOCS_IMAGES")
    return Path(folder) if folder else None
