"""A shop's connections to acquirers: saved with the secret sealed, checked by a real question,
switched on and off.
"""

from dataclasses import replace
from typing import Any

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.shop import url_ok
from sigma.domain.billing.connection import Connection, Status
from sigma.domain.change import Change
from sigma.domain.errors import Problem, Refused, invalid
from sigma.providers.base import Rejected, Unknown, access_to
from sigma.services.context import Context
from sigma.store import changes, jobs
from sigma.store.billing import connections


def notice_url(ctx: Context, connection: Connection) -> str:
    """Where the acquirer must send its notices."""
    return f"{ctx.settings.base_url}/hooks/{connection.provider}/{connection.id}"


async def listing(ctx: Context, member: Member) -> list[Connection]:
    """All connections of the shop, the oldest first."""
    member.must(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        return await connections.of_shop(tx, member.shop_id)


async def get(ctx: Context, member: Member, connection_id: str) -> Connection:
    """One connection. Raises Refused("not_found")."""
    member.must(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        connection = await connections.get(tx, connection_id)
    foreign = connection is None or connection.shop_id != member.shop_id
    if connection is None or foreign or connection.provider not in ctx.providers:
        raise Refused("not_found", what="connection")
    return connection


async def save(
    ctx: Context,
    member: Member,
    connection_id: str | None,
    *,
    provider: str,
    title: str,
    account: str,
    secret: str | None,
    settings: dict[str, Any],
) -> Connection:
    """Adds a connection, or changes one.

    `secret` None keeps the stored one. Raises Refused("validation").

    A connection that took payments keeps its account: they are asked about there for ever.
    """
    member.must(Permission.SETTINGS)
    known = await get(ctx, member, connection_id) if connection_id else None
    problems = _check(ctx, provider, account, settings)
    if known is not None and known.account != account.strip():
        async with ctx.db.read() as tx:
            if await connections.has_payments(tx, known.id):
                problems.append(Problem("account", "account_used"))
    if known is None and not secret:
        problems.append(Problem("secret", "required"))
    if problems:
        raise invalid(*problems)
    now = ctx.now()
    sealed = ctx.sealer.seal(secret.strip()) if secret else known.secret_sealed if known else ""
    base = known or Connection(
        id=ctx.new_id("con", member.shop_id),
        shop_id=member.shop_id,
        provider=provider,
        title="",
        account="",
        secret_sealed="",
        created_at=now,
    )
    saved = replace(
        base,
        title=title.strip() or ctx.providers[provider].titles["ru"],
        account=account.strip(),
        secret_sealed=sealed,
        settings=settings,
        check_ok=False,
        checked_at=0,
        check_detail="",
    )
    async with ctx.db.write() as tx:
        # Work that died of a wrong key is tried with the new one.
        await jobs.revive(tx, member.shop_id, "refused: acquirer_refused", now)
        await changes.write(tx, Change((saved,)), now)
    await ctx.db.notify(jobs.CHANNEL)
    return await get(ctx, member, saved.id)


def _check(ctx: Context, provider: str, account: str, settings: dict[str, Any]) -> list[Problem]:
    problems = []
    if provider not in ctx.providers:
        problems.append(Problem("provider", "choose"))
    if not account.strip():
        problems.append(Problem("account", "required"))
    if len(account) > 100:
        problems.append(Problem("account", "too_long", {"max": 100}))
    if settings.get("base_url") and not url_ok(str(settings["base_url"])):
        problems.append(Problem("base_url", "url"))
    timeout = settings.get("timeout_s")
    if timeout is not None and not 1 <= float(timeout) <= 120:
        problems.append(Problem("timeout_s", "range", {"min": 1, "max": 120}))
    return problems


async def check(ctx: Context, member: Member, connection_id: str) -> Connection:
    """Asks the acquirer who we are to it, and remembers what it said: a fact, or a code of what is
    wrong.
    """
    connection = await get(ctx, member, connection_id)
    provider = ctx.providers[connection.provider]
    access = access_to(provider, connection, ctx.sealer.open(connection.secret_sealed))
    try:
        good, detail = True, await provider.check(access)
    except Rejected as no:
        good, detail = False, no.code
    except Unknown:
        good, detail = False, "unknown"
    async with ctx.db.write() as tx:
        fresh = await connections.get(tx, connection_id)
        assert fresh is not None, "a connection is never deleted"
        seen = replace(fresh, checked_at=ctx.now(), check_ok=good, check_detail=detail)
        await changes.write(tx, Change((seen,)), ctx.now())
    return await get(ctx, member, connection_id)


async def switch(ctx: Context, member: Member, connection_id: str, active: bool) -> Connection:
    """Takes new payments through a connection, or no more.

    Open payments are followed either way.
    """
    connection = await get(ctx, member, connection_id)
    status = Status.ACTIVE if active else Status.OFF
    await changes.commit(ctx.db, Change((replace(connection, status=status),)), ctx.now())
    return await get(ctx, member, connection_id)
