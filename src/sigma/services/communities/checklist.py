"""Whether a community is ready for clients: what VK says of each point, what Sigma can put right by
itself, what only its owner can.

VK does not tell everything to a community's key. What it does not tell is "unknown" here until it
was seen to work or a person said so: a tick is never made up.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sigma.channels.vk import groups
from sigma.channels.vk.errors import Final, Later, NeedsPerson, VkError
from sigma.channels.vk.groups import Group
from sigma.domain.accounts.member import Member, Permission
from sigma.domain.billing.connection import Connection
from sigma.domain.errors import Problem, Refused, invalid
from sigma.domain.messaging.community import Community, Delivery
from sigma.services.communities import event_subscription
from sigma.services.context import Context
from sigma.services.vk import community_client, links
from sigma.services.vk.community_client import Line
from sigma.services.vk.links import Section
from sigma.store.messaging import communities

NEEDED = ("messages", "manage")  # without these Sigma can do nothing
WISHED = ("photos",)  # pictures in dialogs
OPTIONAL = ("market",)  # orders of an advanced shop
MAX_DESCRIPTION = 4000
# VK lists groups.edit no more: these are its ways to say so.
WITHDRAWN = {3, 7, 15, 23, 27}


class State(StrEnum):
    """`unknown`: VK does not tell it to a community's key."""

    DONE = "done"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Item:
    """One point. `does` is what a button does here: "switch", "write", "say", "renew" or nothing.

    `why` is the word of the reason (texts: vk.item_<name>_<why>, else _<state>); `url` is VK's own
    page; `optional` points are not counted.
    """

    name: str
    state: State
    url: str
    does: str = ""
    why: str = ""
    optional: bool = False
    names: tuple[str, ...] = ()  # rights that the key lacks


def ready(items: list[Item]) -> tuple[int, int]:
    """How many points are done, of how many."""
    counted = [item for item in items if not item.optional]
    return sum(item.state is State.DONE for item in counted), len(counted)


def items(community: Community, connection: Connection) -> list[Item]:
    """All points, from what VK last said."""
    seen = community.facts.get("group", {})

    def at(section: Section) -> str:
        return links.settings_url(connection, section)

    def told(name: str, section: Section, does: str = "") -> Item:
        state = State.DONE if seen.get(name) else State.MISSING if seen else State.UNKNOWN
        refused = bool(does) and f"no_{name}" in community.facts
        return Item(name, state, at(section), "" if refused else does, "refused" if refused else "")

    messages = _messages(community, at(Section.MESSAGES))
    bots = _bots(community, at(Section.BOTS))
    return [
        _exists(community, links.community_url(connection)),
        told("avatar", Section.ABOUT),
        told("description", Section.ABOUT, "write"),
        told("contact", Section.CONTACT),
        _services(community, at(Section.SECTIONS)),
        messages,
        replace(bots, does="") if messages.does else bots,  # one button switches both
        _delivery(community, at(Section.API)),
        _rights(community, at(Section.TOKENS)),
        replace(told("goods", Section.SECTIONS, "switch"), optional=True),
    ]


def _exists(community: Community, url: str) -> Item:
    seen = community.facts.get("group")
    gone = (seen or {}).get("deactivated", "")
    state = State.UNKNOWN if seen is None else State.MISSING if gone else State.DONE
    return Item("exists", state, url, why=gone)


def _services(community: Community, url: str) -> Item:
    """No field of VK says it: a main section is a hint, and a person's word is enough."""
    if community.facts.get("group", {}).get("services"):
        return Item("services", State.DONE, url)
    if "services_said" in community.facts:
        return Item("services", State.DONE, url, "say", "said")
    return Item("services", State.UNKNOWN, url, "say")


def _messages(community: Community, url: str) -> Item:
    """VK says whether *the asking one* may write; for a key that is a hint and no more."""
    shown = bool(community.facts.get("group", {}).get("can_message"))
    switched = community.facts.get("messages", {})
    off = switched.get("off") or (switched.get("read_back") and not shown)
    if off and not shown:
        return Item("messages", State.MISSING, url, _switch(community))
    if shown or switched.get("on"):
        return Item("messages", State.DONE, url, why="" if shown else "switched")
    return Item("messages", State.UNKNOWN, url, _switch(community))


def _bots(community: Community, url: str) -> Item:
    """VK tells nobody; it confirmed when Sigma switched them on."""
    switched = community.facts.get("bots", {})
    if switched.get("on"):
        return Item("bots", State.DONE, url)
    state = State.MISSING if switched.get("off") else State.UNKNOWN
    return Item("bots", state, url, _switch(community))


def _switch(community: Community) -> str:
    return "" if "no_messages" in community.facts else "switch"


def _delivery(community: Community, url: str) -> Item:
    known = event_subscription.told(community)
    why = "callback" if community.delivery is Delivery.CALLBACK else "longpoll"
    if known["state"] == event_subscription.OK and not community.trouble:
        return Item("delivery", State.DONE, url, why=why)
    if community.trouble:
        return Item("delivery", State.MISSING, url, why="trouble")
    state = State.MISSING if known["state"] else State.UNKNOWN
    return Item("delivery", state, url, "renew")


def _rights(community: Community, url: str) -> Item:
    lacking = tuple(name for name in (*NEEDED, *WISHED) if name not in community.rights)
    return Item("rights", State.MISSING if lacking else State.DONE, url, names=lacking)


