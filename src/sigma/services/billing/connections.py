"""A shop's connections to acquirers: save, verify, switch on and off. Secrets are encrypted."""

from dataclasses import replace
from typing import Any

from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.security_notice import NoticeKind
from sigma.domain.audit.changed_fields import changed_fields
from sigma.domain.audit.deed import Deed
from sigma.domain.billing.connection import Connection, Status
from sigma.domain.change import Change
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.origin import Origin
from sigma.providers.base import RejectedError, UnknownOutcomeError, connection_access
from sigma.services.billing.connection_settings import needs_new_secret, normalize_settings
from sigma.services.connection_secrets import decrypt_secret, encrypt_secret
from sigma.services.context import Context
from sigma.services.platform import audit_log, security_notices
from sigma.store import changes, jobs
from sigma.store.billing import connections
from sigma.store.engine.interface import Tx


def notice_url(ctx: Context, connection: Connection) -> str:
    """Return the URL for acquirer notices, or for VK events of a community.

    The URL for notices ends with a secret. VK sends its secret in each event instead.
    """
    url = f"{ctx.settings.base_url}/hooks/{connection.provider}/{connection.id}"
    return f"{url}/{connection.notice_token}" if connection.notice_token else url


async def list_for_shop(ctx: Context, member: Member) -> list[Connection]:
    """Return all connections of the shop, oldest first."""
    member.require(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        return await connections.list_for_shop(tx, member.shop_id)


async def get(ctx: Context, member: Member, connection_id: str) -> Connection:
    """Return an acquirer connection. Raises RefusedError("not_found")."""
    member.require(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        connection = await connections.get(tx, connection_id)
    is_foreign = connection is None or connection.shop_id != member.shop_id
    if connection is None or is_foreign or connection.provider not in ctx.providers:
        raise RefusedError("not_found", what="connection")
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
    origin: Origin | None = None,
) -> Connection:
    """Add a connection (`connection_id` None) or change one.

    `origin`: where the request comes from; None sends no mails about it (seeds).
    `secret` None keeps the stored secret, unless the address or its certificates change: then it
    must be given again, so that it cannot be sent to another server. The account of a connection
    with payments cannot change: their status is queried there. Raises RefusedError("validation").
    """
    member.require(Permission.SETTINGS)
    existing = await get(ctx, member, connection_id) if connection_id else None
    settings, problems = _check_fields(ctx, provider, account, settings)
    if existing is None and not secret:
        problems.append(Problem("secret", "required"))
    elif existing is not None and not secret and needs_new_secret(existing, settings):
        problems.append(Problem("secret", "secret_again"))
    if problems:
        raise validation_error(*problems)
    now_us = ctx.now_us()
    base = existing or Connection(
        id=ctx.new_id("con", member.shop_id),
        shop_id=member.shop_id,
        provider=provider,
        title="",
        account="",
        secret_encrypted="",
        created_at_us=now_us,
        notice_token=ctx.new_token(),
    )
    secret_encrypted = (
        encrypt_secret(ctx.cipher, base.id, secret.strip()) if secret else base.secret_encrypted
    )
    saved = replace(
        base,
        title=title.strip() or ctx.providers[provider].titles["ru"],
        account=account.strip(),
        secret_encrypted=secret_encrypted,
        settings=settings,
        has_passed_check=False,
        checked_at_us=0,
        check_detail="",
    )
    async with ctx.db.write() as tx:
        if existing is not None and existing.account != saved.account:
            # Under the lock: a payment that starts meanwhile waits for it, by its foreign key.
            await connections.lock(tx, existing.id)
            if await connections.has_payments(tx, existing.id):
                raise validation_error(Problem("account", "account_used"))
        # Requeue the jobs that died because of wrong credentials.
        await jobs.requeue_dead(tx, member.shop_id, "refused: acquirer_refused", now_us)
        await changes.write(tx, Change((saved,)), now_us)
        await _record_change(ctx, tx, member, existing, saved, origin, is_secret_new=bool(secret))
    await ctx.db.notify(jobs.CHANNEL)
    return await get(ctx, member, saved.id)


async def _record_change(
    ctx: Context,
    tx: Tx,
    member: Member,
    existing: Connection | None,
    saved: Connection,
    origin: Origin | None,
    *,
    is_secret_new: bool,
) -> None:
    """Mail and log a new or changed connection."""
    await security_notices.announce_by(
        ctx, tx, NoticeKind.CONNECTION_CHANGED, member, origin, saved.title
    )
    deed = Deed.CONNECTION_CHANGED if existing else Deed.CONNECTION_ADDED
    changed = changed_fields(
        _audited(existing) if existing else {},
        _audited(saved) | {"secret": is_secret_new},
        hidden=("secret", "ca_pem"),
    )
    await audit_log.record(ctx, tx, member, deed, saved.id, changes=changed)


def _audited(connection: Connection) -> dict[str, Any]:
    """Return the settings of a connection for the audit log."""
    settings = {name: str(value) for name, value in connection.settings.items()}
    return settings | {
        "provider": connection.provider,
        "title": connection.title,
        "account": connection.account,
        "secret": False,
    }


def _check_fields(
    ctx: Context, provider: str, account: str, settings: dict[str, Any]
) -> tuple[dict[str, Any], list[Problem]]:
    problems = []
    if provider not in ctx.providers:
        problems.append(Problem("provider", "choose"))
    elif settings.get("two_stage") and not ctx.providers[provider].capabilities.two_stage:
        problems.append(Problem("two_stage", "choose"))
    if not account.strip():
        problems.append(Problem("account", "required"))
    if len(account) > 100:
        problems.append(Problem("account", "too_long", {"max": 100}))
    # All problems are reported at once, also when no provider has been chosen yet.
    adapter = ctx.providers.get(provider) or next(iter(ctx.providers.values()))
    settings, found = normalize_settings(settings, adapter, ctx.outbound, ctx.now_us())
    return settings, problems + found


async def verify_credentials(ctx: Context, member: Member, connection_id: str) -> Connection:
    """Verify the credentials with a real request and store the result.

    `check_detail` becomes the acquirer's description of the account, or an error code. Nothing that
    another server than the acquirer's own says is stored: only whether it accepted the account.
    Raises DecryptionError.
    """
    connection = await get(ctx, member, connection_id)
    provider = ctx.providers[connection.provider]
    access = connection_access(provider, connection, decrypt_secret(ctx.cipher, connection))
    try:
        ok, detail = True, await provider.describe_account(access)
        if access.base_url != provider.base_url:
            detail = connection.account
    except RejectedError as rejection:
        ok, detail = False, rejection.code
    except UnknownOutcomeError:
        ok, detail = False, "unknown"
    async with ctx.db.write() as tx:
        current = await connections.get(tx, connection_id)
        assert current is not None, "a connection is never deleted"
        checked = replace(
            current, checked_at_us=ctx.now_us(), has_passed_check=ok, check_detail=detail
        )
        await changes.write(tx, Change((checked,)), ctx.now_us())
    return await get(ctx, member, connection_id)


async def set_active(
    ctx: Context,
    member: Member,
    connection_id: str,
    is_active: bool,
    *,
    origin: Origin | None = None,
) -> Connection:
    """Switch a connection on or off for new payments. Open payments are followed either way.

    `origin`: where the request comes from; None sends no mails about it.
    """
    connection = await get(ctx, member, connection_id)
    status = Status.ACTIVE if is_active else Status.OFF
    deed = Deed.CONNECTION_SWITCHED_ON if is_active else Deed.CONNECTION_SWITCHED_OFF
    async with ctx.db.write() as tx:
        await changes.write(tx, Change((replace(connection, status=status),)), ctx.now_us())
        await security_notices.announce_by(
            ctx, tx, NoticeKind.CONNECTION_CHANGED, member, origin, connection.title
        )
        await audit_log.record(ctx, tx, member, deed, connection_id)
    return await get(ctx, member, connection_id)
