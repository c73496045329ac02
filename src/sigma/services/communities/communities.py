"""A shop's communities of VKontakte: connected by a key, checked by real questions, mended by
another key, disconnected with their dialogs kept.
"""

from dataclasses import dataclass, replace
from typing import Any

from sigma.channels.vk import groups, market
from sigma.channels.vk.errors import Final, Later, NeedsPerson
from sigma.channels.vk.groups import Group
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.connection import Connection, Status
from sigma.domain.change import Change, Happening, Job
from sigma.domain.errors import Problem, Refused, invalid
from sigma.domain.messaging.community import Community, Delivery, troubled
from sigma.services.communities import checklist, event_subscription
from sigma.services.communities.access_keys import Found, connection_of, look, must_fit, read_key
from sigma.services.context import Context
from sigma.services.vk import community_client
from sigma.store import changes, jobs
from sigma.store.billing import connections
from sigma.store.engine.interface import Conflict, Stale, Tx
from sigma.store.messaging import communities

__all__ = ["Found", "look"]

SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Kept:
    """A community with the connection that keeps its key."""

    community: Community
    connection: Connection

    @property
    def connected(self) -> bool:
        """Whether the shop talks through it now."""
        return self.connection.status is Status.ACTIVE


async def listing(ctx: Context, member: Member) -> list[Kept]:
    """The shop's connected communities, the oldest first."""
    member.must(Permission.SETTINGS)
    return [
        Kept(line.community, line.connection)
        for line in await community_client.lines_of(ctx, member)
    ]


async def get(ctx: Context, member: Member, community_id: str) -> Kept:
    """One community, connected now or once. Raises Refused("not_found")."""
    member.must(Permission.SETTINGS)
    async with ctx.db.read() as tx:
        community = await communities.get(tx, community_id)
        connection = await connections.get(tx, community_id)
    if community is None or connection is None or community.shop_id != member.shop_id:
        raise Refused("not_found", what="community")
    return Kept(community, connection)


async def troubles(ctx: Context, member: Member) -> list[Community]:
    """The shop's communities that a person must mend."""
    async with ctx.db.read() as tx:
        return [c for c in await communities.of_shop(tx, member.shop_id) if c.trouble]


async def connect(ctx: Context, member: Member, key: str, *, wanted: str = "auto") -> Community:
    """Connects the community of a key; one that was connected before keeps all it had.

    `wanted`: auto, callback, longpoll. Raises Refused as `look`, and "validation" when it is
    connected already or the key may too little.
    """
    found = await look(ctx, member, key)
    must_fit(found)
    already = invalid(Problem("key", "vk_already", {"name": found.group.name}))
    if found.connected:
        raise already
    connection, community = await _rows(ctx, member, found, read_key(key))
    community = replace(
        community,
        wanted=wanted if wanted in event_subscription.WANTED else "auto",
        facts=community.facts | {event_subscription.RESUME: ctx.now()},
    )
    told = _happened(ctx, community, "community.connected", member.actor)
    change = Change((connection, community, told), jobs=_work(community))
    try:
        async with ctx.db.write() as tx:
            await jobs.revive(tx, member.shop_id, "refused: no_community", ctx.now())
            await changes.write(tx, change, ctx.now())
    except (Conflict, Stale):
        raise already from None  # somebody did it at the same moment
    await _begin(ctx, community.id)
    return (await get(ctx, member, community.id)).community


async def _rows(
    ctx: Context, member: Member, found: Found, key: str
) -> tuple[Connection, Community]:
    now, group = ctx.now(), found.group
    connection_id = found.known.id if found.known else ctx.new_id("con", member.shop_id)
    async with ctx.db.read() as tx:
        before = await connections.get(tx, connection_id)
    fresh = connection_of(ctx, member, connection_id, str(group.id))
    connection = replace(
        before or fresh,
        title=group.name,
        secret_sealed=ctx.sealer.seal(key),
        settings=(before.settings if before else {}) | fresh.settings,
        status=Status.ACTIVE,
        checked_at=now,
        check_ok=True,
    )
    community = found.known or Community(
        id=connection_id,
        shop_id=member.shop_id,
        group_id=group.id,
        name=group.name,
        screen_name=group.screen_name,
        photo_url=group.photo,
        created_at=now,
    )
    return connection, _with(community, found, now)


def _with(community: Community, found: Found, now: int) -> Community:
    """The community after a good key was pasted."""
    kept = {k: v for k, v in community.facts.items() if not k.startswith("no_")}
    check = {"code": "", "at": now}
    return replace(
        community,
        rights=found.rights,
        poll_ts="",
        trouble="",
        trouble_at=0,
        checked_at=now,
        facts=kept | checklist.facts_of(found.group) | {"check": check, "list_at": now},
        **checklist.seen_fields(found.group),
    )


def _work(community: Community) -> tuple[Job, ...]:
    """What was missed is read, and the delivery and the orders are looked after from now on."""
    return (
        Job("community.catch_up", community.id, community.shop_id),
        Job("community.watch", community.id, community.shop_id),
        Job("orders.read", community.id, community.shop_id),
    )


def _happened(ctx: Context, community: Community, kind: str, actor: str) -> Happening:
    shop_id = community.shop_id
    return Happening(ctx.new_id("evt", shop_id), shop_id, community.id, kind, ctx.now(), actor)


async def _begin(ctx: Context, community_id: str) -> None:
    """What would be good to have at once; the job does it later when VK is silent now."""
    try:
        await event_subscription.set_up(ctx, community_id)
        await _probe(ctx, community_id)
    except Later:
        return


