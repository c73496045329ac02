"""Fixtures for store tests: databases with the small `engine_tables` or with Sigma's tables."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sigma.store.database import open_database
from sigma.store.engine.interface import Database
from tests.postgres import run_sql, with_database
from tests.store import engine_tables, factories


@pytest.fixture
def sqlite_engine_url(tmp_path: Path) -> str:
    """URL of a fresh SQLite database with the small tables."""
    return engine_tables.create_sqlite_tables(tmp_path / "engine.db")


@pytest.fixture(scope="session")
def engine_postgres_url(postgres_url: str) -> str:
    """URL of the one PostgreSQL database with the small tables."""
    run_sql(postgres_url, "CREATE DATABASE engine")
    url = with_database(postgres_url, "engine")
    engine_tables.create_postgres_tables(url)
    return url


@pytest.fixture
def postgres_engine_url(engine_postgres_url: str) -> Iterator[str]:
    """URL of that database; the tables are emptied after the test."""
    yield engine_postgres_url
    run_sql(engine_postgres_url, "TRUNCATE shops, requests")


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """An open database with the small tables; the test runs once on each kind."""
    name = {"sqlite": "sqlite_engine_url", "postgresql": "postgres_engine_url"}[request.param]
    async with engine_tables.open_engine(request.getfixturevalue(name)) as opened:
        yield opened


@pytest.fixture
async def sigma_db(database_url: str) -> AsyncIterator[Database]:
    """An open database with Sigma's empty tables; the test runs once on each kind."""
    opened = await open_database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def db_with_shop(sigma_db: Database) -> Database:
    """The same with one shop and one connection."""
    await factories.insert_rows(sigma_db, factories.SHOP, factories.CONNECTION)
    return sigma_db
