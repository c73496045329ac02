"""`sigma doctor`: check the installation and print how to repair each problem."""

import asyncio
from urllib.parse import urlsplit

import asyncpg
import click

from sigma.channels.vk import groups
from sigma.channels.vk.errors import RetryLaterError, VkError
from sigma.cli.output import (
    departure_text,
    errors_as_messages,
    read_settings,
    t,
    terminal_translator,
)
from sigma.domain.errors import RefusedError
from sigma.domain.messaging.community import DELIVERY_OK
from sigma.domain.urls import is_https_url
from sigma.logs import configure_for_command
from sigma.main import open_context, open_outbound
from sigma.outbound.guard import Outbound, log_failure
from sigma.outbound.urls import parse_smtp_url
from sigma.providers.base import RejectedError, UnknownOutcomeError, connection_access
from sigma.security_profile import (
    can_change_schema,
    list_departures,
    measure_public_tls,
)
from sigma.services.communities import event_subscription
from sigma.services.connection_secrets import decrypt_secret
from sigma.services.context import Context
from sigma.services.platform import health, key_rotation
from sigma.services.platform.key_rotation import KeyRole
from sigma.services.vk import community_client
from sigma.services.vk.community_client import CommunityClient
from sigma.settings import SettingError, Settings
from sigma.store.accounts import shops as shop_rows
from sigma.store.billing import connections
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import UnreachableError
from sigma.store.messaging import communities
from sigma.store.postgres_tls import unverified_host
from sigma.store.schema import migrate as migrations

CheckResult = tuple[str, bool, str]  # name of the check, whether it passed, result text


@click.command(help=t("cli.doctor"))
@click.option("--level2", is_flag=True, help=t("cli.doctor_level2_option"))
def doctor(*, level2: bool) -> None:
    """Print a table of checks. Exit code 1 when a check failed."""
    with errors_as_messages():
        loaded = read_settings()
    configure_for_command()
    results = [*_check_settings(loaded), *_check_database(loaded)]
    if all(passed for _, passed, _ in results):
        results += asyncio.run(_check_services(loaded))
    results += _check_database_tls(loaded)  # last: the other checks do not need it
    if level2 or loaded.is_level2:
        results += _check_profile(loaded)
        results += asyncio.run(_measure_profile(loaded))
    for name, passed, text in results:
        click.echo(f"{'ok ' if passed else '!! '} {name:<14} {text}")
    if not all(passed for _, passed, _ in results):
        raise SystemExit(1)


def _check_settings(loaded: Settings) -> list[CheckResult]:
    try:
        count = len(loaded.secret_keys)
        secret: CheckResult = ("secret key", True, t("cli.doctor_secrets", n=count))
    except SettingError:
        secret = ("secret key", False, t("cli.setting_secret_missing"))
    parts = urlsplit(loaded.base_url)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    public = parts.scheme == "https" or local
    key = "cli.doctor_local" if local else "cli.doctor_address" if public else "cli.doctor_no_tls"
    results = [secret, ("base url", public, t(key, url=loaded.base_url))]
    # Sigma itself serves no TLS. A proxy that is not trusted hides the addresses of all clients.
    if is_https_url(loaded.base_url) and not loaded.trusted_proxies:
        results.append(("proxy", False, t("cli.doctor_no_proxies")))
    return results


def _check_database(loaded: Settings) -> list[CheckResult]:
    try:
        current = migrations.current_revision(loaded.database_url)
        if current != migrations.head_revision():
            return [("database", False, t("cli.not_migrated" if current else "cli.no_tables"))]
        drift = migrations.drift(loaded.database_url)
    except UnreachableError as error:
        return [("database", False, str(error))]
    text = "; ".join(drift) or t("cli.doctor_tables", version=current)
    return [("database", not drift, text)]


def _check_database_tls(loaded: Settings) -> list[CheckResult]:
    """Check that the certificate of a database server on another machine is verified."""
    host = unverified_host(loaded.database_url)
    return [("database tls", False, t("cli.doctor_database_tls", host=host))] if host else []


def _check_profile(loaded: Settings) -> list[CheckResult]:
    """Name every setting that departs from the configuration assessed against ASVS level 2."""
    departures = list_departures(loaded)
    if not departures:
        return [("level 2", True, t("cli.doctor_level2"))]
    return [("level 2", False, departure_text(one)) for one in departures]


async def _measure_profile(loaded: Settings) -> list[CheckResult]:
    """Check what the settings cannot say: TLS of the public address, rights in the database."""
    results: list[CheckResult] = []
    if is_https_url(loaded.base_url):
        try:
            text = await measure_public_tls(loaded.base_url, open_outbound(loaded))
            results.append(("public tls", True, text))
        except OSError as error:
            text = t("cli.doctor_public_tls", url=loaded.base_url, what=str(error))
            results.append(("public tls", False, text))
    if not loaded.is_sqlite:
        try:
            has_rights = await can_change_schema(loaded.database_url)
            key = "cli.doctor_database_rights" if has_rights else "cli.doctor_database_user"
            results.append(("database user", not has_rights, t(key)))
        except (OSError, ValueError, asyncpg.PostgresError) as error:
            results.append(("database user", False, type(error).__name__))
    return results


