"""A shop's VK communities: connect by access key, verify, replace the key, disconnect.

Conversations stay when a community is disconnected.
"""

from contextlib import suppress
from dataclasses import dataclass, replace

from sigma.channels.vk import groups, market
from sigma.channels.vk.errors import NeedsOwnerError, PermanentError, RetryLaterError
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.accounts.security_notice import NoticeKind
from sigma.domain.audit.changed_fields import changed_fields
from sigma.domain.audit.deed import Deed
from sigma.domain.billing.connection import Connection, Status
from sigma.domain.change import Change, Job, TimelineEvent
from sigma.domain.errors import Problem, RefusedError, validation_error
from sigma.domain.messaging.community import (
    AUTO_DELIVERY,
    DELIVERY_CHOICES,
    Community,
    CommunityCheck,
    mark_disconnected,
    with_check,
    with_market_access,
    with_new_key,
    with_preferred_delivery,
    with_waiting_work,
)
from sigma.domain.origin import Origin
from sigma.services.communities import event_subscription
from sigma.services.communities.access_keys import (
    InspectedKey,
    clean_key,
    inspect,
    new_connection,
    require_usable,
)
from sigma.services.communities.community_updates import update_community
from sigma.services.connection_secrets import encrypt_secret
from sigma.services.context import Context
from sigma.services.platform import audit_log, security_notices
from sigma.services.vk import community_client
from sigma.store import changes, jobs
from sigma.store.billing import connections
from sigma.store.encryption import DecryptionError
from sigma.store.engine.interface import ConflictError, StaleError, Tx
from sigma.store.messaging import communities

VK_SILENT = "silent"


@dataclass(frozen=True, slots=True)
class CommunityWithConnection:
    """A community and its connection, which stores the access key."""

    community: Community
    connection: Connection

    @property
    def is_connected(self) -> bool:
        """Whether the connection is active."""
        return self.connection.status is Status.ACTIVE


async def list_connected(ctx: Context, member: Member) -> list[CommunityWithConnection]:
    """Return the shop's connected communities, oldest first."""
    member.require(Permission.SETTINGS)
    return [
        CommunityWithConnection(community, connection)
        for community, connection in await community_client.list_connected(ctx, member)
    ]


