"""The documented users of PostgreSQL: one changes tables, the service reads and writes rows."""

import re
import secrets
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from sigma.main import check_migrated
from sigma.security_profile import can_change_schema
from sigma.settings import Settings
from sigma.store.database import open_database
from sigma.store.engine.interface import Row
from sigma.store.engine.statements import text_statement
from sigma.store.installation_keys import PURPOSES, load_cipher, renew_keys
from sigma.store.schema import migrate
from tests.docs.markdown import read
from tests.postgres import run_sql, with_database

SELECT_KEYS = text_statement("SELECT purpose FROM installation_keys")
KEY = "m2VhK8s1QxTz7LpR4cNd9WbY3fGj6UaE"  # pragma: allowlist secret


def url_of(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}"))


async def test_documented_user_serves_and_cannot_change_tables(postgres_url: str) -> None:
    tag, password = secrets.token_hex(4), secrets.token_hex(8)
    (block,) = re.findall(
        r"```sql\n(.+?)```", read("docs/security/assessed-configuration.md"), re.DOTALL
    )
    # Roles belong to the whole server, and other tests use its user `sigma`.
    block = re.sub(r"\bsigma(_owner)?\b", rf"sigma\1_{tag}", block)
    name = f"rights_{tag}"
    run_sql(postgres_url, f"CREATE DATABASE {name}")
    url = with_database(postgres_url, name)
    try:
        run_sql(url, *(part for part in block.split(";") if part.strip()))
        for user in (f"sigma_{tag}", f"sigma_owner_{tag}"):
            run_sql(url, f"ALTER ROLE {user} PASSWORD '{password}'")
        owner_url = url_of(url, f"sigma_owner_{tag}", password)
        service_url = url_of(url, f"sigma_{tag}", password)
        migrate.upgrade(owner_url)
        check_migrated(Settings(database_url=service_url))
        assert not await can_change_schema(service_url)
        assert await can_change_schema(owner_url)
        assert await can_change_schema(url), "the superuser"
        await _use(service_url)
        connection = await asyncpg.connect(service_url)
        try:
            for statement in ("CREATE TABLE more (id int)", "DROP TABLE users", "CREATE ROLE more"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
        finally:
            await connection.close()
    finally:
        run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


async def _use(url: str) -> None:
    """Read and write rows as the service does."""
    database = await open_database(url, pool_size=1)
    try:
        cipher = await load_cipher(database, (KEY,), 1)
        await renew_keys(database, cipher, 2)
        await database.notify("jobs")
        async with database.read() as tx:
            rows: list[Row] = await tx.fetch_all(SELECT_KEYS)
        assert len(rows) == 2 * len(PURPOSES)
    finally:
        await database.close()