async def _check_services(loaded: Settings) -> list[CheckResult]:
    async with open_context(loaded) as ctx:
        state = await health.check_readiness(ctx)
        is_late = state["worker"] != "ok"
        results: list[CheckResult] = [
            _check_disk(ctx, state["database"]),
            ("worker", not is_late, t("cli.doctor_late" if is_late else "cli.doctor_worker")),
            await _check_mail(loaded, ctx.outbound),
            await _check_encryption(ctx),
        ]
        return [*results, *await _check_acquirers(ctx), *await _check_communities(ctx)]


def _check_disk(ctx: Context, database_state: str) -> CheckResult:
    """Check that writes reach the disk, and that a SQLite file has room to grow."""
    if database_state != "ok":
        return ("disk", False, t("cli.doctor_not_writable"))
    if health.is_disk_almost_full(ctx):
        return ("disk", False, t("cli.doctor_low_disk"))
    return ("disk", True, t("cli.doctor_writable"))


async def _check_encryption(ctx: Context) -> CheckResult:
    """Check that SIGMA_SECRET_KEY contains every key that stored rows need."""
    usages = await key_rotation.list_usages(ctx)
    missing = [usage for usage in usages if usage.role in (KeyRole.MISSING, KeyRole.UNKNOWN)]
    if missing:
        keys = ", ".join(usage.key_id or "?" for usage in missing)
        count = sum(usage.row_count for usage in missing)
        return ("encryption", False, t("cli.doctor_key_missing", keys=keys, count=count))
    old_count = sum(usage.row_count for usage in usages if usage.role is KeyRole.OLD)
    if old_count:
        return ("encryption", True, t("cli.doctor_key_old", count=old_count))
    return ("encryption", True, t("cli.doctor_key", key=ctx.cipher.current_key_id))


async def _check_mail(loaded: Settings, outbound: Outbound) -> CheckResult:
    if not loaded.smtp_url:
        return ("mail", False, t("cli.doctor_no_smtp"))
    server = parse_smtp_url(loaded.smtp_url)
    address = f"{server.host}:{server.port}"
    own_outbound = outbound.exempting(loaded.smtp_url)
    try:
        sock = await own_outbound.connect(
            server.host, server.port, server.scheme, is_encrypted=server.is_encrypted
        )
    except OSError as error:
        log_failure(server.host, server.port, error, str(error))
        return ("mail", False, t("cli.doctor_smtp_away", address=address))
    sock.close()
    return ("mail", True, address)


async def _check_acquirers(ctx: Context) -> list[CheckResult]:
    """Check the credentials of every connection of the first shop at its acquirer."""
    async with ctx.db.read() as tx:
        shop = await shop_rows.oldest(tx)
        rows = await connections.list_for_shop(tx, shop.id) if shop else []
    results: list[CheckResult] = []
    for connection in rows:
        provider = ctx.providers[connection.provider]
        try:
            secret = decrypt_secret(ctx.cipher, connection)
            account = await provider.describe_account(
                connection_access(provider, connection, secret)
            )
            results.append((connection.provider, True, account))
        except DecryptionError as error:
            text = t("cli.value_unreadable", key=error.key_id or "?")
            results.append((connection.provider, False, text))
        except (RejectedError, UnknownOutcomeError, RefusedError) as error:
            results.append((connection.provider, False, t("cli.doctor_acquirer", what=str(error))))
    return results or [("acquirer", False, t("cli.doctor_no_acquirer"))]


async def _check_communities(ctx: Context) -> list[CheckResult]:
    """Check the access key and the event delivery of every community of the first shop."""
    async with ctx.db.read() as tx:
        shop = await shop_rows.oldest(tx)
        rows = await communities.list_for_shop(tx, shop.id) if shop else []
    return [await _check_community(ctx, one.id) for one in rows]


async def _check_community(ctx: Context, community_id: str) -> CheckResult:
    client = await _open_client(ctx, community_id)
    if client is None:
        return ("vk", False, t("cli.doctor_vk_sealed"))
    name, error_code = client.community.name, client.community.error_code
    try:
        await groups.fetch_permissions(client.api)
        state = await event_subscription.fetch_state(ctx, client)
    except RetryLaterError:
        return ("vk", False, t("cli.doctor_vk_silent", name=name))
    except VkError as error:
        error_code, state = str(error.code), ""
    if error_code:
        key = f"vk.error_{error_code}"
        problem = t(key) if terminal_translator().has(key) else t("vk.error_other", code=error_code)
        return ("vk", False, t("cli.doctor_vk_trouble", name=name, what=problem))
    is_ok = state == DELIVERY_OK
    return ("vk", is_ok, t("cli.doctor_vk" if is_ok else "cli.doctor_vk_deaf", name=name))


async def _open_client(ctx: Context, community_id: str) -> CommunityClient | None:
    try:
        return await community_client.open_client(ctx, community_id)
    except DecryptionError:
        return None
