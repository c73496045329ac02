"""Addresses of VK's own pages: a community, its settings, its dialogs.

Sources: dev.vk.ru/ru/api/community-messages/getting-started (vk.me and `ref`). The settings pages
are written down nowhere: these addresses are those in use, so every page of ours that has one also
says the way there in words. A stand, such as the sandbox, keeps its pages under its own address.
"""

import re
from enum import StrEnum
from urllib.parse import quote, urlencode, urlsplit

from sigma.domain.billing.connection import Connection
from sigma.domain.messaging.community import Community

SITE_URL = "https://vk.com"
DIALOG_URL = "https://vk.me"
_HOSTS = {"vk.com", "vk.ru", "www.vk.com", "www.vk.ru", "m.vk.com", "m.vk.ru"}
_NAME = re.compile(r"[A-Za-z0-9_.]{1,64}", re.ASCII)
_REF = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)


class Section(StrEnum):
    """A page of a community's settings."""

    ABOUT = "about"  # name, description, avatar
    CONTACT = "contact"
    MESSAGES = "messages"
    BOTS = "bots"
    SECTIONS = "sections"  # goods, services…
    TOKENS = "tokens"
    API = "api"  # callback and long poll


_QUERY = {
    Section.ABOUT: "act=edit",
    Section.CONTACT: "act=edit",
    Section.MESSAGES: "act=messages",
    Section.BOTS: "act=messages&tab=bots",
    Section.SECTIONS: "act=edit",
    Section.TOKENS: "act=tokens",
    Section.API: "act=api",
}
_STAND = {
    Section.ABOUT: "/manage#about",
    Section.CONTACT: "/manage#contact",
    Section.MESSAGES: "/manage#messages",
    Section.BOTS: "/manage#messages",
    Section.SECTIONS: "/manage#sections",
    Section.TOKENS: "/tokens",
    Section.API: "/manage",
}


def new_community_url(site_url: str = SITE_URL) -> str:
    """Where a community is made."""
    return f"{site_url}/{'groups_create' if _real(site_url) else 'create'}"


def my_communities_url(site_url: str = SITE_URL) -> str:
    """Where a person finds the communities that they rule."""
    return f"{site_url}/groups?tab=admin" if _real(site_url) else site_url


def group_tokens_url(site_url: str, group_id: int | str) -> str:
    """Where the access keys of a community are made, before it is connected."""
    tail = "?act=tokens" if _real(site_url) else "/tokens"
    return f"{site_url}/club{group_id}{tail}"


def typed_tokens_url(site_url: str, typed: str) -> str:
    """The same for a community's address as a person copied it; empty when it is none."""
    path = re.split(r"[?#]", typed.strip())[0]
    parts = [part for part in path.split("/") if part and ":" not in part]
    found = next((one for one in reversed(parts) if _NAME.fullmatch(one)), "")
    if not found or found.lower() in _HOSTS or found == "vk":
        return ""
    name = f"club{found}" if found.isdigit() else found
    return f"{site_url}/{name}{'?act=tokens' if _real(site_url) else '/tokens'}"


def community_url(connection: Connection) -> str:
    """The community's own page."""
    return f"{_site(connection)}/club{connection.account}"


def settings_url(connection: Connection, section: Section) -> str:
    """A page of the community's settings, for its owner."""
    if _real(_site(connection)):
        return f"{community_url(connection)}?{_QUERY[section]}"
    return community_url(connection) + _STAND[section]


def tokens_url(connection: Connection) -> str:
    """Where a community's access keys are made."""
    return settings_url(connection, Section.TOKENS)


def dialog_url(
    community: Community, connection: Connection, ref: str = "", ref_source: str = ""
) -> str:
    """Where a client writes to the community.

    `ref`, such as a service's id, comes back with the client's first message.
    """
    assert not ref or _REF.fullmatch(ref), ref
    name = quote(community.link_name, safe="")
    root = _site(connection)
    base = f"{DIALOG_URL}/{name}" if _real(root) else f"{root}/me/{name}"
    told = {k: v for k, v in (("ref", ref), ("ref_source", ref_source)) if v}
    return f"{base}?{urlencode(told)}" if told else base


def person_url(connection: Connection, person_id: int) -> str:
    """A person's page."""
    return f"{_site(connection)}/id{person_id}"


def _site(connection: Connection) -> str:
    return str(connection.settings.get("site_url") or SITE_URL).rstrip("/")


def _real(site_url: str) -> bool:
    return (urlsplit(site_url).hostname or "") in _HOSTS
