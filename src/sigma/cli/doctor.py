"""`sigma doctor`: looks at everything that is known to go wrong, and says what to do about it."""

import asyncio
import contextlib
from urllib.parse import urlsplit

import click

from sigma.channels.vk import groups
from sigma.channels.vk.errors import Later, VkError
from sigma.cli.output import plainly, settings, t, words
from sigma.domain.errors import Refused
from sigma.main import open_context
from sigma.providers.base import Rejected, Unknown, access_to
from sigma.services.communities import event_subscription
from sigma.services.context import Context
from sigma.services.platform import health
from sigma.services.vk import community_client
from sigma.services.vk.community_client import Line
from sigma.settings import BadSetting, Settings
from sigma.store.accounts import shops as shop_rows
from sigma.store.billing import connections
from sigma.store.encryption import Unsealable
from sigma.store.engine.interface import Unreachable
from sigma.store.messaging import communities
from sigma.store.schema import migrate as migrations

Finding = tuple[str, bool, str]  # what was looked at, whether it is well, what was found


@click.command(help=t("cli.doctor"))
def doctor() -> None:
    """Prints a table; exit code 1 when something is wrong."""
    with plainly():
        loaded = settings()
    found = [*_settings(loaded), *_database(loaded)]
    if all(well for _, well, _ in found):
        found += asyncio.run(_living(loaded))
    for name, well, what in found:
        click.echo(f"{'ok ' if well else '!! '} {name:<14} {what}")
    if not all(well for _, well, _ in found):
        raise SystemExit(1)


def _settings(loaded: Settings) -> list[Finding]:
    try:
        count = len(loaded.secret_keys)
        secret: Finding = ("secret key", True, t("cli.doctor_secrets", n=count))
    except BadSetting:
        secret = ("secret key", False, t("cli.setting_secret_missing"))
    parts = urlsplit(loaded.base_url)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    public = parts.scheme == "https" or local
    key = "cli.doctor_local" if local else "cli.doctor_address" if public else "cli.doctor_no_tls"
    return [secret, ("base url", public, t(key, url=loaded.base_url))]


def _database(loaded: Settings) -> list[Finding]:
    try:
        current = migrations.current(loaded.database_url)
        if current != migrations.head():
            return [("database", False, t("cli.not_migrated" if current else "cli.no_tables"))]
        drift = migrations.drift(loaded.database_url)
    except Unreachable as error:
        return [("database", False, str(error))]
    told = "; ".join(drift) or t("cli.doctor_tables", version=current)
    return [("database", not drift, told)]


async def _living(loaded: Settings) -> list[Finding]:
    async with open_context(loaded) as ctx:
        state = await health.ready(ctx)
        late = state["worker"] != "ok"
        found: list[Finding] = [
            ("worker", not late, t("cli.doctor_late" if late else "cli.doctor_worker")),
            await _mail(loaded),
        ]
        return [*found, *await _acquirers(ctx), *await _communities(ctx)]


async def _mail(loaded: Settings) -> Finding:
    if not loaded.smtp_url:
        return ("mail", False, t("cli.doctor_no_smtp"))
    parts = urlsplit(loaded.smtp_url)
    port = parts.port or (465 if parts.scheme == "smtps" else 587)
    place = f"{parts.hostname}:{port}"
    try:
        async with asyncio.timeout(5):
            _, writer = await asyncio.open_connection(parts.hostname, port)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        return ("mail", False, t("cli.doctor_smtp_away", place=place))
    return ("mail", True, place)


async def _acquirers(ctx: Context) -> list[Finding]:
    """Every connection of the first shop is asked who we are to it."""
    async with ctx.db.read() as tx:
        shop = await shop_rows.first(tx)
        there = await connections.of_shop(tx, shop.id) if shop else []
    found: list[Finding] = []
    for one in there:
        provider = ctx.providers[one.provider]
        try:
            secret = ctx.sealer.open(one.secret_sealed)
            told = await provider.check(access_to(provider, one, secret))
            found.append((one.provider, True, told))
        except (Rejected, Unknown, Refused, Unsealable) as error:
            found.append((one.provider, False, t("cli.doctor_acquirer", what=str(error))))
    return found or [("acquirer", False, t("cli.doctor_no_acquirer"))]


async def _communities(ctx: Context) -> list[Finding]:
    """Every connected community of the first shop: does VK know its key, do its events come."""
    async with ctx.db.read() as tx:
        shop = await shop_rows.first(tx)
        there = await communities.of_shop(tx, shop.id) if shop else []
    return [await _community(ctx, one.id) for one in there]


async def _community(ctx: Context, community_id: str) -> Finding:
    line = await _opened(ctx, community_id)
    if line is None:
        return ("vk", False, t("cli.doctor_vk_sealed"))
    name, trouble = line.community.name, line.community.trouble
    try:
        await groups.permissions(line.vk)
        state = await event_subscription.state(ctx, line)
    except Later:
        return ("vk", False, t("cli.doctor_vk_silent", name=name))
    except VkError as no:
        trouble, state = str(no.code), ""
    if trouble:
        key = f"vk.trouble_{trouble}"
        what = t(key) if words().has(key) else t("vk.trouble_other", code=trouble)
        return ("vk", False, t("cli.doctor_vk_trouble", name=name, what=what))
    well = state == event_subscription.OK
    return ("vk", well, t("cli.doctor_vk" if well else "cli.doctor_vk_deaf", name=name))


async def _opened(ctx: Context, community_id: str) -> Line | None:
    try:
        return await community_client.line(ctx, community_id)
    except Unsealable:
        return None
