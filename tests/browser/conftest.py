"""What browser tests share: one demo for the run, and a folder of pictures."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.demo import Demo, running_demo
from tests.browser.windows import PATIENCE_MS

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """`sigma demo` as `make demo` starts it."""
    async with running_demo(tmp_path_factory.mktemp("demo")) as started:
        yield started


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every page that was looked at leaves its picture."""
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="session")
def shots() -> Path | None:
    """Where pictures for the documentation go: `make screenshots` names a folder, tests do not."""
    folder = os.environ.get("DOCS_IMAGES")
    return Path(folder) if folder else None
