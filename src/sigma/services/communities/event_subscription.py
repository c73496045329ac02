"""How VK's events reach us: set up by Sigma itself, looked after for ever, changed by the owner.

VK calls our address when it is public; otherwise we ask VK all the time, which works from
anywhere. When VK does not accept our address, the asking goes on meanwhile: nothing is missed.
"""

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

from sigma.channels.vk import fields as vk_fields
from sigma.channels.vk import groups
from sigma.channels.vk.client import Vk
from sigma.channels.vk.errors import Final, Later, NeedsPerson, VkError
from sigma.channels.vk.groups import CallbackServer
from sigma.domain.change import Change, Job
from sigma.domain.errors import Refused
from sigma.domain.messaging.community import Community, Delivery
from sigma.services.billing import connections
from sigma.services.context import HOUR, Context
from sigma.services.conversations import outbox
from sigma.services.invoice_cards import cards
from sigma.services.vk import community_client
from sigma.services.vk.community_client import Line
from sigma.store import changes
from sigma.store.engine.interface import Tx
from sigma.store.messaging import communities

WANTED = ("auto", *Delivery)
TITLE = "Sigma"  # how our address is called in the community's settings; 14 letters at most
OK, GONE, OFF = "ok", "gone", "off"
PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.5, 2.0)  # VK makes sure of an address while we wait
EVENT_NEEDED = "message_new"
RESUME = "resume"  # among the facts: what waited for a good key is still to be promised again


def public(base_url: str) -> bool:
    """Whether VK can call this address: https, and not of a private network."""
    return vk_fields.public(base_url)


def wants_callback(ctx: Context, community: Community) -> bool:
    """Whether VK shall call us: as the owner chose, else when our address is public."""
    if community.wanted == "auto":
        return public(ctx.settings.base_url)
    return community.wanted == Delivery.CALLBACK


def told(community: Community) -> dict[str, str]:
    """What is known: `state` is "ok" or the word of what is wrong; `callback` says why VK does not
    call our address although it should.
    """
    known: dict[str, str] = community.facts.get("delivery", {})
    return {"state": "", "callback": ""} | known


async def note(tx: Tx, ctx: Context, community_id: str, **fields: Any) -> Community:
    """Changes fields of a community in a transaction; `facts` are added to those there are."""
    community = await communities.lock(tx, community_id)
    facts = community.facts | fields.pop("facts", {})
    return await keep(tx, ctx, community, facts=facts, **fields)


async def keep(tx: Tx, ctx: Context, community: Community, **fields: Any) -> Community:
    """The same for a community that the transaction has locked; `facts` are all there will be."""
    after = replace(community, **fields)
    if after != community:
        await changes.write(tx, Change((after,)), ctx.now())
    return after


async def set_up(ctx: Context, community_id: str) -> None:
    """Makes VK tell us what happens, in the way that is wanted and works.

    A key that is no good is noted as the community's trouble.

    Raises Later, Refused("no_community").
    """
    line = await community_client.line(ctx, community_id)
    refused = ""
    try:
        if wants_callback(ctx, line.community):
            refused = await _callback(ctx, line)
            if not refused:
                return
        await _longpoll(ctx, line, refused)
    except NeedsPerson as no:
        await community_client.broken(ctx, community_id, no)
    except Final as no:
        await _say(ctx, community_id, state=str(no.code), callback=refused)


async def _callback(ctx: Context, line: Line) -> str:
    """Has VK call our address. Returns why it does not, empty when it does. Raises VkError."""
    group_id = line.community.group_id
    try:
        # VK asks for the code while our address is being added, so it is kept before that.
        code = await groups.callback_code(line.vk, group_id)
        secret = await _agree(ctx, line.community.id, code)
        server = await _server(ctx, line, secret)
        if server.status != OK:
            return server.status or "wait"
        await groups.set_callback_events(line.vk, group_id, server.id)
        listed = await groups.callback_events(line.vk, group_id, server.id)
    except Final as no:
        return str(no.code)
    if EVENT_NEEDED not in listed.events:
        return "events"
    async with ctx.db.write() as tx:
        await note(
            tx,
            ctx,
            line.community.id,
            delivery=Delivery.CALLBACK,
            server_id=server.id,
            poll_ts="",
            facts={"delivery": {"state": OK, "callback": ""}},
        )
    return ""


async def _agree(ctx: Context, community_id: str, code: str) -> str:
    """Keeps the code of confirmation, and the secret that VK's calls carry; returns the secret."""
    async with ctx.db.write() as tx:
        known = (await communities.lock(tx, community_id)).hook_secret_sealed
        secret = str(ctx.sealer.open(known)) if known else ctx.new_token()
        await note(
            tx,
            ctx,
            community_id,
            confirmation=code,
            hook_secret_sealed=known or ctx.sealer.seal(secret),
        )
    return secret


