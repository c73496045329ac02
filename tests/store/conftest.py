"""Databases with the small tables of `engine`, for the tests of the database engine itself."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sigma.store.db import Database
from tests.postgres import run_sql, with_database
from tests.store import engine


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
