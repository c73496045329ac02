"""Databases with the small tables of `engine`, for the tests of the database engine itself, and
with Sigma's own.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sigma.store.database import Database, open_database
from tests.postgres import run_sql, with_database
from tests.store import engine, nouns


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return engine.make_sqlite(tmp_path / "engine.db")


@pytest.fixture(scope="session")
def engine_postgres(postgres_url: str) -> str:
    run_sql(postgres_url, "CREATE DATABASE engine")
    url = with_database(postgres_url, "engine")
    engine.make_postgres(url)
    return url


@pytest.fixture
def pg_url(engine_postgres: str) -> Iterator[str]:
    yield engine_postgres
    run_sql(engine_postgres, "TRUNCATE shops, requests")


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    name = {"sqlite": "sqlite_url", "postgresql": "pg_url"}[request.param]
    async with engine.opened(request.getfixturevalue(name)) as opened:
        yield opened


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[Database]:
    """Sigma's own tables, empty, on each kind of database."""
    opened = await open_database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def shop_db(house: Database) -> Database:
    """With a shop and a connection in it."""
    await nouns.save(house, nouns.SHOP, nouns.CONNECTION)
    return house