async def _server(ctx: Context, line: Line, secret: str) -> CallbackServer:
    """Our address among those that VK calls, after VK made sure of it."""
    group_id, url = line.community.group_id, connections.notice_url(ctx, line.connection)
    ours = await _ours(line.vk, group_id, url)
    for extra in ours[1:]:  # two people set it up at once: VK would tell everything twice
        await groups.delete_callback(line.vk, group_id, extra.id)
    if not ours:
        try:
            await groups.add_callback(line.vk, group_id, url, TITLE, secret)
        except Later as later:
            if not later.lost:
                raise  # nothing was added
    elif ours[0].status != OK or ours[0].secret != secret:
        await groups.edit_callback(line.vk, group_id, ours[0].id, url, TITLE, secret)
    for pause in PAUSES_S:
        ours = await _ours(line.vk, group_id, url)
        if ours and ours[0].status in (OK, "failed"):
            break
        await asyncio.sleep(pause)
    return ours[0] if ours else CallbackServer(0, TITLE, url, GONE)


async def _ours(vk: Vk, group_id: int, url: str) -> list[CallbackServer]:
    return [one for one in await groups.callback_servers(vk, group_id) if one.url == url]


async def _longpoll(ctx: Context, line: Line, refused: str) -> None:
    """Asks VK all the time from now on. Raises VkError."""
    group_id = line.community.group_id
    await groups.set_longpoll(line.vk, group_id, True)
    switches = await groups.longpoll_events(line.vk, group_id)
    good = switches.enabled and EVENT_NEEDED in switches.events
    async with ctx.db.write() as tx:
        await note(
            tx,
            ctx,
            line.community.id,
            delivery=Delivery.LONGPOLL,
            server_id=None,
            facts={"delivery": {"state": OK if good else OFF, "callback": refused}},
        )
    if not refused:  # what VK has not yet accepted may still be: it is left there
        await forget_address(ctx, line)


async def forget_address(ctx: Context, line: Line) -> None:
    """Takes our address out of the community, as far as VK lets us."""
    with contextlib.suppress(VkError):
        url = connections.notice_url(ctx, line.connection)
        for one in await _ours(line.vk, line.community.group_id, url):
            await groups.delete_callback(line.vk, line.community.group_id, one.id)


async def state(ctx: Context, line: Line) -> str:
    """What VK says of the delivery now: "ok", or the word of what is wrong. Raises VkError."""
    group_id = line.community.group_id
    if line.community.delivery is Delivery.CALLBACK:
        ours = await _ours(line.vk, group_id, connections.notice_url(ctx, line.connection))
        return ours[0].status if ours else GONE
    switches = await groups.longpoll_events(line.vk, group_id)
    return OK if switches.enabled and EVENT_NEEDED in switches.events else OFF


async def watch(ctx: Context, community_id: str) -> int | None:
    """Job: looks every hour whether VK still tells us everything, and puts it right.

    VK stops calling an address that failed for long. Raises Later.
    """
    try:
        line = await community_client.line(ctx, community_id)
    except Refused:
        return None  # disconnected; connecting promises it again
    if line.community.trouble:
        return None  # whoever mends the key promises it again
    await resume(ctx, community_id)
    try:
        await _look_after(ctx, line)
    except NeedsPerson as no:
        await community_client.broken(ctx, community_id, no)
        return None
    except Final as no:
        await _say(ctx, community_id, state=str(no.code))
    return ctx.now() + HOUR


async def resume(ctx: Context, community_id: str) -> None:
    """Sends what waited for a good key, if it was mended and this was not done yet."""
    async with ctx.db.read() as tx:
        community = await communities.get(tx, community_id)
    if community is None or RESUME not in community.facts:
        return
    await outbox.resume(ctx, community_id)
    await cards.resume(ctx, community_id)
    async with ctx.db.write() as tx:
        community = await communities.lock(tx, community_id)
        facts = {name: fact for name, fact in community.facts.items() if name != RESUME}
        await keep(tx, ctx, community, facts=facts)


async def _look_after(ctx: Context, line: Line) -> None:
    calls = line.community.delivery is Delivery.CALLBACK
    found = await state(ctx, line)
    if found == OK and wants_callback(ctx, line.community) is calls:
        return await _say(ctx, line.community.id, state=OK, callback="")
    await set_up(ctx, line.community.id)
    if found != OK:  # something may have happened meanwhile
        again = Job("community.catch_up", line.community.id, line.community.shop_id)
        await changes.commit(ctx.db, Change(jobs=(again,)), ctx.now())
    return None


async def _say(ctx: Context, community_id: str, **known: str) -> None:
    async with ctx.db.write() as tx:
        community = await communities.lock(tx, community_id)
        facts = community.facts | {"delivery": told(community) | known}
        await keep(tx, ctx, community, facts=facts)
