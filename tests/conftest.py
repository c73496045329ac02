"""What all tests share: a fresh database of either kind, the sandbox, and the browser."""

import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest
from playwright.async_api import Browser, async_playwright

from sigma_sandbox.app import Sandbox, start_sandbox
from tests import vk_schema
from tests.postgres import postgres_server, run_sql, with_database

# The machine is shared: how long one example takes says nothing about Sigma.
hypothesis.settings.register_profile("sigma", deadline=None)
hypothesis.settings.load_profile("sigma")

CHROMIUM_FLAGS = [
    "--no-sandbox",  # as root Chromium has no other way
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server for the whole run (each worker has its own)."""
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    """The name of a database with all migrations applied, to be copied."""
    from sigma.store.schema.migrate import upgrade

    run_sql(postgres_url, "CREATE DATABASE template_sigma")
    upgrade(with_database(postgres_url, "template_sigma"))
    return "template_sigma"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all migrations applied, to be copied."""
    from sigma.store.schema.migrate import upgrade

    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def database_names() -> Iterator[str]:
    return (f"test_{number}" for number in itertools.count(1))


@pytest.fixture
def sqlite_database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of a fresh SQLite database with all migrations applied."""
    path = tmp_path / "sigma.db"
    for part in sqlite_template.parent.glob("template.db*"):  # the log belongs to the file
        shutil.copy(part, path.with_name(part.name.replace("template", "sigma")))
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_database_url(
    postgres_url: str, postgres_template: str, database_names: Iterator[str]
) -> Iterator[str]:
    """The address of a fresh PostgreSQL database with all migrations applied."""
    name = next(database_names)
    run_sql(postgres_url, f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield with_database(postgres_url, name)
    run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database; the test runs once on each kind."""
    kind = {"sqlite": "sqlite_database_url", "postgresql": "postgres_database_url"}
    return str(request.getfixturevalue(kind[request.param]))


@pytest.fixture(scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    """The sandbox bank and mailbox for the whole run, on free ports with nothing kept."""
    async with start_sandbox() as running:
        yield running


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Where Chromium is; a browser test is never skipped, so without it the run fails."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.fail("no Chromium: run 'make setup' or 'apt-get install chromium fonts-dejavu-core'")


@pytest.fixture(scope="session")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    """One Chromium for the whole run; a test opens `await browser.new_context(...)` of its own."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=chromium_path, headless=True, args=CHROMIUM_FLAGS
        )
        yield chromium
        await chromium.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says by what VK was checked: the official schema is not part of the repository."""
    checks = "vkbottle-types"
    if vk_schema.PRESENT:
        checks += " and the official schema"
    else:
        checks += f" alone; no official schema in {vk_schema.FOLDER}"
    terminalreporter.write_line(f"VK requests and answers are checked by {checks}")
