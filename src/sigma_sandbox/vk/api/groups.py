"""`groups.*` about the community itself, and `users.get`."""

import re
from typing import Any

from msgspec.structs import replace

from sigma_sandbox.vk.actions.client_actions import RIGHTS, Vk
from sigma_sandbox.vk.api.request import Call, Method
from sigma_sandbox.vk.wire import serializers
from sigma_sandbox.vk.wire.errors import VkRefused, bad_param
from sigma_sandbox.vk.world.models import Community, Json

SCREEN_NAME = re.compile(r"[a-z][a-z0-9_.]{4,31}")
SECTIONS = {0: "Нет", 5: "Товары", 51: "Услуги"}
SWITCHES = ("messages", "bots_capabilities", "bots_start_button", "bots_add_to_chat")


def get_by_id(call: Call) -> Any:
    """Communities by id or short name; without ids the community of the key."""
    asked = call.text("group_ids") or call.text("group_id")
    if not asked and not call.by_group:
        raise bad_param("group_ids is undefined")
    names = [one.strip() for one in (asked or str(call.token.group_id)).split(",") if one.strip()]
    if len(names) > 500:
        raise bad_param("group_ids has too many elements")
    found = [call.vk.community_by(one) for one in names]
    groups = [serializers.group_json(call.vk, one, call.fields()) for one in found if one]
    if call.version < (5, 139):
        return groups
    return {"groups": groups, "profiles": []}


def get_token_permissions(call: Call) -> Json:
    """Rights of the key."""
    rights = [one for one in RIGHTS if one in call.token.rights]
    return {
        "mask": sum(RIGHTS[one] for one in rights),
        "permissions": [{"name": one, "setting": RIGHTS[one]} for one in rights],
    }


def set_settings(call: Call) -> int:
    """Messages and the abilities of bots."""
    community = call.community()
    asked = {name: call.flag(name) for name in SWITCHES}
    change(
        call.vk, community, _who(call, community), {k: v for k, v in asked.items() if v is not None}
    )
    return 1


def edit(call: Call) -> int:
    """Title, description, site, short name, messages and the shop."""
    community = call.community()
    changes: dict[str, Any] = {}
    for name, field in (("title", "name"), ("description", "description"), ("website", "site")):
        if name in call.params:
            changes[field] = call.text(name)
    if call.text("screen_name"):
        changes["screen_name"] = _screen_name(call, community)
    if "messages" in call.params:
        changes["messages"] = bool(call.flag("messages"))
    for name in ("main_section", "secondary_section"):
        if call.text(name):
            changes[name] = call.number(name)
    if "market" in call.params:
        was_off = community.market == "none"
        changes["market"] = (
            ("basic" if was_off else community.market) if call.flag("market") else "none"
        )
    if changes.get("name") == "":
        raise bad_param("title is invalid")
    change(call.vk, community, _who(call, community), changes)
    return 1


def _screen_name(call: Call, community: Community) -> str:
    name = call.text("screen_name")
    taken = call.vk.community_by(name)
    if not SCREEN_NAME.fullmatch(name) or (taken and taken.id != community.id):
        raise VkRefused(1260)
    return name


def _who(call: Call, community: Community) -> int:
    return call.token.person_id or community.owner_id


TOLD_AS = {"name": "title", "site": "website"}


def change(vk: Vk, community: Community, who: int, changes: dict[str, Any]) -> None:
    """Write what really changes and tell the listeners of it."""
    told: Json = {}
    for field, new in changes.items():
        old = getattr(community, field)
        if old == new:
            continue
        told[TOLD_AS.get(field, field)] = {"old_value": _plain(old), "new_value": _plain(new)}
    vk.put_community(replace(community, **changes))
    shown = {k: v for k, v in told.items() if not k.startswith("bots_")}
    if shown:
        vk.tell(community.id, "group_change_settings", {"user_id": who, "changes": shown})


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return {"none": 0, "basic": 1, "advanced": 1}.get(value, value)


def get_settings(call: Call) -> Json:
    """What the settings page shows."""
    community = call.community()
    return {
        "title": community.name,
        "description": community.description,
        "address": community.screen_name,
        "website": community.site,
        "access": 0,
        "contacts": int(bool(community.contacts)),
        "links": 1,
        "events": 1,
        "addresses": True,
        "bots_capabilities": int(community.bots_capabilities),
        "bots_start_button": int(community.bots_start_button),
        "bots_add_to_chat": int(community.bots_add_to_chat),
        "sections_list": [{"id": number, "title": title} for number, title in SECTIONS.items()],
        "main_section": community.main_section,
        "secondary_section": community.secondary_section,
        "age_limits": 1,
        "city_id": 1,
        "city_name": "Москва",
        "recognize_photo": 0,
        "obscene_filter": 0,
        "obscene_stopwords": 0,
        "obscene_words": [],
        "toxic_filter": 0,
        "disable_replies_from_groups": 0,
        **dict.fromkeys(("audio", "articles", "docs", "photos", "topics", "video", "wiki"), 0),
        "wall": 1,
    }


def get_online_status(call: Call) -> Json:
    """Is somebody there to answer?"""
    return serializers.online_json(call.community())


def enable_online(call: Call) -> int:
    """Somebody is there."""
    return _set_online(call, True)


def disable_online(call: Call) -> int:
    """Nobody is there."""
    return _set_online(call, False)


def _set_online(call: Call, online: bool) -> int:
    community = call.community()
    if not community.messages:
        raise VkRefused(15, "group messages are disabled")
    if community.online == online:
        words = "enabled" if online else "disabled"
        raise bad_param(f"online is already {words}")
    call.vk.put_community(replace(community, online=online))
    return 1


def toggle_market(call: Call) -> int:
    """The shop: none, basic or advanced."""
    community, state = call.community(), call.needed("state")
    if state not in ("none", "basic", "advanced"):
        raise bad_param("state is invalid")
    if community.market == state:
        raise VkRefused(1432 if state == "none" else 1431)
    change(call.vk, community, _who(call, community), {"market": state})
    return 1


def get_users(call: Call) -> list[Json]:
    """Profiles by id or short name; people who are not there are left out."""
    names = [one.strip() for one in call.text("user_ids").split(",") if one.strip()]
    if not names and not call.by_group:
        names = [str(call.token.person_id)]
    if len(names) > 1000:
        raise bad_param("user_ids has too many elements")
    people = call.vk.people
    by_name = {one.screen_name: one for one in people.values()}
    found = [people.get(int(one)) if one.isdecimal() else by_name.get(one) for one in names]
    return [serializers.person_json(call.vk, one, call.fields()) for one in found if one]


METHODS = {
    "groups.getById": Method(get_by_id, "", ""),
    "groups.getTokenPermissions": Method(get_token_permissions, ""),
    "groups.setSettings": Method(set_settings, "manage", "groups"),
    "groups.edit": Method(edit, "manage", "groups"),
    "groups.getSettings": Method(get_settings, None, "groups"),
    "groups.getOnlineStatus": Method(get_online_status, "manage", "groups"),
    "groups.enableOnline": Method(enable_online, "manage", "groups"),
    "groups.disableOnline": Method(disable_online, "manage", "groups"),
    "groups.toggleMarket": Method(toggle_market, None, "groups"),
    "users.get": Method(get_users, "", ""),
}