def facts_of(group: Group) -> dict[str, Any]:
    """What is kept of VK's answer: yes and no, no texts and nobody's phone."""
    return {
        "group": {
            "deactivated": group.deactivated,
            "avatar": group.has_photo,
            "description": bool(group.description.strip()),
            "contact": bool(group.contacts),
            "goods": group.market,
            "services": group.services_shown,
            "can_message": group.can_message,
        }
    }


def seen_fields(group: Group) -> dict[str, Any]:
    """What a community's row takes over from VK's answer."""
    return {"name": group.name, "screen_name": group.screen_name, "photo_url": group.photo}


def settings_changed(community: Community, told: dict[str, Any]) -> Community:
    """The community after VK told `group_change_settings`: `told` is setting → its new value."""
    if "messages" not in told:
        return community
    on = bool(told["messages"])
    group = community.facts.get("group", {}) | {"can_message": on}
    messages = {"on": on, "off": not on}
    return replace(community, facts=community.facts | {"group": group, "messages": messages})


async def refresh(ctx: Context, member: Member, community_id: str) -> None:
    """Asks VK about every point again. Raises Refused: no_community, vk_refused, vk_silent."""
    line = await _line(ctx, member, community_id)
    group, rights, state = await _asked(ctx, line)
    async with ctx.db.write() as tx:
        known = event_subscription.told(await communities.lock(tx, community_id)) | {"state": state}
        await event_subscription.note(
            tx,
            ctx,
            community_id,
            rights=rights,
            facts=facts_of(group) | {"delivery": known, "list_at": ctx.now()},
            **seen_fields(group),
        )


async def _asked(ctx: Context, line: Line) -> tuple[Group, tuple[str, ...], str]:
    try:
        group = await groups.who(line.vk)
        rights = tuple(sorted(await groups.permissions(line.vk)))
        return group, rights, await event_subscription.state(ctx, line)
    except VkError as error:
        raise await refusal(ctx, line.community.id, error) from None


async def refusal(ctx: Context, community_id: str, error: VkError) -> Refused:
    """VK's refusal as ours; a key that is no good is noted on the way."""
    if isinstance(error, NeedsPerson):
        await community_client.broken(ctx, community_id, error)
        return Refused("vk_refused")
    return Refused("vk_silent" if isinstance(error, Later) else "vk_refused")


async def switch_on(ctx: Context, member: Member, community_id: str) -> bool:
    """Switches on messages and what bots may, both at once. False when VK does not let us.

    Raises Refused as `refresh`.
    """
    line = await _line(ctx, member, community_id)
    try:
        await groups.set_settings(
            line.vk, line.community.group_id, messages=True, bots_capabilities=True
        )
        group = await groups.who(line.vk)
    except Final as no:
        await _note(ctx, community_id, {"no_messages": no.code})
        return False
    except VkError as error:
        raise await refusal(ctx, community_id, error) from None
    messages = {"on": True, "read_back": group.can_message, "at": ctx.now()}
    bots = {"on": True, "at": ctx.now()}
    await _note(ctx, community_id, facts_of(group) | {"messages": messages, "bots": bots})
    return True


async def describe(ctx: Context, member: Member, community_id: str, text: str) -> bool:
    """Writes the community's description and reads it back. False when VK does not let us.

    Raises Refused as `refresh`, or "validation".
    """
    text = text.strip()
    if not text:
        raise invalid(Problem("description", "required"))
    if len(text) > MAX_DESCRIPTION:
        raise invalid(Problem("description", "too_long", {"max": MAX_DESCRIPTION}))
    return await _edit(ctx, member, community_id, "description", description=text)


async def goods_on(ctx: Context, member: Member, community_id: str) -> bool:
    """Switches the section of goods on and looks whether it is. False when VK does not let us."""
    return await _edit(ctx, member, community_id, "goods", market=True)


async def _edit(ctx: Context, member: Member, community_id: str, name: str, **what: Any) -> bool:
    line = await _line(ctx, member, community_id)
    try:
        await groups.edit(line.vk, line.community.group_id, **what)
        group = await groups.who(line.vk)
    except Final as no:
        if no.code not in WITHDRAWN:
            raise await refusal(ctx, community_id, no) from None
        await _note(ctx, community_id, {f"no_{name}": no.code})
        return False
    except VkError as error:
        raise await refusal(ctx, community_id, error) from None
    seen = facts_of(group)
    done = bool(seen["group"][name])
    # VK may say yes and do nothing.
    await _note(ctx, community_id, seen | ({} if done else {f"no_{name}": 0}))
    return done


async def say(ctx: Context, member: Member, community_id: str, on: bool) -> None:
    """A person says that services are switched on, or takes it back: VK has no field for it."""
    await _line(ctx, member, community_id)
    async with ctx.db.write() as tx:
        community = await communities.lock(tx, community_id)
        facts = {k: v for k, v in community.facts.items() if k != "services_said"}
        if on:
            facts["services_said"] = {"at": ctx.now(), "by": member.actor}
        await event_subscription.keep(tx, ctx, community, facts=facts)


async def _note(ctx: Context, community_id: str, facts: dict[str, Any]) -> None:
    async with ctx.db.write() as tx:
        await event_subscription.note(tx, ctx, community_id, facts=facts)


async def _line(ctx: Context, member: Member, community_id: str) -> Line:
    member.must(Permission.SETTINGS)
    line = await community_client.line(ctx, community_id)
    if line.community.shop_id != member.shop_id:
        raise Refused("no_community")
    return line
