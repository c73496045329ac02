"""URLs of VK pages: a community, its settings, its chat, a user's profile.

Source for vk.me and `ref`: https://dev.vk.ru/ru/api/community-messages/getting-started. The URLs of
the settings pages are undocumented and may change, so every page that links to one also describes
the way there in words. A VK replacement such as the sandbox has its own base URL and paths
(`site_url`).
"""

import re
from urllib.parse import quote, urlencode, urlsplit

from sigma.domain.billing.connection import Connection
from sigma.domain.messaging.checklist import SettingsSection
from sigma.domain.messaging.community import Community

SITE_URL = "https://vk.com"
CHAT_URL = "https://vk.me"
_VK_HOSTS = {"vk.com", "vk.ru", "www.vk.com", "www.vk.ru", "m.vk.com", "m.vk.ru"}
_SCREEN_NAME = re.compile(r"[A-Za-z0-9_.]{1,64}", re.ASCII)
_REF = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)


_VK_QUERIES = {
    SettingsSection.ABOUT: "act=edit",
    SettingsSection.CONTACT: "act=edit",
    SettingsSection.MESSAGES: "act=messages",
    SettingsSection.BOTS: "act=messages&tab=bots",
    SettingsSection.SECTIONS: "act=edit",
    SettingsSection.ACCESS_KEYS: "act=tokens",
    SettingsSection.API: "act=api",
}
_SANDBOX_PATHS = {
    SettingsSection.ABOUT: "/manage#about",
    SettingsSection.CONTACT: "/manage#contact",
    SettingsSection.MESSAGES: "/manage#messages",
    SettingsSection.BOTS: "/manage#messages",
    SettingsSection.SECTIONS: "/manage#sections",
    SettingsSection.ACCESS_KEYS: "/tokens",
    SettingsSection.API: "/manage",
}


def new_community_url(site_url: str = SITE_URL) -> str:
    """Return the page where a user creates a community."""
    return f"{site_url}/{'groups_create' if _is_vk(site_url) else 'create'}"


def my_communities_url(site_url: str = SITE_URL) -> str:
    """Return the page that lists the communities a user administers."""
    return f"{site_url}/groups?tab=admin" if _is_vk(site_url) else site_url


def group_access_keys_url(site_url: str, group_id: int | str) -> str:
    """Return the page for creating access keys of a community that is not connected yet."""
    tail = "?act=tokens" if _is_vk(site_url) else "/tokens"
    return f"{site_url}/club{group_id}{tail}"


def typed_access_keys_url(site_url: str, address: str) -> str:
    """Return the access keys page for a community address that a user typed or pasted.

    Accepts a URL, a screen name or a numeric id; returns "" when it is none of them.
    """
    path = re.split(r"[?#]", address.strip())[0]
    parts = [part for part in path.split("/") if part and ":" not in part]
    name_or_id = next((part for part in reversed(parts) if _SCREEN_NAME.fullmatch(part)), "")
    if not name_or_id or name_or_id.lower() in _VK_HOSTS or name_or_id == "vk":
        return ""
    screen_name = f"club{name_or_id}" if name_or_id.isdigit() else name_or_id
    return f"{site_url}/{screen_name}{'?act=tokens' if _is_vk(site_url) else '/tokens'}"


def community_url(connection: Connection) -> str:
    """Return the community's public page."""
    return f"{_site_url(connection)}/club{connection.account}"


def settings_url(connection: Connection, section: SettingsSection) -> str:
    """Return a page of the community's settings, visible to its administrators."""
    if _is_vk(_site_url(connection)):
        return f"{community_url(connection)}?{_VK_QUERIES[section]}"
    return community_url(connection) + _SANDBOX_PATHS[section]


def access_keys_url(connection: Connection) -> str:
    """Return the page for creating access keys of a connected community."""
    return settings_url(connection, SettingsSection.ACCESS_KEYS)


def chat_url(
    community: Community, connection: Connection, ref: str = "", ref_source: str = ""
) -> str:
    """Return the URL where a client writes to the community.

    VK returns `ref` (at most 40 characters of A-Z a-z 0-9 _ -), such as a service id, and
    `ref_source` with the client's first message.
    """
    assert not ref or _REF.fullmatch(ref), ref
    name = quote(community.link_name, safe="")
    site_url = _site_url(connection)
    chat_url = f"{CHAT_URL}/{name}" if _is_vk(site_url) else f"{site_url}/me/{name}"
    query = {k: v for k, v in (("ref", ref), ("ref_source", ref_source)) if v}
    return f"{chat_url}?{urlencode(query)}" if query else chat_url


def conversation_url(connection: Connection, peer_id: int) -> str:
    """Return the page where the community's administrators read the dialog with a user.

    The sandbox has no such page: there it is the client's own view.
    """
    site_url = _site_url(connection)
    if _is_vk(site_url):
        return f"{site_url}/gim{connection.account}?sel={peer_id}"
    return f"{site_url}/write-{connection.account}"


def author_url(connection: Connection, from_id: int) -> str:
    """Return the page of a user, or of a community for a negative id."""
    if from_id < 0:
        return f"{_site_url(connection)}/club{-from_id}"
    return profile_url(connection, from_id)


def profile_url(connection: Connection, vk_user_id: int) -> str:
    """Return the profile page of a VK user."""
    return f"{_site_url(connection)}/id{vk_user_id}"


def _site_url(connection: Connection) -> str:
    return str(connection.settings.get("site_url") or SITE_URL).rstrip("/")


def _is_vk(site_url: str) -> bool:
    return (urlsplit(site_url).hostname or "") in _VK_HOSTS
