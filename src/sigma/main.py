"""Puts Sigma together: settings become a database, seals, acquirers, mail, a web app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sigma.channels.email import Mailer, SmtpMailer
from sigma.channels.vk.client import Clients
from sigma.providers.registry import close_providers, open_providers
from sigma.services.context import Context, Ids, Mailers, clock
from sigma.settings import Settings
from sigma.store.database import open_database
from sigma.store.encryption import Sealer
from sigma.store.engine.sqlite import sqlite_path
from sigma.store.schema import migrate
from sigma.web.app import create_app
from sigma.web.config import Doors
from sigma.web.proxy_headers import Proxies


class NotMigrated(Exception):  # noqa: N818 - a word of ours
    """The database has not the tables of this version. `current` None: it is empty."""

    def __init__(self, current: str | None, head: str | None) -> None:
        super().__init__(f"the database is at {current}, this version needs {head}")
        self.current = current
        self.head = head


def make_place(settings: Settings) -> None:
    """Makes the folder of a SQLite file. Raises OSError."""
    if settings.sqlite:
        sqlite_path(settings.database_url).parent.mkdir(parents=True, exist_ok=True)


def check_migrated(settings: Settings) -> None:
    """Raises NotMigrated or Unreachable. Blocks: call it before the loop runs."""
    make_place(settings)
    current, head = migrate.current(settings.database_url), migrate.head()
    if current != head:
        raise NotMigrated(current, head)


@asynccontextmanager
async def open_context(settings: Settings) -> AsyncIterator[Context]:
    """Everything a service needs, closed when the block ends.

    Raises BadSetting without a secret key, Unreachable without a database.
    """
    sealer = Sealer(settings.secret_keys)
    database = await open_database(settings.database_url, pool_size=settings.pool_size)
    providers = open_providers()
    vk = Clients()
    try:
        yield Context(
            db=database,
            settings=settings,
            sealer=sealer,
            ids=Ids(clock),
            providers=providers,
            mailers=_mailers(settings),
            vk=vk,
        )
    finally:
        await vk.close()
        await close_providers(providers)
        await database.close()


def _mailers(settings: Settings) -> Mailers:
    """The shop's own mail server where it has one, else the server's."""

    def mailer(smtp_url: str) -> Mailer | None:
        url = smtp_url or settings.smtp_url
        return SmtpMailer(url) if url else None

    return mailer


def build_app(ctx: Context, settings: Settings) -> Proxies:
    """The web application with what the settings say about its doors."""
    return create_app(
        ctx,
        Doors(
            trusted_proxies=settings.trusted_proxies,
            metrics_token=settings.metrics_token,
            secure=settings.secure,
        ),
    )
