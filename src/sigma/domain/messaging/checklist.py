"""Readiness checklist of a community: the state of each item, and what Sigma can set by itself.

VK does not disclose every setting to a community's key. Such items stay "unknown" until they are
observed to work or a member confirms them; the checklist never assumes that an item is done.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sigma.domain.messaging.community import (
    DELIVERY_OK,
    Community,
    CommunityProfile,
    EventDelivery,
    delivery_status,
    with_facts,
    with_profile,
    without_fact,
)

REQUIRED_RIGHTS = ("messages", "manage")  # without these a community cannot be connected
RECOMMENDED_RIGHTS = ("photos",)  # pictures in conversations
OPTIONAL_RIGHTS = ("market",)  # market items and VK orders


class SettingsSection(StrEnum):
    """A page of a community's settings."""

    ABOUT = "about"  # name, description, avatar
    CONTACT = "contact"
    MESSAGES = "messages"
    BOTS = "bots"
    SECTIONS = "sections"  # market, services and other blocks
    ACCESS_KEYS = "tokens"
    API = "api"  # callback and long poll


class ItemState(StrEnum):
    """State of an item. `unknown`: VK does not disclose it to a community's key."""

    DONE = "done"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    """One checklist item.

    `action`: what its button does, "switch", "write", "confirm", "renew" or "" for none. `reason`:
    code for the text key vk.item_<name>_<reason> (vk.item_<name>_<state> if empty). `url`: the
    page in VK's settings. `optional` items are not counted.
    """

    name: str
    state: ItemState
    url: str
    action: str = ""
    reason: str = ""
    optional: bool = False
    missing_rights: tuple[str, ...] = ()  # missing rights, for the item "rights"


def count_done(items: list[ChecklistItem]) -> tuple[int, int]:
    """Return the number of done items and of all counted items."""
    counted = [item for item in items if not item.optional]
    return sum(item.state is ItemState.DONE for item in counted), len(counted)


def build_items(
    community: Community, community_url: str, section_url: Callable[[SettingsSection], str]
) -> list[ChecklistItem]:
    """Return all items, computed from the stored VK responses.

    `section_url` returns the URL of a page of the community's settings.
    """
    group = community.facts.get("group", {})

    def group_item(name: str, section: SettingsSection, action: str = "") -> ChecklistItem:
        state = (
            ItemState.DONE if group.get(name) else ItemState.MISSING if group else ItemState.UNKNOWN
        )
        is_refused = bool(action) and f"no_{name}" in community.facts
        return ChecklistItem(
            name,
            state,
            section_url(section),
            "" if is_refused else action,
            "refused" if is_refused else "",
        )

    messages = _messages_item(community, section_url(SettingsSection.MESSAGES))
    bots = _bots_item(community, section_url(SettingsSection.BOTS))
    return [
        _existence_item(community, community_url),
        group_item("avatar", SettingsSection.ABOUT),
        group_item("description", SettingsSection.ABOUT, "write"),
        group_item("contact", SettingsSection.CONTACT),
        _services_item(community, section_url(SettingsSection.SECTIONS)),
        messages,
        replace(bots, action="") if messages.action else bots,  # one button switches both on
        _delivery_item(community, section_url(SettingsSection.API)),
        _rights_item(community, section_url(SettingsSection.ACCESS_KEYS)),
        replace(group_item("market", SettingsSection.SECTIONS, "switch"), optional=True),
    ]


def _existence_item(community: Community, url: str) -> ChecklistItem:
    group = community.facts.get("group")
    deactivated = (group or {}).get("deactivated", "")
    state = (
        ItemState.UNKNOWN if group is None else ItemState.MISSING if deactivated else ItemState.DONE
    )
    return ChecklistItem("exists", state, url, reason=deactivated)


def _services_item(community: Community, url: str) -> ChecklistItem:
    """VK has no field for it. Done: main or secondary section, or confirmed by a member."""
    if community.facts.get("group", {}).get("services"):
        return ChecklistItem("services", ItemState.DONE, url)
    if "services_confirmed" in community.facts:
        return ChecklistItem("services", ItemState.DONE, url, "confirm", "confirmed")
    return ChecklistItem("services", ItemState.UNKNOWN, url, "confirm")