async def get(ctx: Context, member: Member, community_id: str) -> CommunityWithConnection:
    """Return a community, connected or disconnected. Raises RefusedError("not_found")."""
    member.require(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        community = await communities.get(tx, community_id)
        connection = await connections.get(tx, community_id)
    if community is None or connection is None or community.shop_id != member.shop_id:
        raise RefusedError("not_found", what="community")
    return CommunityWithConnection(community, connection)


async def list_with_problem(ctx: Context, member: Member) -> list[Community]:
    """Return the shop's communities with a problem that the owner must fix.

    Raises RefusedError("forbidden") without Permission.ANSWER: others do not work with VK.
    """
    member.require(Permission.ANSWER)
    async with ctx.db.read() as tx:
        return [c for c in await communities.list_for_shop(tx, member.shop_id) if c.error_code]


async def connect(
    ctx: Context,
    member: Member,
    key: str,
    *,
    delivery_choice: str = AUTO_DELIVERY,
    origin: Origin | None = None,
) -> Community:
    """Connect the community of a key; a community that was connected before keeps its data.

    `delivery_choice`: "auto", "callback" or "long_poll". `origin`: where the request comes from;
    None sends no mails about it. Raises RefusedError like `inspect`, and "validation" when the
    community is connected already or the key lacks a right.
    """
    inspected = await inspect(ctx, member, key)
    require_usable(inspected)
    already_connected = validation_error(
        Problem("key", "vk_already", {"name": inspected.group.name})
    )
    if inspected.is_connected:
        raise already_connected
    connection, community = await _build_rows(ctx, member, inspected, clean_key(key))
    community = with_preferred_delivery(community, delivery_choice)
    event = _timeline_event(ctx, community, "community.connected", member.actor)
    change = Change((connection, community, event), jobs=_start_jobs(community))
    try:
        async with ctx.db.write() as tx:
            await jobs.requeue_dead(tx, member.shop_id, "refused: no_community", ctx.now_us())
            await changes.write(tx, change, ctx.now_us())
            await _announce(ctx, tx, member, community, origin)
            detail = {"group": community.group_id}
            deed = Deed.COMMUNITY_CONNECTED
            await audit_log.record(ctx, tx, member, deed, community.id, **detail)
    except (ConflictError, StaleError):
        raise already_connected from None  # connected by a concurrent request
    await _set_up_now(ctx, community.id)
    return (await get(ctx, member, community.id)).community


async def _announce(
    ctx: Context, tx: Tx, member: Member, community: Community, origin: Origin | None
) -> None:
    kind = NoticeKind.COMMUNITY_CHANGED
    await security_notices.announce_by(ctx, tx, kind, member, origin, community.name)


async def _build_rows(
    ctx: Context, member: Member, inspected: InspectedKey, key: str
) -> tuple[Connection, Community]:
    now_us, group = ctx.now_us(), inspected.group
    connection_id = (
        inspected.existing.id if inspected.existing else ctx.new_id("con", member.shop_id)
    )
    async with ctx.db.read() as tx:
        stored = await connections.get(tx, connection_id)
    new = new_connection(ctx, member, connection_id, str(group.id))
    connection = replace(
        stored or new,
        title=group.name,
        secret_encrypted=encrypt_secret(ctx.cipher, connection_id, key),
        settings=(stored.settings if stored else {}) | new.settings,
        status=Status.ACTIVE,
        checked_at_us=now_us,
        has_passed_check=True,
    )
    community = inspected.existing or Community(
        id=connection_id,
        shop_id=member.shop_id,
        group_id=group.id,
        name=group.name,
        screen_name=group.screen_name,
        photo_url=group.photo_url,
        created_at_us=now_us,
    )
    return connection, with_new_key(community, group.profile, inspected.rights, now_us)


def _start_jobs(community: Community) -> tuple[Job, ...]:
    """Jobs that read what was missed and start the periodic checks of delivery and orders."""
    return (
        Job("community.catch_up", community.id, community.shop_id),
        Job("community.check_events", community.id, community.shop_id),
        Job("vk_orders.fetch", community.id, community.shop_id),
    )


def _timeline_event(ctx: Context, community: Community, kind: str, actor: str) -> TimelineEvent:
    shop_id = community.shop_id
    return TimelineEvent(
        ctx.new_id("evt", shop_id), shop_id, community.id, kind, ctx.now_us(), actor
    )


async def _set_up_now(ctx: Context, community_id: str) -> None:
    """Set up event delivery at once. If VK does not respond, community.check_events does it."""
    try:
        await event_subscription.set_up(ctx, community_id)
        await _probe_market(ctx, community_id)
    except RetryLaterError:
        return


async def _probe_market(ctx: Context, community_id: str) -> None:
    """Store whether VK gives this key access to market items. Raises RetryLaterError."""
    client = await community_client.open_client(ctx, community_id)
    try:
        market_state = await market.probe_access(client.api, client.community.group_id)
    except NeedsOwnerError:
        return  # this call is optional; the next required call records the broken key
    await update_community(
        ctx, community_id, lambda stored: with_market_access(stored, market_state)
    )


async def replace_key(
    ctx: Context,
    member: Member,
    community_id: str,
    key: str,
    *,
    origin: Origin | None = None,
) -> Community:
    """Replace the key of a connected community, resume waiting work and read what was missed.

    `origin`: where the request comes from; None sends no mails about it. Raises RefusedError like
    `connect`, and "no_community".
    """
    current = await get(ctx, member, community_id)
    if not current.is_connected:
        raise RefusedError("no_community")
    inspected = await inspect(ctx, member, key)
    if inspected.group.id != current.community.group_id:
        names = {"name": current.community.name, "other": inspected.group.name}
        raise validation_error(Problem("key", "vk_key_other", names))
    require_usable(inspected)
    now_us = ctx.now_us()
    async with ctx.db.write() as tx:
        connection = await communities.lock_connection(tx, community_id)
        community = await communities.lock(tx, community_id)
        new = new_connection(ctx, member, community_id, connection.account)
        connection = replace(
            connection,
            secret_encrypted=encrypt_secret(ctx.cipher, connection.id, clean_key(key)),
            settings=connection.settings | new.settings,
        )
        await _write_recovered(
            tx,
            ctx,
            with_new_key(community, inspected.group.profile, inspected.rights, now_us),
            member.actor,
            community,
            connection,
        )
        await _announce(ctx, tx, member, community, origin)
        await audit_log.record(ctx, tx, member, Deed.COMMUNITY_KEY_REPLACED, community_id)
    await event_subscription.resume_waiting_work(ctx, community_id)
    await _set_up_now(ctx, community_id)
    return (await get(ctx, member, community_id)).community


async def _write_recovered(
    tx: Tx, ctx: Context, after: Community, actor: str, before: Community, *more: Connection
) -> None:
    """Record that the community's problem is solved; requeue the jobs that died because of it."""
    if before.error_code:
        error = f"refused: vk {before.error_code}"
        await jobs.requeue_dead(tx, before.shop_id, error, ctx.now_us())
    event = _timeline_event(ctx, after, "community.recovered", actor)
    after = with_waiting_work(after, ctx.now_us())
    await changes.write(tx, Change((*more, after, event), jobs=_start_jobs(after)), ctx.now_us())


async def verify(ctx: Context, member: Member, community_id: str) -> Community:
    """Query VK for the community, the key's rights and the event delivery; store the result.

    A key that works again clears the problem. Raises RefusedError: no_community, not_found.
    """
    current = await get(ctx, member, community_id)
    client = await community_client.open_client(ctx, current.community.id)
    code, group, rights, state = "", None, client.community.key_scopes, ""
    try:
        group = await groups.fetch_group(client.api)
        rights = tuple(sorted(await groups.fetch_permissions(client.api)))
        state = await event_subscription.fetch_state(ctx, client)
        await _probe_market(ctx, community_id)
    except NeedsOwnerError as error:
        code = str(error.code)
        await community_client.mark_key_broken(ctx, community_id, error)
    except RetryLaterError:
        code = VK_SILENT
    except PermanentError as error:
        code = str(error.code)
    profile = group.profile if group else None
    check = CommunityCheck(code, state, profile, rights)
    await _record_check(ctx, community_id, check, member.actor)
    await event_subscription.resume_waiting_work(ctx, community_id)
    return (await get(ctx, member, community_id)).community


async def _record_check(ctx: Context, community_id: str, check: CommunityCheck, actor: str) -> None:
    now_us = ctx.now_us()
    async with ctx.db.write() as tx:
        before = await communities.lock(tx, community_id)
        after = with_check(before, check, now_us)
        if before.error_code and not after.error_code:
            await _write_recovered(tx, ctx, after, actor, before)
        else:
            await changes.write(tx, Change((after,)), now_us)


async def choose_delivery(
    ctx: Context, member: Member, community_id: str, delivery_choice: str
) -> None:
    """Choose how events arrive ("auto", "callback" or "long_poll") and set it up at once.

    Raises RefusedError: validation, not_found, no_community, vk_silent.
    """
    if delivery_choice not in DELIVERY_CHOICES:
        raise validation_error(Problem("delivery", "choose"))
    current = await get(ctx, member, community_id)
    if not current.is_connected:
        raise RefusedError("no_community")
    await update_community(
        ctx, community_id, lambda stored: with_preferred_delivery(stored, delivery_choice)
    )
    changed = changed_fields(
        {"delivery": current.community.preferred_delivery}, {"delivery": delivery_choice}
    )
    await audit_log.record_alone(ctx, member, Deed.COMMUNITY_CHANGED, community_id, changes=changed)
    await set_up_delivery(ctx, member, community_id)


async def set_up_delivery(ctx: Context, member: Member, community_id: str) -> None:
    """Set up event delivery again. Raises RefusedError: not_found, no_community, vk_silent."""
    await get(ctx, member, community_id)
    try:
        await event_subscription.set_up(ctx, community_id)
    except RetryLaterError:
        raise RefusedError("vk_silent") from None


async def disconnect(
    ctx: Context, member: Member, community_id: str, *, origin: Origin | None = None
) -> None:
    """Disconnect a community and delete its key; conversations stay.

    `origin`: where the request comes from; None sends no mails about it.
    Our callback server is removed from VK if VK allows it and the key can be decrypted. Raises
    RefusedError("not_found").
    """
    current = await get(ctx, member, community_id)
    if not current.is_connected:
        return
    client = None
    # A key that no encryption key decrypts cannot be used, but must not prevent the disconnection.
    with suppress(DecryptionError):
        client = await community_client.open_client(ctx, community_id)
    async with ctx.db.write() as tx:
        connection = await communities.lock_connection(tx, community_id)
        community = await communities.lock(tx, community_id)
        off = replace(connection, status=Status.OFF, secret_encrypted="")
        event = _timeline_event(ctx, community, "community.disconnected", member.actor)
        await changes.write(tx, Change((off, mark_disconnected(community), event)), ctx.now_us())
        await _announce(ctx, tx, member, community, origin)
        await audit_log.record(ctx, tx, member, Deed.COMMUNITY_DISCONNECTED, community_id)
    if client is not None:
        await event_subscription.remove_callback_server(ctx, client)
