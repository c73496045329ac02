"""Fixtures for all tests: a fresh database of either kind, the sandbox, the browser."""

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

# No deadline: on a shared machine the duration of one example says nothing about Sigma.
hypothesis.settings.register_profile("sigma", deadline=None)
hypothesis.settings.load_profile("sigma")

CHROMIUM_FLAGS = [
    "--no-sandbox",  # Chromium does not start as root with its sandbox
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL server for the whole run; each pytest-xdist worker has its own."""
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    """Name of a migrated PostgreSQL database that tests copy."""
    from sigma.store.schema.migrate import upgrade

    run_sql(postgres_url, "CREATE DATABASE template_sigma")
    upgrade(with_database(postgres_url, "template_sigma"))
    return "template_sigma"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a migrated SQLite file that tests copy."""
    from sigma.store.schema.migrate import upgrade

    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def database_names() -> Iterator[str]:
    """Unique names of test databases on this PostgreSQL server."""
    return (f"test_{number}" for number in itertools.count(1))


@pytest.fixture
def sqlite_database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """URL of a fresh, migrated SQLite database."""
    path = tmp_path / "sigma.db"
    for part in sqlite_template.parent.glob("template.db*"):  # also copies the -wal and -shm files
        shutil.copy(part, path.with_name(part.name.replace("template", "sigma")))
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_database_url(
    postgres_url: str, postgres_template: str, database_names: Iterator[str]
) -> Iterator[str]:
    """URL of a fresh, migrated PostgreSQL database, dropped after the test."""
    name = next(database_names)
    # Copying the files takes a third of the time of the default strategy, which logs every page.
    copy = f"CREATE DATABASE {name} TEMPLATE {postgres_template} STRATEGY FILE_COPY"
    run_sql(postgres_url, copy)
    yield with_database(postgres_url, name)
    run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests marked `both_databases` on SQLite and PostgreSQL, the others on SQLite.

    Marked are the tests whose subject differs between the databases: locks and races, jobs,
    lists, search, crashes.
    """
    if "database_url" in metafunc.fixturenames:
        both = metafunc.definition.get_closest_marker("both_databases") is not None
        kinds = ["sqlite", "postgresql"] if both else ["sqlite"]
        metafunc.parametrize("database_url", kinds, indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of a fresh, migrated database of the kind chosen by `pytest_generate_tests`."""
    kind = {"sqlite": "sqlite_database_url", "postgresql": "postgres_database_url"}
    return str(request.getfixturevalue(kind[request.param]))


@pytest.fixture(scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    """The sandbox (bank, VK, mailbox) for the whole run, on free ports, without persistence."""
    async with start_sandbox() as running:
        yield running


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Path of Chromium. Browser tests are never skipped: without Chromium they fail."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.fail("no Chromium: run 'make setup' or 'apt-get install chromium fonts-dejavu-core'")


@pytest.fixture(scope="session")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    """One Chromium for the whole run; each test opens its own `browser.new_context(...)`."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=chromium_path, headless=True, args=CHROMIUM_FLAGS
        )
        yield chromium
        await chromium.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report which VK checks ran: the official schema is not part of the repository."""
    checks = "vkbottle-types"
    if vk_schema.HAS_SCHEMA:
        checks += " and the official schema"
    else:
        checks += f" only; no official schema in {vk_schema.SCHEMA_DIR}"
    terminalreporter.write_line(f"VK requests and responses are checked by {checks}")