def _messages_item(community: Community, url: str) -> ChecklistItem:
    """`can_message` is about the caller of the API; for a community key it is only a hint."""
    can_message = bool(community.facts.get("group", {}).get("can_message"))
    messages = community.facts.get("messages", {})
    is_off = messages.get("off") or (messages.get("read_back") and not can_message)
    if is_off and not can_message:
        return ChecklistItem("messages", ItemState.MISSING, url, _switch_action(community))
    if can_message or messages.get("on"):
        return ChecklistItem(
            "messages", ItemState.DONE, url, reason="" if can_message else "switched"
        )
    return ChecklistItem("messages", ItemState.UNKNOWN, url, _switch_action(community))


def _bots_item(community: Community, url: str) -> ChecklistItem:
    """VK does not disclose bot settings; only the result of our own switching is known."""
    bots = community.facts.get("bots", {})
    if bots.get("on"):
        return ChecklistItem("bots", ItemState.DONE, url)
    state = ItemState.MISSING if bots.get("off") else ItemState.UNKNOWN
    return ChecklistItem("bots", state, url, _switch_action(community))


def _switch_action(community: Community) -> str:
    return "" if "no_messages" in community.facts else "switch"


def _delivery_item(community: Community, url: str) -> ChecklistItem:
    status = delivery_status(community)
    why = "callback" if community.event_delivery is EventDelivery.CALLBACK else "long_poll"
    if status["state"] == DELIVERY_OK and not community.error_code:
        return ChecklistItem("delivery", ItemState.DONE, url, reason=why)
    if community.error_code:
        return ChecklistItem("delivery", ItemState.MISSING, url, reason="key_broken")
    state = ItemState.MISSING if status["state"] else ItemState.UNKNOWN
    return ChecklistItem("delivery", state, url, "renew")


def _rights_item(community: Community, url: str) -> ChecklistItem:
    missing = tuple(
        name for name in (*REQUIRED_RIGHTS, *RECOMMENDED_RIGHTS) if name not in community.key_scopes
    )
    return ChecklistItem(
        "rights", ItemState.MISSING if missing else ItemState.DONE, url, missing_rights=missing
    )


def with_refusal(community: Community, name: str, code: int) -> Community:
    """Record that VK does not let the key set this item. `code`: VK's error code, or 0 for none."""
    return with_facts(community, **{f"no_{name}": code})


def with_edited_profile(community: Community, profile: CommunityProfile, name: str) -> Community:
    """Return the community with VK's response after item `name` was set.

    VK may report success and change nothing: the item then counts as refused.
    """
    after = with_profile(community, profile)
    return after if profile.flags[name] else with_refusal(after, name, 0)


def with_messages_enabled(
    community: Community, profile: CommunityProfile, now_us: int
) -> Community:
    """Return the community after Sigma switched on its messages and bots.

    `read_back`: VK confirmed the messages; it never returns the bot settings.
    """
    messages = {"on": True, "read_back": profile.can_message, "at_us": now_us}
    after = with_profile(community, profile)
    return with_facts(after, messages=messages, bots={"on": True, "at_us": now_us})


def with_services_confirmed(community: Community, actor: str, now_us: int) -> Community:
    """Return the community with a member's confirmation that its services section is on."""
    return with_facts(community, services_confirmed={"at_us": now_us, "by": actor})


def without_services_confirmed(community: Community) -> Community:
    """Return the community after a member withdrew the confirmation."""
    return without_fact(community, "services_confirmed")


def with_changed_settings(community: Community, new_values: Mapping[str, Any]) -> Community:
    """Apply a `group_change_settings` event. `new_values`: setting name → value."""
    if "messages" not in new_values:
        return community
    is_on = bool(new_values["messages"])
    group = community.facts.get("group", {}) | {"can_message": is_on}
    return with_facts(community, group=group, messages={"on": is_on, "off": not is_on})
