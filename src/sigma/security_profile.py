"""Where settings depart from the configuration that is assessed against OWASP ASVS level 2.

docs/security/assessed-configuration.md describes it, with the duties that no program can check.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg

from sigma.outbound.guard import Outbound
from sigma.outbound.handshake import measure_tls
from sigma.outbound.policy import HTTPS_PORT
from sigma.outbound.urls import parse_smtp_url
from sigma.settings import Settings
from sigma.store.postgres_tls import tls_options, unverified_host

TIMEOUT_S = 10.0

# Whether the user can do more than read and write rows.
_CAN_CHANGE_SCHEMA = """
    SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls
        OR has_schema_privilege(current_user, 'public', 'CREATE')
        OR EXISTS (SELECT FROM pg_tables WHERE tableowner = current_user)
    FROM pg_roles WHERE rolname = current_user
"""


@dataclass(frozen=True, slots=True)
class Departure:
    """A setting that is not as level 2 needs it. The text is `cli.level2_<code>`."""

    setting: str
    code: str


def list_departures(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[Departure]:
    """Return every departure of the settings; empty in the assessed configuration.

    `environ`: the variables of libpq, which also decide how PostgreSQL is connected to.
    """
    return [*_web(settings), *_outbound(settings), *_database(settings, environ)] + [
        Departure(name, "exposed_secret") for name in settings.exposed_secrets
    ]


def _web(settings: Settings) -> Iterator[Departure]:
    if urlsplit(settings.base_url).scheme != "https":
        yield Departure("SIGMA_BASE_URL", "http")
    if settings.hsts not in ("subdomains", "preload"):
        yield Departure("SIGMA_HSTS", "hsts")
    if not settings.tls_certificate:
        yield Departure("SIGMA_TLS_CERTIFICATE", "no_certificate")
    if not settings.is_second_factor_required:
        yield Departure("SIGMA_SECOND_FACTOR", "second_factor")
    if settings.log_addresses != "all":
        yield Departure("SIGMA_LOG_ADDRESSES", "log_addresses")
    if settings.log_format != "json":
        yield Departure("SIGMA_LOG_FORMAT", "log_format")


def _outbound(settings: Settings) -> Iterator[Departure]:
    if not settings.outbound_hosts:
        yield Departure("SIGMA_OUTBOUND_HOSTS", "no_hosts")
    for name, url in (
        ("SIGMA_VK_API_URL", settings.vk_api_url),
        ("SIGMA_VK_SITE_URL", settings.vk_site_url),
    ):
        if urlsplit(url).scheme != "https":
            yield Departure(name, "http")
    if not settings.smtp_url:
        yield Departure("SIGMA_SMTP_URL", "no_mail")  # notices about access would reach nobody
    elif not parse_smtp_url(settings.smtp_url).is_encrypted:
        yield Departure("SIGMA_SMTP_URL", "plain_mail")


def _database(settings: Settings, environ: Mapping[str, str]) -> Iterator[Departure]:
    if settings.is_sqlite:
        return
    if unverified_host(settings.database_url, environ):
        yield Departure("SIGMA_DATABASE_URL", "unverified_database")
    parts = urlsplit(settings.database_url)
    has_password = ":" in parts.netloc.rpartition("@")[0] or "password=" in parts.query
    if has_password or environ.get("PGPASSWORD"):
        yield Departure("SIGMA_DATABASE_URL", "database_password")


async def measure_public_tls(base_url: str, outbound: Outbound) -> str:
    """Connect to the public address as a client does; return version and cipher suite of TLS.

    Raises OSError: the address does not answer, or its certificate is not trusted.
    """
    parts = urlsplit(base_url)
    return await measure_tls(
        outbound.exempting(base_url), parts.hostname or "", parts.port or HTTPS_PORT
    )


async def can_change_schema(database_url: str) -> bool:
    """Return whether the user of a PostgreSQL URL may change tables or roles.

    Raises OSError, ValueError or asyncpg.PostgresError when it cannot be asked.
    """
    options = tls_options(database_url)
    connection = await asyncpg.connect(database_url, timeout=TIMEOUT_S, **options)
    try:
        return bool(await connection.fetchval(_CAN_CHANGE_SCHEMA))
    finally:
        await connection.close()