async def _probe(ctx: Context, community_id: str) -> None:
    """Remembers whether VK shows goods to this key. Raises Later."""
    line = await community_client.line(ctx, community_id)
    try:
        said = await market.probe(line.vk, line.community.group_id)
    except NeedsPerson:
        return  # whoever needs the key for more than a look says it
    async with ctx.db.write() as tx:
        await event_subscription.note(tx, ctx, community_id, market=said)


async def mend(ctx: Context, member: Member, community_id: str, key: str) -> Community:
    """Takes another key of the same community; all that waited goes on, what was missed is read.

    Raises Refused as `connect`, "no_community".
    """
    kept = await get(ctx, member, community_id)
    if not kept.connected:
        raise Refused("no_community")
    found = await look(ctx, member, key)
    if found.group.id != kept.community.group_id:
        names = {"name": kept.community.name, "other": found.group.name}
        raise invalid(Problem("key", "vk_key_other", names))
    must_fit(found)
    now = ctx.now()
    async with ctx.db.write() as tx:
        connection = await communities.lock_connection(tx, community_id)
        community = await communities.lock(tx, community_id)
        fresh = connection_of(ctx, member, community_id, connection.account)
        connection = replace(
            connection,
            secret_sealed=ctx.sealer.seal(read_key(key)),
            settings=connection.settings | fresh.settings,
        )
        await _on(tx, ctx, _with(community, found, now), member.actor, community, connection)
    await event_subscription.resume(ctx, community_id)
    await _begin(ctx, community_id)
    return (await get(ctx, member, community_id)).community


async def _on(
    tx: Tx, ctx: Context, after: Community, actor: str, before: Community, *more: Connection
) -> None:
    """Writes that a trouble is over; work that died of it is tried again."""
    if before.trouble:
        error = f"refused: vk {before.trouble}"
        await jobs.revive(tx, before.shop_id, error, ctx.now())
    told = _happened(ctx, after, "community.mended", actor)
    after = replace(after, facts=after.facts | {event_subscription.RESUME: ctx.now()})
    await changes.write(tx, Change((*more, after, told), jobs=_work(after)), ctx.now())


async def check(ctx: Context, member: Member, community_id: str) -> Community:
    """Really asks VK: who, which rights, does it tell us everything. Remembers what it said.

    A key that works again ends its trouble. Raises Refused: no_community, not_found.
    """
    kept = await get(ctx, member, community_id)
    line = await community_client.line(ctx, kept.community.id)
    code, group, rights, state = "", None, line.community.rights, ""
    try:
        group = await groups.who(line.vk)
        rights = tuple(sorted(await groups.permissions(line.vk)))
        state = await event_subscription.state(ctx, line)
        await _probe(ctx, community_id)
    except NeedsPerson as no:
        code = str(no.code)
        await community_client.broken(ctx, community_id, no)
    except Later:
        code = SILENT
    except Final as no:
        code = str(no.code)
    await _checked(ctx, community_id, code, group, rights, state, member.actor)
    await event_subscription.resume(ctx, community_id)
    return (await get(ctx, member, community_id)).community


async def _checked(
    ctx: Context,
    community_id: str,
    code: str,
    group: Group | None,
    rights: tuple[str, ...],
    state: str,
    actor: str,
) -> None:
    now = ctx.now()
    async with ctx.db.write() as tx:
        before = await communities.lock(tx, community_id)
        facts: dict[str, Any] = {"check": {"code": code, "at": now}}
        fields: dict[str, Any] = {"checked_at": now}
        if state:
            facts["delivery"] = event_subscription.told(before) | {"state": state}
        if group is not None:
            facts |= checklist.facts_of(group) | {"list_at": now}
            fields |= checklist.seen_fields(group) | {"rights": rights}
        after = replace(before, facts=before.facts | facts, **fields)
        if group is not None and not code:
            after = troubled(after, group.deactivated, now)
        if before.trouble and not after.trouble:
            await _on(tx, ctx, after, actor, before)
        else:
            await changes.write(tx, Change((after,)), now)


async def choose_delivery(ctx: Context, member: Member, community_id: str, wanted: str) -> None:
    """How events shall come: auto, callback or longpoll; set up at once.

    Raises Refused: validation, no_community, vk_silent.
    """
    if wanted not in event_subscription.WANTED:
        raise invalid(Problem("wanted", "choose"))
    kept = await get(ctx, member, community_id)
    if not kept.connected:
        raise Refused("no_community")
    async with ctx.db.write() as tx:
        await event_subscription.note(tx, ctx, community_id, wanted=wanted)
    await renew(ctx, member, community_id)


async def renew(ctx: Context, member: Member, community_id: str) -> None:
    """Sets the delivery up again. Raises Refused: no_community, vk_silent."""
    await get(ctx, member, community_id)
    try:
        await event_subscription.set_up(ctx, community_id)
    except Later:
        raise Refused("vk_silent") from None


async def disconnect(ctx: Context, member: Member, community_id: str) -> None:
    """Ends the work with a community and forgets its key; dialogs stay. Raises Refused.

    VK is asked not to call us any more, as far as it lets us.
    """
    kept = await get(ctx, member, community_id)
    if not kept.connected:
        return
    line = await community_client.line(ctx, community_id)
    async with ctx.db.write() as tx:
        connection = await communities.lock_connection(tx, community_id)
        community = await communities.lock(tx, community_id)
        off = replace(connection, status=Status.OFF, secret_sealed="")
        after = replace(
            community, server_id=None, trouble="", trouble_at=0, delivery=Delivery.LONGPOLL
        )
        told = _happened(ctx, community, "community.disconnected", member.actor)
        await changes.write(tx, Change((off, after, told)), ctx.now())
    await event_subscription.forget_address(ctx, line)
