"""`groups.*` methods for the community itself, and `users.get`."""

import re
from typing import Any

from msgspec.structs import replace

from sigma_sandbox.vk.actions.client_actions import RIGHT_BITS
from sigma_sandbox.vk.actions.owner_actions import update_settings
from sigma_sandbox.vk.api.request import ApiCall, ApiMethod
from sigma_sandbox.vk.wire import serializers
from sigma_sandbox.vk.wire.errors import VkApiError, invalid_param
from sigma_sandbox.vk.world.models import Community, Json

SCREEN_NAME_PATTERN = re.compile(r"[a-z][a-z0-9_.]{4,31}")
SECTIONS = {0: "Нет", 5: "Товары", 51: "Услуги"}
FLAG_SETTINGS = ("messages", "bots_capabilities", "bots_start_button", "bots_add_to_chat")


def get_by_id(call: ApiCall) -> Any:
    """Return communities by id or short name; without ids the community of the access key."""
    ids_text = call.text("group_ids") or call.text("group_id")
    if not ids_text and not call.has_community_key:
        raise invalid_param("group_ids is undefined")
    names = [
        one.strip() for one in (ids_text or str(call.access_key.group_id)).split(",") if one.strip()
    ]
    if len(names) > 500:
        raise invalid_param("group_ids has too many elements")
    communities = [call.vk.find_community(one) for one in names]
    groups = [serializers.group_json(call.vk, one, call.fields()) for one in communities if one]
    if call.version < (5, 139):
        return groups
    return {"groups": groups, "profiles": []}


def get_token_permissions(call: ApiCall) -> Json:
    """Return the rights of the access key, as names and as a bit mask."""
    rights = [one for one in RIGHT_BITS if one in call.access_key.rights]
    return {
        "mask": sum(RIGHT_BITS[one] for one in rights),
        "permissions": [{"name": one, "setting": RIGHT_BITS[one]} for one in rights],
    }


def set_settings(call: ApiCall) -> int:
    """Switch messages and bot features on or off."""
    community = call.community()
    flags = {name: call.flag(name) for name in FLAG_SETTINGS}
    update_settings(
        call.vk,
        community,
        _actor_id(call, community),
        {k: v for k, v in flags.items() if v is not None},
    )
    return 1


def edit(call: ApiCall) -> int:
    """Change the title, description, site, short name, messages and market settings."""
    community = call.community()
    changes: dict[str, Any] = {}
    for name, field in (("title", "name"), ("description", "description"), ("website", "site")):
        if name in call.params:
            changes[field] = call.text(name)
    if call.text("screen_name"):
        changes["screen_name"] = _parse_screen_name(call, community)
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
        raise invalid_param("title is invalid")
    update_settings(call.vk, community, _actor_id(call, community), changes)
    return 1


def _parse_screen_name(call: ApiCall, community: Community) -> str:
    name = call.text("screen_name")
    other = call.vk.find_community(name)
    if not SCREEN_NAME_PATTERN.fullmatch(name) or (other and other.id != community.id):
        raise VkApiError(1260)
    return name


def _actor_id(call: ApiCall, community: Community) -> int:
    return call.access_key.person_id or community.owner_id


def get_settings(call: ApiCall) -> Json:
    """Return the settings of the community's settings page."""
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


def get_online_status(call: ApiCall) -> Json:
    """Return whether the community shows that it is online."""
    return serializers.online_status_json(call.community())


def enable_online(call: ApiCall) -> int:
    """Show the community as online. Raises VkApiError (100) if it already is."""
    return _set_online(call, True)


def disable_online(call: ApiCall) -> int:
    """Show the community as offline. Raises VkApiError (100) if it already is."""
    return _set_online(call, False)


def _set_online(call: ApiCall, online: bool) -> int:
    community = call.community()
    if not community.messages:
        raise VkApiError(15, "group messages are disabled")
    if community.is_online == online:
        state = "enabled" if online else "disabled"
        raise invalid_param(f"online is already {state}")
    call.vk.put_community(replace(community, is_online=online))
    return 1


def toggle_market(call: ApiCall) -> int:
    """Set the market: "none", "basic" or "advanced"."""
    community, state = call.community(), call.require_text("state")
    if state not in ("none", "basic", "advanced"):
        raise invalid_param("state is invalid")
    if community.market == state:
        raise VkApiError(1432 if state == "none" else 1431)
    update_settings(call.vk, community, _actor_id(call, community), {"market": state})
    return 1


def get_users(call: ApiCall) -> list[Json]:
    """Return profiles by id or short name; unknown ones are left out."""
    names = [one.strip() for one in call.text("user_ids").split(",") if one.strip()]
    if not names and not call.has_community_key:
        names = [str(call.access_key.person_id)]
    if len(names) > 1000:
        raise invalid_param("user_ids has too many elements")
    people = call.vk.people
    by_name = {one.screen_name: one for one in people.values()}
    people_found = [people.get(int(one)) if one.isdecimal() else by_name.get(one) for one in names]
    fields, lang = call.fields(), call.text("lang")
    return [serializers.person_json(call.vk, one, fields, lang) for one in people_found if one]


METHODS = {
    "groups.getById": ApiMethod(get_by_id, "", ""),
    "groups.getTokenPermissions": ApiMethod(get_token_permissions, ""),
    "groups.setSettings": ApiMethod(set_settings, "manage", "groups"),
    "groups.edit": ApiMethod(edit, "manage", "groups"),
    "groups.getSettings": ApiMethod(get_settings, None, "groups"),
    "groups.getOnlineStatus": ApiMethod(get_online_status, "manage", "groups"),
    "groups.enableOnline": ApiMethod(enable_online, "manage", "groups"),
    "groups.disableOnline": ApiMethod(disable_online, "manage", "groups"),
    "groups.toggleMarket": ApiMethod(toggle_market, None, "groups"),
    "users.get": ApiMethod(get_users, "", ""),
}
