"""Composition root: build the context and the web application from the settings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from sigma.channels.email import Mailer, SmtpMailer
from sigma.channels.push.web_push import PushClient
from sigma.channels.telegram.client import TelegramClient
from sigma.channels.vk.client import VkClients
from sigma.domain.urls import is_https_url
from sigma.outbound.guard import Outbound
from sigma.outbound.http import open_client
from sigma.outbound.policy import Policy
from sigma.providers.registry import close_providers, open_providers
from sigma.security_profile import Departure, list_departures
from sigma.services.clock import clock
from sigma.services.context import Context, MailerFactory
from sigma.services.ids import IdGenerator
from sigma.settings import Settings
from sigma.store.database import open_database
from sigma.store.engine.sqlite import sqlite_path
from sigma.store.installation_keys import load_cipher
from sigma.store.private_files import create_private_dir, protect_dir
from sigma.store.schema import migrate
from sigma.web.app import WebApp, create_app
from sigma.web.config import WebConfig

CLOSE_TIMEOUT_S = 3.0  # for the statements that still run; a silent database ends no sooner


class NotMigratedError(Exception):
    """The database schema is not at this version's revision. `current` None: no tables at all."""

    def __init__(self, current: str | None, head: str | None) -> None:
        super().__init__(f"the database is at {current}, this version needs {head}")
        self.current = current
        self.head = head


def create_database_dir(settings: Settings) -> None:
    """Create the folder of a SQLite file; does nothing for PostgreSQL. Raises OSError.

    Only its owner can read it if it is new, or if it is the data folder of the settings.
    """
    if not settings.is_sqlite:
        return
    folder = sqlite_path(settings.database_url).parent
    if folder.absolute() == settings.data_dir.absolute():
        protect_dir(folder)
    else:
        create_private_dir(folder)


class ProfileError(Exception):
    """The installation departs from the configuration that its security profile demands."""

    def __init__(self, departures: list[Departure]) -> None:
        super().__init__(", ".join(one.code for one in departures))
        self.departures = departures


def require_profile(settings: Settings) -> None:
    """Raise ProfileError when the settings depart from the security profile that they name."""
    if settings.is_level2 and (departures := list_departures(settings)):
        raise ProfileError(departures)


def check_migrated(settings: Settings) -> None:
    """Require the security profile and the current schema revision.

    Raises ProfileError, NotMigratedError, UnreachableError.

    Blocks: call it before the event loop runs.
    """
    require_profile(settings)
    create_database_dir(settings)
    current, head = migrate.current_revision(settings.database_url), migrate.head_revision()
    if current != head:
        raise NotMigratedError(current, head)


@asynccontextmanager
async def open_context(settings: Settings) -> AsyncIterator[Context]:
    """Open the context that services need; close its connections when the block ends.

    Raises SettingError without a secret key, UnreachableError without a database.
    """
    secret_keys = settings.secret_keys
    database = await open_database(settings.database_url, pool_size=settings.pool_size)
    outbound = open_outbound(settings)
    providers = open_providers(partial(open_client, outbound))
    vk = VkClients(partial(open_client, outbound.exempting(settings.vk_api_url)))
    push = PushClient(partial(open_client, outbound))
    telegram = TelegramClient(partial(open_client, outbound))
    try:
        cipher = await load_cipher(database, secret_keys, clock())
        yield Context(
            db=database,
            settings=settings,
            cipher=cipher,
            ids=IdGenerator(clock),
            providers=providers,
            mailer_factory=_mailers(settings, outbound),
            vk=vk,
            outbound=outbound,
            push=push,
            telegram=telegram,
        )
    finally:
        await vk.close()
        await push.close()
        await telegram.close()
        await close_providers(providers)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await database.close()


def open_outbound(settings: Settings) -> Outbound:
    """Return the guard of outgoing connections with the installation's exceptions."""
    policy = Policy(settings.exemptions, settings.outbound_hosts, must_encrypt=settings.is_level2)
    return Outbound(policy, proxy=settings.outbound_proxy)


def _mailers(settings: Settings, outbound: Outbound) -> MailerFactory:
    """Return a function that opens the shop's own mail server, else the server of the settings.

    The latter may be private: the administrator named it. A shop's own server may not be.
    """
    own_outbound = outbound.exempting(settings.smtp_url)

    def mailer(smtp_url: str) -> Mailer | None:
        if smtp_url:
            return SmtpMailer(smtp_url, outbound)
        return SmtpMailer(settings.smtp_url, own_outbound) if settings.smtp_url else None

    return mailer


def build_app(ctx: Context, settings: Settings) -> WebApp:
    """Create the web application with its part of the settings."""
    return create_app(
        ctx,
        WebConfig(
            trusted_proxies=settings.trusted_proxies,
            metrics_token=settings.metrics_token,
            secure=is_https_url(settings.base_url),
            hsts=settings.hsts,
            log_addresses=settings.log_addresses == "all",
            locale=settings.locale,
        ),
    )
